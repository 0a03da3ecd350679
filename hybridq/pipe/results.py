"""Results on their way out: a line for each item, when it came and went, and what the journal hears of it.

Rule: an item leaves the journal after its line went out, never before; one that was shed, when it is a job.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from itertools import repeat
from typing import Any

import msgspec
from msgspec import Struct

from .backlog import Chunk
from .figures import Counting
from .item import SHED, Form, described, encoded, shown
from .journal import Journal
from .outlet import Outlet

quoted = msgspec.json.encode


class Run(Struct, gc=False):
    """Items of which lines are on their way out; `shed`: they stay in the journal until they are jobs."""

    first: int
    count: int
    shed: bool


class Results:
    """What goes out of one pipe. `moved` is called whenever something went, or never will; `within`: seconds after
    which a result is late."""

    def __init__(
        self,
        out: int,
        form: Form,
        counting: Counting,
        journal: Journal | None,
        moved: Callable[[], None],
        *,
        ordered: bool,
        safe: bool,
        within: float | None,
    ) -> None:
        self._form, self._ordered, self._safe, self._within = form, ordered, safe, within
        self._counting, self._journal, self._moved = counting, journal, moved
        self._outlet = Outlet(out, self._wrote, self._refused)
        self._runs: deque[Run] = deque()
        self._out = 0  # lines that went out
        self._epoch = time.time() - time.monotonic()
        self.gone: OSError | None = None  # why nothing goes out any more
        self.ended = asyncio.Event()  # nothing goes out any more

    @property
    def waiting(self) -> int:
        """Bytes that have not gone out."""
        return self._outlet.waiting

    def close(self) -> None:
        """Write no more."""
        self._outlet.close()

    def ready(self, chunk: Chunk, at: int, to: int) -> None:
        """Let these results of a chunk go out, from one place to another."""
        now = time.monotonic()
        results: list[Any] = chunk.results[at:to]
        kinds = {kind for kind, _ in results}
        if self._form is Form.JSON:
            lines = self._described(chunk, at, results, now)
        else:
            form, safe = self._form, self._safe
            lines = [shown(form, value, safe=safe) if kind == "output" else b"" for kind, value in results]
        self._count(chunk, at, to, now, live=SHED not in kinds)
        for first, count, shed in _runs(chunk.first + at, results, kinds):
            self._runs.append(Run(first, count, shed))
        end = self._form.end
        self._outlet.put(end.join(lines) + end)

    def _described(self, chunk: Chunk, at: int, results: list[Any], now: float) -> list[bytes]:
        went, came = self._epoch + now, _came(chunk)
        inputs = chunk.inputs or [_given(self._form, item) for item in chunk.items]
        return [
            described(chunk.first + place + 1, inputs[place], key, value, self._epoch + came(place), went)
            for place, (key, value) in enumerate(results, at)
        ]

    def _count(self, chunk: Chunk, at: int, to: int, now: float, *, live: bool) -> None:
        if not live:
            return
        place = 0
        for came, items in chunk.came:
            both = min(place + items, to) - max(place, at)
            if both > 0:
                self._counting.went(both, now - came, now, self._within)
            place += items

    def _wrote(self, piece: bytes) -> None:
        lines = piece.count(self._form.end)
        gone: list[tuple[int, int]] = []
        left = lines
        while left:
            run = self._runs[0]
            count = min(left, run.count)
            if not run.shed:
                gone.append((run.first, count))
            run.first += count
            run.count -= count
            left -= count
            if not run.count:
                self._runs.popleft()
        self._out += lines
        if self._journal is not None and lines:
            with suppress(OSError):  # a full disk: should we be killed now, these would be answered again, as jobs
                if self._ordered:
                    self._journal.told(self._out)
                else:
                    ended = [number for first, count in gone for number in range(first, first + count)]
                    self._journal.told_apart(ended)
            self._journal.leave(gone)
        self._moved()

    def _refused(self, problem: OSError) -> None:
        self.gone = problem
        self.ended.set()
        self._moved()


def _given(form: Form, item: bytes) -> bytes:
    data = encoded(form, item)
    return data if isinstance(data, bytes) else quoted(item.decode(errors="replace"))


def _came(chunk: Chunk) -> Callable[[int], float]:
    """When each of its items came."""
    each: list[float] = []
    for at, items in chunk.came:
        each += repeat(at, items)
    return each.__getitem__


def _runs(first: int, results: list[Any], kinds: set[str]) -> list[tuple[int, int, bool]]:
    """(first, how many, whether they were shed) of results that follow one another."""
    if SHED not in kinds or len(kinds) == 1:
        return [(first, len(results), SHED in kinds)]
    return [(first + place, 1, kind == SHED) for place, (kind, _) in enumerate(results)]
