"""A drain with an end (`--until`): what does not fit is not begun, is told, and is not begun and ended every night."""

import sys
import time
from pathlib import Path

import pytest

from hybridq.brain.costs import UNLIMITED
from hybridq.brain.estimate import Model, Observation, learn_many
from hybridq.job import Lane, State
from hybridq.outlook import Outlook
from hybridq.queue.cohorts import job
from hybridq.runner.drain_window import Window
from tests.support.building import ECHO, queue
from tests.support.user import Queue

SLOW = f"""
[runner]
stop_grace = "1s"
[handlers.slow]
command = ["{sys.executable}", "-c", "import time; time.sleep(600)"]
"""


@pytest.mark.parametrize("mode", ["stream", "batch"])
def test_what_is_known_not_to_fit_is_not_begun(tmp_path: Path, mode: str) -> None:
    """A job of ten minutes in a window of one: nothing of it is begun, what fits is run, and both are told."""
    queue = Queue(tmp_path, f'{SLOW}expected = "10m"')
    queue.run("submit", "slow", "x", "--mode", mode, "--detach")
    queue.run("submit", "--mode", mode, "--detach", "--", "true")
    done = queue.run("drain", "--until", "1m")
    assert (done.returncode, queue.state(2), job(queue.outlook.store, 1).attempt) == (75, State.DONE, 0)
    assert "1 job is left: it may take longer than " in done.stderr
    assert done.stderr.endswith("Run it: hybridq drain\n")


@pytest.mark.parametrize("mode", ["stream", "batch"])
def test_what_a_window_ended_is_not_begun_in_the_next_like_it(tmp_path: Path, mode: str) -> None:
    """Of a command nobody knows how long it takes: it is begun, and ended with the window; the next one of that length
    leaves it alone and says so, and without an end it is run."""
    queue = Queue(tmp_path, SLOW)
    queue.run("submit", "--mode", mode, "--detach", "--", "sh", "-c", f"test -e {tmp_path}/go || sleep 600")
    for _ in range(3):
        done = queue.run("drain", "--until", "2s")
        assert (done.returncode, queue.state(1), job(queue.outlook.store, 1).attempt) == (75, State.QUEUED, 1)
    assert "1 job is left: it may take longer than 2s. Run it: hybridq drain\n" in done.stderr
    assert "its drain's window ended before it did" in queue.run("show", "1").stdout
    (tmp_path / "go").touch()
    assert queue.run("drain").returncode == 0


@pytest.fixture
def known(tmp_path: Path) -> Outlook:
    """A queue whose jobs take a second each."""
    outlook = queue(tmp_path, ECHO.replace('protocol = "lines"\n', ""))
    taught = learn_many(Model(), [Observation(size=3, busy=1.0)] * 9)
    outlook.models["echo"] = {Lane.STREAM: taught, Lane.BATCH: taught}
    return outlook


def test_as_many_of_a_batch_begin_as_end_in_time(known: Outlook) -> None:
    """Of jobs that take a second each some ten begin in ten seconds, fewer beside others, and none at the end."""
    now = time.time()
    window = Window(known, now + 11.5, now)
    window.warm("echo")
    lets = [window.lets("echo", Lane.BATCH, 3.0, now, ahead) for ahead in (0, 5, 11)]
    assert 8 <= lets[0] <= 11
    assert lets[1] == lets[0] - 5
    assert lets[2] == 0
    assert window.lets("echo", Lane.STREAM, 3.0, now) == UNLIMITED
    assert window.lets("echo", Lane.STREAM, 3.0, now + 11) == 0
    known.store.close()


def test_a_runner_that_stays_lets_everything_begin(known: Outlook) -> None:
    """Without an end nothing is asked of how long jobs take."""
    window = Window(known)
    assert window.lets("echo", Lane.BATCH, 3.0, time.time()) == UNLIMITED
    assert window.longest(time.time()) is None
    known.store.close()
