"""How often submissions come, by the last ones that came, and which of them will join what is held.

Rule: foreseen when the first of what is held came, and kept to while it waits, and so are the promises.
"""

from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate

from ..job import Held

ARRIVALS = 128  # of the last submissions, by which the next are foreseen
RECENT = 600.0  # seconds within which stream jobs came that tell how busy they keep the instances
KNOWN = 3  # of them must have come before what is held, to be enough


def joining(before: Sequence[float], first: float, accepted: Sequence[float]) -> float:
    """Submissions a second that come to share a flush, as it was foreseen at `first`, when the first of it was held.

    `before` are the last that came until then, `accepted` the last of all. Where too few came before, it is by all
    that came until the last of them, and so changes only as another joins.
    """
    return coming(before, first) if len(before) >= KNOWN else coming(accepted, max(accepted, default=first))


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
