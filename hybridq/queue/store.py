"""The queue's file: opening it, and the one writing path.

Rule: whatever is written goes through `Store.tx`, which begins IMMEDIATE and commits durably
(WAL, synchronous=FULL) unless whoever waits is told first and `sync` follows, so that what was acknowledged survives a
power cut; a claim need not. Reads are short and hold no transaction open, but for a view's, which belong together.
The verbs stand beside it: `intake`, `claims`, `cancel_retry`, `lists`, `learned`.
"""

import contextlib
import fcntl
import math
import os
import select
import sqlite3
import time
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, Self

from .. import __version__
from ..errors import StorageError
from ..home import Home, holds, open_private
from .restored import copied, recount
from .schema import VERSION, migrate, version
from .sqlite_errors import BUSY, translating

SQLITE = sqlite3.sqlite_version_info
EMPTYING = 0.1  # seconds that writers may be kept off for readers of the old log, to empty it
RESTARTING = 0.005  # ... to have it written over
FIRST_WAIT, LAST_WAIT = 0.0003, 0.004  # seconds between two tries to write
WAL_LIMIT = 16 * 1024 * 1024  # bytes after which the log is copied back into the database
ROWS = 50  # that one statement inserts; more gain nothing
_sync = getattr(os, "fdatasync", os.fsync)  # as SQLite does
_CHECK_EVERY = 32  # transactions between two looks at the log's size


class Store:
    """One connection to one queue. Not for sharing between threads; never carried over a fork."""

    def __init__(self, home: Home, connection: sqlite3.Connection, checkpoints: bool = True) -> None:
        self.home = home
        self._checkpoints = checkpoints
        self.connection = connection
        connection.execute("PRAGMA busy_timeout = 0")  # it is ours to wait: see `_patiently`
        self._file = home.database  # made once: every statement names it when something goes wrong
        self._written = 0

    @classmethod
    def open(cls, home: Home, *, checkpoints: bool = True) -> "Store":
        """Open the queue of `home`, making or migrating it first where needed.

        `checkpoints`: copy the log back now and then, in the midst of writing.

        Raises NotAllowed for an unsafe folder or file, CorruptQueue for a damaged or foreign file, SchemaError
        for one of a newer release, ReadOnly where it may not be written, StorageError when the disk refuses.
        """
        with translating(home.database):
            home.prepare()
            if not holds(home.database):
                _create(home)
            connection = _connect(home.database)
            try:
                if version(connection, str(home.database)) < VERSION or copied(connection):
                    with holding(home):
                        migrate(connection, __version__, recount if copied(connection) else None)
                        connection.execute("PRAGMA journal_mode = WAL")
                        if copied(connection):
                            where = f"SQLite cannot keep its log beside {home.database} (is it on a network disk?)"
                            raise StorageError(f"{where}: set HYBRIDQ_HOME to a folder on a local disk")
            except BaseException:
                connection.close()
                raise
            return cls(home, connection, checkpoints)

    def close(self) -> None:
        """Close the connection; the last one to close leaves a single file behind."""
        self.connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextlib.contextmanager
    def tx(self, *, durable: bool = True) -> Iterator[sqlite3.Connection]:
        """The one writing path: BEGIN IMMEDIATE, then commit whole or roll back whole.

        Inside another `tx` it joins that one, so that verbs can be put together. Not `durable`: a power cut, and
        nothing else, may take it back; `sync` or the next durable commit makes it last.
        """
        connection = self.connection
        if connection.in_transaction:
            yield connection
            return
        with translating(self._file):
            if not durable:
                connection.execute("PRAGMA synchronous = NORMAL")
            try:
                _patiently(connection, "BEGIN IMMEDIATE")
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise
            finally:
                if not durable:
                    connection.execute("PRAGMA synchronous = FULL")
        self._written += 1
        if self._checkpoints and self._written % _CHECK_EVERY == 0:
            self.checkpoint(WAL_LIMIT)

    def sync(self) -> None:
        """Returns when all that was committed survives a power cut. Whoever waits for it can be rung before, and begin
        while the disk writes. Raises StorageError when the disk refuses.
        """
        log = log_file(self.home)
        try:
            descriptor = os.open(log, os.O_RDONLY)
            try:
                _sync(descriptor)
            finally:
                os.close(descriptor)
        except OSError as error:
            what = f"the disk did not confirm the last write: {error.strerror} ({log})"
            raise StorageError(f"{what}. The jobs are in the queue, but a power cut could lose them") from error

    @contextlib.contextmanager
    def still(self) -> Iterator[None]:
        """Whatever others write meanwhile, what is read within shows the queue at one instant. Nothing is written."""
        if self.connection.in_transaction:
            yield
            return
        with translating(self._file):
            self.connection.execute("BEGIN")
            try:
                yield
            finally:
                self.connection.execute("ROLLBACK")

    def rows(self, sql: str, parameters: Any = ()) -> list[tuple[Any, ...]]:
        """Read all rows of one statement at once, so that no read transaction stays open."""
        with translating(self._file):
            return _patiently(self.connection, sql, parameters).fetchall()

    def row(self, sql: str, parameters: Any = ()) -> tuple[Any, ...] | None:
        """The first row of one statement, or None."""
        found = self.rows(sql, parameters)
        return found[0] if found else None

    def changes(self) -> int:
        """A number that changes whenever another connection commits; costs a few microseconds."""
        return int(self.connection.execute("PRAGMA data_version").fetchone()[0])

    def checkpoint(self, above: int = 0, mode: str = "PASSIVE") -> None:
        """Copy the log back into the database once it holds more than `above` bytes.

        PASSIVE goes on beside whoever writes, so that beside a busy writer the log never ends; RESTART keeps
        writers off, and they begin it anew; TRUNCATE empties it, too.

        One process at a time, by a lock: SQLite before 3.51.3 can lose pages when two connections
        checkpoint at once, so no connection of ours does it by itself.
        """
        # What the disk refuses now stays in the log, where it is as safe: what was written is no failure for that.
        with contextlib.suppress(BlockingIOError, sqlite3.OperationalError):
            if log_size(self.home) > above:
                with holding(self.home, "checkpoint.lock", wait=False):
                    self.connection.execute(f"PRAGMA wal_checkpoint({mode})").fetchall()


