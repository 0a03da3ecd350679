"""Staying with a job until it ends: following its output, or only waiting for it.

Rule: whoever stays may leave at any time (Control-C), and is told how to come back; the job goes on, or
goes back to the queue where this very process ran it. The exit code is the job's own.
"""

import time
from typing import TYPE_CHECKING

from hybridq.errors import TryAgain
from hybridq.job import ENDED, Lane, State
from hybridq.queue.cohorts import state_of
from hybridq.queue.follow import Draft, End, OutputPiece, Shown, StateChange, Withheld, follow
from hybridq.queue.gates import cause_of
from hybridq.queue.progress import Awaited, looks
from hybridq.queue.rescue import rescue
from hybridq.queue.results import Result, result
from hybridq.queue.runner import attended
from hybridq.queue.store import Store
from hybridq.selection import Ids
from hybridq.sentences import how_ended, sentence
from hybridq.when import clock

from ..exit_codes import TRY_AGAIN
from ..tell import print_document, say
from .printer import Printer

if TYPE_CHECKING:
    from hybridq.outlook import Outlook

    from ..shapes import Events

LONG = 10.0  # seconds; a wait that is told though its reason was told before


def follow_job(
    store: Store,
    job: int,
    printer: Printer,
    events: "Events | None" = None,
    *,
    final: bool = False,
    told: str = "",
    currency: str = "",
) -> int:
    """Print what comes of a job, as JSON with `events`; returns its exit code.

    Of an adaptive job the draft is enough, unless its `final` is wanted. `told`: why it is held, as far as it was said.
    """
    attempt, drafted, code, again = 0, False, 0, ""
    for event in follow(store, job, time.time, final=final):
        for each in events.of(event) if events is not None else ():
            print_document(each, one_line=True)
        match event:
            case OutputPiece() if events is not None:
                pass
            case OutputPiece(stream, data):
                printer.piece(stream, data)
            case Draft(found, shown):
                drafted, code = True, _draft(job, found, shown, None if events else printer)
            case StateChange(state, number) if (
                number != attempt and state is not State.QUEUED
            ):  # it may have ended already
                if attempt and not drafted:
                    say(f"this is attempt {number} of job {job}")
                attempt = number
            case StateChange(_, number, ready) if number:
                attempt = number  # one that was over before anybody looked, too
                again = _again(store, job, ready, again)
            case Withheld(reason):
                if not told:
                    say(f"job {job}: {sentence(reason, time.time(), currency)}")
                told = ""
            case End(state, found, seen):
                code = _end(job, state, found, seen, None if events else printer)
                if state is State.CANCELLED:
                    say(_cancelled(store, job))
                return code
            case StateChange():
                pass
    return code  # it ended with the draft


def _again(store: Store, number: int, ready: float, said: str) -> str:
    """Say why it is to be tried again, and when, where that is not at once; the reason that was said last, not again
    for a short wait. Returns the reason."""
    now, found = time.time(), result(store, number)
    if found is None or not found.error or ready <= now:
        return said
    if found.error != said or ready - now >= LONG:
        say(f"job {number} tries again at {clock(ready, now)}: {found.error}")
    return found.error


def _draft(job: int, draft: Result, shown: Shown, printer: Printer | None) -> int:
    """Print a draft; returns the exit code of whoever stays no longer: where it failed there is nothing yet."""
    if draft.value is not None and printer is not None:
        printer.value(draft.value, shown)
    what = f"the draft failed: {draft.error}" if draft.error else "this is the draft"
    say(f"{what}; the final result will come in a batch: hybridq output {job}")
    return TRY_AGAIN if draft.error else 0


def _end(job: int, state: State, found: Result | None, shown: Shown, printer: Printer | None) -> int:
    if found is not None and found.value is not None and printer is not None:
        printer.value(found.value, shown)
    if found is not None and found.dropped:
        say(f"{found.dropped:,} bytes of job {job}'s output are lost: over the limit, or the disk refused them")
    if found is not None and found.cut and state is State.DONE:
        say(not_whole(job, found.cut))
    if state is State.FAILED and found is not None and found.error != how_ended(found.exit_code or 0):
        say(_failed(job, found))
    return code_of(state, found)


def _cancelled(store: Store, job: int) -> str:
    """That a job was cancelled, and for which other, where it was for one."""
    why = sentence(cause_of(store, job), time.time(), long=True)
    return f"job {job} was {why}" if why else f"job {job} was cancelled"


