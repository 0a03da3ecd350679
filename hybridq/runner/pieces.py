"""The kept input of a session, read from its beginning and cut into pieces, as it arrives.

Rule: what is read is handed on before more is read. Between two pieces it sleeps on a bell.
"""

import asyncio
import contextlib
import os
from collections.abc import AsyncGenerator, Sequence

from ..home import Home, open_private
from ..job import Cuts, Piece
from ..queue.doorbell import Doorbell
from ..queue.kept import PIECE, kept_path, let_go

LARGEST_PIECE = 64 * 1024  # bytes of a raw one
LONGEST_LINE = 16 * 1024 * 1024  # bytes; a longer line comes in parts
PATIENCE = 1.0  # seconds between two looks at whether who feeds it still lives


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
            over = let_go(file)  # before what is there is read
            while data := os.read(file, LARGEST_PIECE):
                if some := cutter.push(data):
                    yield some
            if not over:
                await _rung(bell)
        if rest := cutter.rest():
            yield rest


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
