"""What is kept beside the jobs, true in the same transaction: counters, money by the hour, stories.

Rule: whoever changes a job's state says so here, within its own `tx`; nobody counts rows.
"""

import sqlite3
from collections import Counter

from ..job import ENDED, State

QUARTER = 900.0  # seconds
Move = tuple[int, str, str, State | None, State | None]  # cohort, handler, lane, from, to


def shift(connection: sqlite3.Connection, moves: "Counter[Move]", *, at: float) -> None:
    """Keep the counters true: so many jobs of a cohort went from one state to another at `at`.

    None as a state means outside the queue (just accepted, or taken away).
    """
    tally: Counter[tuple[str, str, str]] = Counter()
    for (cohort, handler, lane, old, new), jobs in moves.items():
        changes = [f"{state} = {state} {sign} :n" for state, sign in ((old, "-"), (new, "+")) if state]
        if new is State.RUNNING:
            changes.append("started = coalesce(started, :at)")
        elif new in ENDED:
            changes.append("finished = max(coalesce(finished, 0), :at)")
        connection.execute(
            f"UPDATE cohort SET {', '.join(changes)} WHERE id = :id",
            {"n": jobs, "id": cohort, "at": at},
        )
        for state, sign in ((old, -1), (new, 1)):
            if state:
                tally[handler, lane, state] += sign * jobs
    connection.executemany(
        "INSERT INTO tally VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET jobs = jobs + excluded.jobs",
        [(*where, jobs) for where, jobs in tally.items() if jobs],
    )


def spend(connection: sqlite3.Connection, handler: str, cost: float, at: float) -> None:
    """Keep what a handler has cost, by quarters of an hour: any time zone's day can be summed up of them."""
    connection.execute(
        "INSERT INTO spent VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET cost = cost + excluded.cost",
        (handler, int(at // QUARTER), cost),
    )


def note(connection: sqlite3.Connection, cohort: int, text: str, at: float, job: int | None = None) -> None:
    """Keep one sentence of a job's or cohort's story, for `explain`."""
    connection.execute("INSERT INTO history (cohort, job, at, text) VALUES (?, ?, ?, ?)", (cohort, job, at, text))
