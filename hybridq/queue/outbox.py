"""What hooks are still to be told, and which of them there are.

Rule: what happened is written down in the transaction in which it happens, by a trigger or by `announce`, and goes only
once it was told, or after a last failure that is told of. Where no hook is configured nothing is written.

The triggers are there only while somebody hears: with them each change of a cohort's counters takes a fifth longer.
"""

import json
import sqlite3
from collections.abc import Iterable, Sequence

from msgspec import Struct

from ..job import Happening, HookEvent, Way
from ..reason import said
from ..when import count
from .cohorts import named
from .history import note
from .store import Store

KEPT = 7 * 86400.0  # seconds that what was given up is told of
_INTO = (
    "INSERT INTO outbox (event, way, subject, at, due) SELECT hook.event, way, value, ?2, ?2"
    " FROM hook CROSS JOIN json_each(?3) WHERE hook.event = ?1"
    " ON CONFLICT DO UPDATE SET at = excluded.at, due = excluded.due, tries = 0, error = NULL"
)
_JOB = "SELECT cohort, id FROM job WHERE id = ?"
_COHORT = "SELECT id, NULL FROM cohort WHERE id = ?"
_WHOSE = {  # the cohort in whose story it is told, and the job
    HookEvent.DONE: _JOB,
    HookEvent.FAILED: _JOB,
    HookEvent.LATE: _COHORT,
    HookEvent.SUBMISSION_DONE: _COHORT,
    HookEvent.GROUP_DONE: "SELECT cohort, NULL FROM groups WHERE name = ?",
}


_OVER = "new.queued = 0 AND new.running = 0 AND (old.queued > 0 OR old.running > 0)"
_WHOLE = "coalesce(new.submission, new.id)"
_TELL = """ BEGIN INSERT INTO outbox (event, way, subject, at, due)
    SELECT hook.event, way, {subject}, coalesce(new.finished, 0.0), coalesce(new.finished, 0.0)
    FROM hook WHERE event = '{event}'
    ON CONFLICT DO UPDATE SET at = excluded.at, due = excluded.due, tries = 0, error = NULL; END"""
_TRIGGERS = {  # of what has ended: it may look so amid a transaction that moves jobs, so whoever sends looks again
    HookEvent.GROUP_DONE: (
        "group_told",
        f" AFTER UPDATE OF queued, running ON groups WHEN {_OVER}"
        + _TELL.format(subject="new.name", event=HookEvent.GROUP_DONE),
    ),
    HookEvent.SUBMISSION_DONE: (
        "submission_told",
        f" AFTER UPDATE OF queued, running ON cohort WHEN {_OVER}"
        f" AND EXISTS (SELECT 1 FROM notice WHERE submission = {_WHOLE})"
        + _TELL.format(subject=_WHOLE, event=HookEvent.SUBMISSION_DONE),
    ),
}


class Pending(Struct, frozen=True, kw_only=True):
    """One thing to tell. `subject` is a job, a cohort, a group's name or an instant (epoch seconds), by its event."""

    id: int
    event: HookEvent
    way: Way
    subject: int | str | float
    at: float
    tries: int


class Untold(Struct, frozen=True, kw_only=True):
    """How many of an event could not be told yet, or were given up, and what the last error was."""

    event: HookEvent
    way: Way
    waiting: int
    given_up: int
    error: str | None

    @property
    def lost(self) -> str:
        """How many, and why: `1 given up, 2 tried again: exit code 4`."""
        parts = ((self.given_up, "given up"), (self.waiting, "tried again"))
        return f"{', '.join(f'{count(n)} {what}' for n, what in parts if n)}: {self.error}"


def announce(connection: sqlite3.Connection, event: str, subjects: Sequence[int | float], at: float) -> None:
    """Let whoever hears of this event be told of these. Within the caller's transaction."""
    if subjects:
        connection.execute(_INTO, (event, at, json.dumps(subjects)))


def asked_for(connection: sqlite3.Connection, submission: int) -> None:
    """Its end is to be told: `--notify`. Within the caller's transaction."""
    connection.execute("INSERT OR IGNORE INTO notice VALUES (?)", (submission,))


def listen(store: Store, heard: Iterable[tuple[HookEvent, Way]], now: float) -> None:
    """From now on these are told, and nothing else. What is not heard any more is not told either."""
    wanted = {(str(event), str(way)) for event, way in heard}
    known = set(store.rows("SELECT event, way FROM hook"))
    if wanted == known:
        return
    with store.tx() as connection:
        gone, new = known - wanted, wanted - known
        connection.executemany("DELETE FROM hook WHERE event = ? AND way = ?", gone)
        connection.executemany("DELETE FROM outbox WHERE event = ? AND way = ?", gone)
        connection.executemany("INSERT OR IGNORE INTO hook VALUES (?, ?, ?)", [(*each, now) for each in new])
        events = {event for event, _ in wanted}
        for event, (name, what) in _TRIGGERS.items():
            how = f"CREATE TRIGGER IF NOT EXISTS {name}{what}" if event in events else f"DROP TRIGGER IF EXISTS {name}"
            connection.execute(how)


