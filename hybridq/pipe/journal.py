"""The journal: what a pipe has accepted and not finished, in files beside the queue's.

Rule: an item is in the file before any worker sees it, so that the end of this process loses none; `sync` makes it
survive a power cut. An item leaves it when its line of output was written, or when it is a job. Segments whose items
have all left are removed, the oldest first, so that what later ones say of earlier ones is never missed.
"""

import errno
import os
import struct
from collections import deque
from collections.abc import Iterable, Sequence
from pathlib import Path
from zlib import crc32

from msgspec import Struct

from ..home import Home, open_private

HEAD = struct.Struct("<4sIIQQIQQ")  # kind, checksum and bytes of what follows, first, count, source, inode, offset
DONE = struct.Struct("<Q")
ITEMS, REFUSED, SHED, ENDED = b"item", b"bad\n", b"shed", b"done"
SEGMENT = 8 * 1024 * 1024  # bytes after which another file is begun

sync_file = getattr(os, "fdatasync", os.fsync)


class Place(Struct, frozen=True):
    """Where reading goes on: which source, which file that was (its inode), at which byte."""

    source: int = 0
    inode: int = 0
    offset: int = 0


class _Segment(Struct):
    path: Path
    first: int
    after: int
    left: int = 0  # items that have not left


def folder(home: Home) -> Path:
    """Where the journals are."""
    return home.folder / "pipes"


def segments(home: Home, pipe: int) -> list[Path]:
    """The files of a pipe's journal, in their order."""
    return sorted(folder(home).glob(f"{pipe}-*.journal"))


def mark_file(home: Home, pipe: int) -> Path:
    """Where it stands up to which item all lines went out."""
    return folder(home) / f"{pipe}.done"


class Journal:
    """The journal of one living pipe. Raises OSError where the disk refuses: then nothing was written."""

    def __init__(self, home: Home, pipe: int) -> None:
        folder(home).mkdir(0o700, exist_ok=True)
        self._home, self._pipe = home, pipe
        self._segments: deque[_Segment] = deque()
        self._number = 0
        self._size = 0
        self._file = -1
        self._shed = 0
        self._mark = open_private(mark_file(home, pipe), os.O_RDWR | os.O_CREAT)
        self.told(0)
        self._open(0)

    def accept(self, first: int, items: Sequence[bytes], end: bytes, place: Place) -> None:
        """Write items that were read together."""
        self._write(ITEMS, first, len(items), end.join(items), place)
        self._accepted(len(items))

    def refuse(self, first: int, place: Place) -> None:
        """Write that this one is none, and is not kept."""
        self._write(REFUSED, first, 1, b"", place)
        self._accepted(1)

    def shed(self, first: int, items: int) -> None:
        """Write that these are to be jobs."""
        self._write(SHED, first, items, b"", Place(offset=self._shed))
        self._shed += items

    def told(self, before: int) -> None:
        """The lines of all items before this one went out."""
        os.pwrite(self._mark, DONE.pack(before), 0)

    def told_apart(self, numbers: Sequence[int]) -> None:
        """The lines of these items went out, in whatever order."""
        self._write(ENDED, 0, len(numbers), struct.pack(f"<{len(numbers)}Q", *numbers), Place())

    def leave(self, numbers: Iterable[tuple[int, int]]) -> None:
        """These (first, count) have left: their lines went out, or they are jobs."""
        for first, count in numbers:
            for segment in self._segments:
                both = min(first + count, segment.after) - max(first, segment.first)
                segment.left -= max(0, both)
        while len(self._segments) > 1 and not self._segments[0].left:
            self._segments.popleft().path.unlink(missing_ok=True)

    def sync(self) -> None:
        """Returns when all that was written survives a power cut; for another thread."""
        try:
            sync_file(self._file)
        except OSError as problem:
            if problem.errno != errno.EBADF:  # another file was begun meanwhile, and this one synced before
                raise

    def close(self) -> None:
        """Let go of the files, which stay."""
        os.close(self._file)
        os.close(self._mark)

    def remove(self) -> None:
        """Nothing is left of it."""
        remove(self._home, self._pipe)

    def _accepted(self, items: int) -> None:
        segment = self._segments[-1]
        segment.after += items
        segment.left += items
        if self._size > SEGMENT:
            self._open(segment.after)

    def _open(self, first: int) -> None:
        path = folder(self._home) / f"{self._pipe}-{self._number:08}.journal"
        file = open_private(path, os.O_RDWR | os.O_CREAT | os.O_APPEND)
        if self._file >= 0:
            sync_file(self._file)
            os.close(self._file)
        self._file, self._size = file, 0
        self._number += 1
        self._segments.append(_Segment(path, first, first))

    def _write(self, kind: bytes, first: int, count: int, data: bytes, place: Place) -> None:
        head = HEAD.pack(kind, crc32(data), len(data), first, count, place.source, place.inode, place.offset)
        size = len(head) + len(data)
        try:
            written = os.writev(self._file, (head, data))
            if written < size:
                written += os.write(self._file, (head + data)[written:])
            if written < size:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self._segments[-1].path))
        except OSError:
            os.ftruncate(self._file, self._size)
            raise
        self._size += size


def remove(home: Home, pipe: int) -> None:
    """Take a journal away: the mark last, without which an item would seem to be left."""
    for path in segments(home, pipe):
        path.unlink(missing_ok=True)
    mark_file(home, pipe).unlink(missing_ok=True)
