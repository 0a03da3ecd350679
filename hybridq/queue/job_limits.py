"""How many jobs of a handler or a group may run at once, as a user has said.

Rule: there are few, so each question reads them all; what runs is read from kept counters, within the transaction that
claims, so that no number of runners exceeds one. Kept in the queue; a handler's takes the place of config.toml's.
"""

import sqlite3

from msgspec import Struct

from ..reason import Reason
from .store import Store


class JobLimit(Struct, frozen=True):
    """How many `jobs` of a `handler` or of a `group` may run at once, said at `since` (epoch seconds)."""

    handler: str | None
    group: str | None
    jobs: int
    since: float


class JobLimits(Struct, frozen=True):
    """All that are in force."""

    all: tuple[JobLimit, ...] = ()

    def of_handler(self, name: str) -> int | None:
        """How many jobs of a handler may run at once; None: nobody has said."""
        return next((each.jobs for each in self.all if each.handler == name), None)

    def of_group(self, name: str | None) -> int | None:
        """The same of a group."""
        return None if name is None else next((each.jobs for each in self.all if each.group == name), None)


NOTHING = JobLimits()


def job_limits(connection: sqlite3.Connection) -> JobLimits:
    """Those in force."""
    rows = connection.execute("SELECT handler, name, jobs, since FROM job_limit ORDER BY handler, name").fetchall()
    return JobLimits(tuple(_limit(*row) for row in rows)) if rows else NOTHING


def _limit(handler: str, group: str, jobs: int, since: float) -> JobLimit:
    return JobLimit(handler or None, group or None, jobs, since)


def limit_jobs(store: Store, handler: str | None, group: str | None, jobs: int, now: float) -> JobLimit:
    """Let so many jobs of a handler or a group run at once from now on. What runs goes on."""
    with store.tx() as connection:
        connection.execute(
            "INSERT INTO job_limit VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET jobs = excluded.jobs, since = ?4",
            (handler or "", group or "", jobs, now),
        )
    return JobLimit(handler, group, jobs, now)


def unlimit_jobs(store: Store, handler: str | None, group: str | None) -> JobLimit | None:
    """Take a limit back; returns it. None: there was none."""
    with store.tx() as connection:
        row = connection.execute(
            "DELETE FROM job_limit WHERE handler = ? AND name = ? RETURNING handler, name, jobs, since",
            (handler or "", group or ""),
        ).fetchone()
    return _limit(*row) if row else None


def running_of_handler(connection: sqlite3.Connection, name: str) -> int:
    """How many jobs of a handler run."""
    return int(connection.execute("SELECT total(running) FROM tally WHERE handler = ?", (name,)).fetchone()[0])


def running_of_group(connection: sqlite3.Connection, name: str) -> int:
    """How many jobs of a group run."""
    row = connection.execute("SELECT running FROM groups WHERE name = ?", (name,)).fetchone()
    return int(row[0]) if row else 0


def reached(what: str, running: int, jobs: int) -> Reason:
    """Why no more jobs of a handler or a group begin."""
    return Reason("at once", what, jobs=running, of=jobs)
