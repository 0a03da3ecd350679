"""The tables of the queue; every change since the first release is a step in `migrations`.

Rule: a file is at one version, whole; an older one is migrated in a single transaction, a newer or a
foreign one is named and left untouched. Never decides anything about jobs.

A *cohort* is the unit that the queue counts with: jobs of one submission that share handler, lane and options. By its
counters a million jobs are shown, planned and claimed without counting rows; by its `accepted` a million lines become
visible at once. The sums over cohorts (`tally`, `groups`) are kept by triggers: nobody can forget them.
"""

import sqlite3
from collections.abc import Callable
from typing import TYPE_CHECKING

from ..errors import CorruptQueue, SchemaError
from . import migrations

if TYPE_CHECKING:
    from sqlite_utils import Database, Migrations

APPLICATION_ID = 0x68796271  # "hybq" in the file's header: tells a hybridq queue from any other database
STEPS = ("0001_first", *migrations.STEPS)  # by which a file came to be as it is: their number is its version
VERSION = len(STEPS)


def version(connection: sqlite3.Connection, path: str) -> int:
    """The schema version of an open file, the number of its migrations; 0: empty. Raises CorruptQueue for a foreign
    database, SchemaError for one of a newer release."""
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    ours = {"_sqlite_migrations", "cohort", "job", "meta"} <= tables
    applied = "SELECT name FROM _sqlite_migrations WHERE migration_set = 'hybridq'"
    names = {name for (name,) in connection.execute(applied)} if ours else set()
    if tables and application != APPLICATION_ID and not (ours and application == 0):  # a dump has rows alone
        raise CorruptQueue(f"{path} is another program's database; it was left untouched. Move it away.")
    if names - set(STEPS):
        from ..installed import upgrade_command  # which costs every command 4 ms, and is for this one alone

        made_by = connection.execute("SELECT value FROM meta WHERE name = 'release'").fetchone()
        raise SchemaError(
            f"{path} was made by a newer release ({made_by[0] if made_by else 'unknown'}, schema {len(names)}; "
            f"this one knows {VERSION}). Upgrade hybridq: {upgrade_command()}"
        )
    return len(names)


def migrate(
    connection: sqlite3.Connection, release: str, put_right: Callable[[sqlite3.Connection], None] | None = None
) -> None:
    """Bring an open file to VERSION, and put right what is to be, in one transaction: whole or not at all."""
    from sqlite_utils import Database

    connection.execute("BEGIN IMMEDIATE")
    try:
        _migrations().apply(Database(connection, execute_plugins=False))
        if put_right is not None:
            put_right(connection)
        connection.execute("INSERT OR REPLACE INTO meta VALUES ('release', ?)", (release,))
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _migrations() -> "Migrations":
    from sqlite_utils import Migrations

    steps = Migrations("hybridq")
    for name, step in {STEPS[0]: _first, **migrations.STEPS}.items():
        steps(name=name)(step)
    return steps


def _first(db: "Database") -> None:
    _cohorts(db)
    _jobs(db)
    _sums(db)
    _classes(db)
    _outcomes(db)
    _knowledge(db)


