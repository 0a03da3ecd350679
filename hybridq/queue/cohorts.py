"""Reading the queue: jobs, cohorts, counters. Short statements, no transaction left open.

Rule: nothing here grows with the number of jobs unless it returns them.
"""

from collections.abc import Collection, Iterable
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from ..brain.commands import kind_in
from ..errors import NoSuchJob
from ..job import Audience, Decision, Environment, Held, Lane, Mode, Request, State
from ..reason import revived
from .group_sums import counts_of
from .later import decoded, known
from .store import Store

HELD_LIMIT = 100_000  # cohorts that a plan looks at one by one
T = TypeVar("T", bound=Struct)


class Cohort(Struct, frozen=True, kw_only=True):
    """What the loops and views know of one cohort. `delay_cost` is money an hour, for one job."""

    id: int
    name: str | None
    handler: str
    lane: Lane
    mode: Mode
    audience: Audience
    pinned: bool
    due: float
    delay_cost: float
    request: Request  # but for its variables: see `environment`
    variables: int | None  # where these are
    decision: Decision
    accepted: float
    first: int
    last: int
    size: float  # mean bytes of input
    jobs: int
    started: float | None
    finished: float | None
    cost: float
    streamed: float
    counts: dict[State, int]

    @property
    def late(self) -> bool | None:
        """Whether its last end was after the 90th percentile that was promised; None: nothing to judge yet."""
        promised = self.decision.forecast.finish90
        over = not self.counts.keys() & {State.QUEUED, State.RUNNING}
        return self.finished > promised if over and promised is not None and self.finished is not None else None

    @property
    def queued(self) -> int:
        """How many of its jobs wait."""
        return self.counts.get(State.QUEUED, 0)


class Job(Struct, frozen=True, kw_only=True):
    """One job as it stands."""

    id: int
    cohort: int
    state: State
    attempt: int
    tries: int
    ready: float
    flush: int | None
    started: float | None
    finished: float | None
    input: bytes


_COHORT = (
    "SELECT id, name, handler, lane, mode, audience, pinned, due, delay_cost, request, environment, decision, accepted,"
    " first_id, last_id, size, jobs, started, finished, cost, streamed, queued, running, done, failed, cancelled"
    " FROM cohort"
)


def cohorts(store: Store, where: str, parameters: tuple[object, ...] = ()) -> list[Cohort]:
    """The accepted cohorts that match a condition of ours, in SQL."""
    return [_cohort(row) for row in store.rows(f"{_COHORT} WHERE {where}", parameters)]


def cohort(store: Store, number: int) -> Cohort:
    """One cohort. Raises NoSuchJob."""
    found = cohorts(store, "id = ?", (number,))
    if not found:
        raise NoSuchJob(f"there is no cohort {number}")
    return found[0]


def environment(store: Store, cohort: Cohort) -> Environment:
    """The variables that a cohort's commands run with."""
    row = None
    if cohort.variables is not None:
        row = store.row("SELECT variables FROM environment WHERE id = ?", (cohort.variables,))
    return msgspec.json.decode(row[0], type=Environment) if row else Environment(cohort.request.env)


def next_of(store: Store, lane: Lane, handler: str, limit: int) -> list[Cohort]:
    """The cohorts of a lane and handler that hold queued jobs, in the order in which they run, at most so many."""
    return cohorts(
        store, "lane = ? AND handler = ? AND queued > 0 ORDER BY due, rank, id LIMIT ?", (lane, handler, limit)
    )


def _cohort(row: tuple[Any, ...]) -> Cohort:
    (
        number,
        name,
        handler,
        lane,
        mode,
        audience,
        pinned,
        due,
        delay_cost,
        request,
        variables,
        decision,
        accepted,
        first,
        last,
        size,
        jobs,
        started,
        finished,
        cost,
        streamed,
        *counts,
    ) = row
    return Cohort(
        id=number,
        name=name,
        handler=handler,
        lane=known(Lane, lane),
        mode=known(Mode, mode),
        audience=known(Audience, audience),
        pinned=bool(pinned),
        due=due,
        delay_cost=delay_cost,
        request=decoded(Request, request),
        variables=variables,
        decision=_decided(decision),
        accepted=accepted,
        first=first,
        last=last,
        size=size / jobs if jobs else 0.0,
        jobs=jobs,
        started=started,
        finished=finished,
        cost=cost,
        streamed=streamed,
        counts={s: n for s, n in zip(State, counts, strict=True) if n},
    )


def no_such(what: str) -> NoSuchJob:
    """The error for a job or group that is not there: `job 7`, `group 'nightly'`."""
    return NoSuchJob(f"no {what}. List them: hybridq status --all")


