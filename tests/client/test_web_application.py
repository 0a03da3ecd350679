"""A web application on the queue: a visitor's answer streams at once while a crowd's work is batched."""

import json
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.request import urlopen

import pytest

from hybridq.outlook import Outlook
from hybridq.queue.cohorts import cohorts
from tests.report.test_page import BROWSERS, FLAGS
from tests.support.building import daemon, environment, until


@pytest.fixture
def site(outlook: Outlook) -> Iterator[str]:
    """The address of the application, with a real daemon behind it."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with daemon(outlook):
        served = subprocess.Popen(
            [sys.executable, "-m", "tests.client.shop", str(port)],
            env=environment(outlook.store.home.folder),
            cwd=Path(__file__).parents[2],
        )
        try:
            until(lambda: _answers(port))
            yield f"http://127.0.0.1:{port}"
        finally:
            served.kill()  # a graceful end would wait for visitors
            served.wait()


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


def ask(site: str) -> list[str]:
    """The lines of an answer."""
    with urlopen(f"{site}/ask?ticket=lost+key", timeout=60) as answer:  # noqa: S310 - on loopback
        return [line.decode().strip() for line in answer if line.strip()]


def test_a_visitors_answer_streams(site: str) -> None:
    """Words arrive one after another while the job runs, not all at its end."""
    lines = ask(site)
    pieces = [json.loads(line.removeprefix("data: ")) for line in lines[:-2]]
    assert "".join(pieces) == "about\nlost\nkey:\nfound\n"
    assert lines[-2:] == ["event: end", "data: done"]
    assert len(pieces) > 1  # the job sleeps between two words


def test_a_crowd_is_batched_while_visitors_are_served(site: str, outlook: Outlook) -> None:
    """Visitors at once each get their own answer beside a crowd of jobs, which are batched."""
    assert urlopen(f"{site}/crowd?jobs=2000", timeout=60).read() == b'{"jobs":2000}'  # noqa: S310 - on loopback
    with ThreadPoolExecutor(5) as visitors:
        answers = list(visitors.map(ask, [site] * 5))
    assert [lines[-1] for lines in answers] == ["data: done"] * 5
    lanes = {(each.handler, str(each.audience), str(each.mode)) for each in cohorts(outlook.store, "jobs > 0")}
    assert ("shell", "user", "stream") in lanes
    assert ("echo", "background", "batch") in lanes


def test_a_browser_shows_the_answer(site: str, tmp_path: Path) -> None:
    """In Chromium the page shows every word, and how it ended."""
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        pytest.skip("no Chromium is here to open the page in; get it with: apt-get install -y chromium")
    flags = [each for each in FLAGS if not each.startswith("--host-resolver")]  # the site is to be found
    command = [browser, *flags, f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", site]
    page = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
    assert '<p id="answer" data-state="done">about\nlost\nkey:\nfound\n</p>' in page