def _cohorts(db: "Database") -> None:
    for statement in (
        """CREATE TABLE cohort (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            origin INTEGER,             -- the cohort that these jobs were moved from
            name TEXT,                  -- the group; NULL: a job of its own
            handler TEXT NOT NULL,
            lane TEXT NOT NULL,
            mode TEXT NOT NULL,
            audience TEXT NOT NULL,
            pinned INTEGER NOT NULL,    -- 1: the user named the mode
            due REAL NOT NULL,          -- deadline, infinity: none
            rank INTEGER NOT NULL,      -- minus the priority, so that one ascending index serves
            delay_cost REAL NOT NULL,   -- money an hour, for one job
            request BLOB NOT NULL,      -- JSON: what was asked
            decision BLOB,              -- JSON: what was decided, and what was compared
            writer INTEGER,             -- the runner that still writes it
            accepted REAL,              -- NULL: not yet; nothing of it is visible or claimed
            first_id INTEGER, last_id INTEGER,
            size REAL NOT NULL DEFAULT 0,   -- bytes of input of all its jobs
            jobs INTEGER NOT NULL DEFAULT 0,
            queued INTEGER NOT NULL DEFAULT 0,
            running INTEGER NOT NULL DEFAULT 0,
            done INTEGER NOT NULL DEFAULT 0,
            failed INTEGER NOT NULL DEFAULT 0,
            cancelled INTEGER NOT NULL DEFAULT 0,
            started REAL, finished REAL,    -- of the first start and the last end
            cost REAL NOT NULL DEFAULT 0,
            streamed REAL NOT NULL DEFAULT 0, -- what the same jobs would have cost streamed at submission
            class INTEGER)              -- the one it was last counted in; NULL: none""",
        "CREATE INDEX cohort_queued ON cohort (lane, handler, due, rank, id) WHERE queued > 0",
        "CREATE INDEX cohort_class ON cohort (class, due, rank, id) WHERE lane = 'batch' AND queued > 0",
        "CREATE INDEX cohort_running ON cohort (id) WHERE running > 0",
        # What ended last, of any mode and end: 10 us among a million, where a scan takes seconds.
        """CREATE INDEX cohort_ended ON cohort (mode, failed, cancelled, finished)
            WHERE name IS NULL AND queued = 0 AND running = 0 AND finished IS NOT NULL""",
        "CREATE INDEX cohort_name ON cohort (name) WHERE name IS NOT NULL",
        "CREATE INDEX cohort_origin ON cohort (origin) WHERE origin IS NOT NULL",
        "CREATE INDEX cohort_writing ON cohort (id) WHERE accepted IS NULL",
        # Of every submission the last ones of its handler are read: without it, among thousands of others.
        """CREATE INDEX cohort_came ON cohort (handler, accepted, lane)
            WHERE audience = 'background' AND accepted IS NOT NULL""",
    ):
        db.conn.execute(statement)


def _jobs(db: "Database") -> None:
    for statement in (
        """CREATE TABLE job (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            cohort INTEGER NOT NULL,
            state TEXT NOT NULL DEFAULT 'queued',
            attempt INTEGER NOT NULL DEFAULT 0,
            tries INTEGER NOT NULL DEFAULT 0,   -- failures that counted against the retries
            unbegun INTEGER NOT NULL DEFAULT 0, -- times that a provider took it and never began it
            ready REAL NOT NULL DEFAULT 0,      -- not to be claimed before
            runner INTEGER, flush INTEGER,
            started REAL, finished REAL,
            input BLOB NOT NULL)""",
        "CREATE INDEX job_queued ON job (cohort, ready, id) WHERE state = 'queued'",
        "CREATE TABLE key (name TEXT PRIMARY KEY, job INTEGER NOT NULL, digest BLOB NOT NULL) WITHOUT ROWID",
        "CREATE INDEX key_job ON key (job)",
        """CREATE TABLE tally (
            handler TEXT NOT NULL, lane TEXT NOT NULL, state TEXT NOT NULL, jobs INTEGER NOT NULL,
            PRIMARY KEY (handler, lane, state)) WITHOUT ROWID""",
        """CREATE TABLE runner (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            kind TEXT NOT NULL, pid INTEGER NOT NULL, lock TEXT NOT NULL, since REAL NOT NULL)""",
        # A cancelled job that still runs: its runner ends it and takes the row away.
        "CREATE TABLE stop (job INTEGER PRIMARY KEY, attempt INTEGER NOT NULL, runner INTEGER NOT NULL)",
    ):
        db.conn.execute(statement)


_COUNTERS = ("queued", "running", "done", "failed", "cancelled", "cost", "streamed")


