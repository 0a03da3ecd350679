"""What the queue's file has got since its first tables: one function a migration, in their order.

Rule: a step never changes once it was released; `schema` runs each once.
"""

from typing import TYPE_CHECKING

from . import views

if TYPE_CHECKING:
    from sqlite_utils import Database


def submissions(db: "Database") -> None:
    """Whatever cohorts a submission's jobs are in, by their lines' options or by moves: they know that they are one."""
    for statement in (
        "ALTER TABLE cohort ADD COLUMN submission INTEGER",  # its first cohort; NULL: it is that
        "WITH RECURSIVE line (root, id) AS (SELECT id, id FROM cohort WHERE origin IS NULL"
        " UNION ALL SELECT root, cohort.id FROM line JOIN cohort ON cohort.origin = line.id)"
        " UPDATE cohort SET submission = (SELECT root FROM line WHERE line.id = cohort.id) WHERE origin IS NOT NULL",
        "CREATE INDEX cohort_submission ON cohort (submission) WHERE submission IS NOT NULL",
    ):
        db.conn.execute(statement)


def lengths(db: "Database") -> None:
    """How many bytes of output are in the files of a job."""
    for column in ("result ADD COLUMN out", "result ADD COLUMN err", "draft ADD COLUMN out", "draft ADD COLUMN err"):
        db.conn.execute(f"ALTER TABLE {column} INTEGER")  # bytes in the job's file; NULL: nobody counted


def environments(db: "Database") -> None:
    """The variables that commands run with, once for all submissions that came with the same."""
    for statement in (
        "CREATE TABLE environment (id INTEGER PRIMARY KEY AUTOINCREMENT, variables BLOB NOT NULL UNIQUE)",
        "ALTER TABLE cohort ADD COLUMN environment INTEGER",
        "CREATE INDEX cohort_environment ON cohort (environment) WHERE environment IS NOT NULL",
        """CREATE TRIGGER environment_forgotten AFTER DELETE ON cohort WHEN old.environment IS NOT NULL BEGIN
            DELETE FROM environment WHERE id = old.environment
                AND NOT EXISTS (SELECT 1 FROM cohort WHERE environment = old.environment);
        END""",
    ):
        db.conn.execute(statement)


def suspects(db: "Database") -> None:
    """Jobs that ran when their runner died, one of which may be why: see `suspects`."""
    db.conn.execute(
        """CREATE TABLE suspect (
            job INTEGER PRIMARY KEY,
            deaths INTEGER NOT NULL,    -- of runners while it ran
            among INTEGER NOT NULL,     -- how many jobs may have been why, the last time
            alone INTEGER NOT NULL,     -- deaths for which nothing else may have been why
            runner INTEGER)             -- the one that watches it now; NULL: none"""
    )


def remarks(db: "Database") -> None:
    """What is to be said of jobs while they run: see `learned.remark`."""
    db.conn.execute("CREATE TABLE remark (job INTEGER PRIMARY KEY, attempt INTEGER NOT NULL, text TEXT NOT NULL)")


_SAID = (  # how the releases before told what happened, and whether the sentence begins with a number of jobs
    ("promoted", "promoted%", False),
    ("reclassified", "waited %", False),
    ("drafted", "the draft ended; the final follows in a batch", False),
    ("rescued", "%the runner died; queued again at once", True),
    ("given back", "%the runner stopped before it was done; queued again", True),
    ("broke", "%the runner broke; queued again at once", True),
    ("blamed", "the runner died % times while it ran, %", False),
    ("held", "held: %", False),
    ("cancelled", "cancelled", True),
    ("cancelled", "% jobs cancelled", True),
    ("retried", "%queued again by retry", True),
    ("charged", "%cancelled too late for the provider, which had run them: %", True),
    ("before now", "the clock was ahead by %", False),
)


def kinds(db: "Database") -> None:
    """What happened to jobs, by its kind and with their number: until now both were in the sentence alone."""
    db.conn.execute("ALTER TABLE history ADD COLUMN kind TEXT NOT NULL DEFAULT 'said'")
    db.conn.execute("ALTER TABLE history ADD COLUMN jobs INTEGER NOT NULL DEFAULT 1")
    for kind, text, numbered in _SAID:
        whole = "coalesce((SELECT max(1, jobs) FROM cohort WHERE id = history.cohort), 1)"
        told = "min(1000000000000, max(1, CAST(replace(text, ',', '') AS INTEGER)))"
        jobs = told if numbered else f"CASE WHEN job IS NULL THEN {whole} ELSE 1 END"
        db.conn.execute(f"UPDATE history SET kind = ?, jobs = {jobs} WHERE kind = 'said' AND text LIKE ?", (kind, text))


_SUMMED = ("queued", "running", "done", "failed", "cancelled", "cost", "streamed")


