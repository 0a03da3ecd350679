"""What SQLite and the system refuse, as errors that a user can act on.

Rule: a full disk, a missing right, a busy queue and a damaged file are never taken for each other: each has its own
class, and so its own exit code and advice.
"""

import errno
import os
import sqlite3
from pathlib import Path
from types import TracebackType

from ..errors import CorruptQueue, ReadOnly, StorageError, TryAgain

BUSY = 30.0  # seconds that a writer waits for another; 50 submitters against a busy daemon need far less
_REFUSED = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN)


class translating:  # noqa: N801 - read as a word: with told_apart(database)
    """Turns what SQLite and the system say into errors that a user can act on.

    A class, for every statement passes here: a generator's context takes three times as long.
    """

    __slots__ = ("_database",)

    def __init__(self, database: Path) -> None:
        self._database = database

    def __enter__(self) -> None:
        """Nothing is needed yet."""

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if isinstance(error, sqlite3.OperationalError):
            _refused(error, self._database)
        elif isinstance(error, (sqlite3.IntegrityError, sqlite3.ProgrammingError)):
            return
        elif isinstance(error, sqlite3.DatabaseError):
            raise CorruptQueue(_damaged(error, self._database)) from error
        elif isinstance(error, OSError):
            _system_refused(error, self._database)


def _damaged(error: sqlite3.DatabaseError, database: Path) -> str:
    """What is wrong with the file, and the commands that put a queue in its place."""
    from shlex import quote

    if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_NOTADB:
        away = f"mv {quote(str(database))} {quote(f'{database}.away')}"
        return f"{database} is not a database; it was left untouched. Move it away ({away}); a new one is then created"
    name = database.name
    return (
        f"{database} is damaged ({error}); it was left untouched. Stop what uses it, then save what can be read:"
        f" cd {quote(str(database.parent))} && sqlite3 {name} .dump | sed 's/^ROLLBACK.*/COMMIT;/' | sqlite3 saved.db;"
        f" mkdir damaged && mv {name}* damaged && mv saved.db {name}"
    )


def _refused(error: sqlite3.OperationalError, database: Path) -> None:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in _REFUSED:
        if not may_write(database):
            raise read_only(database, "it is read-only") from error
        raise StorageError(f"not stored: {error} ({database}). Free some space, or check the disk.") from error
    if code == sqlite3.SQLITE_BUSY:
        raise TryAgain(f"{database} was busy for {BUSY:.0f} s; try again") from error


def _system_refused(error: OSError, database: Path) -> None:
    if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
        raise read_only(Path(error.filename or database), str(error.strerror)) from error
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EIO):
        raise StorageError(f"not stored: {error.strerror} ({error.filename or database})") from error


def may_write(database: Path) -> bool:
    """Whether this process has the right to change the file, and to make SQLite's others beside it."""
    return os.access(database.parent, os.W_OK) and (not database.exists() or os.access(database, os.W_OK))


def read_only(path: Path, why: str) -> ReadOnly:
    """The error for what this process may not write."""
    return ReadOnly(
        f"cannot write {path}: {why}. Fix its permissions (ls -ld shows the owner),"
        " or set HYBRIDQ_HOME to another folder"
    )