def announce_late(store: Store, now: float) -> None:
    """Announce what is open and whose deadline has passed since the last look, each cohort once."""
    reached = store.row("SELECT min(reached) FROM hook WHERE event = 'late'")
    if reached is None or reached[0] is None or reached[0] >= now:
        return
    late = store.rows(
        "SELECT id FROM cohort WHERE running > 0 AND due > ?1 AND due <= ?2 AND accepted IS NOT NULL UNION"
        " SELECT id FROM cohort WHERE queued > 0 AND due > ?1 AND due <= ?2 AND accepted IS NOT NULL"
        " AND (lane, handler) IN (SELECT lane, handler FROM tally WHERE queued > 0)",
        (reached[0], now),
    )
    if late:
        with store.tx() as connection:
            announce(connection, HookEvent.LATE, [number for (number,) in late], now)
            connection.execute("UPDATE hook SET reached = ? WHERE event = 'late'", (now,))


def reached(store: Store, event: HookEvent) -> float | None:
    """The instant up to which all of this event is dealt with; None: nobody hears of it."""
    found = store.row("SELECT min(reached) FROM hook WHERE event = ?", (event,))
    return found[0] if found else None


def announce_report(store: Store, instant: float) -> None:
    """Announce the report of the day that ends at this instant."""
    with store.tx() as connection:
        announce(connection, HookEvent.DAILY_REPORT, [instant], instant)
        connection.execute("UPDATE hook SET reached = ? WHERE event = ?", (instant, HookEvent.DAILY_REPORT))


def pending(
    store: Store, way: Way, now: float, limit: int, *, event: HookEvent | None = None, beside: Iterable[int] = ()
) -> list[Pending]:
    """What is to be told by this way now, the oldest first, beside what is on its way already."""
    return [
        named(Pending, (number, HookEvent(name), Way(by), *more))
        for number, name, by, *more in store.rows(
            "SELECT id, event, way, subject, at, tries FROM outbox WHERE way = ?1 AND due <= ?2"
            " AND (?3 IS NULL OR event = ?3) AND id NOT IN (SELECT value FROM json_each(?4)) ORDER BY due LIMIT ?5",
            (way, now, event, json.dumps(list(beside)), limit),
        )
    ]


def any_due(store: Store, now: float) -> bool:
    """Whether something is to be told now."""
    return store.row("SELECT 1 FROM outbox WHERE due <= ? LIMIT 1", (now,)) is not None


def told(store: Store, some: Iterable[Pending]) -> None:
    """These were told. What happened again meanwhile stays."""
    with store.tx() as connection:
        for each in some:
            if each.event is HookEvent.SUBMISSION_DONE:
                connection.execute("DELETE FROM notice WHERE submission = ?", (each.subject,))
            connection.execute("DELETE FROM outbox WHERE id = ? AND at = ?", (each.id, each.at))


def goes_on(store: Store, some: Iterable[Pending]) -> None:
    """These have not ended after all: they are told when they have."""
    with store.tx() as connection:
        for each in some:
            connection.execute("DELETE FROM outbox WHERE id = ? AND at = ?", (each.id, each.at))


def missed(store: Store, some: Iterable[Pending], error: str, due: float | None, now: float) -> None:
    """These could not be told: they are tried again at `due`, or, None, no more, which their story tells."""
    with store.tx() as connection:
        for each in some:
            connection.execute(
                "UPDATE outbox SET tries = tries + 1, error = ?, due = ? WHERE id = ? AND at = ?",
                (error, due, each.id, each.at),
            )
            if due is None:
                _tell(connection, each, error, now)


def _tell(connection: sqlite3.Connection, of: Pending, error: str, now: float) -> None:
    for cohort, job in connection.execute(_WHOSE[of.event], (of.subject,)) if of.event in _WHOSE else ():
        why = said(f"the hook {of.event} could not be told ({of.way}): {error}")
        note(connection, cohort, Happening.UNTOLD, why, now, job=job)


def untold(store: Store) -> list[Untold]:
    """What could not be told at the first try."""
    return [
        Untold(event=HookEvent(event), way=Way(way), waiting=int(waiting), given_up=int(given_up), error=error)
        for event, way, waiting, given_up, error in store.rows(
            "SELECT event, way, total(due IS NOT NULL), total(due IS NULL), max(error) FROM outbox WHERE tries > 0"
            " GROUP BY event, way ORDER BY event, way"
        )
    ]


def given_up(store: Store) -> int:
    """How many things nobody was told, and nobody will be."""
    found = store.row("SELECT count(*) FROM outbox WHERE due IS NULL")
    return int(found[0]) if found else 0


def tell_again(store: Store, now: float) -> int:
    """Try again what was given up; returns how many."""
    with store.tx() as connection:
        return connection.execute("UPDATE outbox SET due = ?, tries = 0 WHERE due IS NULL", (now,)).rowcount


def forget(store: Store, now: float) -> None:
    """Let go of what was given up long ago."""
    if store.row("SELECT 1 FROM outbox WHERE due IS NULL AND at < ? LIMIT 1", (now - KEPT,)):
        with store.tx() as connection:
            connection.execute("DELETE FROM outbox WHERE due IS NULL AND at < ?", (now - KEPT,))


def ended(store: Store, of: Pending) -> bool:
    """Whether what is to be told as ended has: a group may look so while its jobs are moved."""
    if of.event is HookEvent.GROUP_DONE:
        where = "SELECT 1 FROM groups WHERE name = ? AND queued = 0 AND running = 0"
    elif of.event is HookEvent.SUBMISSION_DONE:
        where = (
            "SELECT 1 FROM (SELECT total(queued + running) AS open, count(*) AS parts FROM cohort"
            " WHERE id = ?1 OR submission = ?1) WHERE open = 0 AND parts > 0"
        )
    else:
        return True
    return store.row(where, (of.subject,)) is not None
