"""The record of every flush: when, by which rule, why, with what end.

Rule: a job counts for the flush in which it came to its end. Who sees a flush to its end knows its figures; where
nobody did, they are counted from the jobs.
"""

import sqlite3
from collections.abc import Iterable
from typing import NamedTuple

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from ..reason import Reason, read, stored
from .cohorts import named
from .store import Store

LOOKED = 20_000  # jobs of a group that are looked through for their flushes: 4 ms, with long inputs 16


class FlushRecord(Struct, frozen=True, kw_only=True):
    """A flush that ran, or runs: times are epoch seconds, `startup` seconds, `cost` money, `factor` the price's."""

    id: int
    rule: str
    reason: Reason
    factor: float
    started: float
    ended: float | None
    jobs: int
    done: int
    failed: int
    startup: float
    cost: float


class FlushResults(NamedTuple):
    """What jobs have come to: how many are done and failed, and the money that all of them cost."""

    done: float
    failed: float
    cost: float


_CAME = "SELECT total(job.state = 'done'), total(job.state = 'failed'), total(result.cost) FROM"
_PAID = "LEFT JOIN result ON result.id = job.id AND result.attempt = job.attempt"


def open_flush(
    store: Store, runner: int, handler: str, rule: str, reason: Reason, factor: float, jobs: int, now: float
) -> int:
    """Note that a flush begins; returns its id."""
    with store.tx() as connection:
        return int(
            connection.execute(
                "INSERT INTO flush (handler, runner, started, rule, reason, factor, jobs) VALUES (?, ?, ?, ?, ?, ?, ?)"
                " RETURNING id",
                (handler, runner, now, rule, stored(reason), factor, jobs),
            ).fetchone()[0]
        )


def describe_flush(store: Store, flush: int, handler: str, reason: Reason, factor: float, jobs: int) -> None:
    """Note what a flush that was opened turned out to be."""
    with store.tx() as connection:
        connection.execute(
            "UPDATE flush SET handler = ?, reason = ?, factor = ?, jobs = ? WHERE id = ?",
            (handler, stored(reason), factor, jobs, flush),
        )


def progress(store: Store, flush: int, done: int, failed: int) -> None:
    """Note how far a flush is that goes on."""
    with store.tx(durable=False) as connection:
        connection.execute("UPDATE flush SET done = ?, failed = ? WHERE id = ?", (done, failed, flush))


def close_flush(store: Store, flush: int, done: int, failed: int, startup: float, cost: float, now: float) -> None:
    """Note how a flush ended."""
    with store.tx() as connection:
        connection.execute(
            "UPDATE flush SET ended = ?, done = ?, failed = ?, startup = ?, cost = ? WHERE id = ?",
            (now, done, failed, startup, cost, flush),
        )


def forget_flush(store: Store, flush: int) -> None:
    """Take back a flush that found nothing to claim."""
    with store.tx() as connection:
        connection.execute("DELETE FROM flush WHERE id = ?", (flush,))


def last_of(store: Store, *jobs: int) -> int | None:
    """The flush that took this job last; of several, the latest of theirs."""
    marks = ", ".join("?" * len(jobs))
    found = store.row(f"SELECT max(flush) FROM job WHERE id IN ({marks})", jobs)
    return found[0] if found else None


def flushes_of(store: Store, first: int, last: int, group: str) -> list[int] | None:
    """The flushes in which jobs of a group, all within these ids, were last, the oldest first.

    None where the ids are more than LOOKED: no index leads from a job to its flush, and one would cost every claim.
    """
    if last - first >= LOOKED:
        return None
    return [
        number
        for (number,) in store.rows(
            "SELECT DISTINCT flush FROM job WHERE id BETWEEN ? AND ? AND flush IS NOT NULL"
            " AND cohort IN (SELECT id FROM cohort WHERE name = ?) ORDER BY flush",
            (first, last, group),
        )
    ]


def flushes_by(store: Store, handler: str) -> list[int]:
    """The flushes of a handler."""
    return [number for (number,) in store.rows("SELECT id FROM flush WHERE handler = ?", (handler,))]


def flushes_with(store: Store, first: int, last: int, cohort: int | None) -> list[int]:
    """The flushes in which jobs from `first` to `last` (of this cohort) were last. Reads each of them."""
    where = "id BETWEEN ? AND ? AND (?3 IS NULL OR cohort = ?3) AND flush IS NOT NULL"
    found = store.rows(f"SELECT DISTINCT flush FROM job WHERE {where}", (first, last, cohort))
    return [number for (number,) in found]


def flush_record(store: Store, number: int | None) -> FlushRecord | None:
    """What became of a flush, of which None has nothing to tell."""
    row = store.row(
        "SELECT id, rule, reason, factor, started, ended, jobs, done, failed, startup, cost FROM flush WHERE id = ?",
        (number,),
    )
    return named(FlushRecord, (*row[:2], replace(read(row[2]), runs=None), *row[3:])) if row else None


def results_of(connection: sqlite3.Connection, flush: int, attempts: Iterable[tuple[int, int]]) -> FlushResults:
    """What these (job, attempt) of a flush have come to, as far as they have ended."""
    found = connection.execute(
        f"{_CAME} json_each(?) AS pair CROSS JOIN job ON job.id = json_extract(pair.value, '$[0]')"
        f" AND job.attempt = json_extract(pair.value, '$[1]') {_PAID} WHERE job.flush = ?",
        (msgspec.json.encode(list(attempts)).decode(), flush),
    ).fetchone()
    return FlushResults(*found)


def add_to_flush(connection: sqlite3.Connection, flush: int, came: FlushResults, now: float) -> None:
    """Note what came of a flush's jobs that ran elsewhere after it had ended here."""
    connection.execute(
        "UPDATE flush SET ended = ?, done = done + ?, failed = failed + ?, cost = cost + ? WHERE id = ?",
        (now, *came, flush),
    )


def end_flushes(connection: sqlite3.Connection, runner: int, away: set[tuple[int, int]], now: float) -> None:
    """End the flushes that this runner did not, with what their jobs came to. What runs elsewhere, (job, attempt), is
    added when that ends."""
    left = connection.execute("SELECT id FROM flush WHERE runner = ? AND ended IS NULL", (runner,)).fetchall()
    for (flush,) in left:
        done, failed, cost = connection.execute(f"{_CAME} job {_PAID} WHERE job.flush = ?", (flush,)).fetchone()
        later = results_of(connection, flush, away)
        connection.execute(
            "UPDATE flush SET ended = ?, done = ?, failed = ?, cost = ? WHERE id = ?",
            (now, done - later.done, failed - later.failed, cost - later.cost, flush),
        )
