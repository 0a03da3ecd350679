"""Jobs that change lanes: promoted before a deadline, demoted under load, drafts that wait for their final.

Rule: only queued jobs move that wait for nothing, each with its reason, and the counters of both cohorts stay true.
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from ..job import Happening, Lane, Mode, State
from ..reason import Reason
from .counters import shift
from .history import note
from .store import Store

_MODES = {Lane.STREAM: Mode.STREAM, Lane.BATCH: Mode.BATCH}
# An adaptive job keeps its mode until its draft, and while it waits for its final; it has none any more when that is
# streamed.
_MODE = "CASE WHEN mode = 'adaptive' AND (? = 'batch' OR lane = 'none') THEN mode ELSE ? END"


def move(store: Store, jobs: Sequence[int], lane: Lane, kind: Happening, why: Reason | None, now: float) -> int:
    """Put queued jobs into the other lane, with the reason; returns how many moved."""
    with store.tx() as connection:
        return sum(_move(connection, job, lane, kind, why, now) for job in jobs)


def move_cohort(store: Store, cohort: int, lane: Lane, kind: Happening, why: Reason | None, now: float) -> int:
    """Put all that is queued of a cohort into the other lane, with the reason; returns how many moved."""
    with store.tx() as connection:
        row = connection.execute(
            "SELECT jobs, queued, first_id, last_id FROM cohort WHERE id = ? AND lane NOT IN (?, 'none')",
            (cohort, lane),
        ).fetchone()
        if row is None:
            return 0
        jobs, queued, first, last = row
        if queued < jobs:
            found = connection.execute(
                "SELECT id FROM job WHERE id BETWEEN ? AND ? AND cohort = ? AND state = 'queued'", (first, last, cohort)
            ).fetchall()
            return move(store, [number for (number,) in found], lane, kind, why, now)
        turn(connection, cohort, lane, queued, now)
        note(connection, cohort, kind, why, now, jobs=int(queued))
        return int(queued)


def gather_in(connection: Any, cohort: int, jobs: Sequence[int], lane: Lane, now: float) -> int:
    """Put some queued jobs of a cohort that is in neither lane into this one; returns the cohort where they are then.
    Within the caller's transaction."""
    there = _sibling(connection, cohort, lane)
    shift(connection, {(cohort, State.QUEUED, None): len(jobs)}, at=now)
    sizes = connection.execute(
        "UPDATE job SET cohort = ? WHERE id IN (SELECT value FROM json_each(?)) RETURNING length(input)",
        (there, msgspec.json.encode(jobs).decode()),
    ).fetchall()
    connection.execute(
        "UPDATE cohort SET size = size * (jobs - ?2) / jobs, jobs = jobs - ?2 WHERE id = ?1", (cohort, len(jobs))
    )
    connection.execute(
        "UPDATE cohort SET jobs = jobs + :jobs, size = size + :size, first_id = min(coalesce(first_id, :first),"
        " :first), last_id = max(coalesce(last_id, :last), :last) WHERE id = :there",
        {
            "there": there,
            "jobs": len(jobs),
            "size": sum(size for (size,) in sizes),
            "first": min(jobs),
            "last": max(jobs),
        },
    )
    shift(connection, {(there, None, State.QUEUED): len(jobs)}, at=now)
    return there


def _move(connection: Any, job: int, lane: Lane, kind: Happening, why: Reason | None, now: float) -> int:
    row = connection.execute(
        "SELECT cohort.id, jobs FROM job JOIN cohort ON cohort.id = job.cohort"
        " WHERE job.id = ? AND state = 'queued' AND lane NOT IN (?, 'none') AND accepted IS NOT NULL",
        (job, lane),
    ).fetchone()
    if row is None:
        return 0
    cohort, jobs = row
    there = cohort if jobs == 1 else _sibling(connection, cohort, lane)
    if there == cohort:
        turn(connection, cohort, lane, 1, now)
    else:
        shift(connection, {(cohort, State.QUEUED, None): 1}, at=now)
        connection.execute("UPDATE job SET cohort = ? WHERE id = ?", (there, job))
        _resize(connection, cohort, there, job)
        shift(connection, {(there, None, State.QUEUED): 1}, at=now)
    note(connection, there, kind, why, now, job=job)
    return 1


def turn(connection: Any, cohort: int, lane: Lane, jobs: int, now: float) -> None:
    """Turn a whole cohort, all of it queued, to the other lane. Within the caller's transaction."""
    shift(connection, {(cohort, State.QUEUED, None): jobs}, at=now)
    connection.execute(f"UPDATE cohort SET lane = ?, mode = {_MODE} WHERE id = ?", (lane, lane, _MODES[lane], cohort))
    shift(connection, {(cohort, None, State.QUEUED): jobs}, at=now)


def _sibling(connection: Any, cohort: int, lane: Lane) -> int:
    """The cohort that takes what leaves `cohort` for this lane."""
    found = connection.execute("SELECT id FROM cohort WHERE origin = ? AND lane = ?", (cohort, lane)).fetchone()
    if found:
        return int(found[0])
    return int(
        connection.execute(
            "INSERT INTO cohort (origin, submission, name, handler, lane, mode, audience, pinned, due, rank,"
            " delay_cost, request, decision, accepted, environment, needs)"
            " SELECT id, coalesce(submission, id), name, handler, ?, "
            f"{_MODE}, audience, pinned, due, rank, delay_cost, request,"
            " decision, accepted, environment, needs FROM cohort WHERE id = ? RETURNING id",
            (lane, lane, _MODES[lane], cohort),
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
