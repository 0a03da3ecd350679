"""Sources: where a pipe reads its items, as pieces of bytes, and where it would go on.

Rule: reading waits for nobody but its own writer, and begins only when it is asked for more.
"""

import asyncio
import os
from collections.abc import AsyncGenerator
from contextlib import suppress
from pathlib import Path

from ..errors import BadData
from ..files import Takes, open_file
from ..visible import visible_line
from .journal import Place

READ = 256 * 1024  # bytes
SOON, LATER = 0.002, 0.05  # seconds between two looks at a file that has come to its end
SLOWER = 1.2  # by what they grow
DEV_STDIN = "-"

Piece = tuple[bytes, int, int]
"""Bytes that came, the inode of the file that they are of, and at which byte of it they begin. No bytes: that file is
over, and another begins; with an offset of -1 it was cut, and what it had begun is void."""


def pieces(path: str, place: Place, *, follow: bool) -> AsyncGenerator[Piece, None]:
    """What is read of a file, or of standard input. Raises BadData where it cannot be."""
    if path == DEV_STDIN:
        return _stream(0)
    return _followed(path, place) if follow else _file(path, place)


async def _stream(file: int) -> AsyncGenerator[Piece, None]:
    offset = 0
    inode = os.fstat(file).st_ino
    while data := await _read(file):
        yield data, inode, offset
        offset += len(data)


async def _file(path: str, place: Place) -> AsyncGenerator[Piece, None]:
    try:
        with open_file(path, Takes.PIPES) as opened:
            file, offset = opened.fileno(), 0
            inode = os.fstat(file).st_ino
            if place.inode == inode:
                offset = os.lseek(file, place.offset, os.SEEK_SET)
            while data := await _read(file):
                yield data, inode, offset
                offset += len(data)
    except OSError as problem:
        raise BadData(f"cannot read '{visible_line(path, 100)}': {problem.strerror}") from None


async def _followed(path: str, place: Place) -> AsyncGenerator[Piece, None]:
    """The file of this name, whichever it is: what it holds, what is written to it, and the one that replaces it."""
    where = _renamed(path, place) if place.inode else ""
    pause = SOON
    while True:
        opened = where or path
        try:
            file = os.open(opened, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except FileNotFoundError:
            await asyncio.sleep(LATER)
            continue
        except OSError as problem:
            raise BadData(f"cannot read '{visible_line(path, 100)}': {problem.strerror}") from None
        try:
            inode = os.fstat(file).st_ino
            offset = place.offset if inode == place.inode and place.offset <= os.fstat(file).st_size else 0
            while True:
                if data := os.pread(file, READ, offset):
                    yield data, inode, offset
                    offset += len(data)
                    pause = SOON
                    await asyncio.sleep(0)
                elif os.fstat(file).st_size < offset:
                    offset = 0
                    yield b"", inode, -1
                elif where or _replaced(path, inode):
                    while data := os.pread(file, READ, offset):  # what came before it was replaced
                        yield data, inode, offset
                        offset += len(data)
                    yield b"", inode, 0
                    break
                else:
                    await asyncio.sleep(pause)
                    pause = min(LATER, pause * SLOWER)
        finally:
            os.close(file)
        where, place = "", Place()


def _replaced(path: str, inode: int) -> bool:
    """Whether another file has this name by now; one that is gone is waited for."""
    try:
        return os.stat(path).st_ino != inode
    except FileNotFoundError:
        return False


def _renamed(path: str, place: Place) -> str:
    """By which name the file lies beside this one that was read last; "": it has its own, or is gone."""
    with suppress(OSError):
        if os.stat(path).st_ino == place.inode:
            return ""
    for other in Path(path).absolute().parent.iterdir():
        with suppress(OSError):
            if other.stat().st_ino == place.inode:
                return str(other)
    return ""


async def _read(file: int) -> bytes:
    """The next bytes; none at the end."""
    loop = asyncio.get_running_loop()
    ready = loop.create_future()
    try:
        loop.add_reader(file, _set, ready)
    except PermissionError:  # of a file there is always something, or nothing more
        await asyncio.sleep(0)
    else:
        try:
            await ready
        finally:
            loop.remove_reader(file)
    return os.read(file, READ)


def _set(ready: "asyncio.Future[None]") -> None:
    if not ready.done():
        ready.set_result(None)
