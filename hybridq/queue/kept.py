"""The input of a session, kept in a file beside the database as it arrives (read from there by `runner/pieces`).

Rule: the file is the one truth: whoever runs the session reads it from its beginning, be it the first time, again after
a worker's death, or at night. It grows while whoever feeds it holds its lock, which the kernel gives back with that
process; then it is whole.
"""

import contextlib
import fcntl
import os
from pathlib import Path

from ..home import Home, open_private
from .doorbell import ring
from .outputs import PER_FOLDER
from .store import Store

PIECE = "piece"  # the bell of those who read a session's input
_sync = getattr(os, "fdatasync", os.fsync)  # as SQLite does


def kept_path(home: Home, job: int) -> Path:
    """Where the input of this session is."""
    return home.outputs / str(job // PER_FOLDER) / f"{job}.in"


def kept_size(home: Home, job: int) -> int:
    """Bytes of a session's input so far."""
    try:
        return kept_path(home, job).stat().st_size
    except FileNotFoundError:
        return 0


def measured(store: Store, cohort: int, size: int) -> None:
    """A session's input is whole: its job has this size (bytes)."""
    with store.tx() as connection:
        connection.execute("UPDATE cohort SET size = ? WHERE id = ?", (size, cohort))


def let_go(file: int) -> bool:
    """Whether nobody feeds this open file any more."""
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    fcntl.flock(file, fcntl.LOCK_UN)
    return True


class Keeping:
    """Writes one session's input; for one thread. Made before anybody sees the job."""

    def __init__(self, home: Home, job: int) -> None:
        self._home, self.size = home, 0
        path = kept_path(home, job)
        with contextlib.suppress(FileExistsError):
            path.parent.mkdir()
            path.parent.chmod(0o700)  # whatever the umask
        self._file = open_private(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_TRUNC)
        fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def add(self, data: bytes) -> None:
        """More of the input. Raises OSError where the disk refuses it: what it took stays."""
        left = memoryview(data)
        try:
            while left:
                written = os.write(self._file, left)
                self.size += written
                left = left[written:]
        finally:
            ring(self._home, PIECE)

    def sync(self) -> None:
        """Returns when the disk has all that was added. Raises OSError."""
        _sync(self._file)

    def end(self) -> None:
        """Nothing more will come."""
        os.close(self._file)
        ring(self._home, PIECE)
