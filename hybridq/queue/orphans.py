"""Orphans: the processes that a dead runner left are found and killed before its jobs begin again.

Rule: a process is the runner's if its environment says so, or if it has the runner's second lock, which goes on from
parent to child: one may leave its group and its session, and change its environment or close its files. Only who did
both is unknown. What a job left behind that had ended by itself is meant to live on. All others are killed and seen
gone, for a few seconds at most.
"""

import contextlib
import os
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ..job import State
from .runner import kin_file, locked
from .store import Store

if TYPE_CHECKING:
    import psutil

GRACE = 5.0  # seconds until what does not even end by SIGKILL is waited for no longer
LOOK = 0.2  # seconds that what was killed may take until it is looked for again
MARK, JOB, ATTEMPT = "HYBRIDQ_RUNNER", "HYBRIDQ_JOB_ID", "HYBRIDQ_ATTEMPT"


def kill_orphans(store: Store, mark: str) -> None:
    """End every process that this dead runner left; returns when they are gone."""
    import psutil  # needed only where one died

    until = time.monotonic() + GRACE
    while time.monotonic() < until:
        left = list(_left_by(store, mark))
        for process in left:
            with contextlib.suppress(psutil.Error, OSError):
                process.kill()
        if left:
            psutil.wait_procs(left, timeout=LOOK)
        elif os.path.isdir("/proc/self/fd") or not locked(kin_file(store, mark)):
            return
        else:  # somebody has the lock and this system does not say who
            time.sleep(LOOK)


def _left_by(store: Store, mark: str) -> "Iterator[psutil.Process]":
    import psutil

    try:
        found = os.stat(kin_file(store, mark))
    except OSError:
        found = None
    for process in psutil.process_iter():
        if process.pid == os.getpid():
            continue
        try:
            environ = process.environ()
        except (psutil.Error, OSError):
            environ = {}
        if environ.get(MARK) == mark:
            if not _left_behind(store, environ):
                yield process
        elif found is not None and _has(process.pid, found):
            yield process


def _left_behind(store: Store, environ: dict[str, str]) -> bool:
    """Whether the job that it is of had ended by itself: then nobody begins it again."""
    job, attempt = environ.get(JOB, ""), environ.get(ATTEMPT, "")
    if not (job.isdecimal() and attempt.isdecimal()):
        return False  # a worker, which is of no use without its runner
    row = store.row("SELECT state, attempt FROM job WHERE id = ?", (int(job),))
    return row is None or row[0] in (State.DONE, State.FAILED) or row[1] != int(attempt)


def _has(pid: int, found: os.stat_result) -> bool:
    """Whether a process has this file open."""
    try:
        for each in os.listdir(f"/proc/{pid}/fd"):
            theirs = os.stat(f"/proc/{pid}/fd/{each}")
            if (theirs.st_dev, theirs.st_ino) == (found.st_dev, found.st_ino):
                return True
    except OSError:  # it is gone, or not ours to look at
        pass
    return False
