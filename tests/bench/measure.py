"""What the benchmarks share: a queue in a temporary folder, a table of ratios, quantiles.

Every figure stands beside a baseline of the same run: these machines are noisy, ratios are not.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from hybridq.outlook import Outlook
from hybridq.queue.runner import daemon_of
from hybridq.submit import connect

NOOP = """
import json, sys
for line in sys.stdin:
    calls = json.loads(line)
    calls = calls if isinstance(calls, list) else [calls]
    sys.stdout.write("".join('{"id": %d, "output": 0}\\n' % call["id"] for call in calls))
    sys.stdout.flush()
"""
HYBRIDQ = [sys.executable, "-c", "from hybridq_cli.main import run; run()"]


@contextmanager
def queue(config: str = "") -> Iterator[Outlook]:
    """A queue with the handler `noop`, a JSON Lines worker that does nothing, and `config` before it."""
    with tempfile.TemporaryDirectory(prefix="hybridq-bench-") as folder:
        home = Path(folder) / "home"
        home.mkdir(mode=0o700)
        worker = Path(folder) / "noop.py"
        worker.write_text(NOOP)
        (home / "config.toml").write_text(f'{config}\n[handlers.noop]\ncommand = ["{sys.executable}", "{worker}"]\n')
        outlook = connect(dict(os.environ), home=home)
        yield outlook
        outlook.store.close()


@contextmanager
def daemon(outlook: Outlook) -> "Iterator[subprocess.Popen[bytes]]":
    """A real daemon on this queue, ended by its pid."""
    process = subprocess.Popen(
        [*HYBRIDQ, "daemon"], env=environment(outlook), stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL
    )
    try:
        while daemon_of(outlook.store) is None:
            if process.poll() is not None:
                raise RuntimeError(f"the daemon ended with {process.returncode}")
            time.sleep(0.01)
        yield process
    finally:
        process.terminate()
        process.wait(30)


def environment(outlook: Outlook) -> dict[str, str]:
    """The environment of a command on this queue, whose modules are compiled once, as installed ones are."""
    own = {"HYBRIDQ_HOME": str(outlook.store.home.folder), "HYBRIDQ_AUDIENCE": "background"}
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"} | own


def quantile(values: Sequence[float], q: float) -> float:
    """The q-quantile, by the nearest rank."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(q * len(ordered)))]


def timed(work: Callable[[], object]) -> float:
    """Seconds that it takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def row(what: str, ours: str, baseline: str, ratio: float, wanted: str) -> None:
    """One line of the table."""
    print(f"{what:44} {ours:>18} {baseline:>24} {ratio:>8.2f}  {wanted}", flush=True)
