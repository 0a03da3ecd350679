"""Work that a provider runs for hours: what is kept of it, and which runner looks after it.

Rule: the reference is stored before anything else happens, and goes when each of its jobs has ended. One
living runner looks after it at a time; when that has gone, the next one adopts it with its jobs, which
stay running all the while.
"""

import json
import time
from collections.abc import Iterable

import msgspec
from msgspec import Struct

from ..job import Detached
from ..seam import reached
from ..store import Store
from .claims import Claim


class Away(Struct, frozen=True):
    """One piece of detached work. `since` is the epoch second at which it was first stored."""

    id: int
    handler: str
    since: float
    work: Detached


def keep(store: Store, runner: int, handler: str, event: Detached, now: float) -> int:
    """Store this reference, in place of an earlier one with the same `key`; returns its id."""
    with store.tx() as connection:
        row = connection.execute(
            "INSERT INTO detached (handler, key, runner, reference, since, jobs) VALUES (?, ?, ?, ?, ?, ?)"
            " ON CONFLICT DO UPDATE SET reference = excluded.reference, runner = excluded.runner RETURNING id",
            (
                handler, str(event.reference["key"]), runner, msgspec.json.encode(event.reference), now,
                msgspec.json.encode(event.ids),
            ),
        ).fetchone()  # fmt: skip
    reached("detached")
    return int(row[0])


def forget(store: Store, away: int) -> None:
    """Each of its jobs has ended."""
    with store.tx() as connection:
        connection.execute("DELETE FROM detached WHERE id = ?", (away,))


def all_away(store: Store) -> list[Away]:
    """All work that runs elsewhere."""
    return [_away(row) for row in store.rows("SELECT id, handler, since, reference, jobs FROM detached ORDER BY id")]


def elsewhere(store: Store) -> dict[str, str]:
    """How far the work is that runs elsewhere, by handler, as a sentence."""
    told: dict[str, list[tuple[float, int | None, int]]] = {}
    for handler, since, reference in store.rows("SELECT handler, since, reference FROM detached"):
        found = msgspec.json.decode(reference, type=_Told)
        told.setdefault(handler, []).append((since, found.finished, found.jobs))
    return {handler: _sentence(batches) for handler, batches in told.items()}


def adopt(store: Store, runner: int, handlers: Iterable[str]) -> list[Away]:
    """Take over what no living runner looks after and one of these handlers can go on with, with its jobs."""
    if not store.row("SELECT 1 FROM detached WHERE runner NOT IN (SELECT id FROM runner) LIMIT 1"):
        return []
    with store.tx() as connection:
        rows = connection.execute(
            "UPDATE detached SET runner = ? WHERE runner NOT IN (SELECT id FROM runner)"
            " AND handler IN (SELECT value FROM json_each(?)) RETURNING id, handler, since, reference, jobs",
            (runner, json.dumps(list(handlers))),
        ).fetchall()
        adopted = [_away(row) for row in sorted(rows)]
        for each in adopted:
            connection.executemany(
                "UPDATE job SET runner = ? WHERE id = ? AND attempt = ? AND state = 'running'",
                [(runner, *where) for where in each.work.ids],
            )
    return adopted


def claims_of(store: Store, away: Away) -> list[Claim]:
    """Those of its jobs that still run, as claims; their inputs are not fetched again."""
    return [
        Claim(job, attempt, tries, cohort, b"")
        for job, attempt, tries, cohort in store.rows(
            "SELECT job.id, job.attempt, tries, cohort FROM json_each(?1) AS pair"
            " JOIN job ON job.id = json_extract(pair.value, '$[0]') AND job.attempt = json_extract(pair.value, '$[1]')"
            " WHERE job.state = 'running'",
            (json.dumps(away.work.ids),),
        )
    ]


def held_away(works: Iterable[Away]) -> set[tuple[int, int]]:
    """(job, attempt) of all these."""
    return {where for each in works for where in each.work.ids}


class _Told(Struct):
    """The part of a reference that views tell of."""

    jobs: int = 0
    finished: int | None = None


def _sentence(batches: list[tuple[float, int | None, int]]) -> str:
    since = time.strftime("%H:%M", time.localtime(min(since for since, _, _ in batches)))
    known = [finished for _, finished, _ in batches if finished is not None]
    done = f", {sum(known):,} of {sum(jobs for _, _, jobs in batches):,} done" if known else ""
    return f"with the provider since {since}{done}"


def _away(row: tuple[int, str, float, bytes, bytes]) -> Away:
    number, handler, since, reference, jobs = row
    ids = msgspec.json.decode(jobs, type=tuple[tuple[int, int], ...])
    return Away(number, handler, since, Detached(ids, msgspec.json.decode(reference)))
