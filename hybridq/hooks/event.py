"""One event as a hook gets it: the document on its standard input, and the variables beside it.

Rule: the document is a promise, which `hybridq help json --schema` words; what is not known is null.
"""

import os
import time

import msgspec
from msgspec import Struct

from ..errors import NoSuchJob
from ..job import HookEvent, State
from ..outlook import Outlook
from ..queue.account import saved_of
from ..queue.cohorts import Cohort, cohort, job
from ..queue.group_sums import group_sums
from ..queue.ledger import read
from ..queue.lists import by_number
from ..queue.outbox import Pending
from ..queue.results import result, text_of
from ..queue.troubles import failures
from ..report.report import Report
from ..report.report import report as sum_up
from ..scrub import scrub
from ..status.ending import ending
from ..status.foresight import Foresight
from ..status.rows import Rows

LINES, BYTES = 20, 4096  # of a job's output, at most
DAY = 86400.0


class Event(Struct, frozen=True, kw_only=True):
    """What happened, as a hook gets it. `id` is the same each time that it is told."""

    version: int = 1
    id: int
    event: HookEvent
    at: float
    home: str
    job: int | None = None
    group: str | None = None
    handler: str | None = None
    state: State | None = None
    error: str | None = None
    exit_code: int | None = None
    last_lines: str | None = None
    counts: dict[State, int] | None = None
    cost: float | None = None
    saved: float | None = None
    first_error: str | None = None
    deadline: float | None = None
    eta: float | None = None
    report: Report | None = None

    def variables(self) -> dict[str, str]:
        """What a command sees of it in its environment."""
        told = {
            "EVENT": self.event,
            "JOB": self.job,
            "GROUP_NAME": self.group,  # HYBRIDQ_GROUP is an option of a submit that the command may run
            "HANDLER": self.handler,
            "STATE": self.state,
            "HOME": self.home,
        }
        return {f"HYBRIDQ_{name}": str(value) for name, value in told.items() if value is not None}


def event_of(outlook: Outlook, of: Pending) -> Event:
    """What is to be told of this, as the queue has it now; of what was cleaned away, what is still known."""
    base = Event(id=of.id, event=of.event, at=of.at, home=str(outlook.store.home.folder))
    try:
        match of.event:
            case HookEvent.DONE | HookEvent.FAILED:
                return _of_job(outlook, base, int(of.subject))
            case HookEvent.GROUP_DONE:
                return _of_group(outlook, base, str(of.subject))
            case HookEvent.LATE:
                return _of_late(outlook, base, cohort(outlook.store, int(of.subject)))
            case HookEvent.SUBMISSION_DONE:
                found = cohort(outlook.store, int(of.subject))
                return _of_group(outlook, base, found.name) if found.name else _of_job(outlook, base, found.first)
            case HookEvent.DAILY_REPORT:
                return msgspec.structs.replace(base, report=_report(outlook, float(of.subject)))
    except NoSuchJob:
        return base


def _of_job(outlook: Outlook, base: Event, number: int) -> Event:
    store = outlook.store
    found = job(store, number)
    of, left = cohort(store, found.cohort), result(store, number)
    return msgspec.structs.replace(
        base,
        job=number,
        group=of.name,
        handler=of.handler,
        state=found.state,
        error=scrub(left.error) if left and left.error else None,
        exit_code=left.exit_code if left else None,
        last_lines=_last_lines(outlook, number),
        cost=left.cost if left else None,
    )


def _last_lines(outlook: Outlook, number: int) -> str:
    """The last lines of its standard error, or of its output where there is none."""
    end = ending(outlook.store, number, BYTES)
    data = end.err or (text_of(end.out) if end.value else end.out)
    lines = data[-BYTES:].decode("utf-8", "replace").splitlines()
    return scrub("\n".join(lines[-LINES:]))


def _of_group(outlook: Outlook, base: Event, name: str) -> Event:
    store = outlook.store
    if (found := group_sums(store, [name]).get(name)) is None:
        raise NoSuchJob(f"there is no group {name}")
    errors = failures(store, name) if found.counts.get(State.FAILED) else []
    of = cohort(store, found.cohort)
    return msgspec.structs.replace(
        base,
        group=name,
        handler=of.handler,
        counts=found.counts,
        cost=found.cost,
        saved=saved_of(found.cost, found.streamed, untold=of.handler in outlook.untold()),
        first_error=scrub(errors[0][0]) if errors else None,
    )


def _of_late(outlook: Outlook, base: Event, of: Cohort) -> Event:
    rows = Rows(outlook, Foresight(outlook, time.time())).of(by_number(outlook.store, [of.id]))
    return msgspec.structs.replace(
        base,
        job=of.first if of.jobs == 1 else None,
        group=of.name,
        handler=of.handler,
        counts=of.counts,
        deadline=of.due,
        eta=rows[0].eta if rows else None,
    )


def _report(outlook: Outlook, instant: float) -> Report:
    """The figures of `hybridq report --since` the instant a day before."""
    now = time.time()
    with outlook.store.still():
        ledger = read(outlook.store, instant - DAY, now)
        return sum_up(ledger, now, outlook.unpriced(), outlook.config.policy.currency, outlook.untold())


def sample(outlook: Outlook, event: HookEvent) -> Event:
    """An event as it might be, to try a hook with: of no job of the queue."""
    base = Event(id=0, event=event, at=time.time(), home=os.fspath(outlook.store.home.folder))
    one = {"job": 0, "handler": "shell", "state": State.DONE, "exit_code": 0, "last_lines": "a test", "cost": 0.0}
    match event:
        case HookEvent.DONE:
            told = one
        case HookEvent.FAILED:
            told = one | {"state": State.FAILED, "error": "exit code 1", "exit_code": 1}
        case HookEvent.LATE:
            told = {"job": 0, "handler": "shell", "deadline": base.at, "eta": base.at + 60.0}
        case HookEvent.DAILY_REPORT:
            told = {"report": _report(outlook, base.at)}
        case _:
            told = {"group": "test", "handler": "shell", "counts": {State.DONE: 1}, "cost": 0.0, "saved": 0.0}
    return msgspec.structs.replace(base, **told)
