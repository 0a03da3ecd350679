"""The three pipes of a child process under asyncio: bounded reading, bounded feeding, both at the same time.

A reader that nobody empties stops reading, so the child waits instead of our memory growing; what is
over its limit is read and counted, never kept. Nothing here blocks, and nothing here raises into the loop.
"""

import asyncio
import fcntl
import os
import sys
import termios
from collections import deque
from collections.abc import Callable
from typing import IO

READ_SIZE = 64 * 1024
HIGH_WATER = 1024 * 1024  # bytes that wait for whoever takes them before reading pauses
DRAIN_BYTES = 4 * HIGH_WATER  # most of a pipe's content that one `drain` reads


class PipeReader:
    """One output of the child. `take` empties it; `limit` is the number of bytes that are ever kept."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, file: IO[bytes], wake: Callable[[], None], limit: int = sys.maxsize
    ) -> None:
        self.ended = False
        self.dropped = 0
        self._left = limit
        self._loop, self._file, self._wake = loop, file, wake
        self._chunks: list[bytes] = []
        self._size = 0
        self._paused = False
        os.set_blocking(file.fileno(), False)
        loop.add_reader(file.fileno(), self._readable)

    def take(self) -> bytes:
        """All that arrived since the last call; reading goes on if it had paused."""
        if not self._size:
            return b""
        data = self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)
        self._clear()
        return data

    def ignore(self) -> None:
        """Keep nothing from now on."""
        self._left = 0
        self._clear()

    def drain(self) -> None:
        """Read what is in the pipe now, whether anybody takes it or not."""
        read = 0
        while not self.ended and read < DRAIN_BYTES and (size := self._read()):
            read += size

    def close(self) -> None:
        """Stop reading; what was kept can still be taken."""
        if not self.ended:
            self.ended = True
            if not self._paused:
                self._loop.remove_reader(self._file.fileno())
            self._file.close()

    def _clear(self) -> None:
        self._chunks, self._size = [], 0
        if self._paused and not self.ended:
            self._paused = False
            self._loop.add_reader(self._file.fileno(), self._readable)

    def _readable(self) -> None:
        kept = self._size
        self._read()
        if self._size >= HIGH_WATER and not self.ended:
            self._paused = True
            self._loop.remove_reader(self._file.fileno())
        if self._size != kept or self.ended:
            self._wake()

    def _read(self) -> int:
        """Read once and return how much there was: 0 when the pipe is empty or at its end."""
        try:
            data = os.read(self._file.fileno(), READ_SIZE)
        except BlockingIOError:
            return 0
        except OSError:
            data = b""
        if data:
            self._keep(data)
        else:
            self.close()
        return len(data)

    def _keep(self, data: bytes) -> None:
        kept = data[: self._left]
        self.dropped += len(data) - len(kept)
        if kept:
            self._left -= len(kept)
            self._chunks.append(kept)
            self._size += len(kept)


class PipeWriter:
    """The child's input. `feed` never waits; `refused` tells that the child closed its end."""

    def __init__(self, loop: asyncio.AbstractEventLoop, file: IO[bytes], wake: Callable[[], None]) -> None:
        self.refused = False
        self.closed = False
        self._loop, self._file, self._wake = loop, file, wake
        self._backlog: deque[memoryview] = deque()
        self._ending = False
        self._left = 0
        self._room = asyncio.Event()
        self._room.set()
        os.set_blocking(file.fileno(), False)
        # A pipe whose reader is gone reports an error, and the loop hands errors to readers.
        loop.add_reader(file.fileno(), self._refuse)

    @property
    def open(self) -> bool:
        """More can be fed, and may be read."""
        return not (self.refused or self.closed or self._ending)

    @property
    def unread(self) -> int:
        """Bytes that were fed and that the child has not read (at least those still on this side)."""
        return self._left if self.closed else sum(map(len, self._backlog)) + self._in_pipe()

    def feed(self, data: bytes) -> None:
        """Write now what the pipe takes and the rest as the child reads."""
        if self.closed or self.refused or not data:
            return
        idle = not self._backlog
        self._backlog.append(memoryview(data))
        if idle:
            self._write()
            if self._backlog and not (self.closed or self.refused):
                self._room.clear()
                self._loop.add_writer(self._file.fileno(), self._write)

    async def room(self) -> None:
        """Returns when all that was fed is in the pipe, or never will be."""
        await self._room.wait()

    def end(self) -> None:
        """Close the child's input once everything is written."""
        self._ending = True
        if not self._backlog:
            self.close()

    def close(self) -> None:
        """Close now. What was not read by now stays `unread`, unless `end` was called: nobody knows then."""
        if not self.closed:
            self._left = 0 if self._ending else self.unread
            self._loop.remove_reader(self._file.fileno())
            self._loop.remove_writer(self._file.fileno())
            self.closed = True
            self._room.set()
            self._file.close()

    def _in_pipe(self) -> int:
        try:
            answer = fcntl.ioctl(self._file.fileno(), termios.FIONREAD, b"\0" * 4)
        except OSError:
            return 0
        return int.from_bytes(answer, sys.byteorder)

    def _write(self) -> None:
        try:
            while self._backlog:
                sent = os.write(self._file.fileno(), self._backlog[0])
                if sent < len(self._backlog[0]):
                    self._backlog[0] = self._backlog[0][sent:]
                else:
                    self._backlog.popleft()
        except BlockingIOError:
            return
        except OSError:
            self._refuse()
            return
        self._loop.remove_writer(self._file.fileno())
        self._room.set()
        if self._ending:
            self.close()

    def _refuse(self) -> None:
        self.refused = True
        self._room.set()
        self._loop.remove_reader(self._file.fileno())
        self._loop.remove_writer(self._file.fileno())
        self._wake()
