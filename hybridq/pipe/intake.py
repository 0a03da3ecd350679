"""The intake: pieces of a source become numbered items, in the journal before they are anywhere else.

Rule: reading stops while the pipe holds as much as it may, and while the disk refuses; what was read then waits.
"""

import asyncio
import errno
from collections.abc import Callable
from itertools import groupby
from typing import Any, Protocol

from ..errors import BadData
from ..handlers.worker.lines import LineReader, Overlong
from ..queue.intake import LARGEST_INPUT
from ..visible import visible_line
from .item import Form, begun
from .journal import Place
from .source import pieces

AGAIN = 0.5  # seconds until what the disk refused is tried again


class Taker(Protocol):
    """Who accepts the items."""

    def take(self, items: list[bytes], place: Place) -> None:
        """Accept items that were read together. Raises OSError where the disk refuses: then none of them is."""
        ...

    def refuse(self, reason: str, place: Place) -> None:
        """Count one that cannot be an item. Raises as `take` does."""
        ...

    async def room(self) -> None:
        """Returns when more may be read."""
        ...

    def trouble(self, what: str) -> None:
        """Tell that the disk refuses; "": no more."""
        ...


class Intake:
    """One source of a pipe, its `number`th."""

    def __init__(self, to: Taker, form: Form, number: int, path: str, place: Place, *, follow: bool) -> None:
        self._to, self._form, self._number, self._path = to, form, number, path
        self._pieces = pieces(path, place, follow=follow)
        self._lines = LineReader(LARGEST_INPUT, form.end)
        self._first = True

    async def run(self) -> None:
        """Read to the end. Raises BadData for what cannot be read."""
        inode = offset = 0
        async for data, inode, at in self._pieces:
            if data:
                lines = self._lines.push(data)
                offset = at + len(data) - self._lines.unfinished
            elif at < 0:
                lines, self._lines, offset = [], LineReader(LARGEST_INPUT, self._form.end), 0
            else:
                lines, offset = self._rest(), 0
            if lines:
                await self._take(lines, Place(self._number, inode, offset))
                await self._to.room()
        if lines := self._rest():
            await self._take(lines, Place(self._number, inode, offset + sum(map(len, lines))))

    def _rest(self) -> list[bytes]:
        return [self._lines.rest()] if self._lines.unfinished else []

    async def _take(self, lines: list[bytes], place: Place) -> None:
        if self._first:
            self._first = False
            found = begun(lines[0]) if not isinstance(lines[0], Overlong) else lines[0]
            if isinstance(found, str):
                raise BadData(f"'{visible_line(self._path, 100)}' {found}")
            lines[0] = found
        if self._form is Form.JSON:
            lines = [line for line in lines if isinstance(line, Overlong) or line.strip()]
        if not any(type(line) is Overlong for line in lines):
            await self._surely(self._to.take, lines, place)
            return
        for long, same in groupby(lines, lambda line: type(line) is Overlong):
            if not long:
                await self._surely(self._to.take, list(same), place)
                continue
            for _ in same:
                await self._surely(self._to.refuse, f"longer than {LARGEST_INPUT:,} bytes", place)

    async def _surely(self, accept: Callable[[Any, Place], None], what: Any, place: Place) -> None:
        """Until the disk takes it."""
        told = False
        while True:
            try:
                accept(what, place)
            except OSError as problem:
                if problem.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EFBIG):
                    raise
                self._to.trouble(problem.strerror or "")
                told = True
                await asyncio.sleep(AGAIN)
            else:
                if told:
                    self._to.trouble("")
                return
