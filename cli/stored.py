"""What jobs have put out, as `output` prints it: one after the other, or an object a line.

Rule: what is lacking is told on standard error and by the exit code, never among the outputs.
"""

import shlex
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Self

from hybridq.errors import HybridqError, NoSuchJob, StorageError, TryAgain
from hybridq.job import ENDED, State
from hybridq.outlook import Outlook
from hybridq.queue.cohorts import state_of
from hybridq.queue.outputs import Tail, missing, output_path
from hybridq.queue.results import Result, result, text_of
from hybridq.queue.store import Store

from .records import LINE, code_of_all, ended
from .staying.follow import code_of, not_whole
from .tell import print_document, say


class File:
    """A file that is opened, and emptied, once there is something to write or all went well."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: IO[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self.write(b"")
        if self._file is not None:
            self._file.close()

    def write(self, data: bytes) -> None:
        """Write this behind what was written before."""
        if self._file is None:
            self._file = self._path.open("wb")
        self._file.write(data)


def print_all(
    store: Store,
    jobs: list[int],
    put: Callable[[bytes], object],
    named: str,
    *,
    draft: bool,
    stderr: bool,
) -> int:
    """Put out each job's output; what has none is told of. Returns the exit code, which is that of the only job;
    raises where the only job waits."""
    lacking = failed = drafts = short = 0
    cut: list[int] = []
    states: set[State] = set()
    for job in jobs:
        found, first = result(store, job, draft=draft), None
        if not (draft or stderr) and (first := _instead(store, job, found)) is not None:
            found, drafts = first, drafts + 1
        states.add(state_of(store, job)[0])
        empty, pieces = True, _pieces(store, job, found, stderr=stderr)
        for data in pieces if len(jobs) == 1 or stderr else ended(pieces):
            put(data)
            empty = empty and data == LINE
        short += _say_lacking(job, found, alone=len(jobs) == 1) and not stderr
        if _cut(store, found, stderr=stderr):
            cut.append(job)
        elif empty and state_of(store, job)[0] is State.FAILED and found is not None and not (draft or stderr):
            if len(jobs) == 1:
                say(f"job {job} failed without output: {found.error}")
            lacking, failed = lacking + 1, failed + 1
        elif empty and (why := _missing(store, job, found, draft=draft)) is not None:
            if len(jobs) == 1:
                raise why
            lacking += 1
    if cut:
        raise StorageError(_gone(store, cut, stderr=stderr))
    if drafts:
        say(_drafts(store, jobs, drafts))
    if len(jobs) == 1:
        state = state_of(store, jobs[0])[0]
        if state is State.CANCELLED:
            say(f"job {jobs[0]} was cancelled")
        if state in ENDED and not draft:
            return code_of(state, result(store, jobs[0]))
        return 0
    _say_sums(named, short, lacking, len(jobs), failed)
    return code_of_all(states)


def _say_lacking(job: int, found: Result | None, *, alone: bool) -> bool:
    """Say what a job's output lacks; returns whether it is an answer that was cut, which is said of one `alone`."""
    if found is not None and found.dropped:
        say(f"{found.dropped:,} bytes of job {job}'s output are lost: over the limit, or the disk refused them")
    if found is None or not found.cut:
        return False
    if alone:
        say(not_whole(job, found.cut))
    return True


def _say_sums(named: str, cut: int, missing: int, jobs: int, failed: int) -> None:
    """Say how many of several jobs have no whole answer, and how many no output."""
    if cut:
        what = "answers were" if cut > 1 else "answer was"
        say(f"{cut:,} {what} cut off. See which: hybridq status {shlex.quote(named)} --state done")
    if missing:
        only = " --state failed" if failed else ""
        say(f"{missing:,} of {jobs:,} jobs have no output. See why: hybridq status {shlex.quote(named)}{only}")


def _cut(store: Store, found: Result | None, *, stderr: bool) -> int:
    """How many bytes that were stored are not there any more."""
    if found is None or (found.value is not None and not stderr):
        return 0
    return missing(store.home, found.id, found.attempt, 2 if stderr else 1, found.err if stderr else found.out)


def _gone(store: Store, jobs: list[int], *, stderr: bool) -> str:
    """The sentence about outputs that are not whole."""
    job, found = jobs[0], result(store, jobs[0])
    assert found is not None  # noqa: S101 - it was read before
    path = output_path(store.home, job, found.attempt, 2 if stderr else 1)
    others = f", and of {len(jobs) - 1:,} more jobs" if len(jobs) > 1 else ""
    bytes_gone = _cut(store, found, stderr=stderr)
    what = f"{bytes_gone:,} byte{'s' if bytes_gone != 1 else ''} of job {job}'s output"
    return f"{what}{others} are gone: {path} was truncated or removed. What ran: hybridq show {job}"


def print_json(outlook: Outlook, jobs: list[int], *, draft: bool, stderr: bool) -> int:
    """An object a line, written as it is read: a group may have a million jobs. Returns the exit code."""
    from .shapes import Outputs

    store, outputs = outlook.store, Outputs(outlook, draft=draft, stderr=stderr)
    states = set()
    for number in jobs:
        found = outputs.of(number)
        states.add(found.state)
        print_document(found, one_line=True)
    if len(jobs) == 1 and not draft and (state := state_of(store, jobs[0])[0]) in ENDED:
        return code_of(state, result(store, jobs[0]))
    return code_of_all(states, told=True)


def _instead(store: Store, job: int, found: Result | None) -> Result | None:
    """An adaptive job's draft, where it has no final."""
    if found is not None and found.value is not None:
        return None
    first = result(store, job, draft=True)
    return None if first is None or first.value is None else first


def _drafts(store: Store, jobs: list[int], drafts: int) -> str:
    """Which of these were drafts, and what became of the final."""
    if len(jobs) > 1:
        return f"{drafts:,} of these are drafts without a final result"
    final = result(store, jobs[0])
    if state_of(store, jobs[0])[0] is State.FAILED and final is not None:
        return f"this is the draft; the final result failed: {final.error}"
    return "this is the draft; the final result is not ready yet"


def _pieces(store: Store, job: int, found: Result | None, *, stderr: bool) -> Iterator[bytes]:
    if found is not None and found.value is not None and not stderr:
        yield text_of(found.value)
        return
    attempt = state_of(store, job)[1] if found is None else found.attempt
    tail = Tail(store.home, job, attempt, 2 if stderr else 1)
    try:
        yield from tail.more()
    finally:
        tail.close()


def _missing(store: Store, job: int, found: Result | None, *, draft: bool) -> HybridqError | None:
    """Why a job has no output yet, or no draft; None where it ended and put out nothing."""
    state = state_of(store, job)[0]
    if draft and found is None:
        return NoSuchJob(f"job {job} has no draft")
    if state in (State.QUEUED, State.RUNNING):
        return TryAgain(f"job {job} has no output yet. Follow it: hybridq follow {job}")
    return None
