"""What happened to jobs on their way, by its kind: told by `explain`, counted by the report.

Rule: whoever moves, ends or queues jobs again says so here, within its own `tx`; nobody reads a kind from words.
"""

import sqlite3

from msgspec import Struct

from ..job import Happening
from ..reason import Reason, read, stored
from .store import Store


class Happened(Struct, frozen=True):
    """What happened to so many jobs of a cohort at once, and when (epoch seconds); why, where that is told."""

    at: float
    kind: Happening
    jobs: int
    reason: Reason


def history(store: Store, cohort_id: int, job_id: int | None = None) -> list[Happened]:
    """All that happened to a cohort, or to one job of it, the oldest first."""
    return [
        Happened(at, _kind(kind), jobs, read(text))
        for at, kind, jobs, text in store.rows(
            "SELECT at, kind, jobs, text FROM history WHERE cohort = ? AND (job IS NULL OR ?2 IS NULL OR job = ?2)"
            " ORDER BY id",
            (cohort_id, job_id),
        )
    ]


def _kind(told: str) -> Happening:
    """The kind of a row; what a later release wrote is told in its own words."""
    try:
        return Happening(told)
    except ValueError:
        return Happening.SAID


def note(
    connection: sqlite3.Connection,
    cohort: int,
    kind: Happening,
    reason: Reason | None,
    at: float,
    *,
    jobs: int = 1,
    job: int | None = None,
) -> None:
    """Keep what happened to so many jobs of a cohort, or to the one `job`: for `explain`, and for the report."""
    connection.execute(
        "INSERT INTO history (cohort, job, at, kind, jobs, text) VALUES (?, ?, ?, ?, ?, ?)",
        (cohort, job, at, kind, jobs, "" if reason is None else stored(reason)),
    )


def note_of(connection: sqlite3.Connection, job: int, kind: Happening, reason: Reason, at: float) -> None:
    """Keep what happened to one job, wherever it is by now."""
    for (cohort,) in connection.execute("SELECT cohort FROM job WHERE id = ?", (job,)).fetchall():
        note(connection, cohort, kind, reason, at, job=job)
