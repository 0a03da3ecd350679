"""Looking at a queue that cannot be written: the disk is full, or the folder or file may only be read.

Rule: what only reads works as long as the file can be read at all, and never waits for room. Nothing is written
here but what SQLite itself copies back from its log.
"""

import gc
import sqlite3
from contextlib import suppress
from typing import Any

from ..errors import ReadOnly, StorageError, TryAgain
from ..home import Home
from .rescue import rescue
from .schema import VERSION, version
from .sqlite_errors import may_write, read_only, translating
from .store import Store, log_size


def open_to_read(home: Home) -> Store:
    """Open the queue for a short look: as always, or where it cannot be written without SQLite's shared index.

    Raises as `Store.open` does. A queue that is not there is made.
    """
    try:
        return Store.open(home, checkpoints=False)
    except StorageError:
        if not home.database.exists():
            raise
    gc.collect()  # the error's frames are a cycle, and as long as they live SQLite keeps what it had locked
    with translating(home.database):
        if may_write(home.database):
            return Store(home, alone(home), checkpoints=False)
        return _Frozen(home)


def rescue_if_writable(store: Store, now: float) -> None:
    """Rescue what dead runners left, unless the disk refuses: who only looks is not kept from it."""
    with suppress(StorageError):
        rescue(store, now)


class _Frozen(Store):
    """Where it may not write it cannot lock either: then the file is read as it stands, which is right as long as
    nobody begins to write. So each answer counts only if nobody has."""

    def __init__(self, home: Home) -> None:
        if log_size(home):
            raise _unread(home)
        self._stamp = home.database.stat()
        super().__init__(home, _checked(home, _connect(home, "ro&immutable=1")), checkpoints=False)

    def rows(self, sql: str, parameters: Any = ()) -> list[tuple[Any, ...]]:
        try:
            return super().rows(sql, parameters)
        finally:
            now = self.home.database.stat()
            if log_size(self.home) or (now.st_mtime_ns, now.st_size) != (self._stamp.st_mtime_ns, self._stamp.st_size):
                raise TryAgain(f"{self.home.database} changed while it was being read; try again")


def alone(home: Home) -> sqlite3.Connection:
    """A connection that needs no file but the database and its log: on a full disk it keeps the index of the log in
    its own memory, and others out meanwhile."""
    connection = _connect(home, "rw")
    connection.execute("PRAGMA locking_mode = EXCLUSIVE")
    return _checked(home, connection)


def _checked(home: Home, connection: sqlite3.Connection) -> sqlite3.Connection:
    """The connection, if the file is of this release."""
    try:
        if version(connection, str(home.database)) < VERSION:
            raise read_only(home.database, "it is from an older release and must be migrated first")
    except BaseException:
        connection.close()
        raise
    return connection


def _connect(home: Home, mode: str) -> sqlite3.Connection:
    return sqlite3.connect(f"{home.database.as_uri()}?mode={mode}", uri=True, isolation_level=None)


def _unread(home: Home) -> ReadOnly:
    return read_only(
        home.database, "another process has written to it without closing it; reading that needs the right to write"
    )
