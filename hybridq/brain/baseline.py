"""What savings are compared with: the same jobs, each streamed by itself as it came, by one runner that never ends.

Rule: a forward run, in the order in which the jobs came: as many at once as there are slots, each for as long as jobs
of its size take streamed, at the prices of the hours into which that runs. A slot is started where it is not up. What
each job takes by itself more than in a batch is told by `trials`. Pure arithmetic.
"""

import heapq
import math
from collections.abc import Iterable
from typing import NamedTuple

SINGLE = 4  # times as many jobs as slots, up to which each takes its own slot


class Came(NamedTuple):
    """A submission: when it came (epoch seconds), its jobs, the seconds that each takes by itself, and whether the
    instances that ran it stay up afterwards."""

    at: float
    jobs: int
    each: float
    keeps: bool = True


class Begun(NamedTuple):
    """When the first job of a submission begins (epoch seconds), and how many instances are started for it."""

    at: float
    starts: int


def begins(came: Iterable[Came], slots: int, start: float = 0.0, idle: float = math.inf) -> list[Begun]:
    """How each of these submissions begins, behind those before it in their order; an instance starts in `start`
    seconds and stays up for `idle` seconds after its last job."""
    run = _Run(max(1, slots), start)
    return [run.take(each, idle if each.keeps else -math.inf) for each in came]


class _Run:
    """The slots: each with when it is free, and until when its instance is up."""

    def __init__(self, slots: int, start: float) -> None:
        self._slots, self._start = slots, start
        self._free = [(-math.inf, -math.inf)] * slots  # what was at work last is last, and is taken first
        self._busy: list[tuple[float, float]] = []  # a heap

    def take(self, came: Came, idle: float) -> Begun:
        while self._busy and self._busy[0][0] <= came.at:
            self._free.append(heapq.heappop(self._busy))
        if came.jobs > SINGLE * self._slots:
            return self._take_all(came, idle)
        first, starts = math.inf, 0
        for _ in range(came.jobs):
            free, up = self._free.pop() if self._free else heapq.heappop(self._busy)
            begin = max(came.at, free)
            starts += begin > up
            first = min(first, begin)
            until = begin + came.each + (begin > up) * self._start
            heapq.heappush(self._busy, (until, until + idle))
        return Begun(first if came.jobs else came.at, starts)

    def _take_all(self, came: Came, idle: float) -> Begun:
        """Of many the slots end at about the same time."""
        at = [max(came.at, free) for free, _ in (*self._free, *self._busy)]
        starts = sum(begin > up for begin, (_, up) in zip(at, (*self._free, *self._busy), strict=True))
        until = (sum(at) + came.jobs * came.each + starts * self._start) / self._slots
        self._free, self._busy = [], [(until, until + idle)] * self._slots
        return Begun(min(at), starts)
