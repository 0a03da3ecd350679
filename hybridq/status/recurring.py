"""Schedules as views show them: when each is due next, what became of its last instant, when it is done, what it saved.

Rule: what is foreseen is what a submission at the next instant would be told; where nobody runs the queue nothing is.
Reads only.
"""

from collections.abc import Sequence
from itertools import islice

from msgspec import Struct
from msgspec.structs import replace

from ..brain.forecast import Eta
from ..brain.occurrence import Missed, Overlap, deadline
from ..brain.policy import classify
from ..errors import HybridqError
from ..outlook import Outlook
from ..queue import schedules as kept
from ..queue.account import saved_of
from ..queue.read_only import rescue_if_writable
from ..queue.schedules import Occurrence, Schedule, Sums
from .foresight import Foresight
from .rows import Rows, subject

NEXT = 3  # instants that are told
LAST = 10  # occurrences of one that are told
NOTHING = Sums()


class Recurring(Struct, frozen=True, kw_only=True):
    """One schedule. Instants are epoch seconds, spans seconds; `eta` is that of its job that has not ended, or of the
    next."""

    name: str
    timing: str
    zone: str
    within: float | None
    missed: Missed
    overlap: Overlap
    paused: bool
    next: tuple[float, ...]  # while it is paused: none
    what: str  # handler and input in one line; not yet made safe for a terminal
    last: Occurrence | None  # the last of which there is a job
    unended: tuple[int, ...]  # its jobs that wait or run
    eta: float | None = None
    eta90: float | None = None
    mode: str = ""  # that a job of the next instant would get; "": nobody knows
    jobs: int = 0  # of it that are there
    failed: int = 0
    cost: float = 0.0
    saved: float | None = 0.0  # against streaming each as it came; None: not known yet
    instants_missed: int = 0  # of which no job was made, for nothing ran
    instants_overlapped: int = 0  # nor of these, for the one before had not ended
    currency: str = ""


class ScheduleDetail(Recurring, frozen=True, kw_only=True):
    """One schedule and all else that is known of it."""

    handler: str
    cwd: str | None
    env: tuple[str, ...]  # names
    priority: int
    retries: int
    backoff: float | None
    retry_on: tuple[int, ...]
    timeout: float | None
    timeout_factor: float | None
    max_cost: float | None
    group: str | None
    since: float
    occurrences: tuple[Occurrence, ...]  # the latest first


def recurring(outlook: Outlook, now: float) -> list[Recurring]:
    """Every schedule, the next one first."""
    rescue_if_writable(outlook.store, now)
    with outlook.store.still():
        return _told(outlook, kept.schedules(outlook.store), now)


def schedule_detail(outlook: Outlook, name: str, now: float) -> ScheduleDetail:
    """All that is known of one. Raises NoSuchJob."""
    rescue_if_writable(outlook.store, now)
    with outlook.store.still():
        of = kept.named(outlook.store, name)
        (told,) = _told(outlook, [of], now)
        asked = of.request
        return ScheduleDetail(
            **{field: getattr(told, field) for field in Recurring.__struct_fields__},
            handler=asked.handler,
            cwd=asked.cwd,
            env=tuple(sorted(kept.variables(outlook.store, of).env)),
            priority=asked.priority,
            retries=asked.retries,
            backoff=asked.backoff,
            retry_on=asked.retry_on,
            timeout=asked.timeout,
            timeout_factor=asked.timeout_factor,
            max_cost=asked.max_cost,
            group=asked.group,
            since=of.since,
            occurrences=tuple(kept.occurrences(outlook.store, of, LAST)),
        )


def _told(outlook: Outlook, found: Sequence[Schedule], now: float) -> list[Recurring]:
    sums, foresight = kept.sums(outlook.store, found), Foresight(outlook, now)
    rows = Rows(outlook, foresight)
    return [_one(outlook, of, sums.get(of.id, NOTHING), foresight, rows) for of in found]


def _one(outlook: Outlook, of: Schedule, sums: Sums, foresight: Foresight, rows: Rows) -> Recurring:
    store = outlook.store
    unended = tuple(kept.unended(store, of))
    eta, mode = _eta(outlook, of, unended, foresight, rows)
    return Recurring(
        name=of.name,
        timing=of.timing,
        zone=of.zone,
        within=of.within,
        missed=of.missed,
        overlap=of.overlap,
        paused=of.due is None,
        next=_next(of),
        what=f"{of.request.handler} {subject(of.input[:4096])}",
        last=next((each for each in kept.occurrences(store, of, LAST) if each.job is not None), None),
        unended=unended,
        eta=eta.finish,
        eta90=eta.finish90,
        mode=mode,
        jobs=sums.jobs,
        failed=sums.failed,
        cost=sums.cost,
        saved=saved_of(sums.cost, sums.streamed, untold=of.request.handler in outlook.untold()),
        instants_missed=sums.missed,
        instants_overlapped=sums.overlapped,
        currency=outlook.config.policy.currency,
    )


def _next(of: Schedule) -> tuple[float, ...]:
    return () if of.due is None else (of.due, *islice(of.recurrence.all_after(of.due), NEXT - 1))


def _eta(outlook: Outlook, of: Schedule, unended: tuple[int, ...], foresight: Foresight, rows: Rows) -> tuple[Eta, str]:
    """When its job that has not ended is done, else that of the next instant; and the mode of that."""
    for row in rows.jobs(unended[:1]):
        return Eta(finish=row.eta, finish90=row.eta90), row.mode
    if of.due is None or not foresight.served:
        return Eta(), ""
    at = max(of.due, foresight.now)
    asked = replace(of.request, deadline=deadline(of.due, of.within, at))
    try:
        decided = classify(asked, 1, len(of.input), outlook.conditions(asked.handler, at, [], joins=True))
    except HybridqError:
        return Eta(), ""
    return Eta(finish=decided.forecast.finish, finish90=decided.forecast.finish90), decided.mode
