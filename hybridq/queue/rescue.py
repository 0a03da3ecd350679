"""What a runner leaves: given back when it stops, rescued when it died, resumed when it runs elsewhere.

Rule: a running job has a living runner, else it is queued again at once, by whoever looks first; where its runner
died it may be why, and is watched (`suspects`). Work that a provider runs is never queued again by this: the next
runner goes on with its reference.
"""

from collections import Counter

from ..job import Happening, State
from .acceptance import show
from .counters import Move, shift
from .flushes import end_flushes
from .history import note
from .holdings import let_go_of_all
from .orphans import kill_orphans
from .remote import all_away, held_away
from .runner import Runner, bury, dead, forget_lock
from .store import Store
from .suspects import blame, end_guilty, let_be


def give_back(store: Store, runner: int, now: float, *, broke: bool = False) -> int:
    """Queue again whatever this runner still holds, uncounted; returns how many. Detached jobs stay running.

    `broke`: something raised that nobody foresaw, which is a death like others.
    """
    if not broke:
        let_be(store, runner)
    with store.tx():
        given = _release(store, runner, now, Happening.BROKE if broke else Happening.GIVEN_BACK)
        let_go_of_all(store.connection, runner)
    with store.tx():  # apart: whatever may be wrong with the books, the jobs are free
        _close_books(store, runner, now)
    return given


def rescue(store: Store, now: float) -> int:
    """Queue again what dead runners held, and end the processes that they left; returns how many jobs."""
    rescued = 0
    for runner, mark in dead(store):
        kill_orphans(store, mark)  # before its row goes: should we die in between, the next one finds it again
        show(store, runner)
        with store.tx() as connection:
            if not bury(connection, runner):
                continue  # somebody else was faster
            rescued += _release(store, runner, now, Happening.RESCUED)
            let_go_of_all(connection, runner)
            _close_books(store, runner, now)
        forget_lock(store, mark)
    return rescued


def _close_books(store: Store, runner: int, now: float) -> None:
    """End the flushes that this runner did not, and forget what it was to stop."""
    end_flushes(store.connection, runner, held_away(all_away(store)), now)
    store.connection.execute("DELETE FROM stop WHERE runner = ?", (runner,))


def _release(store: Store, runner: int, now: float, kind: Happening) -> int:
    connection = store.connection
    held = _held_by(store, runner)
    theirs = [job for jobs in held.values() for job in jobs]
    guilty = {} if kind is Happening.GIVEN_BACK else blame(connection, runner, theirs)
    moves: Counter[Move] = Counter()
    for cohort, found in held.items():
        end_guilty(connection, cohort, {job: guilty[job] for job in found if job in guilty}, now)
        jobs = [(job,) for job in found if job not in guilty]
        connection.executemany("UPDATE job SET state = 'queued', runner = NULL WHERE id = ?", jobs)
        if jobs:
            moves[cohort, State.RUNNING, State.QUEUED] = len(jobs)
            note(connection, cohort, kind, None, now, jobs=len(jobs))
    shift(connection, moves, at=now)
    return sum(moves.values())


def _held_by(store: Store, runner: int) -> dict[int, list[int]]:
    """The jobs that run in this runner's hands, by cohort; not what a provider runs."""
    away = held_away(all_away(store))
    held: dict[int, list[int]] = {}
    for cohort, first, last in store.rows("SELECT id, first_id, last_id FROM cohort WHERE running > 0"):
        rows = store.rows(
            "SELECT id, attempt FROM job WHERE id BETWEEN ? AND ? AND cohort = ? AND state = 'running' AND runner = ?",
            (first, last, cohort, runner),
        )
        if jobs := [job for job, attempt in rows if (job, attempt) not in away]:
            held[cohort] = jobs
    return held


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