def job(store: Store, number: int) -> Job:
    """One job. Raises NoSuchJob."""
    row = store.row(
        "SELECT job.id, cohort, state, attempt, tries, ready, flush, job.started, job.finished, input FROM job"
        " JOIN cohort ON cohort.id = job.cohort WHERE job.id = ? AND accepted IS NOT NULL",
        (number,),
    )
    if row is None:
        raise no_such(f"job {number}")
    number, cohort_id, state, attempt, tries, ready, flush, started, finished, data = row
    return Job(
        id=number,
        cohort=cohort_id,
        state=known(State, state),
        attempt=attempt,
        tries=tries,
        ready=ready,
        flush=flush,
        started=started,
        finished=finished,
        input=bytes(data),
    )


def state_of(store: Store, number: int) -> tuple[State, int, float]:
    """(state, attempt, not tried again before) of a job: what a follower asks again and again. Raises NoSuchJob."""
    row = store.row("SELECT state, attempt, ready FROM job WHERE id = ?", (number,))
    if row is None:
        raise no_such(f"job {number}")
    return known(State, row[0]), int(row[1]), float(row[2])


def named(of: type[T], row: Iterable[object]) -> T:
    """A row as a Struct, whose fields are the statement's columns in their order."""
    return of(**dict(zip(of.__struct_fields__, row, strict=True)))


def held_row(
    key: int,
    queued: int,
    size: float,
    jobs: int,
    due: float,
    accepted: float,
    delay_cost: float,
    pinned: int,
    *,
    kind: str = "",
) -> Held:
    """A cohort's columns, in this order, as work that is held."""
    return Held(
        key=key,
        jobs=queued,
        size=size / jobs,
        deadline=due,
        since=accepted,
        delay_cost=delay_cost * queued,
        pinned=bool(pinned),
        kind=kind,
    )


def held(store: Store, handler: str, only: Collection[int] | None = None, limit: int = HELD_LIMIT) -> list[Held]:
    """The batch lane's queued work of a handler (of the cohorts `only`), a class a cohort, by deadline."""
    return [
        held_row(*row, kind=kind_in(request))
        for *row, request in store.rows(
            "SELECT id, queued, size, jobs, due, accepted, delay_cost, pinned, request FROM cohort"
            " WHERE lane = 'batch' AND handler = ?1 AND queued > 0"
            " AND (?2 IS NULL OR id IN (SELECT value FROM json_each(?2))) ORDER BY due, rank, id LIMIT ?3",
            (handler, None if only is None else msgspec.json.encode(list(only)).decode(), limit),
        )
    ]


def arrivals(store: Store, handler: str, limit: int, until: float) -> list[tuple[float, Lane]]:
    """When and into which lane the last `limit` background submissions to a handler came, until an instant."""
    return [
        (at, known(Lane, lane))
        for at, lane in store.rows(
            "SELECT accepted, lane FROM cohort INDEXED BY cohort_came WHERE handler = ? AND audience = 'background'"
            " AND accepted <= ? ORDER BY accepted DESC LIMIT ?",
            (handler, until, limit),
        )
    ]


def tally(store: Store, handler: str | None = None) -> dict[tuple[str, Lane, State], int]:
    """How many jobs there are (of this handler), by handler, lane and state."""
    of, parameters = ("", ()) if handler is None else (" WHERE handler = ?", (handler,))
    return {
        (handler, known(Lane, lane), state): jobs
        for handler, lane, *counts in store.rows(
            "SELECT handler, lane, sum(queued), sum(running), sum(done), sum(failed), sum(cancelled)"
            f" FROM tally{of} GROUP BY handler, lane",
            parameters,
        )
        for state, jobs in counts_of(counts).items()
    }


def waiting(store: Store, lane: Lane) -> list[str]:
    """The handlers that have queued jobs in this lane."""
    return [h for (h,) in store.rows("SELECT DISTINCT handler FROM tally WHERE lane = ? AND queued > 0", (lane,))]


def _decided(decision: bytes) -> Decision:
    try:
        return msgspec.json.decode(decision, type=Decision)
    except msgspec.ValidationError:  # of a release that kept sentences, or other reasons
        return decoded(Decision, msgspec.json.encode(revived(msgspec.json.decode(decision))))


def lineage(store: Store, cohort_id: int) -> list[int]:
    """A cohort, then those that its jobs were moved from, back to the first."""
    return [
        number
        for (number,) in store.rows(
            "WITH RECURSIVE line (id) AS (SELECT ? UNION SELECT origin FROM cohort JOIN line ON cohort.id = line.id"
            " WHERE origin IS NOT NULL) SELECT id FROM line",
            (cohort_id,),
        )
    ]
