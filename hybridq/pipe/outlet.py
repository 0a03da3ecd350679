"""The outlet: lines on their way to whoever reads them, who may be slow or gone.

Rule: it never blocks its process: at most so much is written at once as a pipe that has room takes. Raises
BrokenPipeError once the reader is gone.
"""

import asyncio
import os
import select
from collections import deque
from collections.abc import Callable

PIECE = select.PIPE_BUF  # bytes that a pipe takes whole where it takes any


class Outlet:
    """Writes to a file that is open already. `wrote` hears of each piece that went out."""

    def __init__(self, file: int, wrote: Callable[[bytes], None], failed: Callable[[OSError], None]) -> None:
        self._file, self._wrote, self._failed = file, wrote, failed
        self._parts: deque[memoryview] = deque()
        self.waiting = 0  # bytes
        self._listening = False
        self._poll = select.poll()
        self._poll.register(file, select.POLLOUT)

    def put(self, data: bytes) -> None:
        """Write, now or when there is room."""
        if data:
            self._parts.append(memoryview(data))
            self.waiting += len(data)
            if not self._listening:
                self._write()

    def close(self) -> None:
        """What has not gone out never will."""
        self._parts.clear()
        self._listen(False)

    def _write(self) -> None:
        try:
            while self._parts and self._poll.poll(0):
                part = self._parts[0]
                size = os.write(self._file, part[:PIECE])
                self._wrote(bytes(part[:size]))
                self.waiting -= size
                if size == len(part):
                    self._parts.popleft()
                else:
                    self._parts[0] = part[size:]
        except OSError as problem:
            self.close()
            self._failed(problem)
            return
        self._listen(bool(self._parts))

    def _listen(self, on: bool) -> None:
        if on is self._listening:
            return
        self._listening = on
        loop = asyncio.get_running_loop()
        if on:
            loop.add_writer(self._file, self._write)
        else:
            loop.remove_writer(self._file)
