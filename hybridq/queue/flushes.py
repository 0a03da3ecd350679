"""The record of every flush: when, by which rule, why, with what end."""

from msgspec import Struct

from ..store import Store
from .reading import named


class FlushRun(Struct, frozen=True, kw_only=True):
    """A flush that ran, or runs: times are epoch seconds, `startup` seconds, `cost` money."""

    id: int
    rule: str
    reason: str
    started: float
    ended: float | None
    jobs: int
    done: int
    failed: int
    startup: float
    cost: float


def open_flush(
    store: Store, runner: int, handler: str, rule: str, reason: str, factor: float, jobs: int, now: float
) -> int:
    """Note that a flush begins; returns its id."""
    with store.tx() as connection:
        return int(
            connection.execute(
                "INSERT INTO flush (handler, runner, started, rule, reason, factor, jobs) VALUES (?, ?, ?, ?, ?, ?, ?)"
                " RETURNING id",
                (handler, runner, now, rule, reason, factor, jobs),
            ).fetchone()[0]
        )


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


def flush_run(store: Store, number: int | None) -> FlushRun | None:
    """What became of a flush, of which None has nothing to tell."""
    row = store.row(
        "SELECT id, rule, reason, started, ended, jobs, done, failed, startup, cost FROM flush WHERE id = ?", (number,)
    )
    return named(FlushRun, row) if row else None


def add_to_flush(store: Store, flush: int, done: int, failed: int, cost: float, now: float) -> None:
    """Note what came of a flush's jobs that ran elsewhere after it had ended here."""
    with store.tx() as connection:
        connection.execute(
            "UPDATE flush SET ended = ?, done = done + ?, failed = failed + ?, cost = cost + ? WHERE id = ?",
            (now, done, failed, cost, flush),
        )
