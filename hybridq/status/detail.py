"""All that is known of one job or group, and why it runs the way it does: for `show` and `explain`.

Rule: what is long is cut and said to be; of the environment only names are told, never values. Reads only.
"""

from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from ..brain.commands import kind_of
from ..brain.usual import time_limit, usual
from ..errors import UsageError
from ..files import readable
from ..happenings import happened
from ..job import Decision, Happening, Lane, State
from ..outlook import Outlook
from ..queue import lists
from ..queue.cohorts import Cohort, Job, cohort, environment, job, lineage
from ..queue.flushes import FlushRecord, flush_record, flushes_of, last_of
from ..queue.gates import gate_of
from ..queue.history import history
from ..queue.kept import kept_path, kept_size
from ..queue.learned import Promise, first_promise
from ..queue.outputs import SUFFIX, missing, output_path
from ..queue.read_only import rescue_if_writable
from ..queue.results import result
from ..queue.schedules import occurrence_of
from ..queue.select import meant
from ..queue.store import Store
from ..selection import Ids, Selector
from .foresight import Foresight
from .rows import Rows, subject
from .snapshot import Row

TEXT_LIMIT = 2000  # characters of an input or a result that are shown
BY_ITSELF = (State.DONE, State.FAILED)
FILES_OF = 5  # last attempts whose files are named
BEFORE = 2  # flushes of a group that are told beside its last


class Happened(Struct, frozen=True, kw_only=True):
    """What happened to so many jobs at once, when (epoch seconds), and the sentence that tells it."""

    at: float
    kind: Happening
    jobs: int
    text: str


class Detail(Row, frozen=True, kw_only=True):
    """A row and all else that is known. Of a group, only what its jobs share."""

    input: str | None = None  # at most TEXT_LIMIT characters
    input_bytes: int | None = None
    cwd: str | None = None
    env: tuple[str, ...] = ()  # names
    left_out: dict[str, str] = {}  # noqa: RUF012 - msgspec copies it; variables that it does not see, and why
    priority: int = 0
    retries: int = 0
    backoff: float | None = None
    retry_on: tuple[int, ...] = ()
    timeout: float | None = None
    timeout_factor: float | None = None
    usual: float | None = None  # seconds that one such job usually takes; None: unknown, or not asked for
    max_cost: float | None = None
    attempt: int | None = None
    failures: int | None = None  # tries that counted against the retries
    not_before: float | None = None  # when it may be tried, or tried again
    result: str | None = None  # at most TEXT_LIMIT characters
    error: str | None = None
    dropped: int = 0  # bytes of output beyond the limit
    missing: int = 0  # bytes of output that were stored and are not in its files any more
    cut: str | None = None  # the answer was cut for want of room, in the provider's word
    busy: float | None = None  # seconds
    first: float | None = None  # when its first byte was there
    streamed: float | None = None  # money that it would have cost streamed
    usage: dict[str, Any] | None = None
    files: tuple[str, ...] = ()
    flush: FlushRecord | None = None
    others: tuple[int, ...] = ()  # of a group: the first job of each part that was asked for or decided otherwise
    promise: Promise | None = None
    history: tuple[Happened, ...] = ()
    schedule: str | None = None  # that made it
    instant: float | None = None  # for which it was made
    currency: str = ""


class Explanation(Struct, frozen=True, kw_only=True):
    """Why a job or group runs as it does: what was decided then, what has happened since, what is foreseen."""

    row: Row
    signal: str  # what named the audience
    decided: float  # epoch seconds
    decision: Decision
    flush: FlushRecord | None  # the last
    before: tuple[FlushRecord, ...]  # of a group: those before it, the last few
    earlier: int | None  # and how many more there were; None: a group too large to know
    others: tuple[int, ...]  # as in Detail
    group: str | None  # that of the jobs which were decided together
    together: int  # how many these are
    planned: float | None  # when its flush is planned; None: it has run, or nothing is planned
    promise: Promise | None
    history: tuple[Happened, ...]
    schedule: str | None = None  # as in Detail
    instant: float | None = None
    timeout: float | None = None
    timeout_factor: float | None = None
    usual: float | None = None
    currency: str = ""


