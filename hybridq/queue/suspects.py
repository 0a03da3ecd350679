"""Jobs that ran when their runner died: by kill -9, out of memory, in a crash. One of them may be why.

Rule: such a job runs last, and is watched: nothing else begins beside it for some seconds, twice as many with each
death. Who ran among many is watched among few: of 1,000 jobs 125 together, then 15, then one alone. Only a job that is
watched alone is blamed for a death, and fails at the third. So three kills of a runner with 1,000 jobs fail none of
them, nor do kills of a job that has outlived its watch; a job that kills each runner, alone or beside a few, is begun
four times.
"""

import json
import sqlite3
from collections.abc import Callable, Collection, Iterable

from msgspec import Struct

from ..job import LANES, Happening, Lane, State
from ..reason import said
from ..seam import reached
from .claims import Allot, Beside, Claim, Room
from .cohorts import tally
from .counters import shift
from .dependencies import follow
from .history import note
from .outbox import announce
from .pauses import anything_paused, is_paused
from .store import Store

BLAMED = 3  # deaths while it was watched alone, after which a job fails
FEWER = 8  # a suspect is watched among so many times fewer than it was the last time
WATCHED = 10.0  # seconds of the first watch
OVER = "NOT EXISTS (SELECT 1 FROM job WHERE id = suspect.job AND state IN ('queued', 'running'))"
_MINE = "SELECT job FROM suspect WHERE runner = ?"


class Watched(Struct, frozen=True):
    """Suspects that begin together, of one handler, and for how many seconds nothing else may begin."""

    claims: list[Claim]
    deaths: int
    seconds: float

    @property
    def told(self) -> str:
        """The same as a sentence."""
        one, jobs = len(self.claims) == 1, len(self.claims)
        who = f"job {self.claims[0].id} runs alone" if one else f"{jobs:,} jobs run together"
        times = "once" if self.deaths == 1 else f"{self.deaths} times"
        return f"{who}, and nothing beside, for the runner died {times} while {'it' if one else 'they'} ran"


def blame(connection: sqlite3.Connection, runner: int, held: Iterable[int]) -> dict[int, str]:
    """A runner died that held these jobs: which of them fail now, and why. Within the caller's transaction."""
    held = set(held)
    watched = held & {job for (job,) in connection.execute(_MINE, (runner,)).fetchall()}
    among = watched or held
    connection.executemany(
        "INSERT INTO suspect VALUES (?1, 1, ?2, 0, NULL) ON CONFLICT DO UPDATE SET deaths = deaths + 1, among = ?2,"
        " alone = alone + ?3, runner = NULL",
        [(job, len(among), len(watched) == 1) for job in among],
    )
    guilty = connection.execute(
        "DELETE FROM suspect WHERE alone >= ? AND job IN (SELECT value FROM json_each(?)) RETURNING job, deaths",
        (BLAMED, json.dumps(list(watched))),
    ).fetchall()
    return {job: _guilty(job, deaths) for job, deaths in guilty}


def take(
    store: Store,
    runner: int,
    lane: Lane,
    handlers: Iterable[str],
    now: float,
    *,
    flush: int | None = None,
    only: Collection[int] | None = None,
    room: Callable[[str], Room],
    slots: Callable[[str], int] | None = None,
    allot: Callable[[str], Allot] | None = None,
) -> tuple[str, Watched] | None:
    """Claim the next suspects of one of these handlers (of the cohorts `only`), and watch them; with the handler.

    By handler: `room`, how many jobs of a cohort may begin, `slots`, how many at once, and what makes its `allot`ment.
    None: there is none.
    """
    if not store.row("SELECT 1 FROM suspect LIMIT 1"):
        return None
    with store.tx(durable=False):
        found = _take(store, runner, lane, handlers, now, flush, only, room, slots, allot)
    if found is not None:
        reached("claimed")
    return found


