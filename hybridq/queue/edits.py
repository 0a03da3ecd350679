"""What a user changes about queued jobs: deadline, priority, mode, group, what they wait for and may cost at most.

Rule: one transaction, whatever is selected; what runs or has ended stays as it is. Of a cohort of which only some jobs
are meant these go into one of their own, and what was changed is told in the story.
"""

import json
import math
import sqlite3
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec
from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import replace

from ..job import Decision, Happening, Lane, Mode, Request, State, Waits
from ..reason import Reason
from .added_waits import add_gates, check_waits
from .cohorts import Cohort, cohort
from .counters import shift
from .dependencies import begin
from .gates import told
from .history import note
from .store import Store

_COPIED = (
    "name, handler, lane, mode, audience, pinned, due, rank, delay_cost, request, decision, accepted, environment,"
    " needs"
)

_LOOPS = frozenset({Lane.STREAM, Lane.BATCH})


class Edit(Struct, frozen=True, kw_only=True):
    """What is to be so from now on; UNSET: as it is. `deadline` is an epoch second, `max_cost` money; None: none."""

    deadline: float | UnsetType | None = UNSET
    priority: int | UnsetType = UNSET
    mode: Mode | UnsetType = UNSET
    group: str | UnsetType = UNSET
    max_cost: float | UnsetType | None = UNSET

    def of(self, request: Request) -> Request:
        """A request as it is then."""
        said = {name: getattr(self, name) for name in self.__struct_fields__}
        return replace(request, **{name: value for name, value in said.items() if value is not UNSET})


def edit(store: Store, jobs: Iterable[int], change: Edit, now: float, after: Waits | None = None) -> int:
    """Change what of these jobs is queued; returns how many are not as they were. The caller rings the runners.

    With `after` they also wait for those to be done; raises UsageError for a circle, and changes nothing then.
    """
    these = json.dumps(list(jobs))
    with store.tx() as connection:
        parts = _queued(connection, these)
        changed = sum(_edit(store, connection, number, ids, change, now) for number, ids in parts.items())
        if after is not None and parts:
            changed = _wait(store, connection, _queued(connection, these), after, now)
        return changed


def _queued(connection: sqlite3.Connection, jobs: str) -> dict[int, list[int]]:
    """Those of these jobs that are queued, by cohort."""
    found = connection.execute(
        "SELECT job.cohort, job.id FROM job JOIN cohort ON cohort.id = job.cohort WHERE job.state = 'queued'"
        " AND accepted IS NOT NULL AND job.id IN (SELECT value FROM json_each(?)) ORDER BY job.cohort, job.id",
        (jobs,),
    ).fetchall()
    parts: dict[int, list[int]] = {}
    for number, job in found:
        parts.setdefault(number, []).append(job)
    return parts


def _wait(store: Store, connection: sqlite3.Connection, parts: dict[int, list[int]], after: Waits, now: float) -> int:
    """Let these jobs wait for others as well; returns how many these are."""
    jobs = [job for ids in parts.values() for job in ids]
    check_waits(connection, jobs, after)
    cohorts = [_out_of_lanes(store, connection, number, ids, now) for number, ids in parts.items()]
    add_gates(connection, jobs, after)
    told_of = Reason("edited", "after", mode=after.name or told(after.done))
    for number, ids in zip(cohorts, parts.values(), strict=True):
        note(connection, number, Happening.EDITED, told_of, now, jobs=len(ids))
    begin(connection, cohorts, now)
    return len(jobs)


def _out_of_lanes(store: Store, connection: sqlite3.Connection, number: int, jobs: list[int], now: float) -> int:
    """Queued jobs of a cohort wait from now on, so that they are in neither lane; the cohort where they are then."""
    before = cohort(store, number)
    if before.lane not in _LOOPS:
        return number
    if len(jobs) < before.jobs:
        number = _apart(connection, number, jobs, now)
    shift(connection, {(number, State.QUEUED, None): len(jobs)}, at=now)
    connection.execute(
        "UPDATE cohort SET lane = ?, class = NULL, decision = ? WHERE id = ?",
        (Lane.NONE, msgspec.json.encode(before.decision.timeless), number),
    )
    shift(connection, {(number, None, State.QUEUED): len(jobs)}, at=now)
    connection.execute("DELETE FROM withheld WHERE cohort = ?", (number,))
    connection.execute("DELETE FROM promise WHERE cohort = ?", (number,))
    return number


def handlers_of(store: Store, jobs: Iterable[int]) -> list[str]:
    """The handlers of these jobs."""
    return [
        handler
        for (handler,) in store.rows(
            "SELECT DISTINCT handler FROM job JOIN cohort ON cohort.id = job.cohort"
            " WHERE job.id IN (SELECT value FROM json_each(?))",
            (json.dumps(list(jobs)),),
        )
    ]