def detail(outlook: Outlook, selector: Selector, *, now: float) -> Detail:
    """All that is known of the one job or group that is named. Raises NoSuchJob, and UsageError for several."""
    rescue_if_writable(outlook.store, now)
    with outlook.store.still():
        return _detail(outlook, *_one(outlook, selector, now), now)


def explanation(outlook: Outlook, selector: Selector, *, now: float) -> Explanation:
    """The story of one decision. Raises as `detail` does."""
    rescue_if_writable(outlook.store, now)
    with outlook.store.still():
        return _explanation(outlook, *_one(outlook, selector, now))


def _detail(outlook: Outlook, row: Row, cohort: Cohort, now: float) -> Detail:
    asked, around = cohort.request, environment(outlook.store, cohort)
    shared = {
        **msgspec.structs.asdict(row),
        "cwd": asked.cwd and readable(asked.cwd),
        "env": tuple(sorted(around.env)),
        "left_out": around.left_out,
        "priority": asked.priority,
        "retries": asked.retries,
        "backoff": asked.backoff,
        "retry_on": asked.retry_on,
        **_time_limit(outlook, cohort, row),
        "max_cost": asked.max_cost,
        "promise": first_promise(outlook.store, cohort.id),
        "currency": outlook.config.policy.currency,
    }
    if row.group is not None:
        return Detail(
            **shared, others=tuple(lists.others(outlook.store, cohort)), history=_history(outlook, cohort.id, None)
        )
    return Detail(**shared, **_job_facts(outlook, job(outlook.store, row.id), now))


def _time_limit(outlook: Outlook, cohort: Cohort, row: Row) -> dict[str, Any]:
    """How long a try may run: in seconds as far as that is known, and in times of what is usual."""
    factor = cohort.request.timeout_factor
    if factor is None or cohort.handler not in outlook.config.handlers:
        return {"timeout": cohort.request.timeout, "timeout_factor": factor, "usual": None}
    kind, size = cohort.request.kind, cohort.size
    if row.group is None:
        data = job(outlook.store, row.id).input
        kind, size = kind_of(data, cohort.request.cwd), float(len(data))
    estimate = outlook.estimate(cohort.handler)
    limit = time_limit(estimate, cohort.lane, size, kind, factor)
    return {"timeout": limit, "timeout_factor": factor, "usual": usual(estimate, cohort.lane, size, kind)}


def _explanation(outlook: Outlook, row: Row, cohort: Cohort) -> Explanation:
    one = None if row.group is not None else row.id
    ran = (cohort.first, cohort.last) if one is None else (one,)
    known = flushes_of(outlook.store, row.id, row.last, row.group) if row.group is not None else []
    last = known[-1] if known else last_of(outlook.store, *ran)
    past = (known or [])[:-1]
    before = tuple(each for number in past[-BEFORE:] if (each := flush_record(outlook.store, number)))
    waits = cohort.lane is Lane.BATCH and row.state is State.QUEUED
    return Explanation(
        row=row,
        signal=cohort.request.signal,
        decided=cohort.accepted,
        decision=cohort.decision,
        flush=flush_record(outlook.store, last),
        before=before,
        earlier=None if known is None else max(0, len(past) - BEFORE),
        others=() if one is not None else tuple(lists.others(outlook.store, cohort)),
        group=cohort.name,
        together=cohort.jobs,
        planned=row.start if waits else None,
        currency=outlook.config.policy.currency,
        promise=first_promise(outlook.store, cohort.id),
        history=_history(outlook, cohort.id, one, row.finished if row.state in BY_ITSELF else None),
        **_time_limit(outlook, cohort, row),
        **_occurrence(outlook, one),
    )


