"""Two GPUs, pretended by two names, shared by a warm worker and shell jobs of both lanes: never over their number."""

import signal
from itertools import pairwise
from pathlib import Path

import pytest

from tests.support.user import Queue, until

SEEN = """
import json, os, sys, time
def seen(what):
    with open(sys.argv[1], "a") as file:
        file.write(f"{os.environ['CUDA_VISIBLE_DEVICES']} {what[0]!r} {what[1]!r} {what[2]}\\n")
def work(kind):
    began = time.time()
    time.sleep(0.1)
    seen((began, time.time(), kind))
if sys.argv[2] == "job":
    work("job")
    raise SystemExit
for line in sys.stdin:
    calls = json.loads(line)
    for call in calls if isinstance(calls, list) else [calls]:
        work("warm")
        print(json.dumps({"id": call["id"], "output": os.environ["HYBRIDQ_GPU"]}), flush=True)
"""
CONFIG = """
[resources]
gpu = ["a", "b"]
[handlers.warm]
command = ["python3", "-u", "{script}", "{log}", "warm"]
needs = {{ gpu = 1 }}
instances = 2
"""


@pytest.fixture
def queue(tmp_path: Path) -> Queue:
    """A queue with the two of them."""
    script, log = tmp_path / "seen.py", tmp_path / "seen"
    script.write_text(SEEN)
    log.touch()
    return Queue(tmp_path, CONFIG.format(script=script, log=log))


def submit(queue: Queue, folder: Path) -> None:
    """Work for the warm worker, and commands for both lanes."""
    (folder / "items").write_text("".join(f"{n}\n" for n in range(6)))
    queue.run("submit", "warm", "--lines", str(folder / "items"), "--mode", "batch")
    job = ["--", "python3", str(folder / "seen.py"), str(folder / "seen"), "job"]
    for mode in ("stream", "batch", "stream", "batch"):
        queue.run("submit", "--mode", mode, "--detach", "--group", "jobs", "--needs", "gpu=1", *job)
    queue.run("submit", "warm", "hello", "--mode", "stream", "--detach")


def check(log: Path) -> set[str]:
    """Of each unit no two were at work at once; which kinds of work there were."""
    lines = [line.split() for line in log.read_text().splitlines()]
    for unit in ("a", "b"):
        spans = sorted((float(began), float(ended)) for name, began, ended, _ in lines if name == unit)
        assert all(before[1] <= after[0] for before, after in pairwise(spans)), spans
    assert {name for name, *_ in lines} <= {"a", "b"}
    return {kind for *_, kind in lines}


def left(queue: Queue) -> int:
    """How many jobs have not ended."""
    return int(queue.rows("SELECT count(*) FROM job WHERE state IN ('queued', 'running')")[0][0])


def test_a_warm_worker_and_commands_share_two_units(queue: Queue, tmp_path: Path) -> None:
    """All of it is done, no unit was in two hands, and what is idle and wanted is given up long before it is old."""
    with queue.daemon():
        submit(queue, tmp_path)
        until(lambda: not left(queue), 60)
        assert queue.rows("SELECT count(*) FROM job WHERE state = 'done'") == [(11,)]
    assert check(tmp_path / "seen") == {"warm", "job"}
    assert queue.rows("SELECT * FROM holding") == []


def test_a_killed_daemon_gives_nothing_out_twice(queue: Queue, tmp_path: Path) -> None:
    """Killed twice in the midst of it: the next one goes on when what was left is gone."""
    with queue.daemon() as daemon:
        submit(queue, tmp_path)
        until(lambda: queue.rows("SELECT 1 FROM holding"))
        daemon.send_signal(signal.SIGKILL)
        daemon.wait()
    with queue.daemon() as daemon:
        until(lambda: queue.rows("SELECT 1 FROM holding, runner WHERE runner = runner.id AND kind = 'daemon'"))
        daemon.send_signal(signal.SIGKILL)
        daemon.wait()
    with queue.daemon():
        until(lambda: not left(queue), 100)
    assert check(tmp_path / "seen") == {"warm", "job"}
    assert queue.rows("SELECT * FROM holding") == []
