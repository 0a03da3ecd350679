"""The input of a session, kept in a file beside the database as it arrives, and read from there piece by piece.

Rule: the file is the one truth: whoever runs the session reads it from its beginning, be it the first time, again after
a worker's death, or at night. It grows while whoever feeds it holds its lock, which the kernel gives back with that
process; then it is whole.
"""

import asyncio
import contextlib
import fcntl
import os
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path

from ..home import Home, open_private
from ..job import Cuts, Piece
from .doorbell import Doorbell, ring
from .outputs import PER_FOLDER
from .store import Store

PIECE = "piece"  # the bell of those who read a session's input
LARGEST_PIECE = 64 * 1024  # bytes of a raw one
LONGEST_LINE = 16 * 1024 * 1024  # bytes; a longer line comes in parts
PATIENCE = 1.0  # seconds between two looks at whether who feeds it still lives
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


async def pieces(home: Home, job: int, cuts: Cuts) -> AsyncGenerator[Sequence[Piece], None]:
    """A session's input from its beginning, as it arrives, until it is whole."""
    with contextlib.ExitStack() as open_:
        bell = open_.enter_context(Doorbell(home, PIECE))
        try:
            file = open_private(kept_path(home, job), os.O_RDONLY)
        except FileNotFoundError:  # its power went before anything was kept
            return
        open_.callback(os.close, file)
        cutter = _Raw() if cuts == "raw" else _Lines()
        over = False
        while not over:
            bell.clear()
            over = _let_go(file)  # before what is there is read
            while data := os.read(file, LARGEST_PIECE):
                if some := cutter.push(data):
                    yield some
            if not over:
                await _rung(bell)
        if rest := cutter.rest():
            yield rest


def _let_go(file: int) -> bool:
    """Whether nobody feeds it any more."""
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    fcntl.flock(file, fcntl.LOCK_UN)
    return True


async def _rung(bell: Doorbell) -> None:
    loop, event = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(bell.fileno(), event.set)
    try:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE):
                await event.wait()
    finally:
        loop.remove_reader(bell.fileno())


class _Raw:
    """Bytes as they come."""

    def push(self, data: bytes) -> list[Piece]:
        return [data]

    def rest(self) -> list[Piece]:
        return []


class _Lines:
    """Lines without their ends; one that is no UTF-8 stays bytes."""

    def __init__(self) -> None:
        self._begun: list[bytes] = []
        self._size = 0

    def push(self, data: bytes) -> list[Piece]:
        first, *lines = data.split(b"\n")
        self._begun.append(first)
        self._size += len(first)
        if not lines:
            return self.rest() if self._size >= LONGEST_LINE else []
        whole = [b"".join(self._begun), *lines[:-1]]
        self._begun, self._size = [lines[-1]], len(lines[-1])
        return [_text(line.removesuffix(b"\r")) for line in whole]

    def rest(self) -> list[Piece]:
        line, self._begun, self._size = b"".join(self._begun), [], 0
        return [_text(line)] if line else []


def _text(line: bytes) -> Piece:
    try:
        return line.decode()
    except UnicodeDecodeError:
        return line
