"""What a user has paused: everything, a handler or a group, until a time or until it is resumed.

Rule: there are few pauses, so each question reads them all, and no job is touched by one: what is paused is not
claimed, and waits. Kept in the queue, so that whoever runs it next knows.
"""

import math
import sqlite3
from collections.abc import Iterable

import msgspec
from msgspec import Struct

from ..reason import Reason
from .store import Store


class Pause(Struct, frozen=True):
    """One pause: of a `handler`, of a `group`, or, where both are None, of everything. `since` and `until` are epoch
    seconds; None: until somebody resumes it."""

    handler: str | None
    group: str | None
    since: float
    until: float | None

    @property
    def reason(self) -> Reason:
        """Why a job that it holds does not begin."""
        what = f"--handler {self.handler}" if self.handler is not None else self.group or ""
        return Reason("paused", what, until=self.until)


class Pauses(Struct, frozen=True):
    """All that are in force at one instant."""

    all: tuple[Pause, ...]

    def of(self, handler: str, group: str | None) -> Pause | None:
        """The pause that holds such jobs longest; None: none does."""
        mine = [
            each
            for each in self.all
            if (each.handler in (None, handler) and each.group is None) or (group is not None and each.group == group)
        ]
        return max(mine, key=lambda each: math.inf if each.until is None else each.until, default=None)

    @property
    def groups(self) -> list[str]:
        """The paused groups."""
        return [each.group for each in self.all if each.group is not None]


NOTHING = Pauses(())
_IN_FORCE = "SELECT handler, name, since, until FROM pause WHERE until > ? ORDER BY handler, name"


def pauses(store: Store, now: float) -> Pauses:
    """What is paused at `now`."""
    return Pauses(tuple(_pause(*row) for row in store.rows(_IN_FORCE, (now,))))


def _pause(handler: str, group: str, since: float, until: float) -> Pause:
    return Pause(handler or None, group or None, since, None if until == math.inf else until)


def pause(store: Store, handler: str | None, group: str | None, until: float | None, now: float) -> Pause:
    """Pause a handler, a group or, with neither, everything; what was paused already is from now on paused so."""
    with store.tx() as connection:
        connection.execute("DELETE FROM pause WHERE until <= ?", (now,))
        connection.execute(
            "INSERT INTO pause VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET until = excluded.until",
            (handler or "", group or "", now, math.inf if until is None else until),
        )
    return next(each for each in pauses(store, now).all if (each.handler, each.group) == (handler, group))


def resume(store: Store, handler: str | None, group: str | None, now: float) -> list[Pause]:
    """Take back the pause of a handler or a group; with neither, all pauses. Returns those that were in force."""
    with store.tx() as connection:
        before = [_pause(*row) for row in connection.execute(_IN_FORCE, (now,)).fetchall()]
        if handler is None and group is None:
            connection.execute("DELETE FROM pause")
            return before
        connection.execute("DELETE FROM pause WHERE handler = ? AND name = ?", (handler or "", group or ""))
    return [each for each in before if (each.handler, each.group) == (handler, group)]


_HOLDS = (
    "SELECT 1 FROM cohort CROSS JOIN pause WHERE id = ? AND until > ?"
    " AND pause.handler IN ('', cohort.handler) AND pause.name IN ('', cohort.name) LIMIT 1"
)


def anything_paused(connection: sqlite3.Connection, now: float) -> bool:
    """Whether there is any pause. Within the caller's transaction."""
    return connection.execute("SELECT 1 FROM pause WHERE until > ? LIMIT 1", (now,)).fetchone() is not None


def is_paused(connection: sqlite3.Connection, cohort: int, now: float) -> bool:
    """Whether this cohort is paused. Within the caller's transaction."""
    return connection.execute(_HOLDS, (cohort, now)).fetchone() is not None


def why_paused(store: Store, cohorts: Iterable[int], now: float) -> Reason | None:
    """Why the first of these cohorts that is paused does not begin; None: none is."""
    in_force = pauses(store, now)
    if not in_force.all:
        return None
    these = store.rows(
        "SELECT handler, name FROM cohort WHERE queued > 0 AND id IN (SELECT value FROM json_each(?))",
        (msgspec.json.encode(list(cohorts)).decode(),),
    )
    return next((found.reason for handler, name in these if (found := in_force.of(handler, name))), None)
