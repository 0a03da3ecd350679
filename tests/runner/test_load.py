"""Others' load and the hour make background work wait for a batch; the queue's own work does not: in a real run."""

import math
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from hybridq.job import Lane, Mode, State
from hybridq.outlook import CORES, Outlook
from hybridq.queue.cancel_retry import cancel
from hybridq.queue.cohorts import cohort, job
from hybridq.queue.runner import faded, own_load
from hybridq.runner.load import active
from hybridq.submit import submit
from tests.support.building import asking, daemon, night, queue, until
from tests.support.user import ECHO

BUSY = "while :; do :; done"
CROWD = 6
# A slot is dear and waiting is free, so that a saving of any size is worth it; any load counts.
DEAR = "[policy]\nmachine_cost = 1000.0\nload_free = 0.0\nbackground_delay_cost = 0.0\n"
SECOND = ECHO + "expected = 1.0\nfixed = 0.0\n"

pytestmark = pytest.mark.skipif(not os.path.exists("/proc/self/task"), reason="the system shows no processes in /proc")


@contextmanager
def program(script: str) -> "Iterator[subprocess.Popen[bytes]]":
    """Another program, with all that it starts; ended at the end."""
    with subprocess.Popen(["/bin/sh", "-c", script], start_new_session=True) as process:
        try:
            yield process
        finally:
            os.killpg(process.pid, signal.SIGKILL)


def batched(outlook: Outlook) -> float:
    """The share of a background crowd that goes to the batch lane; what streams ends before the next comes."""
    lanes = []
    for number in range(CROWD):
        accepted = submit(outlook, asking(mode=None), b"%d" % number)
        of = cohort(outlook.store, job(outlook.store, accepted.first).cohort)
        lanes.append(of.lane)
        if of.lane is Lane.STREAM:
            until(lambda one=accepted.first: job(outlook.store, one).state is State.DONE)
    return lanes.count(Lane.BATCH) / CROWD


def test_what_runs_below_a_process_is_counted() -> None:
    """Two programs that never rest are two, whatever sleeps beside them and whoever started them."""
    with program(f"{BUSY} & (sleep 60; :) & sh -c 'sh -c \"{BUSY}\" & wait' & wait") as root:
        until(lambda: active(root.pid) == 2)
    assert active(root.pid) == 0


def test_what_a_runner_tells_fades_as_the_load_does() -> None:
    """Of what a runner told last, half is left after 42 s, as of the kernel's average of a minute."""
    assert faded(2.0, 60 * math.log(2)) == pytest.approx(1.0)
    assert faded(2.0, -5) == 2.0  # a clock that was set back


def test_others_load_makes_a_crowd_wait_and_the_queues_own_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a machine where nothing else runs a crowd streams, also beside the queue's own busy jobs; beside another
    program's it is batched."""
    outlook = queue(tmp_path, DEAR + SECOND)
    others: list[int] = []

    def average() -> tuple[float, float, float]:  # as if nothing ran here but this queue and those programs
        return own_load(outlook.store, time.time()) + sum(map(active, others)), 0.0, 0.0

    monkeypatch.setattr("os.getloadavg", average)
    with daemon(outlook):
        assert batched(outlook) == 0.0
        busy = [b'{"shell": "%s"}' % BUSY.encode()] * CORES
        own = [submit(outlook, asking("shell", Mode.STREAM), each).first for each in busy]
        until(lambda: own_load(outlook.store, time.time()) > 0.1 * CORES)
        assert batched(outlook) == 0.0
        cancel(outlook.store, own, time.time())
        with program(f"{BUSY} & {BUSY} & wait") as root:
            others.append(root.pid)
            until(lambda: active(root.pid) == 2)
            assert batched(outlook) == 1.0
    outlook.store.close()


def test_a_dear_hour_makes_a_crowd_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same crowd is batched an hour before a cheap night and streams within it."""
    monkeypatch.setattr("os.getloadavg", lambda: (0.0, 0.0, 0.0))
    shares = []
    for begins in (3600.0, -1800.0):
        folder = tmp_path / str(len(shares))
        folder.mkdir()
        outlook = queue(folder, DEAR + night(time.time(), begins) + SECOND)
        with daemon(outlook):
            shares.append(batched(outlook))
        outlook.store.close()
    assert shares == [1.0, 0.0]


def test_the_machines_own_figure_is_read(tmp_path: Path) -> None:
    """What the kernel says is what counts where no runner told of any load of its own."""
    outlook = queue(tmp_path, DEAR + SECOND)
    until(lambda: outlook.conditions("echo", time.time()).load == os.getloadavg()[0] / CORES)
    outlook.store.close()
