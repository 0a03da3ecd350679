"""What a pipe counts, and the lags of the last minute as a histogram of few bins.

Rule: counting costs nothing that grows with the items; a lag is told within a tenth of what it was.
"""

import math
from collections import deque

from msgspec.structs import replace

from ..queue.pipes import Figures

MINUTE = 60.0
STEP = 1.1  # between two bins
FINEST = 1e-5  # seconds
BINS = 180  # up to about five minutes
_SCALE = 1 / math.log(STEP)


class Counting:
    """The figures so far, and seconds of the last minute. Times are monotonic."""

    def __init__(self, now: float) -> None:
        self.so_far = Figures()
        self._began = now
        self._second = int(now)
        self._bins: list[int] = [0] * BINS
        self._minute: deque[tuple[int, list[int], int, int]] = deque()  # second, lags, items in, items out
        self._in = self._out = 0

    def came(self, items: int, size: int, now: float) -> None:
        """Items were accepted."""
        self._turn(now)
        self._in += items
        self.so_far.taken += items
        self.so_far.bytes += size

    def went(self, items: int, lag: float, now: float, within: float | None) -> None:
        """Lines of items that came `lag` seconds ago went out."""
        self._turn(now)
        self._out += items
        place = int(math.log(lag / FINEST) * _SCALE) + 1 if lag > FINEST else 0
        self._bins[min(place, BINS - 1)] += items
        if within is not None and lag > within:
            self.so_far.late += items

    def told(self, now: float) -> Figures:
        """All figures as they are now; without items no lag."""
        self._turn(now)
        seconds = min(max(now - self._began, 1e-3), MINUTE)
        seen = [*self._minute, (self._second, self._bins, self._in, self._out)]
        bins = [sum(each) for each in zip(*(lags for _, lags, _, _ in seen), strict=True)]
        return replace(
            self.so_far,
            rate_in=sum(each[2] for each in seen) / seconds,
            rate_out=sum(each[3] for each in seen) / seconds,
            lag50=_quantile(bins, 0.5),
            lag99=_quantile(bins, 0.99),
        )

    def _turn(self, now: float) -> None:
        second = int(now)
        if second == self._second:
            return
        self._minute.append((self._second, self._bins, self._in, self._out))
        self._second, self._bins, self._in, self._out = second, [0] * BINS, 0, 0
        while self._minute and self._minute[0][0] < now - MINUTE:
            self._minute.popleft()


def _quantile(bins: list[int], q: float) -> float | None:
    left = sum(bins) * q
    if not left:
        return None
    for place, items in enumerate(bins):
        left -= items
        if left <= 0:
            return FINEST * STEP**place
    return None