def tally(db: "Database") -> None:
    """One table of sums over cohorts, by handler, lane and mode, that triggers keep: there were two, and two ways.

    What was cleaned away has left its money alone, by mode: that is kept beside no handler.
    """
    names, sums = ", ".join(_SUMMED), ", ".join(f"sum({name})" for name in _SUMMED)
    columns = ", ".join(f"{name} NOT NULL DEFAULT 0" for name in _SUMMED)
    more = ", ".join(f"{name} = {name} + excluded.{name}" for name in _SUMMED)

    def add(what: str) -> str:
        """Add to the sums of a cohort what each of its columns has become more by."""
        gained = ", ".join(what.format(name) for name in _SUMMED)
        return f"INSERT INTO tally VALUES (new.handler, new.lane, new.mode, {gained}) ON CONFLICT DO UPDATE SET {more};"

    for statement in (
        "DROP TRIGGER sum_by_mode",
        "DROP TRIGGER sum_of_new_mode",
        "DROP TABLE tally",
        f"""CREATE TABLE tally (
            handler TEXT NOT NULL, lane TEXT NOT NULL, mode TEXT NOT NULL, {columns},
            PRIMARY KEY (handler, lane, mode)) WITHOUT ROWID""",
        f"INSERT INTO tally SELECT handler, lane, mode, {sums} FROM cohort WHERE accepted IS NOT NULL GROUP BY 1, 2, 3",
        "INSERT INTO tally (handler, lane, mode, cost, streamed) SELECT '', 'batch', mode,"
        + ", ".join(f"{m} - (SELECT total({m}) FROM tally WHERE mode = total.mode)" for m in ("cost", "streamed"))
        + " FROM total WHERE cost <> 0 OR streamed <> 0",
        "DROP TABLE total",
        f"""CREATE TRIGGER tally_changed AFTER UPDATE OF {names} ON cohort
            WHEN new.lane = old.lane AND new.mode = old.mode BEGIN {add("new.{0} - old.{0}")} END""",
        f"""CREATE TRIGGER tally_turned AFTER UPDATE OF lane, mode ON cohort
            WHEN new.lane <> old.lane OR new.mode <> old.mode BEGIN
            UPDATE tally SET {", ".join(f"{name} = {name} - old.{name}" for name in _SUMMED)}
                WHERE handler = old.handler AND lane = old.lane AND mode = old.mode;
            {add("new.{0}")} END""",
    ):
        db.conn.execute(statement)


def promises(db: "Database") -> None:
    """What was promised after the submission as well, and to groups; how often stream jobs come to a handler."""
    for statement in (
        "ALTER TABLE promise ADD COLUMN said TEXT NOT NULL DEFAULT 'submission'",  # when: or at the flush, or half-way
        "ALTER TABLE promise ADD COLUMN whole TEXT",  # the group of which it told, until then; NULL: its cohort alone
        # Among the last submissions of all handlers a few of one are not found.
        "CREATE INDEX cohort_streamed ON cohort (handler, accepted, jobs)"
        " WHERE lane = 'stream' AND accepted IS NOT NULL",
    ):
        db.conn.execute(statement)


def documented(db: "Database") -> None:
    """The views that datasette and sqlite-utils read."""
    for statement in views.statements():
        db.conn.execute(statement)


def schedules(db: "Database") -> None:
    """Work that comes back: what each schedule hands in and when, and what became of each instant."""
    for statement in (
        """CREATE TABLE schedule (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            name TEXT NOT NULL UNIQUE,
            timing TEXT NOT NULL,       -- as it was typed: a cron line, @nightly, every 15m
            zone TEXT NOT NULL,
            since REAL NOT NULL,        -- when it was made; `every 15m` counts from here
            within REAL,                -- seconds from each instant until its deadline; NULL: none
            missed TEXT NOT NULL,
            overlap TEXT NOT NULL,
            request BLOB NOT NULL,      -- JSON, as a cohort has it
            environment INTEGER,
            input BLOB NOT NULL,
            reached REAL NOT NULL,      -- the instant up to which all is dealt with
            due REAL)                   -- the next instant; NULL: it is paused, or never comes again""",
        # One look finds what has come, however many there are.
        "CREATE INDEX schedule_due ON schedule (due) WHERE due IS NOT NULL",
        "CREATE INDEX schedule_environment ON schedule (environment) WHERE environment IS NOT NULL",
        """CREATE TABLE occurrence (
            schedule INTEGER NOT NULL,
            instant REAL NOT NULL,
            job INTEGER,                -- NULL: none was made of it
            kind TEXT NOT NULL,         -- why none was
            instants INTEGER NOT NULL,  -- of the last of so many this tells
            at REAL NOT NULL,           -- when that was settled
            PRIMARY KEY (schedule, instant)) WITHOUT ROWID""",
        "CREATE INDEX occurrence_job ON occurrence (job) WHERE job IS NOT NULL",
        "CREATE INDEX occurrence_left ON occurrence (at) WHERE job IS NULL",
        "DROP TRIGGER environment_forgotten",
        *(
            f"""CREATE TRIGGER environment_{name} AFTER {event} WHEN old.environment IS NOT NULL BEGIN
                DELETE FROM environment WHERE id = old.environment
                    AND NOT EXISTS (SELECT 1 FROM cohort WHERE environment = old.environment)
                    AND NOT EXISTS (SELECT 1 FROM schedule WHERE environment = old.environment);
            END"""
            for name, event in (
                ("forgotten", "DELETE ON cohort"),
                ("unscheduled", "DELETE ON schedule"),
                ("rescheduled", "UPDATE OF environment ON schedule"),
            )
        ),
    ):
        db.conn.execute(statement)


