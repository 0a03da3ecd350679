"""`status --watch` as it is typed, beside a daemon that runs jobs."""

from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from hybridq.job import State

from ..support.building import HYBRIDQ
from ..support.screens import Screen
from ..support.user import Queue

ENDLESS = "n=0; while :; do n=$((n+1)); echo line $n; sleep 0.05; done"


@pytest.fixture
def queue(tmp_path: Path) -> Iterator[Queue]:
    """A queue with a daemon."""
    made = Queue(tmp_path)
    with made.daemon():
        yield made


def watching(queue: Queue, *args: str) -> Screen:
    """The view of this queue."""
    return Screen(queue.folder, 100, 24, [*HYBRIDQ, "status", "--watch", *args], HYBRIDQ_HOME=str(queue.folder))


def test_a_running_job_is_cancelled_from_the_view(queue: Queue) -> None:
    """It asks first and names the job; after a yes the job is cancelled, its process ends, and the view goes on."""
    queue.run("submit", "--detach", "--mode", "stream", "--", "sleep", "97531")
    screen = watching(queue)
    screen.until(lambda: "streaming" in screen.text)
    screen.child.send("jc")
    screen.until(lambda: "cancel 1 (shell sleep 97531), which runs? y/n" in screen.text)
    assert queue.state(1) is State.RUNNING
    screen.child.send("y")
    screen.until(lambda: "1 job cancelled" in screen.text and "cancelled" in screen.terminal.display[6])
    assert queue.state(1) is State.CANCELLED
    screen.until(lambda: not [each for each in psutil.process_iter() if "97531" in _words(each)])
    screen.child.send("q")
    assert screen.end() == 0
    assert screen.given_back


def test_the_output_of_a_running_job_is_followed(queue: Queue) -> None:
    """What it puts out while it is open appears at the end; who has gone up stays where they are."""
    queue.run("submit", "--detach", "--mode", "stream", "--", "sh", "-c", ENDLESS)
    screen = watching(queue)
    screen.until(lambda: "streaming" in screen.text)
    screen.child.send("j")
    screen.until(lambda: ">»" in screen.text)
    screen.child.send("o")
    screen.until(lambda: "line 30" in screen.text)
    screen.until(lambda: "line 60" in screen.text)
    screen.child.send("g")
    screen.until(lambda: screen.terminal.display[1].strip() == "line 1")
    screen.until(lambda: "1-23 of" in screen.text)
    screen.child.sendintr()
    assert screen.end() == 130


def test_the_bell_can_be_asked_for(queue: Queue) -> None:
    """`--bell` rings from the beginning on; for who always wants it, it is no mistake where nobody watches."""
    screen = watching(queue, "--bell")
    screen.until(lambda: "nothing here yet" in screen.text)
    queue.run("submit", "--detach", "--mode", "stream", "--", "false")
    screen.until(lambda: b"\x07" in screen.raw and "failed" in screen.text)
    screen.child.send("q")
    assert screen.end() == 0
    assert queue.run("status", env={"HYBRIDQ_STATUS_BELL": "1"}).returncode == 0


def _words(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []
