"""What was learned and is intended: models, promises, the batch loop's plan, remarks on running jobs.

Rule: written by runners, read by everybody; losing it costs accuracy, never a job.
"""

from contextlib import suppress

import msgspec
from msgspec import Struct

from ..brain.estimate import Model
from ..job import LANES, Flush, Lane
from ..reason import Reason, read, stored
from .cohorts import lineage, named
from .store import Store


class Promise(Struct, frozen=True, kw_only=True):
    """What was said at submission about when it would be done (epoch seconds, 50th and 90th percentile)."""

    made: float
    start: float | None
    finish: float | None
    finish90: float | None


def models(store: Store, handler: str) -> tuple[dict[Lane, Model], float]:
    """What is known of a handler, by lane, an empty Model where nothing is, or nothing that can be read; and when
    something was last learned (see `last_learned`)."""
    known, last = {lane: Model() for lane in LANES}, 0.0
    for lane, learned, at in store.rows("SELECT lane, learned, at FROM model WHERE handler = ?", (handler,)):
        last = max(last, float(at))
        with suppress(msgspec.DecodeError, ValueError):
            known[Lane(lane)] = msgspec.json.decode(learned, type=Model)
    return known, last


def last_learned(store: Store, handler: str) -> float:
    """When something was last learned of a handler, epoch seconds; 0: never."""
    found = store.row("SELECT max(at) FROM model WHERE handler = ?", (handler,))
    return float(found[0] or 0.0) if found else 0.0


def remember(store: Store, handler: str, lane: Lane, model: Model, now: float) -> None:
    """Keep what was learned."""
    with store.tx() as connection:
        connection.execute(
            "INSERT OR REPLACE INTO model VALUES (?, ?, ?, ?)",
            (handler, lane, msgspec.json.encode(model), now),
        )


def intend(store: Store, handler: str, flushes: tuple[Flush, ...], now: float) -> None:
    """Keep what the batch loop plans for a handler, in place of what it planned before."""
    before = store.rows("SELECT at, jobs, reason FROM planned WHERE handler = ? ORDER BY at", (handler,))
    after = sorted((flush.at, flush.jobs, stored(flush.reason)) for flush in flushes)
    if before == after:
        return
    with store.tx() as connection:
        connection.execute("DELETE FROM planned WHERE handler = ?", (handler,))
        connection.executemany(
            "INSERT OR REPLACE INTO planned VALUES (?, ?, ?, ?, ?)",
            [(handler, at, jobs, reason, now) for at, jobs, reason in after],
        )


def intended(store: Store) -> list[tuple[str, float, int, Reason]]:
    """(handler, at, jobs, reason) of every planned flush, the next one first."""
    return [
        (str(h), float(at), int(n), read(why))
        for h, at, n, why in store.rows("SELECT handler, at, jobs, reason FROM planned ORDER BY at")
    ]


def planned_for(store: Store, handler: str) -> list[Reason]:
    """Why the flushes of a handler are planned that are, the next one first."""
    return [read(why) for (why,) in store.rows("SELECT reason FROM planned WHERE handler = ? ORDER BY at", (handler,))]


def first_promise(store: Store, cohort: int) -> Promise | None:
    """The first promise that was made for a cohort or for those that its jobs were moved from."""
    row = store.row(
        "SELECT made, start, finish, finish90 FROM promise WHERE said = 'submission'"
        " AND cohort IN (SELECT value FROM json_each(?))"
        " ORDER BY id LIMIT 1",
        (msgspec.json.encode(lineage(store, cohort)).decode(),),
    )
    return named(Promise, row) if row else None


_RUNS = "job.id = remark.job AND job.attempt = remark.attempt AND job.state = 'running'"


def remark(store: Store, job: int, attempt: int, text: str) -> None:
    """Keep what is to be said of a job while this attempt runs, in place of what was said before."""
    with store.tx(durable=False) as connection:
        connection.execute(f"DELETE FROM remark WHERE NOT EXISTS (SELECT 1 FROM job WHERE {_RUNS})")
        connection.execute("INSERT OR REPLACE INTO remark VALUES (?, ?, ?)", (job, attempt, text))


def remarked(store: Store, job: int) -> str:
    """What is to be said of a job that runs; "": nothing."""
    row = store.row(f"SELECT text FROM remark JOIN job ON {_RUNS} WHERE remark.job = ?", (job,))
    return str(row[0]) if row else ""


def remarked_of(store: Store, group: str) -> str:
    """What is to be said of some job of a group; "": nothing."""
    row = store.row(
        f"SELECT text FROM remark CROSS JOIN job ON {_RUNS} CROSS JOIN cohort ON cohort.id = job.cohort"
        " WHERE cohort.name = ?",
        (group,),
    )
    return str(row[0]) if row else ""