def dependencies(db: "Database") -> None:
    """What jobs wait for before they may begin: other jobs, or a time (see `dependencies`)."""
    for statement in (
        """CREATE TABLE gate (
            id INTEGER PRIMARY KEY,
            open INTEGER NOT NULL,      -- how much it still waits for, the time included; 0: it has let its jobs begin
            broken INTEGER NOT NULL DEFAULT 0, -- how many of those that were to be done were not
            timed INTEGER NOT NULL DEFAULT 0, -- 1: it waits for a time as well,
            at REAL,                    -- this one; NULL: it has come, or there is none
            opened REAL,                -- when it let its jobs begin; NULL: not yet, or they never waited
            jobs INTEGER NOT NULL DEFAULT 1, -- how many are waited for
            done TEXT NOT NULL,         -- which, as JSON: ranges of ids
            ended TEXT NOT NULL DEFAULT '[]', -- those of which it is enough that they have ended
            name TEXT NOT NULL DEFAULT '')""",
        "CREATE INDEX gate_at ON gate (at) WHERE at IS NOT NULL",
        # Of many submissions that wait for the same large group each would have as many rows as that has jobs.
        "CREATE INDEX gate_shared ON gate (done) WHERE jobs > 32",
        """CREATE TABLE dependency (
            awaited INTEGER NOT NULL,   -- a job that is not done; once it is, the row goes
            gate INTEGER NOT NULL,
            whatever INTEGER NOT NULL DEFAULT 0, -- 1: it is enough that it has ended
            PRIMARY KEY (awaited, gate)) WITHOUT ROWID""",
        "ALTER TABLE job ADD COLUMN gate INTEGER",
        "ALTER TABLE job ADD COLUMN cause INTEGER",  # the job for which this one was cancelled
        "CREATE INDEX job_cause ON job (cohort) WHERE cause IS NOT NULL",
        "CREATE INDEX job_gate ON job (gate) WHERE gate IS NOT NULL",
    ):
        db.conn.execute(statement)


def pauses(db: "Database") -> None:
    """What is paused: everything, a handler or a group."""
    db.conn.execute(
        """CREATE TABLE pause (
            handler TEXT NOT NULL,      -- '': of whatever handler
            name TEXT NOT NULL,         -- the group; '': of whatever group
            since REAL NOT NULL,
            until REAL NOT NULL,        -- infinity: until somebody resumes it
            PRIMARY KEY (handler, name)) WITHOUT ROWID"""
    )


def limits(db: "Database") -> None:
    """How many jobs may run at once, and who holds what of this machine's counted resources.

    What needs some of these is in no class of held work, as what has a limit on money of its own.
    """
    (joined,) = db.conn.execute("SELECT sql FROM sqlite_master WHERE name = 'class_joined'").fetchone()
    for statement in (
        """CREATE TABLE job_limit (
            handler TEXT NOT NULL,      -- '': of whatever handler
            name TEXT NOT NULL,         -- the group; '': of whatever group
            jobs INTEGER NOT NULL,
            since REAL NOT NULL,
            PRIMARY KEY (handler, name)) WITHOUT ROWID""",
        """CREATE TABLE start (           -- of jobs of handlers that have a rate, as long as they count for it
            handler TEXT NOT NULL, at REAL NOT NULL, jobs INTEGER NOT NULL)""",
        "CREATE INDEX start_at ON start (handler, at)",
        "ALTER TABLE cohort ADD COLUMN needs TEXT",  # JSON: resource to amount, for one job; NULL: none
        "CREATE INDEX cohort_needs ON cohort (needs) WHERE needs IS NOT NULL AND queued > 0",
        """CREATE TABLE holding (
            runner INTEGER NOT NULL,
            job INTEGER NOT NULL,       -- 0: a warm instance of the handler holds it
            attempt INTEGER NOT NULL,   -- which of its runner's instances
            handler TEXT NOT NULL,
            resource TEXT NOT NULL,
            amount INTEGER NOT NULL,
            names TEXT NOT NULL,        -- JSON: which, where they have names
            PRIMARY KEY (job, attempt, runner, handler, resource)) WITHOUT ROWID""",
        # What somebody would begin if it were free: whoever keeps it without work gives it up.
        """CREATE TABLE wanted (
            resource TEXT NOT NULL, handler TEXT NOT NULL, at REAL NOT NULL,
            PRIMARY KEY (resource, handler)) WITHOUT ROWID""",
        "DROP TRIGGER class_joined",
        joined.replace("AND new.lane = 'batch'", "AND new.lane = 'batch' AND new.needs IS NULL", 1),
    ):
        db.conn.execute(statement)


