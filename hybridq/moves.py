"""Jobs that change lanes: promoted before a deadline, demoted under load, drafts that wait for their final.

Rule: only queued jobs move, each with its reason, and the counters of both cohorts stay true.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from .job import Lane, Mode, State
from .store import Move, Store, note, shift


def move(store: Store, jobs: Sequence[int], lane: Lane, why: str, now: float) -> int:
    """Put queued jobs into the other lane, with the reason; returns how many moved."""
    moved = 0
    with store.tx() as connection:
        for job in jobs:
            row = connection.execute(
                "SELECT cohort.id, cohort.handler, cohort.lane, cohort.jobs FROM job"
                " JOIN cohort ON cohort.id = job.cohort WHERE job.id = ? AND state = 'queued' AND lane <> ?",
                (job, lane),
            ).fetchone()
            if row is None:
                continue
            cohort, handler, here, size = row
            there = cohort if size == 1 else _sibling(connection, cohort, lane)
            gone: Counter[Move] = Counter({(cohort, handler, here, State.QUEUED, None): 1})
            come: Counter[Move] = Counter({(there, handler, lane, None, State.QUEUED): 1})
            shift(connection, gone, at=now)
            connection.execute("UPDATE job SET cohort = ? WHERE id = ?", (there, job))
            connection.execute("UPDATE cohort SET lane = ? WHERE id = ?", (lane, there))
            if there != cohort:
                _resize(connection, cohort, there, job)
            shift(connection, come, at=now)
            note(connection, there, why, now, job)
            moved += 1
    return moved


def _sibling(connection: Any, cohort: int, lane: Lane) -> int:
    """The cohort that takes what leaves `cohort` for this lane."""
    found = connection.execute("SELECT id FROM cohort WHERE origin = ? AND lane = ?", (cohort, lane)).fetchone()
    if found:
        return int(found[0])
    return int(
        connection.execute(
            "INSERT INTO cohort (origin, name, handler, lane, mode, audience, pinned, due, rank, delay_cost, request,"
            " decision, accepted) SELECT id, name, handler, ?, ?, audience, pinned, due, rank, delay_cost, request,"
            " decision, accepted FROM cohort WHERE id = ? RETURNING id",
            (lane, Mode.BATCH if lane is Lane.BATCH else Mode.STREAM, cohort),
        ).fetchone()[0]
    )


def _resize(connection: Any, cohort: int, there: int, job: int) -> None:
    """Carry one job's place and bytes from a cohort to another."""
    connection.execute("UPDATE cohort SET size = size - size / jobs, jobs = jobs - 1 WHERE id = ?", (cohort,))
    connection.execute(
        "UPDATE cohort SET jobs = jobs + 1, size = size + (SELECT length(input) FROM job WHERE id = :job),"
        " first_id = min(coalesce(first_id, :job), :job), last_id = max(coalesce(last_id, :job), :job)"
        " WHERE id = :there",
        {"job": job, "there": there},
    )
