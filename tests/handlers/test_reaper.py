"""A runner to which orphans come, as to process 1 of a container: none of them stays a zombie."""

import subprocess
import sys
from pathlib import Path

import psutil

from hybridq.job import State
from tests.support.building import HYBRIDQ, until
from tests.support.user import Queue

SUBREAPER = (  # becomes what orphans come to, as process 1 of a container is; then what it was asked for
    "import ctypes, os, sys\n"
    "if ctypes.CDLL(None).prctl(36, 1, 0, 0, 0): sys.exit('this system has no subreapers: run the tests on Linux')\n"
    "os.execv(sys.argv[1], sys.argv[1:])"
)


def zombies(parent: int) -> list[int]:
    """Its children that have ended and that nobody waited for."""
    return [each.pid for each in psutil.Process(parent).children() if each.status() == psutil.STATUS_ZOMBIE]


def test_what_jobs_leave_behind_is_reaped(tmp_path: Path) -> None:
    """Processes that outlive their command and end later leave no zombie; the commands' own ends are still heard."""
    queue = Queue(tmp_path)
    for _ in range(3):
        line = "(setsid sleep 0.2 &); (setsid sh -c 'exit 3' &); exit 4"
        queue.run("submit", "--detach", "--mode", "stream", "--shell", line)
    with subprocess.Popen(
        [sys.executable, "-c", SUBREAPER, *HYBRIDQ, "daemon"], env=queue.environment, stderr=subprocess.DEVNULL
    ) as daemon:
        try:
            until(lambda: all(queue.state(number) is State.FAILED for number in (1, 2, 3)))
            until(lambda: not psutil.Process(daemon.pid).children())
            assert zombies(daemon.pid) == []
        finally:
            daemon.terminate()
        assert daemon.wait(30) == 0
    assert queue.rows("SELECT DISTINCT exit_code FROM result") == [(4,)]
