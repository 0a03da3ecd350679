"""A real Prometheus scrapes a daemon, and answers questions about its queue; its own tool finds nothing to lint."""

import json
import shutil
import socket
import subprocess
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from hybridq.outlook import Outlook
from tests.support.building import command, staying, until


def program(name: str) -> str:
    """The path of a program of Prometheus."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"no {name} is here to test with; get it with: apt-get install -y prometheus")
    return found


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


def asked(port: int, query: str) -> list[dict[str, Any]]:
    """What Prometheus answers."""
    url = f"http://127.0.0.1:{port}/api/v1/query?{urllib.parse.urlencode({'query': query})}"
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            found: list[dict[str, Any]] = json.load(answer)["data"]["result"]
            return found
    except OSError:
        return []


def test_prometheus_scrapes_a_daemon(every_state: Outlook, tmp_path: Path) -> None:
    """Jobs by state, money and the daemon are there to be queried, by the names and labels of the reference."""
    prometheus, theirs, ours = program("prometheus"), free_port(), free_port()
    (tmp_path / "prometheus.yml").write_text(
        "global: {scrape_interval: 1s}\nscrape_configs:\n"
        f"  - {{job_name: hybridq, static_configs: [{{targets: ['127.0.0.1:{ours}']}}]}}\n"
    )
    words = ("--config.file", str(tmp_path / "prometheus.yml"), "--storage.tsdb.path", str(tmp_path / "data"))
    with (
        staying(every_state, "daemon", "--metrics", f":{ours}"),
        subprocess.Popen(
            [prometheus, *words, "--web.listen-address", f"127.0.0.1:{theirs}", "--log.level", "error"]
        ) as process,
    ):
        try:
            until(lambda: asked(theirs, "hybridq_daemon_up == 1"), 90)
            (up,) = asked(theirs, 'up{job="hybridq"}')
            (failed,) = asked(theirs, 'hybridq_jobs{handler="echo",lane="batch",state="failed"}')
            (cost,) = asked(theirs, "sum by (currency) (hybridq_cost_total)")
        finally:
            process.terminate()
    assert (up["value"][1], failed["value"][1]) == ("1", "1")
    assert float(cost["value"][1]) >= 1.0


def test_promtool_finds_nothing_to_mend(every_state: Outlook) -> None:
    """Names, units and help are as Prometheus asks for them."""
    text = command(every_state.store.home, "metrics").stdout
    checked = subprocess.run([program("promtool"), "check", "metrics"], input=text, capture_output=True, text=True)
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")
