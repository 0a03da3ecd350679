"""What a user changes about jobs that are there: cancel and retry.

Rule: a job that runs is cancelled at once in the queue and ended by its runner; its late result is
"not mine". Large selections go in chunks, so that no one waits long for the lock.
"""

from collections import Counter
from collections.abc import Sequence

from .job import State
from .store import Move, Store, note, shift

CHUNK = 20_000  # jobs a transaction


def cancel(store: Store, jobs: Sequence[int], now: float) -> int:
    """Cancel what of these jobs is queued or running; returns how many. The caller rings the runners."""
    return sum(_cancel(store, jobs[i : i + CHUNK], now) for i in range(0, len(jobs), CHUNK))


def _cancel(store: Store, jobs: Sequence[int], now: float) -> int:
    moves: Counter[Move] = Counter()
    with store.tx() as connection:
        for job in jobs:
            row = connection.execute(
                "SELECT cohort.id, handler, lane, state, attempt, runner FROM job JOIN cohort ON cohort.id = job.cohort"
                " WHERE job.id = ? AND accepted IS NOT NULL AND state IN ('queued', 'running')",
                (job,),
            ).fetchone()
            if row is None:
                continue
            cohort, handler, lane, state, attempt, runner = row
            moves[cohort, handler, lane, State(state), State.CANCELLED] += 1
            connection.execute("UPDATE job SET state = 'cancelled', finished = ? WHERE id = ?", (now, job))
            if state == State.RUNNING:
                connection.execute("INSERT OR REPLACE INTO stop VALUES (?, ?, ?)", (job, attempt, runner))
        _story(store, moves, "cancelled", now)
    return sum(moves.values())


def retry(store: Store, jobs: Sequence[int], now: float) -> int:
    """Queue again what of these jobs failed or was cancelled, with all its retries; returns how many."""
    return sum(_retry(store, jobs[i : i + CHUNK], now) for i in range(0, len(jobs), CHUNK))


def _retry(store: Store, jobs: Sequence[int], now: float) -> int:
    moves: Counter[Move] = Counter()
    with store.tx() as connection:
        for job in jobs:
            row = connection.execute(
                "SELECT cohort.id, handler, lane, state FROM job JOIN cohort ON cohort.id = job.cohort"
                " WHERE job.id = ? AND state IN ('failed', 'cancelled')",
                (job,),
            ).fetchone()
            if row is None:
                continue
            cohort, handler, lane, state = row
            moves[cohort, handler, lane, State(state), State.QUEUED] += 1
            connection.execute("UPDATE job SET state = 'queued', ready = 0, tries = 0 WHERE id = ?", (job,))
            connection.execute("DELETE FROM result WHERE id = ?", (job,))
        _story(store, moves, "queued again by retry", now)
    return sum(moves.values())


def _story(store: Store, moves: "Counter[Move]", what: str, now: float) -> None:
    shift(store.connection, moves, at=now)
    for (cohort, *_), jobs in moves.items():
        note(store.connection, cohort, what if jobs == 1 else f"{jobs} jobs {what}", now)
