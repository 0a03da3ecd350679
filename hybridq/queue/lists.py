"""The lists that a view shows: what runs, what waits in its order, what ended last, and their sums.

Rule: each list costs what it returns, however long the queue is: it walks an index and stops, and counts
are read from the kept sums. Rows of jobs are only touched for the jobs that are shown.
"""

from collections.abc import Sequence
from contextlib import closing

from msgspec import Struct

from ..errors import UsageError
from ..job import Lane, Mode, State
from ..reason import Reason, read
from ..selection import ANY, Criteria, Group, Ids, Last, Selector
from .cohorts import Cohort, cohorts, no_such
from .criteria import of_cohorts, of_jobs
from .group_sums import MANY, counts_of, group_sums, marks
from .later import known
from .store import Store
from .submissions import newest

SCAN = 2000  # cohorts of one lane and handler that are looked through for rows: a group may have a million
TEXT = 400  # bytes of an input that are ever shown in a list
_OF = "JOIN cohort ON cohort.id = job.cohort"
_IN_RANGE = "job.id BETWEEN ? AND ? AND accepted IS NOT NULL"


class ModeSum(Struct, frozen=True, kw_only=True):
    """What all jobs of one mode come to."""

    counts: dict[State, int]
    cost: float
    streamed: float


class ListedJob(Struct, frozen=True, kw_only=True):
    """One job as a list shows it: `text` is the beginning of its input, the last four are its result's; `cut`: why the
    answer is not whole."""

    id: int
    cohort: int
    state: State
    ready: float
    tries: int  # failures that counted against the retries
    started: float | None
    finished: float | None
    text: bytes
    error: str | None
    exit_code: int | None
    cost: float | None
    deaths: int  # of runners while it ran, one of which it may have been why
    gate: int | None = None  # that it waits at, or waited
    cause: tuple[int, str] | None = None  # the job for which it was cancelled, and its state
    cut: str = ""


def totals(store: Store, modes: Sequence[Mode], criteria: Criteria = ANY) -> list[ModeSum]:
    """The sums of these modes, of the handlers and lanes alone that the criteria name."""
    handlers, lanes = criteria.handlers, criteria.lanes
    of = f" AND handler IN ({marks(handlers)})" if handlers else ""
    of += f" AND lane IN ({marks(lanes)})" if lanes else ""
    return [
        ModeSum(counts=counts_of(counts), cost=cost, streamed=streamed)
        for *counts, cost, streamed in store.rows(
            "SELECT sum(queued), sum(running), sum(done), sum(failed), sum(cancelled), sum(cost), sum(streamed)"
            f" FROM tally WHERE mode IN ({marks(modes)}){of} GROUP BY mode",
            (*modes, *handlers, *lanes),
        )
    ]


def start_money_due(store: Store) -> float:
    """The same as `account.starts_due` of the whole queue, in one sum."""
    held = "SELECT handler FROM tally WHERE lane = 'batch' AND queued + running > 0"
    paid = "SELECT max(0.0, total(cost) - total(streamed)) AS paid FROM tally"
    rows = store.rows(
        f"SELECT total(paid) FROM ({paid} WHERE lane = 'stream' AND handler IN ({held}) GROUP BY handler)"
    )
    return float(rows[0][0])


def paid_for_drafts(store: Store) -> float | None:
    """Money of the drafts whose finals are still to come, which is counted against nothing yet; None: of more jobs than
    are looked through."""
    places = (
        "(SELECT * FROM cohort INDEXED BY cohort_queued WHERE lane = 'batch' AND queued > 0 AND mode = 'adaptive'"
        " UNION ALL SELECT * FROM cohort INDEXED BY cohort_running WHERE running > 0 AND queued = 0 AND lane = 'batch'"
        " AND mode = 'adaptive') AS part"
    )
    if store.rows(f"SELECT total(jobs) FROM {places}")[0][0] > SCAN:
        return None
    drafts = f"{places} CROSS JOIN job ON job.id BETWEEN first_id AND last_id AND job.cohort = part.id"
    paid = store.rows(
        f"SELECT total(draft.cost) FROM {drafts} JOIN draft ON draft.id = job.id"
        " WHERE job.state IN ('queued', 'running')"
    )
    return float(paid[0][0])


