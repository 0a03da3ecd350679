"""Answers that a worker spread over several lines, as a JSON library that indents does: put together again.

Rule: only lines that can be parts of one JSON object are kept back, never more than a bound; whatever turns out to be
none comes out as it was, line by line and in its order.
"""

import re
from collections.abc import Sequence

from .lines import BOM, Overlong, is_json

_TEXTS = re.compile(rb'"(?:[^"\\]|\\.)*"')
_JSON = re.compile(rb"[\s{}\[\]:,0-9+\-.eEaflnrstu]*")  # what stands outside of texts


class Spread:
    """Joins lines; at most `limit` bytes are kept back."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._parts: list[bytes] = []
        self._size = self._depth = 0

    @property
    def open(self) -> bool:
        """An object has begun and has not ended."""
        return bool(self._parts)

    def join(self, lines: Sequence[bytes]) -> list[bytes]:
        """These lines, those in the place of several that are one object."""
        if not self._parts and all(line[-1:] in b"}\r" for line in lines):
            return list(lines)  # nearly always: each is whole
        joined: list[bytes] = []
        for line in lines:
            joined += self._take(line)
        return joined

    def rest(self) -> list[bytes]:
        """What was kept back, as it came."""
        parts, self._parts, self._size, self._depth = self._parts, [], 0, 0
        return parts

    def _take(self, line: bytes) -> list[bytes]:
        begins = line.removeprefix(BOM).lstrip()[:1] == b"{"
        if not self._parts and not begins:
            return [line]
        depth = _depth(line)
        whole = begins and not depth and line[:1] == b"{"
        too_much = self._size + len(line) > self._limit
        if depth is None or whole or too_much:  # an answer of its own, or nothing that an object can hold
            return [*self.rest(), line]
        self._parts.append(line)
        self._size += len(line)
        self._depth += depth
        if self._depth > 0:
            return []
        parts = self.rest()
        found = b"\n".join(parts).removeprefix(BOM)
        return [found] if is_json(found) else parts


def _depth(line: bytes) -> int | None:
    """By how many brackets more it opens than it closes; None: this is no part of any JSON."""
    outside = _TEXTS.sub(b"", line.removeprefix(BOM))
    if isinstance(line, Overlong) or not _JSON.fullmatch(outside):
        return None
    return sum(outside.count(each) for each in (b"{", b"[")) - sum(outside.count(each) for each in (b"}", b"]"))
