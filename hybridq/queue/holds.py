"""Cohorts that are held back, most often by a limit on money, and what jobs have cost so far.

Rule: sums are read from kept counters, whatever the number of jobs. Knows no limit in force and decides
nothing: that is `money.limits`.
"""

import sqlite3
from collections.abc import Iterable
from typing import NamedTuple

import msgspec
from msgspec import Struct

from ..brain.outcome import Outcome
from ..job import Happening, Lane
from ..reason import Reason, read, stored
from .counters import QUARTER, spend
from .history import note
from .later import known
from .store import Store


class _Asked(Struct):
    """The part of a request that is about money."""

    max_cost: float | None = None


def spent_since(store: Store, handler: str, since: float) -> float:
    """Money that a handler's jobs have cost since the quarter of an hour of this epoch second."""
    row = store.row("SELECT total(cost) FROM spent WHERE handler = ? AND quarter >= ?", (handler, since // QUARTER))
    return float(row[0]) if row else 0.0


class Terms(NamedTuple):
    """What limits on money ask of a cohort: its submission, mean bytes of input, whether its jobs are adaptive, the
    most money that its submission may cost (None: as much as it takes), and why it is held so far."""

    submission: int
    size: float
    adaptive: bool
    max_cost: float | None = None
    kept: Reason | None = None


_HELD = "INSERT INTO history (cohort, at, kind, jobs, text) SELECT id, ?, ?, queued, ? FROM cohort"
_WITHHELD = "INSERT OR REPLACE INTO withheld SELECT id, ? FROM cohort"
_DRAFTS = "lane = 'stream' AND mode = 'adaptive'"
_BY_WORK = (
    f"SELECT handler, lane, {_DRAFTS}, total(running), total(cost), total(size) / max(1, total(jobs)) FROM cohort"
    " WHERE {} AND accepted IS NOT NULL GROUP BY handler, lane, 3"
)
Worked = tuple[str, Lane, bool, int, float, float]
"""(handler, lane, whether these are drafts, how many run, money spent, mean bytes of input) of some jobs."""


def of_submission(store: Store, submission: int, limit: float) -> list[Worked]:
    """What the jobs of a submission are at that this cost limit was set for, wherever they have come to be."""
    where = "(id = ?1 OR submission = ?1) AND json_extract(CAST(request AS TEXT), '$.max_cost') = ?2"
    return _worked(store, _BY_WORK.format(where), (submission, limit))


def of_cohorts(store: Store, cohorts: Iterable[int]) -> list[Worked]:
    """What the jobs of these cohorts are at."""
    these = msgspec.json.encode(list(cohorts)).decode()
    return _worked(store, _BY_WORK.format("id IN (SELECT value FROM json_each(?))"), (these,))


def _worked(store: Store, sql: str, parameters: tuple[object, ...]) -> list[Worked]:
    return [
        (handler, known(Lane, lane), bool(draft), int(running), cost, size)
        for handler, lane, draft, running, cost, size in store.rows(sql, parameters)
        if lane
    ]


def terms_of(store: Store, cohort: int) -> Terms:
    """What limits on money ask of a cohort."""
    row = store.row(
        "SELECT coalesce(submission, id), size / max(1, jobs), mode = 'adaptive', request, reason FROM cohort"
        " LEFT JOIN withheld ON withheld.cohort = id WHERE id = ?",
        (cohort,),
    )
    if row is None:
        return Terms(cohort, 0.0, False)
    submission, size, adaptive, request, why = row
    most = msgspec.json.decode(request, type=_Asked).max_cost
    return Terms(submission, float(size), bool(adaptive), most, read(why) if why else None)


def drafts_running(store: Store, handler: str) -> int:
    """How many drafts of a handler's adaptive jobs are being made."""
    row = store.row(
        f"SELECT total(running) FROM cohort INDEXED BY cohort_running WHERE running > 0 AND handler = ? AND {_DRAFTS}",
        (handler,),
    )
    return int(row[0]) if row else 0


def withheld(store: Store, cohorts: Iterable[int] | None = None) -> dict[int, Reason]:
    """Why a limit on money holds cohorts, of these (None: of all) that one does hold."""
    kept = "SELECT cohort, reason FROM withheld"
    if cohorts is None:
        rows = store.rows(kept)
    else:
        these = msgspec.json.encode(list(cohorts)).decode()
        rows = store.rows(f"{kept} WHERE cohort IN (SELECT value FROM json_each(?))", (these,))
    return {cohort: read(why) for cohort, why in rows}


def cancelled_since(store: Store, job: int, attempt: int) -> tuple[int, float, bytes] | None:
    """The cohort of a job that was cancelled in this attempt, when that had begun, its input; None: it was not."""
    where = "id = ? AND attempt = ? AND state = 'cancelled'"
    return store.row(f"SELECT cohort, started, input FROM job WHERE {where}", (job, attempt))


def book_cancelled(connection: sqlite3.Connection, attempts: Iterable[Outcome]) -> None:
    """Book what these attempts cost, of jobs that were cancelled while they ran; each once."""
    for each in attempts:
        found = connection.execute(
            "SELECT handler FROM job JOIN cohort ON cohort.id = cohort WHERE job.id = ?1 AND attempt = ?2"
            " AND state = 'cancelled' AND ?2 NOT IN (SELECT attempt FROM result WHERE id = ?1 AND cost > 0)",
            (each.id, each.attempt),
        ).fetchone()
        if found is None or not each.cost:
            continue
        connection.execute(
            "INSERT OR REPLACE INTO result (id, attempt, cost, streamed, busy) VALUES (?, ?, ?, ?, ?)",
            (each.id, each.attempt, each.cost, each.cost, each.busy),
        )
        connection.execute(
            "UPDATE cohort SET cost = cost + ?2, streamed = streamed + ?2 WHERE id = ?1", (each.cohort, each.cost)
        )
        for handler in {found[0], each.by or found[0]}:
            spend(connection, handler, each.cost, each.at)


def withhold(store: Store, cohort: int, reason: Reason, now: float) -> None:
    """Keep why a cohort is held from now on; its story tells the first reason."""
    with store.tx() as connection:
        if connection.execute("INSERT OR IGNORE INTO withheld VALUES (?, ?)", (cohort, stored(reason))).rowcount:
            (queued,) = connection.execute("SELECT queued FROM cohort WHERE id = ?", (cohort,)).fetchone() or (1,)
            note(connection, cohort, Happening.HELD, reason, now, jobs=queued)
        else:
            connection.execute("UPDATE withheld SET reason = ? WHERE cohort = ?", (stored(reason), cohort))


def withhold_classes(store: Store, handler: str, reason: Reason | None, now: float) -> None:
    """Keep why all cohorts of a handler that are counted in classes are held; None: no limit holds them any longer."""
    these = "handler = ? AND lane = 'batch' AND queued > 0 AND class IS NOT NULL"
    with store.tx() as connection:
        if reason is None:
            connection.execute(
                "DELETE FROM withheld WHERE cohort IN (SELECT cohort FROM withheld"
                f" CROSS JOIN cohort ON cohort.id = withheld.cohort WHERE {these})",
                (handler,),
            )
            return
        connection.execute(
            f"{_HELD} WHERE {these} AND id NOT IN (SELECT cohort FROM withheld)",
            (now, Happening.HELD, stored(reason), handler),
        )
        connection.execute(
            f"INSERT OR REPLACE INTO withheld SELECT id, ? FROM cohort WHERE {these}", (stored(reason), handler)
        )


def withhold_all(store: Store, handler: str, reason: Reason, now: float) -> None:
    """Keep why all that is queued for a handler is held."""
    these = "handler = ? AND lane IN ('stream', 'batch') AND queued > 0"
    with store.tx() as connection:
        connection.execute(
            f"{_HELD} WHERE {these} AND id NOT IN (SELECT cohort FROM withheld)",
            (now, Happening.HELD, stored(reason), handler),
        )
        connection.execute(
            f"INSERT OR REPLACE INTO withheld SELECT id, ? FROM cohort WHERE {these}", (stored(reason), handler)
        )


def release(store: Store, cohort: int) -> None:
    """No limit holds this cohort any longer."""
    with store.tx() as connection:
        connection.execute("DELETE FROM withheld WHERE cohort = ?", (cohort,))