def runners(store: Store) -> list[tuple[str, int, float]]:
    """(kind, pid, since) of every runner that is signed on. Ask after `rescue`: then each of them lives."""
    return [(str(k), int(p), float(s)) for k, p, s in store.rows("SELECT kind, pid, since FROM runner ORDER BY id")]


def open_flushes(store: Store) -> dict[str, list[tuple[float, Reason]]]:
    """When each flush that runs now began (epoch seconds), the oldest first, and why it is run, by handler."""
    found: dict[str, list[tuple[float, Reason]]] = {}
    for handler, started, reason in store.rows(
        "SELECT handler, started, reason FROM flush WHERE ended IS NULL ORDER BY id"
    ):
        found.setdefault(handler, []).append((started, read(reason)))
    return found


def running(store: Store, modes: Sequence[Mode], limit: int, criteria: Criteria = ANY) -> list[Cohort]:
    """Cohorts of which some job runs, the oldest first; of a group one alone."""
    also, parameters = of_cohorts(criteria)
    return _distinct(
        store,
        "INDEXED BY cohort_running WHERE running > 0 AND accepted IS NOT NULL"
        f" AND mode IN ({marks(modes)}){also} ORDER BY id",
        (*modes, *parameters),
        limit,
    )


def queued(
    store: Store, lane: Lane, handler: str, modes: Sequence[Mode], limit: int, criteria: Criteria = ANY
) -> list[Cohort]:
    """The next cohorts of a lane and handler in the order in which they run; of a group, its next one alone."""
    also, parameters = of_cohorts(criteria)
    return _distinct(
        store,
        "INDEXED BY cohort_queued WHERE lane = ? AND handler = ? AND queued > 0"
        f" AND mode IN ({marks(modes)}){also} ORDER BY due, rank, id",
        (lane, handler, *modes, *parameters),
        limit,
    )


def ended_singles(
    store: Store, state: State, modes: Sequence[Mode], limit: int, criteria: Criteria = ANY
) -> list[Cohort]:
    """The single jobs that came to this end, the latest first."""
    also, parameters = of_cohorts(criteria, over=True)
    numbers: list[tuple[float, int]] = []
    for mode in modes:
        numbers += store.rows(
            "SELECT finished, id FROM cohort INDEXED BY cohort_ended WHERE name IS NULL AND queued = 0 AND running = 0"
            f" AND finished IS NOT NULL AND mode = ? AND failed = ? AND cancelled = ?{also}"
            " ORDER BY finished DESC LIMIT ?",
            (mode, int(state is State.FAILED), int(state is State.CANCELLED), *parameters, limit),
        )
    return by_number(store, [number for _, number in sorted(numbers, reverse=True)[:limit]])


def ahead(store: Store, cohort: Cohort) -> int:
    """How many queued jobs of its lane and handler go before this cohort; beyond SCAN cohorts it stops counting."""
    found = store.row(
        "SELECT sum(queued) FROM (SELECT queued FROM cohort INDEXED BY cohort_queued WHERE lane = ? AND handler = ?"
        " AND queued > 0 AND (due, rank, id) < (?, ?, ?) LIMIT ?)",
        (cohort.lane, cohort.handler, cohort.due, -cohort.request.priority, cohort.id, SCAN),
    )
    return int(found[0] or 0) if found else 0


def standing_for(store: Store, selector: Selector) -> Cohort:
    """The cohort that stands for a group or for what came last. Raises NoSuchJob, UsageError for other selectors."""
    if isinstance(selector, Group):
        if not group_sums(store, [selector.name]):
            raise no_such(f"group '{selector.name}'")
        return representative(store, selector.name)
    if not isinstance(selector, Last):
        raise UsageError("name one job or group. For several: hybridq status")
    found = newest(store)
    return found if found.name is None else representative(store, found.name)