def _take(
    store: Store,
    runner: int,
    lane: Lane,
    handlers: Iterable[str],
    now: float,
    flush: int | None,
    only: Collection[int] | None,
    room: Callable[[str], Room],
    slots: Callable[[str], int] | None,
    allot: Callable[[str], Allot] | None,
) -> tuple[str, Watched] | None:
    rows = store.rows(
        "SELECT cohort.handler, cohort.id, job.id, deaths, among FROM suspect CROSS JOIN job ON job.id = suspect.job"
        " CROSS JOIN cohort ON cohort.id = job.cohort WHERE job.state = 'queued' AND job.ready <= ? AND cohort.lane = ?"
        " AND cohort.handler IN (SELECT value FROM json_each(?)) ORDER BY alone, deaths, job.id",
        (now, lane, json.dumps(list(handlers))),
    )
    some_paused = bool(rows) and anything_paused(store.connection, now)
    rooms: dict[str, Room] = {}
    besides: dict[str, Beside | None] = {}
    handler, deaths, most, where = "", 0, 1, 0
    jobs: list[int] = []
    for name, cohort, job, died, among in rows:
        if (
            (some_paused and is_paused(store.connection, cohort, now))
            or (only is not None and cohort not in only)
            or (jobs and (name, died) != (handler, deaths))
            or (where and cohort != where)
        ):
            continue
        if name not in rooms:
            rooms[name] = room(name)
            besides[name] = allot(name)(store.connection) if allot is not None else None
        beside = besides[name]
        if not rooms[name](cohort) or (not jobs and beside is not None and not beside(cohort)):
            continue
        if not jobs:
            handler, deaths = name, died
            most = max(1, min(among // FEWER, slots(name) if slots else among))
            if beside is not None:  # what it lets begin it knows of one cohort
                most, where = min(most, beside(cohort)), cohort
        rooms[name].took(cohort, 1)
        jobs.append(job)
        if len(jobs) == most:
            break
    if not jobs:
        return None
    claims = _claim(store, runner, flush, jobs, now)
    if (beside := besides[handler]) is not None:
        claims = [given for claim in claims for given in beside.took(claim.cohort, [claim])]
    return (handler, Watched(claims, deaths, WATCHED * 2.0 ** min(deaths - 1, 12))) if claims else None


def let_be(store: Store, runner: int) -> None:
    """What this runner watched has ended, or has outlived its watch."""
    with store.tx(durable=False) as connection:
        connection.execute("UPDATE suspect SET runner = NULL WHERE runner = ?", (runner,))
        connection.execute(f"DELETE FROM suspect WHERE {OVER}")


def held_suspects(store: Store) -> dict[str, int]:
    """How many jobs that are held for a flush are suspects, by handler."""
    counted = store.rows(
        "SELECT handler, count(*) FROM suspect CROSS JOIN job ON job.id = suspect.job"
        " CROSS JOIN cohort ON cohort.id = job.cohort WHERE state = 'queued' AND lane = 'batch' GROUP BY handler"
    )
    return {str(handler): int(jobs) for handler, jobs in counted}


def suspects_of(store: Store, handler: str) -> dict[int, int]:
    """How many jobs of a handler that are held for a flush are suspects, by cohort."""
    counted = store.rows(
        "SELECT cohort, count(*) FROM suspect CROSS JOIN job ON job.id = suspect.job"
        " CROSS JOIN cohort ON cohort.id = job.cohort WHERE state = 'queued' AND lane = 'batch' AND handler = ?"
        " GROUP BY cohort",
        (handler,),
    )
    return {int(cohort): int(jobs) for cohort, jobs in counted}


def nothing_else(store: Store) -> bool:
    """Whether all that is queued, of whatever handler and lane, are suspects."""
    queued = sum(jobs for (_, lane, state), jobs in tally(store).items() if state is State.QUEUED and lane in LANES)
    found = store.row("SELECT count(*) FROM suspect CROSS JOIN job ON job.id = suspect.job WHERE state = 'queued'")
    return queued <= (found[0] if found else 0)


def only_suspects(store: Store) -> set[str]:
    """The handlers for which nothing but suspects is held."""
    suspects = held_suspects(store)
    waiting = tally(store) if suspects else {}
    return {name for name, jobs in suspects.items() if jobs >= waiting.get((name, Lane.BATCH, State.QUEUED), 0)}


def _claim(store: Store, runner: int, flush: int | None, jobs: list[int], now: float) -> list[Claim]:
    these = json.dumps(jobs)
    with store.tx(durable=False) as connection:
        rows = connection.execute(
            "UPDATE job SET state = 'running', attempt = attempt + 1, runner = ?, flush = coalesce(?, flush),"
            " started = ? WHERE id IN (SELECT value FROM json_each(?)) AND state = 'queued'"
            " RETURNING id, attempt, tries, cohort, input, unbegun",
            (runner, flush, now, these),
        ).fetchall()
        claims = [Claim(*row) for row in sorted(rows)]
        for claim in claims:
            shift(connection, {(claim.cohort, State.QUEUED, State.RUNNING): 1}, at=now)
        taken = json.dumps([claim.id for claim in claims])
        connection.execute(
            "UPDATE suspect SET runner = ? WHERE job IN (SELECT value FROM json_each(?))", (runner, taken)
        )
    return claims


def end_guilty(connection: sqlite3.Connection, cohort: int, guilty: dict[int, str], now: float) -> None:
    """These jobs of a cohort fail, each with its reason. Within the caller's transaction."""
    for job, why in guilty.items():
        connection.execute(
            "UPDATE job SET state = 'failed', finished = ?, runner = NULL, tries = tries + 1 WHERE id = ?", (now, job)
        )
        connection.execute(
            "INSERT OR REPLACE INTO result (id, attempt, error, cost, streamed, busy)"
            " SELECT id, attempt, ?, 0, 0, 0 FROM job WHERE id = ?",
            (why, job),
        )
        note(connection, cohort, Happening.BLAMED, said(why), now, job=job)
    if guilty:
        shift(connection, {(cohort, State.RUNNING, State.FAILED): len(guilty)}, at=now)
        follow(connection, {State.FAILED: list(guilty)}, now)
        announce(connection, State.FAILED, list(guilty), now)


def _guilty(job: int, deaths: int) -> str:
    return (
        f"the runner died {deaths} times while this job ran, {BLAMED} of those times with this job alone, so the job is"
        f" taken to be the cause. To try it anyway: hybridq retry {job}"
    )
