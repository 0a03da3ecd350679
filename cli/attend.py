"""Staying with a job until it ends: following its output, or only waiting for it.

Rule: whoever stays may leave at any time (Control-C), and is told how to come back; the job goes on, or
goes back to the queue where this very process ran it. The exit code is the job's own.
"""

import time

from hybridq.ends import Awaited, looks
from hybridq.errors import TryAgain
from hybridq.follow import End, Piece, Turn, follow
from hybridq.job import State
from hybridq.reading import Result, result, state_of
from hybridq.selection import Selector
from hybridq.store import Store

from .printer import Printer
from .tell import say

COMPARED = 1 << 20  # bytes of output that are held against the result, so that it is not printed twice


def follow_job(store: Store, job: int, printer: Printer, *, until_draft: bool = False) -> int:
    """Print what comes of a job; returns its exit code. `until_draft`: an adaptive job's draft is enough."""
    attempt, shown, drafted = 0, bytearray(), False
    for event in follow(store, job, time.time):
        match event:
            case Piece(stream, data):
                printer.piece(stream, data)
                if stream == 1 and len(shown) < COMPARED:
                    shown += data
            case Turn(State.QUEUED) if not drafted and (draft := result(store, job, draft=True)):
                drafted = True
                _draft(job, draft, bytes(shown), printer)
                if until_draft:
                    return 0
            case Turn(State.RUNNING, number):
                if attempt and number != attempt and not drafted:
                    say(f"attempt {attempt} of job {job} failed; this is attempt {number}")
                attempt = number
                shown.clear()
            case End(state, found, seen):
                return _end(job, state, found, seen, printer)
            case Turn():
                pass
    raise AssertionError("a follow ends with the job's end")


def _draft(job: int, draft: Result, shown: bytes, printer: Printer) -> None:
    if draft.value is not None:
        printer.value(draft.value, shown)
    what = f"the draft failed: {draft.error}" if draft.error else "this is the draft"
    say(f"{what}; the final result follows in a batch: hybridq output {job}")


def _end(job: int, state: State, found: Result | None, shown: bytes, printer: Printer) -> int:
    if found is not None and found.value is not None:
        printer.value(found.value, shown)
    if found is not None and found.dropped:
        say(f"{found.dropped:,} bytes of job {job}'s output are lost: over the limit, or refused by the disk")
    if state is State.FAILED and found is not None and (found.exit_code or 0) <= 0:
        say(f"job {job} failed: {found.error or 'for no stated reason'}")
    if state is State.CANCELLED:
        say(f"job {job} was cancelled")
    return code_of(state, found)


def code_of(state: State, found: Result | None) -> int:
    """The exit code of a job that ended: its own; 128 and the signal that ended it; else 0 or 1."""
    if state is State.DONE:
        return 0
    code = found.exit_code if found is not None and state is State.FAILED else None
    if not code:
        return 1
    return 128 - code if code < 0 else code & 0xFF or 1


def await_all(store: Store, selectors: list[Selector], timeout: float | None = None) -> int:
    """Wait until all these have ended; one job's own exit code, else 0, or 1 where one was not done.

    Raises TryAgain after `timeout` seconds.
    """
    awaited = Awaited(store, selectors)
    until = None if timeout is None else time.monotonic() + timeout
    for _ in looks(store, until):
        if awaited.ended():
            if (job := awaited.only) is not None:
                return code_of(state_of(store, job)[0], result(store, job))
            return 1 if awaited.count(State.FAILED, State.CANCELLED) else 0
    left = awaited.count(State.QUEUED, State.RUNNING)
    raise TryAgain(f"{left:,} of these have not ended yet; hybridq status shows why")
