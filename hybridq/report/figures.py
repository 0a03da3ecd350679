"""The figures that a report and a simulation have in common, so that the same word means the same in both."""

import math
from collections.abc import Iterable, Sequence

NEAR = 60.0  # seconds between the promised and the real start that count as kept
LEAST = 1.0  # seconds; an error is taken relative to no less


def rank(ordered: Sequence[float], q: float) -> float | None:
    """The smallest value that a share `q` of them does not exceed."""
    return ordered[max(0, math.ceil(q * len(ordered)) - 1)] if ordered else None


def off(promised: float, real: float) -> float:
    """By how much a time was promised wrong (both in seconds), as a part of the real one."""
    return abs(promised - real) / max(LEAST, real)


def share(kept: Iterable[bool]) -> float | None:
    """Which part of these is true."""
    found = list(kept)
    return sum(found) / len(found) if found else None
