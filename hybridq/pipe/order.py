"""Results in the order of their items, or as they come.

Rule: a line goes out once all lines before it have; what waits for that is counted in bytes.
"""

from collections.abc import Callable
from itertools import repeat
from typing import Any

from .backlog import Chunk

Ready = Callable[[Chunk, int, int], None]  # results of a chunk from a place to another are to go out


class Order:
    """Chunks that are being answered. `ready` hears of what may go out, each item once."""

    def __init__(self, ready: Ready, *, ordered: bool) -> None:
        self._ready, self._ordered = ready, ordered
        self._chunks: dict[int, Chunk] = {}
        self._next = 0
        self.size = 0  # bytes of chunks of which not all went out

    def begin(self, chunk: Chunk) -> None:
        """A chunk was taken from the backlog."""
        self._chunks[chunk.first] = chunk
        self.size += chunk.size

    def advance(self, chunk: Chunk) -> None:
        """Results of this chunk have come."""
        if self._ordered:
            while (head := self._chunks.get(self._next)) is not None and self._emit(head):
                self._next = head.after
        elif chunk.first in self._chunks:
            self._emit(chunk)

    def left(self) -> list[tuple[int, bytes]]:
        """(number, item) of those whose results have not come, in their order."""
        return [
            (chunk.first + place, chunk.items[place])
            for first in sorted(self._chunks)
            for chunk in (self._chunks[first],)
            for place in range(len(chunk.items))
            if chunk.results[place] is None
        ]

    def fill(self, numbers: dict[int, Any]) -> None:
        """These results have come, of whichever chunks."""
        for chunk in list(self._chunks.values()):
            for place in range(len(chunk.items)):
                if (found := numbers.get(chunk.first + place)) is not None:
                    chunk.results[place] = found
            self.advance(chunk)

    def _emit(self, chunk: Chunk) -> bool:
        """Let go out what may of this chunk; True: that was the last of it."""
        results, at, size = chunk.results, chunk.next, len(chunk.results)
        to = at
        while to < size and results[to] is not None:
            to += 1
        if to > at:
            chunk.next = to
            self._ready(chunk, at, to)
            results[at:to] = repeat(_GONE, to - at)
        if to < size:
            return False
        del self._chunks[chunk.first]
        self.size -= chunk.size
        return True


_GONE = ("", b"")