def _edit(store: Store, connection: sqlite3.Connection, number: int, jobs: list[int], change: Edit, now: float) -> int:
    before = cohort(store, number)
    request = change.of(before.request)
    changed = list(_changed(before, request))
    if not changed:
        return 0
    if len(jobs) < before.jobs:
        number = _apart(connection, number, jobs, now)
    _write(connection, number, before, request, regrouped=request.group != before.name)
    for reason in changed:
        note(connection, number, Happening.EDITED, reason, now, jobs=len(jobs))
    return len(jobs)


def _changed(before: Cohort, after: Request) -> Iterator[Reason]:
    """What is not as it was, each with both values."""
    asked = before.request
    if after.deadline != asked.deadline:
        yield Reason("edited", "deadline", due=asked.deadline, until=after.deadline)
    if after.max_cost != asked.max_cost:
        yield Reason("edited", "max-cost", whole=asked.max_cost, costs=after.max_cost)
    mode = after.mode if after.mode != asked.mode else None
    for name, old, new in (
        ("priority", asked.priority, after.priority),
        ("mode", before.mode, mode or before.mode),
        ("group", before.name, after.group),
    ):
        if new != old:
            yield Reason("edited", name, other="none" if old is None else str(old), mode=str(new))


def _apart(connection: sqlite3.Connection, number: int, jobs: list[int], now: float) -> int:
    """A cohort of their own for some queued jobs of a cohort."""
    (there,) = connection.execute(
        f"INSERT INTO cohort (origin, submission, first_id, last_id, {_COPIED})"
        f" SELECT id, coalesce(submission, id), ?, ?, {_COPIED} FROM cohort WHERE id = ? RETURNING id",
        (jobs[0], jobs[-1], number),
    ).fetchone()
    shift(connection, {(number, State.QUEUED, None): len(jobs)}, at=now)
    moved = connection.execute(
        "UPDATE job SET cohort = ? WHERE id IN (SELECT value FROM json_each(?)) RETURNING length(input)",
        (there, json.dumps(jobs)),
    ).fetchall()
    size = sum(each for (each,) in moved)
    connection.execute("UPDATE cohort SET jobs = jobs - ?, size = size - ? WHERE id = ?", (len(jobs), size, number))
    connection.execute("UPDATE cohort SET jobs = ?, size = ? WHERE id = ?", (len(jobs), size, there))
    shift(connection, {(there, None, State.QUEUED): len(jobs)}, at=now)
    return int(there)


def _write(connection: Any, number: int, before: Cohort, request: Request, *, regrouped: bool) -> None:
    """A cohort, all of it queued, as it is from now on. The sums over cohorts are kept by what was subtracted and
    added, so it leaves them, changes, and comes back."""
    counted = connection.execute("SELECT queued, cost, streamed FROM cohort WHERE id = ?", (number,)).fetchone()
    connection.execute("UPDATE cohort SET queued = 0, cost = 0, streamed = 0 WHERE id = ?", (number,))
    mode, lane = _mode(before, request)
    connection.execute(
        "UPDATE cohort SET name = ?, lane = ?, mode = ?, pinned = ?, due = ?, rank = ?, request = ?, decision = ?,"
        " class = NULL WHERE id = ?",
        (
            request.group,
            lane,
            mode,
            request.mode is not None,
            math.inf if request.deadline is None else request.deadline,
            -request.priority,
            msgspec.json.encode(replace(request, env={}, left_out={})),
            msgspec.json.encode(_decision(before, mode)),
            number,
        ),
    )
    connection.execute("UPDATE cohort SET queued = ?, cost = ?, streamed = ? WHERE id = ?", (*counted, number))
    connection.execute("DELETE FROM withheld WHERE cohort = ?", (number,))
    connection.execute("DELETE FROM promise WHERE cohort = ?", (number,))  # it was made of something else
    if regrouped and before.name is not None:
        _left(connection, before.name)


def _mode(before: Cohort, request: Request) -> tuple[Mode, Lane]:
    """The mode and the lane; where none is asked for as it is."""
    if request.mode is None or request.mode is before.mode or request.mode == before.request.mode:
        return before.mode, before.lane
    there = Lane.BATCH if request.mode is Mode.BATCH else Lane.STREAM
    return request.mode, there if before.lane in _LOOPS else before.lane  # what waits for others is in neither


def _decision(before: Cohort, mode: Mode) -> Decision:
    if mode is before.mode:
        return replace(before.decision, warning=None)
    return replace(before.decision, mode=mode, reason=Reason("asked", mode=mode), warning=None)


def _left(connection: Any, name: str) -> None:
    """Keep the sums of a group true that a cohort has left; one that has none left is no more."""
    first = connection.execute(
        "SELECT min(id), min(first_id), max(last_id), min(accepted), min(started), max(finished) FROM cohort"
        " WHERE name = ? AND accepted IS NOT NULL AND jobs > 0",
        (name,),
    ).fetchone()
    if first[0] is None:
        connection.execute("DELETE FROM groups WHERE name = ?", (name,))
        return
    connection.execute(
        "UPDATE groups SET cohort = ?, first_id = ?, last_id = ?, accepted = ?, started = ?, finished = ?"
        " WHERE name = ?",
        (*first, name),
    )
