"""Queued jobs that are to wait for others as well: gates before what they wait for already, and before these.

Rule: within the caller's transaction, and nothing ever waits for itself: what would make a circle is refused.
"""

import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Sequence

import msgspec

from ..errors import UsageError
from ..job import Range, Waits
from .dependencies import close_gates, forget, ranges

_AMONG = "IN (SELECT value FROM json_each(?))"
_CIRCLE = (
    "WITH RECURSIVE up (id) AS (SELECT value FROM json_each(?) UNION SELECT awaited FROM up JOIN job ON job.id = up.id"
    " JOIN dependency ON dependency.gate = job.gate WHERE job.state <> 'done')"
    f" SELECT id FROM up WHERE id {_AMONG} LIMIT 1"
)
_BAD = f"SELECT id, state FROM job WHERE id {_AMONG} AND state IN ('failed', 'cancelled') ORDER BY id LIMIT 1"


def check_waits(connection: sqlite3.Connection, jobs: Sequence[int], waits: Waits) -> None:
    """Raise UsageError where these jobs cannot wait for those: for a circle, and for what was not done."""
    awaited = _each(waits.done)
    circle = connection.execute(_CIRCLE, (_json(awaited), _json(jobs))).fetchone()
    if circle is not None and circle[0] in awaited:
        raise UsageError(f"job {circle[0]} cannot wait for itself")
    if circle is not None:
        raise UsageError(f"that would be a circle: what is to be waited for waits for job {circle[0]} itself")
    bad = connection.execute(_BAD, (_json(awaited),)).fetchone()
    if bad is not None:
        how = "failed" if bad[1] == "failed" else "was cancelled"
        raise UsageError(f"job {bad[0]} {how}, so nothing can wait for it. Queue it again: hybridq retry {bad[0]}")


def add_gates(connection: sqlite3.Connection, jobs: Sequence[int], waits: Waits) -> None:
    """Close a gate before each of these jobs, which also opens no sooner than the one that it has."""
    parts: dict[int | None, list[int]] = defaultdict(list)
    for job, gate in connection.execute(f"SELECT id, gate FROM job WHERE id {_AMONG}", (_json(jobs),)):
        parts[gate].append(job)
    for gate, part in parts.items():
        both, at = (waits, None) if gate is None else _with(connection, gate, waits)
        forget(connection, part)
        (number,) = close_gates(connection, [both], at)
        connection.execute(f"UPDATE job SET gate = ? WHERE id {_AMONG}", (number, _json(part)))


def _with(connection: sqlite3.Connection, gate: int, waits: Waits) -> tuple[Waits, float | None]:
    """What is waited for at a gate and what is to be as well; and the instant that it waits for. What was cleaned away
    meanwhile was done."""
    row = connection.execute("SELECT at, done, ended, name FROM gate WHERE id = ?", (gate,)).fetchone()
    if row is None:
        return waits, None
    at, done, ended, name = row
    before, whatever = (_there(connection, _each(msgspec.json.decode(text))) for text in (done, ended))
    names = [each for each in (name, waits.name) if each]
    whole = len(names) == 2 or not (before or whatever)
    both = Waits(
        done=tuple(ranges([*before, *_each(waits.done)])),
        ended=tuple(ranges(whatever)),
        name=", ".join(dict.fromkeys(names)) if whole else "",
    )
    return both, at


def _there(connection: sqlite3.Connection, jobs: Sequence[int]) -> list[int]:
    return [job for (job,) in connection.execute(f"SELECT id FROM job WHERE id {_AMONG}", (_json(jobs),))]


def _each(spans: Iterable[Range]) -> list[int]:
    return [job for first, last in spans for job in range(first, last + 1)]


def _json(values: object) -> str:
    return msgspec.json.encode(values).decode()
