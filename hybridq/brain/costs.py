"""What jobs of a handler cost, learned from those that were paid: by size, and what some more may cost at most.

Rule: a limit on money reserves the 99th percentile of a sum, by the mean and the spread of the jobs seen, and wider
while these are few. Of a guess ten times as much is reserved, or what the price list allows at most. Pure arithmetic;
money is in the user's own unit, and a price that makes no sense changes nothing.
"""

import math
from collections.abc import Sequence

from msgspec import Struct

from ..job import DEAREST, Held

SURELY = 2.33  # standard deviations: the 99th percentile of a sum
SURPRISE = 10.0  # times what was guessed, as which a job counts of which none is known
TRIAL = 3  # jobs that run at once of a price that none has confirmed
UNLIMITED = 1 << 60  # jobs


class Spending(Struct, frozen=True, kw_only=True):
    """One kind of job. `each` is the mean cost and `spread` the standard deviation of single jobs, as `seen` jobs
    tell: infinity, the cost is fixed; 0, it is a guess, and no job costs more than `most`. Not `proven`:
    none has ended yet, which may tell of another cost."""

    each: float
    spread: float = 0.0
    seen: float = math.inf
    most: float = math.inf
    proven: bool = True

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
        by. So is that of the first few, where a price is set that they may not keep to.
        """
        jobs = self._fitting(money, running)
        return jobs if self.proven else min(jobs, max(0, TRIAL - running))

    def _fitting(self, money: float, running: int) -> int:
        if self.each <= 0.0:  # what cost nothing so far may not always: no more at once than have been seen
            most = UNLIMITED if math.isinf(self.seen) else max(0, max(1, int(self.seen)) - running)
            return most if money >= 0.0 else 0
        enough = money * (1 + 1e-9)
        low, high = 0, int(min(UNLIMITED, enough / self.each + 1)) if enough > 0 else 1
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self.of(middle) <= enough else (low, middle)
        alone = 1 if not running and self.each <= enough else 0
        return max(alone, low - running)


def mean_size(work: Sequence[Held]) -> float:
    """Bytes of input of one of these jobs; 0 where there are none."""
    jobs = sum(each.jobs for each in work)
    return sum(each.jobs * each.size for each in work) / jobs if jobs else 0.0


ENOUGH = 3  # jobs that must be known before they count
COST_MEMORY = 100.0  # jobs over which a learned price fades


class Paid(Struct, frozen=True):
    """Fading sums of what jobs cost by their size: enough for a straight line."""

    n: float = 0.0
    size: float = 0.0
    cost: float = 0.0
    size2: float = 0.0
    cross: float = 0.0
    cost2: float = 0.0


def priced(p: Paid, size: float, cost: float | None) -> Paid:
    """The sums after one more job; what is no sensible price changes nothing."""
    if cost is None or not 0 <= cost <= DEAREST:
        return p
    fade = 1 - 1 / COST_MEMORY
    return Paid(
        p.n * fade + 1,
        p.size * fade + size,
        p.cost * fade + cost,
        p.size2 * fade + size * size,
        p.cross * fade + size * cost,
        p.cost2 * fade + cost * cost,
    )


def priceable(p: Paid) -> bool:
    """Whether enough prices were seen; `n` fades."""
    return p.n >= ENOUGH - 0.5


def cost_by_size(p: Paid, size: float) -> Spending:
    """What jobs of this size cost by those that were paid."""
    variance = p.cost2 / p.n - (p.cost / p.n) ** 2
    return Spending(each=line_price(p, size), spread=math.sqrt(max(0.0, variance)), seen=p.n)


def line_price(p: Paid, size: float) -> float:
    """Least squares of money against size, never below nothing and never falling with size."""
    mean_size, mean_cost = p.size / p.n, p.cost / p.n
    spread = p.size2 / p.n - mean_size**2
    cross = p.cross / p.n - mean_size * mean_cost
    steepest = mean_cost / mean_size if mean_size > 0 else 0.0
    slope = min(max(0.0, cross / spread), steepest) if spread > 1e-9 * (1 + mean_size**2) else 0.0
    return max(0.0, mean_cost + slope * (size - mean_size))