def insert(connection: sqlite3.Connection, into: str, rows: Sequence[Sequence[Any]]) -> None:
    """Insert rows of one width in their order; `into` is the statement up to VALUES.

    Many rows a statement: a statement of its own for each row takes two to three times as long.
    """
    if not rows:
        return
    marks = f"({', '.join('?' * len(rows[0]))})"
    whole = len(rows) - len(rows) % ROWS
    for many, part in ((ROWS, rows[:whole]), (1, rows[whole:])):
        values, width = list(chain.from_iterable(part)), many * len(rows[0])
        connection.executemany(
            f"{into} VALUES {', '.join([marks] * many)}",
            (values[at : at + width] for at in range(0, len(values), width)),
        )


def log_file(home: Home) -> Path:
    """The log that SQLite writes ahead, where there is one."""
    return home.database.with_name(home.database.name + "-wal")


def log_size(home: Home) -> int:
    """Bytes of the log; 0: there is none."""
    try:
        return log_file(home).stat().st_size
    except FileNotFoundError:
        return 0


def checkpoint_apart(home: Home) -> None:
    """Copy the log back, with a connection of its own, for a thread of its own.

    It is written over then, which takes a disk two thirds of the time that a file takes to grow; what is too long is
    emptied. What the disk refuses now stays in the log, where it is as safe, until the next time.
    """
    with contextlib.suppress(sqlite3.OperationalError), Store(home, _connect(home.database)) as store:
        store.checkpoint()
        # What was written meanwhile is little. A reader in the midst of it is not waited for any longer than this.
        mode, patience = ("TRUNCATE", EMPTYING) if log_size(home) > WAL_LIMIT else ("RESTART", RESTARTING)
        store.connection.execute(f"PRAGMA busy_timeout = {patience * 1000:.0f}")
        store.checkpoint(mode=mode)


def probe_disk(store: Store) -> None:
    """Write something that means nothing. Raises StorageError while the disk refuses."""
    with store.tx() as connection:
        connection.execute("INSERT OR REPLACE INTO meta VALUES ('probe', zeroblob(65536))")
        connection.execute("DELETE FROM meta WHERE name = 'probe'")


def let_others_write() -> None:
    """Between two of many transactions: long enough that whoever waits to write finds the pause."""
    select.select([], [], [], 1.5 * LAST_WAIT)


def _patiently(connection: sqlite3.Connection, sql: str, parameters: Any = ()) -> sqlite3.Cursor:
    """Execute what may find the queue locked, again and again for BUSY seconds at most.

    SQLite's own waits grow to 100 ms: beside a busy writer, whose pauses are a few ms long, a person's
    submit waited for half a second. Short waits of uneven length find the next pause.
    """
    deadline, wait = math.inf, FIRST_WAIT
    while True:
        try:
            return connection.execute(sql, parameters)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
        deadline = min(deadline, time.monotonic() + BUSY)
        from random import uniform  # few ever wait

        select.select([], [], [], wait * uniform(0.5, 1.5))  # noqa: S311 - no secret
        wait = min(LAST_WAIT, wait * 1.5)


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=BUSY, isolation_level=None)
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA wal_autocheckpoint = 0")
    connection.execute("PRAGMA cache_size = -16000")
    return connection


def _create(home: Home) -> None:
    """Make the file beside its place and rename it: twenty first starts at once all find it whole."""
    with holding(home):
        if holds(home.database):
            return
        fresh = home.database.with_name(home.database.name + ".new")
        fresh.unlink(missing_ok=True)
        os.close(open_private(fresh, os.O_RDWR | os.O_CREAT | os.O_EXCL))
        connection = _connect(fresh)
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            migrate(connection, __version__)
        finally:
            connection.close()
        fresh.rename(home.database)
        folder = os.open(home.folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


@contextlib.contextmanager
def holding(home: Home, name: str = "schema.lock", *, wait: bool = True) -> Iterator[None]:
    """A lock of this queue while the context lasts. Not `wait`: raises BlockingIOError where another has it."""
    descriptor = open_private(home.folder / name, os.O_RDWR | os.O_CREAT)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        yield
    finally:
        os.close(descriptor)
