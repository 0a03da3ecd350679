"""A store whose Nth statement fails, as the disk would fail it, or after which Control-C comes."""

import shutil
import sqlite3
from pathlib import Path
from typing import Any

from hybridq.home import Home
from hybridq.queue.store import Store


class Breaking:
    """A connection that fails once: at its Nth statement (`how`: "refused"), or right after that ("interrupted")."""

    def __init__(self, connection: sqlite3.Connection, at: int, how: str) -> None:
        self._connection = connection
        self._left, self._how = at, how
        self.broke = False

    def execute(self, sql: str, *parameters: Any) -> sqlite3.Cursor:
        """As the connection does, until it fails."""
        return self._reached(sql, lambda: self._connection.execute(sql, *parameters))

    def executemany(self, sql: str, *parameters: Any) -> sqlite3.Cursor:
        """As the connection does, until it fails."""
        return self._reached(sql, lambda: self._connection.executemany(sql, *parameters))

    def _reached(self, sql: str, run: Any) -> sqlite3.Cursor:
        if not sql.startswith(("PRAGMA", "ROLLBACK")):
            self._left -= 1
            if not self._left and self._how == "refused":
                self.broke = True
                error = sqlite3.OperationalError("disk I/O error")
                error.sqlite_errorcode = sqlite3.SQLITE_IOERR
                raise error
            if not self._left:
                self.broke = True
                run()
                raise KeyboardInterrupt
        done: sqlite3.Cursor = run()
        return done

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)


def copied(made: Path, folder: Path) -> Home:
    """A copy of a queue that nobody has open."""
    shutil.copytree(made, folder)
    return Home.find({"HYBRIDQ_HOME": str(folder)})


def break_at(store: Store, at: int, how: str) -> Breaking:
    """From now on the Nth statement of this store fails."""
    breaking = Breaking(store.connection, at, how)
    store.connection = breaking  # type: ignore[assignment]
    return breaking
