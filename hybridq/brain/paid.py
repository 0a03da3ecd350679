"""What jobs of a handler cost by their size, learned from those that were paid: fading sums and a line through them.

Pure arithmetic on plain data; a price that makes no sense changes nothing.
"""

import math

from msgspec import Struct

from ..job import DEAREST
from .spending import Spending

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


def spent(p: Paid, size: float) -> Spending:
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
