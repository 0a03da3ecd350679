"""What is usual of one job's run time, and what is slow beside it.

Rule: the usual time is the median of what jobs of its handler and size took of late, of commands of those like it
(see `commands`); what nobody knows yet is None.
"""

from ..job import Lane
from .estimate import Estimate

SLOW = 3.0  # times the usual
NOTICED = 1.0  # seconds below which nothing is slow


def usual(estimate: Estimate, lane: Lane, size: float, kind: str = "") -> float | None:
    """Seconds that one job of this kind and so many bytes of input usually takes, without a start; None: unknown."""
    return estimate.of(kind).run_time(lane, size)


def time_limit(
    estimate: Estimate, lane: Lane, size: float, kind: str, factor: float, together: int = 1
) -> float | None:
    """Seconds that one try may take: so many times the usual, `together` with others that share its call, beside a
    start, and at least NOTICED; None: nothing is known yet, so it has no limit."""
    known = usual(estimate, lane, size, kind)
    if known is None:
        return None
    return max(NOTICED, factor * known * together) + (estimate.startup(0.9) or 0.0)


def is_slow(seconds: float, known: float | None) -> bool:
    """Whether so many seconds are slow beside the usual ones."""
    return known is not None and seconds >= NOTICED and seconds > SLOW * known