def _one(outlook: Outlook, selector: Selector, now: float) -> tuple[Row, Cohort]:
    """The row that a selector names, and its cohort; of a group the one with the most jobs speaks for it."""
    rows = Rows(outlook, Foresight(outlook, now))
    selector = meant(outlook.store, selector)
    if isinstance(selector, Ids):
        number = _only(selector)
        of = cohort(outlook.store, job(outlook.store, number).cohort)
        return rows.jobs([number])[0], of
    of = lists.standing_for(outlook.store, selector)
    row = rows.of([of])[0]
    if of.name is not None:
        of = lists.largest(outlook.store, of.name)
        row = replace(row, mode=of.mode, audience=of.audience, deadline=of.request.deadline)
    return row, of


def _only(chosen: Ids) -> int:
    if len(chosen.ranges) == 1 and chosen.ranges[0][0] == chosen.ranges[0][1]:
        return chosen.ranges[0][0]
    raise UsageError("this tells of one job or group at a time; hybridq status shows several")


def _job_facts(outlook: Outlook, of: Job, now: float) -> dict[str, Any]:
    store = outlook.store
    found = result(store, of.id)
    kept = cohort(store, of.cohort).request.session is not None
    facts: dict[str, Any] = {
        "input": str(kept_path(store.home, of.id)) if kept else subject(of.input)[:TEXT_LIMIT],
        "input_bytes": kept_size(store.home, of.id) if kept else len(of.input),
        "attempt": of.attempt,
        "failures": of.tries,
        "not_before": _not_before(store, of, now),
        "files": _files(store, of),
        "flush": flush_record(store, of.flush),
        **_occurrence(outlook, of.id),
        "history": _history(outlook, of.cohort, of.id, of.finished if of.state in BY_ITSELF else None),
    }
    if found is not None:
        usage = {} if found.usage is None else msgspec.json.decode(found.usage)
        facts |= {
            "result": None if found.value is None else subject(found.value)[:TEXT_LIMIT],
            "error": found.error,
            "dropped": found.dropped,
            "busy": found.busy,
            "first": found.first,
            "streamed": found.would_have_cost,
            "missing": sum(
                missing(store.home, of.id, found.attempt, stream, size)
                for stream, size in ((1, found.out), (2, found.err))
            ),
            "cut": usage.pop("cut", None),
            "usage": usage or None,
        }
    return facts


def _occurrence(outlook: Outlook, one: int | None) -> dict[str, Any]:
    """The schedule that made a job, and for which instant."""
    made = None if one is None else occurrence_of(outlook.store, one)
    return {} if made is None else {"schedule": made[0], "instant": made[1]}


def _not_before(store: Store, of: Job, now: float) -> float | None:
    """When it may be tried again, or for the first time (epoch seconds); None: now, as far as time goes."""
    before = gate_of(store, of.id) if of.state is State.QUEUED else None
    at = max(of.ready, (before and before.at) or 0.0)
    return at if at > now else None


def _files(store: Store, of: Job) -> tuple[str, ...]:
    """The files of its last attempts that are there, the newest first."""
    attempts = range(of.attempt, max(0, of.attempt - FILES_OF), -1)
    paths = (output_path(store.home, of.id, attempt, stream) for attempt in attempts for stream in SUFFIX)
    return tuple(str(path) for path in paths if path.exists())


def _history(outlook: Outlook, of: int, one: int | None, ended: float | None = None) -> tuple[Happened, ...]:
    """What happened to a cohort, or to one job of it: once that has ended by itself, things
    happen to its neighbours alone."""
    store, currency = outlook.store, outlook.config.policy.currency
    told = [each for number in lineage(store, of) for each in history(store, number, one)]
    if one is not None and ended is not None:
        told = [each for each in told if each.at <= ended or each.kind is Happening.UNTOLD]
    return tuple(
        Happened(
            at=each.at,
            kind=each.kind,
            jobs=each.jobs,
            text=happened(each.kind, each.jobs, each.reason, each.at, currency),
        )
        for each in sorted(told, key=lambda each: each.at)
    )
