"""Money in the queue: what jobs have cost so far, and which cohorts a limit on money holds.

Rule: sums are read from kept counters, whatever the number of jobs. Knows no limit in force and decides
nothing: that is `loops.budget`.
"""

import msgspec
from msgspec import Struct

from ..store import Store
from .counters import QUARTER, note


class _Asked(Struct):
    """The part of a request that is about money."""

    max_cost: float | None = None


def spent_since(store: Store, handler: str, since: float) -> float:
    """Money that a handler's jobs have cost since the quarter of an hour of this epoch second."""
    row = store.row("SELECT total(cost) FROM spent WHERE handler = ? AND quarter >= ?", (handler, since // QUARTER))
    return float(row[0]) if row else 0.0


def of_submission(store: Store, cohort: int) -> tuple[float, int, float]:
    """Of all jobs of a cohort's submission: (money spent, how many run, mean bytes of input)."""
    row = store.row(
        "SELECT total(cost), total(running), total(size) / max(1, total(jobs)) FROM cohort"
        " WHERE coalesce(origin, id) = (SELECT coalesce(origin, id) FROM cohort WHERE id = ?)",
        (cohort,),
    )
    spent, running, size = row or (0.0, 0, 0.0)
    return spent, int(running), size


def cost_limit(store: Store, cohort: int) -> float | None:
    """The most money that a cohort's submission may cost; None: as much as it takes."""
    row = store.row("SELECT request FROM cohort WHERE id = ?", (cohort,))
    return None if row is None else msgspec.json.decode(row[0], type=_Asked).max_cost


def withheld(store: Store) -> dict[int, str]:
    """Why cohorts are held by a limit on money."""
    return {int(cohort): str(reason) for cohort, reason in store.rows("SELECT cohort, reason FROM withheld")}


def kept_reason(store: Store, cohort: int) -> str:
    """Why a limit on money holds a cohort; "": none does."""
    row = store.row("SELECT reason FROM withheld WHERE cohort = ?", (cohort,))
    return str(row[0]) if row else ""


def withhold(store: Store, cohort: int, reason: str, now: float) -> None:
    """Keep why a cohort is held from now on; its story tells the first reason."""
    with store.tx() as connection:
        if connection.execute("INSERT OR IGNORE INTO withheld VALUES (?, ?)", (cohort, reason)).rowcount:
            note(connection, cohort, reason, now)
        else:
            connection.execute("UPDATE withheld SET reason = ? WHERE cohort = ?", (reason, cohort))


def let_go(store: Store, cohort: int) -> None:
    """No limit holds this cohort any longer."""
    with store.tx() as connection:
        connection.execute("DELETE FROM withheld WHERE cohort = ?", (cohort,))
