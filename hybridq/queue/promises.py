"""Promises: what was told of when something will be done, at its submission and later, to be judged by what came.

Rule: kept for the score alone; losing one costs nothing but a figure.
"""

from collections.abc import Iterable

from msgspec import Struct

from .account import SUBMISSION
from .store import Store


class Told(Struct, frozen=True, kw_only=True):
    """What a view showed of a cohort, or of the group `whole` that it is in, when it did (epoch seconds)."""

    cohort: int
    whole: str | None
    said: str
    start: float | None
    finish: float | None
    finish90: float | None


def keep(store: Store, told: Iterable[Told], now: float) -> None:
    """Keep what was told."""
    rows = [(each.cohort, now, each.start, each.finish, each.finish90, each.said, each.whole) for each in told]
    with store.tx(durable=False) as connection:
        connection.executemany(
            "INSERT INTO promise (cohort, made, start, finish, finish90, said, whole) VALUES (?, ?, ?, ?, ?, ?, ?)",
            rows,
        )


def last(store: Store) -> int:
    """The number of the last promise; 0: there is none."""
    found = store.row("SELECT max(id) FROM promise")
    return int(found[0] or 0) if found else 0


def since(store: Store, number: int, limit: int) -> list[tuple[int, int, float, float]]:
    """(number, cohort, made, finish) of the first promises after that number that were made at submission."""
    return [
        (int(n), int(cohort), float(made), float(finish))
        for n, cohort, made, finish in store.rows(
            "SELECT id, cohort, made, finish FROM promise WHERE id > ? AND said = ? AND finish IS NOT NULL"
            " ORDER BY id LIMIT ?",
            (number, SUBMISSION, limit),
        )
    ]