def _sums(db: "Database") -> None:
    counted = ", ".join((*_COUNTERS, "accepted"))
    columns = ", ".join(f"{name} NOT NULL DEFAULT 0" for name in _COUNTERS)
    gained = ", ".join(f"new.{name} - old.{name}" for name in _COUNTERS)
    added = ", ".join(f"{name} = {name} + excluded.{name}" for name in _COUNTERS)
    for statement in (
        f"CREATE TABLE total (mode TEXT PRIMARY KEY, {columns}) WITHOUT ROWID",
        "INSERT INTO total (mode) VALUES ('stream'), ('batch'), ('adaptive')",
        f"""CREATE TABLE groups (
            name TEXT PRIMARY KEY, cohort INTEGER NOT NULL, -- its first
            first_id INTEGER NOT NULL, last_id INTEGER NOT NULL, accepted REAL NOT NULL,
            started REAL, finished REAL, {columns}) WITHOUT ROWID""",
        "CREATE INDEX groups_ended ON groups (finished) WHERE queued = 0 AND running = 0",
        f"""CREATE TRIGGER sum_by_mode AFTER UPDATE OF {counted} ON cohort WHEN new.mode = old.mode BEGIN
            UPDATE total SET {", ".join(f"{name} = {name} + new.{name} - old.{name}" for name in _COUNTERS)}
                WHERE mode = new.mode;
        END""",
        f"""CREATE TRIGGER sum_of_new_mode AFTER UPDATE OF mode ON cohort WHEN new.mode <> old.mode BEGIN
            UPDATE total SET {", ".join(f"{name} = {name} - old.{name}" for name in _COUNTERS)} WHERE mode = old.mode;
            UPDATE total SET {", ".join(f"{name} = {name} + new.{name}" for name in _COUNTERS)} WHERE mode = new.mode;
        END""",
        f"""CREATE TRIGGER sum_by_group AFTER UPDATE OF {counted} ON cohort
            WHEN new.name IS NOT NULL AND new.accepted IS NOT NULL AND new.first_id IS NOT NULL BEGIN
            INSERT INTO groups VALUES (new.name, new.id, new.first_id, new.last_id, new.accepted,
                new.started, new.finished, {gained})
                ON CONFLICT DO UPDATE SET first_id = min(first_id, excluded.first_id),
                    last_id = max(last_id, excluded.last_id), accepted = min(accepted, excluded.accepted),
                    started = coalesce(min(started, excluded.started), started, excluded.started),
                    finished = coalesce(max(finished, excluded.finished), finished, excluded.finished), {added};
        END""",
    ):
        db.conn.execute(statement)


# What makes held cohorts alike: due within a small part of the time that they have, come within the same quarter of a
# day (without a deadline: of an hour), about as large, about as dear to wait for, and asked for or not. The grid is
# fixed, so that a class stays one.
_KIND = f"""printf('%d %d %d %.0e %d',
    CASE WHEN new.due - new.accepted < 3600 THEN new.due / 60 WHEN new.due - new.accepted < 21600 THEN new.due / 300
        WHEN new.due - new.accepted < 86400 THEN new.due / 900 ELSE new.due / 3600 END,
    new.accepted / CASE WHEN new.due < 9e999 THEN 21600 ELSE 900 END,
    {" + ".join(f"(new.size > {4**step} * new.jobs)" for step in range(3, 11))}, new.delay_cost, new.pinned)"""


def _classes(db: "Database") -> None:
    """Sums over held cohorts that a plan may treat alike: a hundred thousand are planned as a few hundred classes.

    What has a limit on money of its own is in no class.
    """
    size = "{0}.size / max({0}.jobs, 1) * {0}.queued".format
    for statement in (
        """CREATE TABLE class (
            id INTEGER PRIMARY KEY AUTOINCREMENT, handler TEXT NOT NULL, kind TEXT NOT NULL,
            came REAL NOT NULL,                 -- when its first cohort was accepted
            pinned INTEGER NOT NULL,
            cohorts INTEGER NOT NULL DEFAULT 0, jobs INTEGER NOT NULL DEFAULT 0, size REAL NOT NULL DEFAULT 0,
            since REAL NOT NULL DEFAULT 0,      -- seconds from `came` until each of its jobs was accepted, summed
            delay_cost REAL NOT NULL DEFAULT 0, -- money an hour, for all its jobs
            UNIQUE (handler, kind))""",
        f"""CREATE TRIGGER class_joined AFTER UPDATE OF queued ON cohort
            WHEN old.queued = 0 AND new.queued > 0 AND new.lane = 'batch'
            AND json_extract(CAST(new.request AS TEXT), '$.max_cost') IS NULL BEGIN
            INSERT INTO class (handler, kind, came, pinned) VALUES (new.handler, {_KIND}, new.accepted, new.pinned)
                ON CONFLICT DO NOTHING;
            UPDATE cohort SET class = (SELECT id FROM class WHERE handler = new.handler AND kind = {_KIND})
                WHERE id = new.id;
            UPDATE class SET cohorts = cohorts + 1, jobs = jobs + new.queued, size = size + {size("new")},
                since = since + (new.accepted - came) * new.queued,
                delay_cost = delay_cost + new.delay_cost * new.queued
                WHERE id = (SELECT class FROM cohort WHERE id = new.id);
        END""",
        f"""CREATE TRIGGER class_changed AFTER UPDATE OF queued, size, jobs ON cohort
            WHEN old.queued > 0 AND old.lane = 'batch' AND old.class IS NOT NULL BEGIN
            UPDATE class SET cohorts = cohorts - (new.queued = 0), jobs = jobs + new.queued - old.queued,
                size = size + {size("new")} - {size("old")},
                since = since + (new.accepted - came) * (new.queued - old.queued),
                delay_cost = delay_cost + new.delay_cost * (new.queued - old.queued) WHERE id = old.class;
            DELETE FROM class WHERE id = old.class AND cohorts = 0;
        END""",
    ):
        db.conn.execute(statement)


