"""What a user changes about jobs that are there: cancel and retry.

Rule: a job that runs is cancelled at once in the queue and ended by its runner; its late result is
"not mine". Large selections go in chunks, so that no one waits long for the lock.
"""

import json
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import islice

from ..job import Happening, State
from ..reason import Reason
from .counters import Move, shift
from .dependencies import UNBROKEN, follow, let_in, revive
from .history import note
from .store import Store, let_others_write

SLACK = 2.0  # seconds ahead that are no more than a clock's own correction
CHUNK = 2_000  # jobs a transaction: writers wait for about 20 ms
Told = dict[int, tuple[int | None, int]]
"""cohort -> the row of its story that tells of it, and of how many jobs."""
_SEEN = "EXISTS (SELECT 1 FROM cohort WHERE cohort.id = job.cohort AND accepted IS NOT NULL)"  # not cleaned meanwhile
_END = (
    "UPDATE job SET state = 'cancelled', finished = ? WHERE id IN (SELECT value FROM json_each(?)) AND state = ?"
    f" AND {_SEEN} RETURNING cohort, id, attempt, runner"
)
_AGAIN = (
    "UPDATE job SET state = 'queued', ready = 0, tries = 0, unbegun = 0, cause = NULL"
    f" WHERE id IN (SELECT value FROM json_each(?)) AND state = ? AND {UNBROKEN} AND {_SEEN} RETURNING cohort, id"
)


_SOON = (
    "UPDATE job SET ready = 0, tries = 0 WHERE id IN (SELECT value FROM json_each(?)) AND state = 'queued'"
    f" AND ready > ? AND {_SEEN} RETURNING cohort"
)


def cancel(store: Store, jobs: Iterable[int], now: float) -> int:
    """Cancel what of these jobs is queued or running; returns how many. The caller rings the runners."""
    told: Told = {}
    return sum(_cancel(store, chunk, now, told) for chunk in _chunks(jobs))


def cancel_within(store: Store, jobs: Iterable[int], now: float) -> int:
    """The same of a few jobs, within the caller's own `tx`."""
    return _cancel(store, json.dumps(list(jobs)), now, {})


def retry(store: Store, jobs: Iterable[int], now: float) -> int:
    """Queue again what of these jobs failed or was cancelled, with all its retries, and what was cancelled for them;
    what waits for its next try waits no longer. Returns how many. Not what waits for others that were not done: it
    follows those."""
    told: Told = {}
    return sum(_retry(store, chunk, now, told) for chunk in _chunks(jobs))


def hasten(store: Store, seconds: float, now: float) -> None:
    """The clock was set back by so many seconds: what waits for its next try waits no longer than before.

    Doing it twice changes nothing, so that each runner that sees the step may.
    """
    with store.tx() as connection:
        connection.execute(
            "UPDATE job SET ready = ready - ?1 WHERE state = 'queued' AND ready > ?2 + ?1", (seconds, now)
        )


def come_by_now(store: Store, now: float) -> int:
    """What was accepted while the clock was ahead has come now: else it would be held until then, without a reason.

    Returns how many cohorts these were; each is told of in its story.
    """
    with store.tx() as connection:
        ahead = connection.execute(
            "SELECT id, queued, accepted FROM cohort WHERE queued > 0 AND accepted > ?", (now + SLACK,)
        ).fetchall()
        for cohort, queued, accepted in ahead:
            # In three steps, for the sums over cohorts are kept by what was subtracted and added.
            connection.execute("UPDATE cohort SET queued = 0 WHERE id = ?", (cohort,))
            connection.execute("UPDATE cohort SET accepted = ? WHERE id = ?", (now, cohort))
            connection.execute("UPDATE cohort SET queued = ? WHERE id = ?", (queued, cohort))
            why = Reason("ahead", span=accepted - now)
            note(connection, cohort, Happening.BEFORE_NOW, why, now, jobs=queued)
    return len(ahead)


def _cancel(store: Store, jobs: str, now: float, told: Told) -> int:
    with store.tx() as connection:
        waiting = connection.execute(_END, (now, jobs, State.QUEUED)).fetchall()
        running = connection.execute(_END, (now, jobs, State.RUNNING)).fetchall()
        connection.executemany("INSERT OR REPLACE INTO stop VALUES (?, ?, ?)", [row[1:] for row in running])
        ended = {State.QUEUED: waiting, State.RUNNING: running}
        changed = _count(connection, ended, State.CANCELLED, Happening.CANCELLED, now, told)
        follow(connection, {State.CANCELLED: [row[1] for row in (*waiting, *running)]}, now)
        return changed


def _retry(store: Store, jobs: str, now: float, told: Told) -> int:
    with store.tx() as connection:
        again = {
            state: connection.execute(_AGAIN, (jobs, state)).fetchall() for state in (State.FAILED, State.CANCELLED)
        }
        ids = [(row[1],) for rows in again.values() for row in rows]
        connection.executemany("DELETE FROM result WHERE id = ?", ids)
        changed = _count(connection, again, State.QUEUED, Happening.RETRIED, now, told)
        jobs_again = [job for (job,) in ids]
        revived = revive(connection, jobs_again, now)
        let_in(connection, jobs_again, now)
        soon = Counter(cohort for (cohort,) in connection.execute(_SOON, (jobs, now)))
        for cohort, number in soon.items():
            _tell(connection, cohort, number, Happening.RETRIED, now, told)
        return changed + revived + soon.total()


def _count(
    connection: sqlite3.Connection,
    rows: dict[State, list[tuple[int, ...]]],
    new: State,
    kind: Happening,
    now: float,
    told: Told,
) -> int:
    """Keep the counters true and the story told; returns how many jobs there were."""
    moves: Counter[Move] = Counter()
    for old, changed in rows.items():
        for cohort, jobs in Counter(row[0] for row in changed).items():
            moves[cohort, old, new] = jobs
            _tell(connection, cohort, jobs, kind, now, told)
    shift(connection, moves, at=now)
    return sum(moves.values())


def _tell(connection: sqlite3.Connection, cohort: int, jobs: int, kind: Happening, now: float, told: Told) -> None:
    """One sentence a cohort, whatever the number of chunks."""
    row, before = told.get(cohort, (None, 0))
    jobs += before
    (row,) = connection.execute(
        "INSERT OR REPLACE INTO history (id, cohort, at, kind, jobs, text) VALUES (?, ?, ?, ?, ?, ?) RETURNING id",
        (row, cohort, now, kind, jobs, ""),
    ).fetchone()
    told[cohort] = row, jobs


def _chunks(jobs: Iterable[int]) -> Iterator[str]:
    """The ids in chunks, each as a JSON array: SQLite takes no more than some thousand parameters."""
    left = iter(jobs)
    while chunk := list(islice(left, CHUNK)):
        yield json.dumps(chunk)
        let_others_write()
