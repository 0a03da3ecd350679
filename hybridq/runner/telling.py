"""What views would show of jobs later than at their submission, kept to be judged: as their flush begins, and half-way
to the end that was promised first.

Rule: some of very many, and never more than a tenth of the time: a score needs no more.
"""

import heapq
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress

from ..errors import HybridqError
from ..job import State
from ..queue import promises
from ..queue.account import FLUSH, HALF
from ..queue.cohorts import Cohort
from ..queue.lists import by_number
from ..status.foresight import Foresight
from ..status.rows import Rows
from .engine import Engine

FRESH = 64  # promises that are taken up in one turn
MOST = 16  # cohorts that are told of in one turn
WAITING = 4096  # that wait for their half time
LEAST = 4.0  # seconds until the promised end, below which nobody looks half-way
REST = 9.0  # of so many times what a turn took


class Telling:
    """Looks, now and then, as somebody who watches would."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._last = promises.last(engine.store)
        self._half: list[tuple[float, int]] = []  # when half of the time has passed, and for which cohort
        self._rested = 0.0

    def turn(self, now: float) -> int:
        """Keep what is shown now of those whose time it is; returns how many."""
        began = time.monotonic()
        if began < self._rested:
            return 0
        self._take_up()
        flushed = [self._engine.flushed.popleft() for _ in range(min(MOST, len(self._engine.flushed)))]
        half = []
        while self._half and self._half[0][0] <= now:
            half.append(heapq.heappop(self._half)[1])
        told: list[promises.Told] = []
        with suppress(HybridqError):  # as of a handler that is no more: no score is worth a runner
            told = [*self._told(flushed, FLUSH, now), *self._told(half[-MOST:], HALF, now)]
        if told:
            promises.keep(self._engine.store, told, now)
        self._rested = time.monotonic() + REST * (time.monotonic() - began)
        return len(told)

    def _take_up(self) -> None:
        for number, cohort, made, finish in promises.since(self._engine.store, self._last, FRESH):
            self._last = number
            if finish - made >= LEAST and len(self._half) < WAITING:
                heapq.heappush(self._half, ((made + finish) / 2, cohort))

    def _told(self, keys: Sequence[int], said: str, now: float) -> Iterator[promises.Told]:
        """What a row of a view says of these; of one in a group of several, what the group's row says."""
        some = [of for of in by_number(self._engine.store, sorted(set(keys))) if _open(of)]
        if not some:
            return
        rows = Rows(self._engine.outlook, Foresight(self._engine.outlook, now)).of(some)
        groups = set()
        for of, row in zip(some, rows, strict=True):
            whole = of.name if sum(row.counts.values()) != of.jobs else None
            if row.eta is None or (whole is not None and whole in groups):
                continue
            groups.add(whole)
            yield promises.Told(
                cohort=of.id, whole=whole, said=said, start=row.start, finish=row.eta, finish90=row.eta90
            )


def _open(of: Cohort) -> bool:
    return bool(of.counts.get(State.QUEUED) or of.counts.get(State.RUNNING))