def representative(store: Store, name: str) -> Cohort:
    """The cohort that stands for a group: one that runs, else the next to run, else its first."""
    where = "name = ? AND accepted IS NOT NULL ORDER BY running > 0 DESC, queued > 0 DESC, lane = 'none', due, rank,"
    return cohorts(store, f"{where} id LIMIT 1", (name,))[0]


def largest(store: Store, name: str) -> Cohort:
    """The part of a group with the most jobs."""
    return cohorts(store, "name = ? AND accepted IS NOT NULL ORDER BY jobs DESC, id LIMIT 1", (name,))[0]


def others(store: Store, cohort: Cohort) -> list[int]:
    """The first job of each part of the same group that was asked for or decided otherwise, at most SCAN of them."""
    return [
        number
        for (number,) in store.rows(
            "SELECT first_id FROM cohort WHERE name = ?1 AND jobs > 0 AND accepted IS NOT NULL AND (mode, request) <>"
            " (SELECT mode, request FROM cohort WHERE id = ?2) ORDER BY id LIMIT ?3",
            (cohort.name, cohort.id, SCAN),
        )
    ]


def mixed(store: Store, name: str) -> bool:
    """Whether the first SCAN parts of a group run in more than one mode."""
    where = "name = ? AND jobs > 0 AND accepted IS NOT NULL ORDER BY id LIMIT ?"
    return len(set(store.rows(f"SELECT mode FROM cohort WHERE {where}", (name, SCAN)))) > 1


def members(
    store: Store,
    name: str,
    states: Sequence[State],
    modes: Sequence[Mode],
    limit: int,
    criteria: Criteria = ANY,
) -> list[int]:
    """The first `limit` jobs of a group in these states and modes; walks its jobs until it has them."""
    also, parameters = of_jobs(criteria)
    where = f"state IN ({marks(states)}) AND mode IN ({marks(modes)}){also}"
    return [
        number
        for (number,) in store.rows(
            f"SELECT job.id FROM cohort JOIN job ON job.id BETWEEN first_id AND last_id AND job.cohort = cohort.id"
            f" WHERE name = ? AND accepted IS NOT NULL AND {where} ORDER BY job.id LIMIT ?",
            (name, *states, *modes, *parameters, max(0, limit)),
        )
    ]


def begun_last(store: Store, name: str, limit: int) -> list[int]:
    """At most `limit` jobs of a group that have begun, up to the place to which it has come, ascending.

    Bounded however large the group is: of its first SCAN parts the last that have begun, and in each of them SCAN
    jobs before the first that waits. What was begun out of turn is not found.
    """
    found: list[int] = []
    for part, first, last in store.rows(
        "SELECT id, first_id, last_id FROM (SELECT id, first_id, last_id, jobs, queued FROM cohort"
        " WHERE name = ? AND accepted IS NOT NULL LIMIT ?) WHERE queued < jobs ORDER BY id DESC LIMIT ?",
        (name, SCAN, limit),
    ):
        waits = store.row(
            "SELECT id FROM job WHERE cohort = ? AND state = 'queued' ORDER BY cohort, ready, id LIMIT 1", (part,)
        )
        end = min(last, waits[0] + limit if waits else last)
        found += [
            number
            for (number,) in store.rows(
                "SELECT id FROM job WHERE id BETWEEN ? AND ? AND cohort = ? AND state <> 'queued'"
                " ORDER BY id DESC LIMIT ?",
                (max(first, end - SCAN), end, part, limit - len(found)),
            )
        ]
        if len(found) >= limit:
            break
    return sorted(found)


def by_number(store: Store, numbers: Sequence[int]) -> list[Cohort]:
    """These cohorts, in the order given."""
    known: dict[int, Cohort] = {}
    for start in range(0, len(numbers), MANY):
        part = numbers[start : start + MANY]
        known |= {found.id: found for found in cohorts(store, f"id IN ({marks(part)})", tuple(part))}
    return [known[number] for number in numbers if number in known]


