"""What a runner leaves: given back when it stops, rescued when it died, resumed when it runs elsewhere.

Rule: a running job has a living runner, else it is queued again at once, by whoever looks first. Work
that a provider runs is never queued again by this: the next runner goes on with its reference.
"""

from collections import Counter

from ..job import State
from .acceptance import show
from .counters import Move, note, shift
from .flushes import end_flushes
from .remote import all_away, held_away
from .runner import Runner, dead, forget_lock, kill_orphans
from .store import Store

STOPPED = "the runner stopped before it was done; queued again"
DIED = "the runner died; queued again at once"


def give_back(store: Store, runner: int, now: float) -> int:
    """Queue again whatever this runner still holds, uncounted; returns how many. Detached jobs stay running."""
    with store.tx():
        given = _release(store, runner, now, STOPPED)
    with store.tx():  # apart: whatever may be wrong with the books, the jobs are free
        _close_books(store, runner, now)
    return given


def rescue(store: Store, now: float) -> int:
    """Queue again what dead runners held, and end the processes that they left; returns how many jobs."""
    rescued = 0
    for runner, mark in dead(store):
        kill_orphans(mark)  # before its row goes: should we die in between, the next one finds it again
        show(store, runner)
        with store.tx() as connection:
            if not connection.execute("DELETE FROM runner WHERE id = ?", (runner,)).rowcount:
                continue  # somebody else was faster
            rescued += _release(store, runner, now, DIED)
            _close_books(store, runner, now)
        forget_lock(store, mark)
    return rescued


def _close_books(store: Store, runner: int, now: float) -> None:
    """End the flushes that this runner did not, and forget what it was to stop."""
    end_flushes(store.connection, runner, held_away(all_away(store)), now)
    store.connection.execute("DELETE FROM stop WHERE runner = ?", (runner,))


def _release(store: Store, runner: int, now: float, why: str) -> int:
    connection = store.connection
    away = held_away(all_away(store))
    moves: Counter[Move] = Counter()
    for cohort, first, last in connection.execute(
        "SELECT id, first_id, last_id FROM cohort WHERE running > 0"
    ).fetchall():
        held = connection.execute(
            "SELECT id, attempt FROM job WHERE id BETWEEN ? AND ? AND cohort = ? AND state = 'running' AND runner = ?",
            (first, last, cohort, runner),
        ).fetchall()
        jobs = [(job,) for job, attempt in held if (job, attempt) not in away]
        connection.executemany("UPDATE job SET state = 'queued', runner = NULL WHERE id = ?", jobs)
        if jobs:
            moves[cohort, State.RUNNING, State.QUEUED] = len(jobs)
            note(connection, cohort, why if len(jobs) == 1 else f"{len(jobs):,} jobs: {why}", now)
    shift(connection, moves, at=now)
    return sum(moves.values())


def to_stop(store: Store, runner: Runner) -> list[tuple[int, int]]:
    """(job, attempt) of what was cancelled in this runner's hands; each is told once."""
    if not store.row("SELECT 1 FROM stop WHERE runner = ? LIMIT 1", (runner.id,)):
        return []
    with store.tx() as connection:
        return [
            (int(job), int(attempt))
            for job, attempt in connection.execute(
                "DELETE FROM stop WHERE runner = ? RETURNING job, attempt", (runner.id,)
            ).fetchall()
        ]
