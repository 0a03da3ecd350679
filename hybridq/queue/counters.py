"""What is kept beside the jobs, true in the same transaction: counters, money by the hour.

Rule: whoever changes a job's state says so here, within its own `tx`; nobody counts rows.
"""

import sqlite3
from collections.abc import Mapping

from ..job import ENDED, State

QUARTER = 900.0  # seconds
Move = tuple[int, State | None, State | None]  # cohort, from, to; None: outside the queue
Money = tuple[float, float]  # what jobs cost, and what they would have cost streamed as they came


def shift(
    connection: sqlite3.Connection, moves: Mapping[Move, int], *, at: float, money: Mapping[Move, Money] | None = None
) -> None:
    """Keep the counters true: so many jobs of a cohort went from one state to another at `at`, for this `money`.

    The sums over cohorts follow by their triggers.
    """
    for move, jobs in moves.items():
        cohort, old, new = move
        changes = [f"{state} = {state} {sign} :n" for state, sign in ((old, "-"), (new, "+")) if state]
        if new is State.RUNNING:
            changes.append("started = coalesce(started, :at)")
        elif new in ENDED:
            changes.append("finished = max(coalesce(finished, 0), :at)")
        cost, streamed = money[move] if money else (0.0, 0.0)
        if money:
            changes.append("cost = cost + :cost, streamed = streamed + :streamed")
        ((handler,),) = connection.execute(
            f"UPDATE cohort SET {', '.join(changes)} WHERE id = :id RETURNING handler",
            {"n": jobs, "id": cohort, "at": at, "cost": cost, "streamed": streamed},
        ).fetchall()
        if cost:
            spend(connection, handler, cost, at)


def spend(connection: sqlite3.Connection, handler: str, cost: float, at: float) -> None:
    """Keep what a handler has cost, by quarters of an hour: any time zone's day can be summed up of them.

    A draft counts for the handler of its job and for the one that makes it: each has its own daily budget.
    """
    connection.execute(
        "INSERT INTO spent VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET cost = cost + excluded.cost",
        (handler, int(at // QUARTER), cost),
    )
