"""Looking at a queue that cannot be written: the disk is full, or the folder or file may only be read.

Rule: what only reads works as long as the file can be read at all, and never waits for room. Nothing is written
here but what SQLite itself copies back from its log.
"""

import gc
import sqlite3
from contextlib import suppress

from .errors import ReadOnly, StorageError
from .home import Home
from .queue.rescue import rescue
from .refusals import may_write, read_only, told_apart
from .schema import VERSION, version
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
    with told_apart(home.database):
        return Store(home, _alone(home), checkpoints=False)


def rescue_if_writable(store: Store, now: float) -> None:
    """Rescue what dead runners left, unless the disk refuses: who only looks is not kept from it."""
    with suppress(StorageError):
        rescue(store, now)


def _alone(home: Home) -> sqlite3.Connection:
    """A connection that needs no file but the database and its log.

    On a full disk it keeps the index of the log in its own memory, and others out meanwhile. Where it may not write
    it cannot lock either: then the file is read as it stands, which is right as long as there is no log beside it.
    """
    if may_write(home.database):
        connection = _connect(home, "rw")
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")
    elif log_size(home):
        raise _unread(home)
    else:
        connection = _connect(home, "ro&immutable=1")
    try:
        if version(connection, str(home.database)) < VERSION:
            raise read_only(home.database, "it is of an older release, and has to be migrated first")
    except BaseException:
        connection.close()
        raise
    return connection


def _connect(home: Home, mode: str) -> sqlite3.Connection:
    return sqlite3.connect(f"{home.database.as_uri()}?mode={mode}", uri=True, isolation_level=None)


def _unread(home: Home) -> ReadOnly:
    return read_only(home.database, "somebody has written to it and not closed it, which only who may write can read")
