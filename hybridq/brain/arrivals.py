"""How often submissions come, by the last ones that came, and which of them will join what is held.

Rule: foreseen when the first of what is held came, and kept to while it waits, and so are the promises.
"""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from functools import lru_cache
from itertools import accumulate

from ..job import Held

ARRIVALS = 128  # of the last submissions, by which the next are foreseen
RECENT = 600.0  # seconds within which stream jobs came that tell how busy they keep the instances
KNOWN = 3  # of them must have come before what is held, to be enough
TIMERS = 24  # that are tried in hindsight,
RATIO = 1.5  # each so many times as long as the one before


def joining(before: Sequence[float], first: float, accepted: Sequence[float]) -> float:
    """Submissions a second that come to share a flush, as it was foreseen at `first`, when the first of it was held.

    `before` are the last that came until then, `accepted` the last of all. Where too few came before, it is by all
    that came until the last of them, and so changes only as another joins.
    """
    return coming(before, first) if len(before) >= KNOWN else coming(accepted, max(accepted, default=first))


@lru_cache(maxsize=1024)
def best_timer(came: tuple[float, ...], start: float, delay: float) -> float:
    """Seconds that the first of a batch had best waited for others to join it, had those that came (epoch seconds)
    each waited at `delay` money a second and each batch cost a `start`: the best fixed rule in hindsight. 0 where none
    or one came; infinity where waiting is free."""
    if start <= 0:
        return 0.0
    if delay <= 0:
        return math.inf
    if len(came) < 2:
        return 0.0
    waits = [0.0, *(start / delay * RATIO**-step for step in range(TIMERS))]
    return min(waits, key=lambda seconds: _cost_of_each(came, seconds, start, delay))


def _cost_of_each(came: tuple[float, ...], seconds: float, start: float, delay: float) -> float:
    """Money that each of these would cost beside its own run, did the first of each batch wait so many seconds.

    As if those that came would come again and again; what waits for longer than that sees them spread evenly.
    """
    jobs, first = len(came), min(came)
    span = max(1.0, max(came) - first) * jobs / (jobs - 1)
    if seconds >= span:
        joined = jobs / span * seconds
        return (start + delay * seconds * (1 + joined / 2)) / (1 + joined)
    at = [instant - first for instant in sorted(came)]
    at += [instant + span for instant in at]
    sums = [0.0, *accumulate(at)]
    begun, cost = 0, 0.0
    while begun < jobs:
        flush = at[begun] + seconds
        ended = bisect_right(at, flush)
        cost += start + delay * ((ended - begun) * flush - (sums[ended] - sums[begun]))
        begun = ended
    return cost / begun


def coming(accepted: Sequence[float], now: float) -> float:
    """Submissions a second, by the instants (epoch seconds) of the last ones, in any order."""
    if len(accepted) < 2:
        return 0.0
    return (len(accepted) - 1) / max(1.0, now - min(accepted))


class Joiners:
    """Those that will join `work`, `rate` a second: as large as what is held, with as much time when they come.

    Of fewer than KNOWN submissions that cannot be told, and nobody is counted.
    """

    def __init__(self, work: Sequence[Held], rate: float) -> None:
        rows = sorted((each.deadline - each.since, each.jobs) for each in work)
        self._spans = [span for span, _ in rows]
        self._jobs = [0, *accumulate(jobs for _, jobs in rows)]
        known = sum(each.cohorts for each in work)
        self._rate = rate / known if known >= KNOWN else 0.0

    def before(self, deadline: float, now: float, start: float) -> int:
        """Jobs that come from `now` until the flush at `start` and, the earliest deadline first, go before this one."""
        sooner = bisect_left(self._spans, deadline - (now + start) / 2)  # as if all came half-way
        return round(self._rate * max(0.0, start - now) * self._jobs[sooner])
