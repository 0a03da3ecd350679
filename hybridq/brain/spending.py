"""What some more jobs may cost at most, from what such jobs have cost: how many of them a limit on money has room for.

Rule: reserved is the 99th percentile of their sum, by the mean and the spread of the jobs seen, and wider while these
are few. Of a guess ten times as much is reserved, or what the price list allows at most. Pure arithmetic; money is in
the user's own unit.
"""

import math
from collections.abc import Sequence

from msgspec import Struct

from ..job import Held

SURELY = 2.33  # standard deviations: the 99th percentile of a sum
SURPRISE = 10.0  # times what was guessed, as which a job counts of which none is known
UNLIMITED = 1 << 60  # jobs


class Spending(Struct, frozen=True, kw_only=True):
    """One kind of job. `each` is the mean cost and `spread` the standard deviation of single jobs, as `seen` jobs
    tell: infinity, the cost is fixed; 0, it is a guess, and no job costs more than `most`."""

    each: float
    spread: float = 0.0
    seen: float = math.inf
    most: float = math.inf

    def of(self, jobs: int) -> float:
        """What so many jobs cost at most, but for one time in a hundred."""
        if not self.seen:
            return jobs * max(self.each, min(SURPRISE * self.each, self.most))
        # A few jobs alike say little of the next: they count as if the costs of all were known to a factor of two.
        variance = self.spread**2 + self.each**2 / self.seen
        return jobs * self.each + SURELY * math.sqrt(variance * (jobs + jobs * jobs / self.seen))

    def within(self, money: float, running: int) -> int:
        """How many jobs may begin beside `running` ones of this kind, so that all of them keep within `money`.

        One that is alone may begin if it fits as it usually is: its own surprise is the most that a limit is exceeded
        by.
        """
        if self.each <= 0.0:  # what cost nothing so far may not always: no more at once than have been seen
            most = UNLIMITED if math.isinf(self.seen) else max(0, max(1, int(self.seen)) - running)
            return most if money >= 0.0 else 0
        enough = money * (1 + 1e-9)
        low, high = 0, min(UNLIMITED, int(enough / self.each) + 1) if enough > 0 else 1
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self.of(middle) <= enough else (low, middle)
        alone = 1 if not running and self.each <= enough else 0
        return max(alone, low - running)


def mean_size(work: Sequence[Held]) -> float:
    """Bytes of input of one of these jobs; 0 where there are none."""
    jobs = sum(each.jobs for each in work)
    return sum(each.jobs * each.size for each in work) / jobs if jobs else 0.0
