"""Reading the queue: jobs, cohorts, counters. Short statements, no transaction left open.

Rule: nothing here grows with the number of jobs unless it returns them.
"""

from collections.abc import Iterator

import msgspec
from msgspec import Struct

from ..errors import NoSuchJob
from ..job import Audience, Decision, Held, Lane, Mode, Request, State
from ..selection import All, Group, Ids, Last, Selector
from ..store import Store

HELD_LIMIT = 100_000  # cohorts that a plan looks at one by one


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
    request: Request
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


class Result(Struct, frozen=True, kw_only=True):
    """What an attempt left. `value` is JSON, or None where the output is in files."""

    id: int
    attempt: int
    value: bytes | None
    error: str | None
    exit_code: int | None
    dropped: int
    cost: float
    streamed: float
    busy: float
    first: float | None
    usage: bytes | None


_COHORT = (
    "SELECT id, name, handler, lane, mode, audience, pinned, due, delay_cost, request, decision, accepted, first_id,"
    " last_id, size, jobs, started, finished, cost, streamed, queued, running, done, failed, cancelled FROM cohort"
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


def _cohort(row: tuple) -> Cohort:  # type: ignore[type-arg]
    (number, name, handler, lane, mode, audience, pinned, due, delay_cost, request, decision, accepted, first,
     last, size, jobs, started, finished, cost, streamed, *counts) = row  # fmt: skip
    return Cohort(
        id=number, name=name, handler=handler, lane=Lane(lane), mode=Mode(mode), audience=Audience(audience),
        pinned=bool(pinned), due=due, delay_cost=delay_cost, request=msgspec.json.decode(request, type=Request),
        decision=msgspec.json.decode(decision, type=Decision), accepted=accepted, first=first, last=last,
        size=size / jobs if jobs else 0.0, jobs=jobs, started=started, finished=finished, cost=cost,
        streamed=streamed, counts={s: n for s, n in zip(State, counts, strict=True) if n},
    )  # fmt: skip


def job(store: Store, number: int) -> Job:
    """One job. Raises NoSuchJob."""
    row = store.row(
        "SELECT job.id, cohort, state, attempt, tries, ready, flush, job.started, job.finished, input FROM job"
        " JOIN cohort ON cohort.id = job.cohort WHERE job.id = ? AND accepted IS NOT NULL",
        (number,),
    )
    if row is None:
        raise NoSuchJob(f"there is no job {number}. Look at what there is: hybridq status --all")
    number, cohort_id, state, attempt, tries, ready, flush, started, finished, data = row
    return Job(
        id=number, cohort=cohort_id, state=State(state), attempt=attempt, tries=tries, ready=ready, flush=flush,
        started=started, finished=finished, input=bytes(data),
    )  # fmt: skip


def state_of(store: Store, number: int) -> tuple[State, int]:
    """(state, attempt) of a job: what a follower asks again and again. Raises NoSuchJob."""
    row = store.row("SELECT state, attempt FROM job WHERE id = ?", (number,))
    if row is None:
        raise NoSuchJob(f"there is no job {number}. Look at what there is: hybridq status --all")
    return State(row[0]), int(row[1])


def result(store: Store, number: int, *, draft: bool = False) -> Result | None:
    """What the job's last attempt left (or its draft), or None."""
    row = store.row(
        "SELECT id, attempt, value, error, exit_code, dropped, cost, streamed, busy, first, usage"
        f" FROM {'draft' if draft else 'result'} WHERE id = ?",
        (number,),
    )
    return Result(**dict(zip(Result.__struct_fields__, row, strict=True))) if row else None


def held(store: Store, handler: str, limit: int = HELD_LIMIT) -> list[Held]:
    """The batch lane's queued work of a handler, a class a cohort, the earliest deadline first."""
    return [
        Held(
            key=number, jobs=queued, size=size / jobs, deadline=due, since=accepted,
            delay_cost=delay_cost * queued, pinned=bool(pinned),
        )
        for number, queued, size, jobs, due, accepted, delay_cost, pinned in store.rows(
            "SELECT id, queued, size, jobs, due, accepted, delay_cost, pinned FROM cohort"
            " WHERE lane = 'batch' AND handler = ? AND queued > 0 ORDER BY due, rank, id LIMIT ?",
            (handler, limit),
        )
    ]  # fmt: skip


def arrivals(store: Store, handler: str, limit: int) -> list[tuple[float, Lane]]:
    """When and into which lane the background submissions to a handler came, of the last `limit` of all."""
    return [(at, Lane(lane)) for at, lane in store.rows(
        "SELECT accepted, lane FROM cohort WHERE id > (SELECT max(id) FROM cohort) - ? AND handler = ?"
        " AND audience = 'background' AND accepted IS NOT NULL", (limit, handler))]  # fmt: skip


def tally(store: Store) -> dict[tuple[str, Lane, State], int]:
    """How many jobs there are, by handler, lane and state."""
    return {
        (handler, Lane(lane), State(state)): jobs
        for handler, lane, state, jobs in store.rows("SELECT handler, lane, state, jobs FROM tally WHERE jobs > 0")
    }


def waiting(store: Store, lane: Lane) -> list[str]:
    """The handlers that have queued jobs in this lane."""
    return [h for (h,) in store.rows(
        "SELECT handler FROM tally WHERE lane = ? AND state = 'queued' AND jobs > 0", (lane,))]  # fmt: skip


def history(store: Store, cohort_id: int, job_id: int | None = None) -> list[tuple[float, str]]:
    """(at, sentence) of all that happened to a cohort, or to one job of it, the oldest first."""
    return [(at, text) for at, text in store.rows(
        "SELECT at, text FROM history WHERE cohort = ? AND (job IS NULL OR ?2 IS NULL OR job = ?2) ORDER BY id",
        (cohort_id, job_id))]  # fmt: skip


def recent_ids(store: Store, prefix: str, limit: int) -> list[str]:
    """The newest jobs' ids that begin so, as text: for completion."""
    return [str(number) for (number,) in store.rows(
        "SELECT id FROM (SELECT id FROM job ORDER BY id DESC LIMIT 10000) WHERE id LIKE ? || '%' LIMIT ?",
        (prefix, limit))]  # fmt: skip


def group_names(store: Store, prefix: str, limit: int) -> list[str]:
    """The groups whose names begin so: for completion."""
    return [name for (name,) in store.rows(
        "SELECT DISTINCT name FROM cohort WHERE substr(name, 1, length(?1)) = ?1 AND accepted IS NOT NULL LIMIT ?2",
        (prefix, limit))]  # fmt: skip


def chosen(store: Store, selectors: list[Selector], states: tuple[State, ...] = tuple(State)) -> Iterator[int]:
    """The ids that these selectors name and that are in one of these states, ascending within each.

    Raises NoSuchJob for a selector that names nothing at all.
    """
    marks = ", ".join("?" * len(states))
    for selector in selectors:
        for first, last, cohort_id in ranges(store, selector):
            found = store.rows(
                "SELECT id FROM job WHERE id BETWEEN ? AND ? AND (?3 IS NULL OR cohort = ?3)"
                f" AND state IN ({marks}) AND EXISTS"
                " (SELECT 1 FROM cohort WHERE cohort.id = job.cohort AND accepted IS NOT NULL)",
                (first, last, cohort_id, *states),
            )
            yield from (number for (number,) in found)


def ranges(store: Store, selector: Selector) -> list[tuple[int, int, int | None]]:
    """(first id, last id, cohort) that together hold what a selector names. Raises NoSuchJob."""
    match selector:
        case Ids(ranges=ranges):
            for first, last in ranges:
                if not store.row("SELECT 1 FROM job WHERE id BETWEEN ? AND ? LIMIT 1", (first, last)):
                    raise NoSuchJob(f"there is no job {first if first == last else f'{first}-{last}'}")
            return [(first, last, None) for first, last in ranges]
        case Last():
            newest = store.row(
                "SELECT first_id, last_id, id FROM cohort WHERE accepted IS NOT NULL ORDER BY id DESC LIMIT 1"
            )
            if newest is None:
                raise NoSuchJob("the queue is empty. Put something in: hybridq submit -- echo hello")
            return [newest]
        case Group(name=name):
            parts = store.rows(
                "SELECT first_id, last_id, id FROM cohort WHERE name = ? AND accepted IS NOT NULL", (name,)
            )
            if not parts:
                raise NoSuchJob(f"there is no group {name!r}. Look at what there is: hybridq status --all")
            return parts
        case All():
            return [(1, 2**62, None)]
    raise AssertionError(selector)