def found_again(db: "Database") -> None:
    """What ended, of one handler or before some instant, is found in the index alone; so is what waits for its next
    try, of which there may be few among a million."""
    for statement in (
        "DROP INDEX cohort_ended",
        """CREATE INDEX cohort_ended ON cohort (mode, failed, cancelled, finished, handler, accepted)
            WHERE name IS NULL AND queued = 0 AND running = 0 AND finished IS NOT NULL""",
        "CREATE INDEX job_tried_again ON job (ready, cohort) WHERE state = 'queued' AND ready > 0",
    ):
        db.conn.execute(statement)


def hooks(db: "Database") -> None:
    """Who is to be told of what, and what is still to be told; `outbox` makes the triggers that fill it."""
    for statement in (
        """CREATE TABLE hook (
            event TEXT NOT NULL, way TEXT NOT NULL,
            reached REAL NOT NULL,      -- the instant up to which all is dealt with
            PRIMARY KEY (event, way)) WITHOUT ROWID""",
        """CREATE TABLE outbox (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            event TEXT NOT NULL, way TEXT NOT NULL,
            subject NOT NULL,           -- the job, the cohort, the group's name, or the instant
            at REAL NOT NULL,           -- when it happened
            due REAL,                   -- not to be sent before; NULL: given up
            tries INTEGER NOT NULL DEFAULT 0,
            error TEXT,
            UNIQUE (event, way, subject))""",
        "CREATE INDEX outbox_due ON outbox (way, due)",
        "CREATE INDEX outbox_lost ON outbox (at) WHERE due IS NULL",
        "CREATE TABLE notice (submission INTEGER PRIMARY KEY)",  # submitted with --notify
    ):
        db.conn.execute(statement)


def pipes(db: "Database") -> None:
    """Streams of items that never end: what became of each, counted."""
    for statement in (
        """CREATE TABLE pipe (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            name TEXT NOT NULL,         -- the group of the jobs that it sheds
            key TEXT,                   -- by which it goes on; NULL: it does not
            handler TEXT NOT NULL,
            runner INTEGER NOT NULL,
            form TEXT NOT NULL,
            request BLOB NOT NULL,      -- JSON, as a cohort has it: what those jobs ask
            sources BLOB NOT NULL,      -- JSON: what it reads, and where it goes on in each
            since REAL NOT NULL,
            ended REAL,                 -- NULL: it lives, or left a journal
            at REAL NOT NULL,           -- when these figures were true
            taken INTEGER NOT NULL DEFAULT 0,
            answered INTEGER NOT NULL DEFAULT 0,
            failed INTEGER NOT NULL DEFAULT 0,
            shed INTEGER NOT NULL DEFAULT 0,
            handed INTEGER NOT NULL DEFAULT 0, -- how many of those are jobs
            late INTEGER NOT NULL DEFAULT 0,
            bytes INTEGER NOT NULL DEFAULT 0,
            busy REAL NOT NULL DEFAULT 0,
            cost REAL NOT NULL DEFAULT 0,
            rate_in REAL, rate_out REAL, lag50 REAL, lag99 REAL)""",
        "CREATE INDEX pipe_open ON pipe (runner) WHERE ended IS NULL",
        "CREATE INDEX pipe_key ON pipe (key) WHERE key IS NOT NULL",
        "CREATE INDEX pipe_ended ON pipe (ended) WHERE ended IS NOT NULL",
    ):
        db.conn.execute(statement)


STEPS = {  # after the first release's own
    "0002_submissions": submissions,
    "0003_lengths_of_outputs": lengths,
    "0004_environments": environments,
    "0005_suspects": suspects,
    "0006_remarks": remarks,
    "0007_kinds_of_history": kinds,
    "0008_one_tally": tally,
    "0009_promises": promises,
    "0010_views": documented,
    "0011_schedules": schedules,
    "0012_dependencies": dependencies,
    "0013_pauses": pauses,
    "0014_limits": limits,
    "0015_found_again": found_again,
    "0016_hooks": hooks,
    "0017_pipes": pipes,
}