def not_whole(job: int, word: str) -> str:
    """What is said of an answer that was cut, which its provider calls by this word."""
    return f"the answer of job {job} was cut off ({word}); raise max_tokens"


def code_of(state: State, found: Result | None) -> int:
    """The exit code of a job that ended: its own; 128 and the signal that ended it; else 0 or 1."""
    if state is State.DONE:
        return 0
    code = found.exit_code if found is not None and state is State.FAILED else None
    if not code:
        return 1
    return 128 - code if code < 0 else code & 0xFF or 1


def not_done(failed: int, cancelled: int, named: str) -> int:
    """Say how many of several jobs failed or were cancelled and which command shows them; 1 if there are any."""
    states = [state for state, jobs in ((State.FAILED, failed), (State.CANCELLED, cancelled)) if jobs]
    if states:
        told = " and ".join(f"{jobs:,} {word}" for jobs, word in ((failed, "failed"), (cancelled, "cancelled")) if jobs)
        say(f"{told}: hybridq status {named} {' '.join(f'--state {state}' for state in states)}")
    return 1 if states else 0


def _not_done(store: Store, awaited: Awaited, named: str) -> int:
    """The same, of one that failed why."""
    failed, cancelled = awaited.count(State.FAILED), awaited.count(State.CANCELLED)
    if (failed, cancelled) == (1, 0) and (job := awaited.first(State.FAILED)) is not None:
        say(_failed(job, result(store, job)))
        return 1
    return not_done(failed, cancelled, named)


def fate(outlook: "Outlook", awaited: Awaited) -> str:
    """What becomes of jobs that somebody leaves."""
    store = outlook.store
    rescue(store, time.time())
    if awaited.count(State.RUNNING):
        return "it goes on"
    if attended(store):
        return "it goes on" if awaited.only is None else _stays_held(outlook, awaited.only) or "it goes on"
    return "it stays queued, but no daemon runs. Start one: hybridq daemon, or for good: hybridq service install"


def _stays_held(outlook: "Outlook", job: int) -> str:
    """Until when a job is held; "" where it is not."""
    from hybridq.status.overview import take  # a quick submit needs none of it

    now = time.time()
    row = take(outlook, now=now, limit=1, selectors=[Ids(((job, job),))]).rows[0]
    if row.state is not State.QUEUED or row.lane is not Lane.BATCH:
        return ""
    return "it stays held" if row.start is None else f"it stays held until {clock(row.start, now)}"


def _failed(job: int, found: Result | None) -> str:
    return f"job {job} failed: {(found and found.error) or 'for no stated reason'}"


def await_all(
    store: Store,
    awaited: Awaited,
    named: str,
    timeout: float | None = None,
    *,
    told: str = "",
    currency: str = "",
) -> int:
    """Wait until all these have ended, or have a draft where that is enough; one job's own exit code, else 0, or 1
    where one was not done; 75 where a draft failed, so that there is nothing yet.

    What was not done is told, and how to see it: `named` is what selects these jobs, as it is typed. `told`: why
    these are held, as far as that was said. Raises TryAgain after `timeout` seconds.
    """
    until = None if timeout is None else time.monotonic() + timeout
    kept, ready, again = told, 0.0, ""
    for _ in looks(store, until):
        before, kept = (kept, ready), sentence(awaited.kept(), time.time(), currency)
        if awaited.only is not None and (ready := state_of(store, awaited.only)[2]) != before[1]:
            again = _again(store, awaited.only, ready, again)
        if kept and not before[0]:
            say(kept if awaited.only is None else f"job {awaited.only}: {kept}")
        if awaited.ended():
            if (job := awaited.only) is not None:
                state, found = state_of(store, job)[0], result(store, job)
                if state not in ENDED:
                    return TRY_AGAIN if awaited.drafts()[1] else 0
                if state is not State.DONE:
                    say(_cancelled(store, job) if state is State.CANCELLED else _failed(job, found))
                return code_of(state, found)
            code = _not_done(store, awaited, named)
            return code or (TRY_AGAIN if awaited.drafts()[1] else 0)
    left = awaited.count(State.QUEUED, State.RUNNING)
    what = f"{left:,} of these jobs have" if awaited.only is None else f"job {awaited.only} has"
    raise TryAgain(f"{what} not finished yet. See why: hybridq status {named}")
