"""The backlog: items that were accepted and have not been sent yet, in blocks as they were read.

Rule: nothing is kept of a single item but its bytes; when it came is known by its block.
"""

from collections import deque
from typing import Any

from msgspec import Struct

OVERHEAD = 64  # bytes that an item takes beside its own


class Block(Struct, gc=False):
    """Items that were read together, numbered from `first`; `at`: when (monotonic)."""

    first: int
    at: float
    items: list[bytes]
    size: int = 0

    @property
    def after(self) -> int:
        """The number that follows its last item's."""
        return self.first + len(self.items)


class Chunk(Struct):
    """Items of one call, numbered from `first`, and what becomes of each; `came`: (monotonic, items) in their order."""

    first: int
    items: list[bytes]
    came: list[tuple[float, int]]
    size: int
    inputs: list[bytes] = []
    results: list[Any] = []  # (key, JSON) of each, or None
    next: int = 0  # the first of which no line went out yet

    def __post_init__(self) -> None:
        self.results = [None] * len(self.items)

    @property
    def after(self) -> int:
        """The number that follows its last item's."""
        return self.first + len(self.items)


class Backlog:
    """Blocks in their order. `size`: bytes that they hold."""

    def __init__(self) -> None:
        self.blocks: deque[Block] = deque()
        self.count = self.size = 0

    def add(self, block: Block) -> None:
        """Append a block."""
        block.size = sum(map(len, block.items)) + OVERHEAD * len(block.items)
        self.blocks.append(block)
        self.count += len(block.items)
        self.size += block.size

    @property
    def oldest(self) -> float | None:
        """When the first of it came (monotonic); None: it is empty."""
        return self.blocks[0].at if self.blocks else None

    def take(self, most: int, room: int) -> Chunk:
        """The first items that follow one another, at most so many and about so many bytes, and at least one."""
        items: list[bytes] = []
        came: list[tuple[float, int]] = []
        first, size = self.blocks[0].first, 0
        while self.blocks and self.blocks[0].first == first + len(items) and len(items) < most and size < room:
            block = self.blocks[0]
            part = self._cut(block, most - len(items)) if len(block.items) > most - len(items) else block
            if part is block:
                self.blocks.popleft()
            items += part.items
            came.append((part.at, len(part.items)))
            size += part.size
        self._less(len(items), size)
        return Chunk(first, items, came, size)

    def late(self, before: float) -> list[Block]:
        """Take out all that came before an instant (monotonic)."""
        found = []
        while self.blocks and self.blocks[0].at < before:
            found.append(self.blocks.popleft())
            self._less(len(found[-1].items), found[-1].size)
        return found

    def last(self, items: int) -> list[Block]:
        """Take out so many of the latest, in their order."""
        found: list[Block] = []
        while items > 0 and self.blocks:
            block = self.blocks.pop()
            if len(block.items) > items:
                kept = self._cut(block, len(block.items) - items)
                self.blocks.append(kept)
            found.append(block)
            items -= len(block.items)
            self._less(len(block.items), block.size)
        return found[::-1]

    def _cut(self, block: Block, items: int) -> Block:
        """Take the first items of a block out of it."""
        part = Block(block.first, block.at, block.items[:items])
        part.size = sum(map(len, part.items)) + OVERHEAD * items
        block.items = block.items[items:]
        block.first += items
        block.size -= part.size
        return part

    def _less(self, items: int, size: int) -> None:
        self.count -= items
        self.size -= size