def listed(store: Store, numbers: Sequence[int]) -> dict[int, ListedJob]:
    """What a list shows of these jobs, by id; the long tail of an input is not read."""
    found: dict[int, ListedJob] = {}
    for start in range(0, len(numbers), MANY):
        part = numbers[start : start + MANY]
        for number, cohort, state, gate, cause, how, ready, tries, started, finished, data, *rest in store.rows(
            "SELECT job.id, cohort, state, gate, cause, (SELECT state FROM job AS other WHERE other.id = job.cause),"
            " ready, tries, started, finished,"
            " CASE WHEN length(input) <= 4096 THEN input END, error, exit_code, cost,"
            " (SELECT deaths FROM suspect WHERE job = job.id), json_extract(CAST(usage AS TEXT), '$.cut')"
            f" FROM job LEFT JOIN result ON result.id = job.id WHERE job.id IN ({marks(part)})",
            tuple(part),
        ):
            text = _beginning(store, number) if data is None else data[:TEXT]
            error, code, cost, deaths, cut = rest
            found[number] = ListedJob(
                id=number,
                cohort=cohort,
                state=known(State, state),
                ready=ready,
                tries=tries,
                started=started,
                finished=finished,
                text=text,
                error=error,
                exit_code=code,
                cost=cost,
                deaths=deaths or 0,
                cut=cut or "",
                gate=gate,
                cause=None if cause is None else (cause, how or ""),
            )
    return found


def all_wait(store: Store, cohort: int, now: float) -> tuple[float, str] | None:
    """When the first of a cohort's queued jobs is tried again, and what its last try met; None: one may begin now."""
    found = store.row(
        "SELECT ready, error FROM job LEFT JOIN result ON result.id = job.id"
        " WHERE job.id = (SELECT id FROM job WHERE cohort = ? AND state = 'queued' ORDER BY ready, id LIMIT 1)",
        (cohort,),
    )
    return (float(found[0]), str(found[1] or "failed")) if found and found[0] > now else None


def job_ids(
    store: Store,
    chosen: Ids,
    states: Sequence[State],
    modes: Sequence[Mode],
    limit: int,
    criteria: Criteria = ANY,
) -> tuple[list[int], int]:
    """The first `limit` jobs of these ranges in these states and modes, and how many there are.

    Counts rows, as no other list does: what was asked for by number can be counted no other way.
    """
    ids: list[int] = []
    jobs = 0
    also, more = of_jobs(criteria)
    where = f"{_IN_RANGE} AND state IN ({marks(states)}) AND mode IN ({marks(modes)}){also}"
    for first, last in chosen.ranges:
        parameters = (first, last, *states, *modes, *more)
        left = limit - len(ids)
        here = store.rows(f"SELECT job.id FROM job {_OF} WHERE {where} ORDER BY job.id LIMIT ?", (*parameters, left))
        ids += [number for (number,) in here]
        counted = store.row(f"SELECT count(*) FROM job {_OF} WHERE {where}", parameters) if len(here) == left else None
        jobs += counted[0] if counted else len(here)
    return ids, jobs


def _distinct(store: Store, where: str, parameters: tuple[object, ...], limit: int) -> list[Cohort]:
    """The first cohorts of this order, one a group; it stops as soon as it has enough."""
    found: dict[str | int, int] = {}
    sql = f"SELECT id, name FROM cohort {where} LIMIT ?"
    with closing(store.connection.execute(sql, (*parameters, max(SCAN, limit)))) as cursor:
        for number, name in cursor:
            found.setdefault(name or number, number)
            if len(found) >= limit:
                break
    return by_number(store, list(found.values()))


def _beginning(store: Store, job: int) -> bytes:
    with store.connection.blobopen("job", "input", job, readonly=True) as blob:
        return blob.read(TEXT)