def _outcomes(db: "Database") -> None:
    for table in ("result", "draft"):
        db.conn.execute(
            f"""CREATE TABLE {table} (
                id INTEGER PRIMARY KEY,     -- the job's
                attempt INTEGER NOT NULL,
                value BLOB,                 -- JSON; NULL: the output is in the job's files
                error TEXT, exit_code INTEGER,
                dropped INTEGER NOT NULL DEFAULT 0, -- bytes of output beyond the limit
                cost REAL, streamed REAL, busy REAL,
                first REAL,                 -- when its first byte was there
                usage BLOB)"""
        )
    db.conn.execute(
        """CREATE TABLE flush (
            id INTEGER PRIMARY KEY AUTOINCREMENT, handler TEXT NOT NULL, runner INTEGER NOT NULL,
            started REAL NOT NULL, ended REAL, rule TEXT NOT NULL, reason TEXT NOT NULL,
            factor REAL NOT NULL, jobs INTEGER NOT NULL, done INTEGER NOT NULL DEFAULT 0,
            failed INTEGER NOT NULL DEFAULT 0, startup REAL NOT NULL DEFAULT 0, cost REAL NOT NULL DEFAULT 0)"""
    )
    db.conn.execute("CREATE INDEX flush_open ON flush (handler) WHERE ended IS NULL")
    db.conn.execute(
        """CREATE TABLE detached (
            id INTEGER PRIMARY KEY AUTOINCREMENT, handler TEXT NOT NULL, key TEXT NOT NULL,
            runner INTEGER NOT NULL,    -- who looks after it
            reference BLOB NOT NULL, since REAL NOT NULL, jobs BLOB NOT NULL, UNIQUE (handler, key))"""
    )


def _knowledge(db: "Database") -> None:
    for statement in (
        """CREATE TABLE model (
            handler TEXT NOT NULL, lane TEXT NOT NULL, learned BLOB NOT NULL, at REAL NOT NULL,
            PRIMARY KEY (handler, lane)) WITHOUT ROWID""",
        """CREATE TABLE promise (
            id INTEGER PRIMARY KEY, cohort INTEGER NOT NULL, made REAL NOT NULL,
            start REAL, finish REAL, finish90 REAL)""",
        "CREATE INDEX promise_cohort ON promise (cohort)",
        """CREATE TABLE history (
            id INTEGER PRIMARY KEY, cohort INTEGER NOT NULL, job INTEGER, at REAL NOT NULL, text TEXT NOT NULL)""",
        "CREATE INDEX history_cohort ON history (cohort)",
        # What the batch loop intends: views show the loop's own plan, not a guess of theirs.
        """CREATE TABLE planned (
            handler TEXT NOT NULL, at REAL NOT NULL, jobs INTEGER NOT NULL, reason TEXT NOT NULL, made REAL NOT NULL,
            PRIMARY KEY (handler, at)) WITHOUT ROWID""",
        # What each handler has cost in each quarter of an hour since the epoch: for daily budgets.
        """CREATE TABLE spent (handler TEXT NOT NULL, quarter INTEGER NOT NULL, cost REAL NOT NULL,
            PRIMARY KEY (handler, quarter)) WITHOUT ROWID""",
        # Cohorts that a limit on money holds, and the sentence that says so.
        "CREATE TABLE withheld (cohort INTEGER PRIMARY KEY, reason TEXT NOT NULL)",
        "CREATE TABLE meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID",
    ):
        db.conn.execute(statement)
