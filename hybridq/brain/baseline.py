"""What savings are compared with: the same jobs, each streamed by itself as it came.

Rule: a forward run, in the order in which the jobs came: as many at once as there are slots, each for as long as jobs
of its size take streamed, at the prices of the hours into which that runs. What took as long in both lanes, as far as
chance can tell, is said to have saved no time; what took longer in a batch has lost some. Pure arithmetic.
"""

import heapq
import math
from collections.abc import Iterable, Sequence

from .curve import median

SURELY = 2.58  # standard errors: one comparison in a hundred is wrong by chance
ALIKE = math.log(1.25)  # between the sizes of jobs that would take alike
TELLS = 5  # jobs of each lane below which no difference can be told from chance
SINGLE = 4  # times as many jobs as slots, up to which each takes its own slot
Came = tuple[float, int, float]
"""A submission: when it came (epoch seconds), its jobs, and the seconds that each takes by itself."""


def begins(came: Iterable[Came], slots: int) -> list[float]:
    """When (epoch seconds) the first job of each of these submissions begins, behind those before it in their order."""
    free, found = [-math.inf] * max(1, slots), []
    for at, jobs, each in came:
        found.append(max(at, free[0]))
        if jobs > SINGLE * len(free):
            # Of many the slots end at about the same time.
            until = (sum(max(at, slot) for slot in free) + jobs * each) / len(free)
            free = [until] * len(free)
            continue
        for _ in range(jobs):
            heapq.heapreplace(free, max(at, free[0]) + each)
    return found


def told_apart(
    sizes: Sequence[float], times: Sequence[float], other_sizes: Sequence[float], other_times: Sequence[float]
) -> float | None:
    """How many times as long some jobs took as others of the same size (all as logarithms), the usual size of the
    first: 1 where chance alone would tell them apart as well. None: too few to tell."""
    usual = median(sizes) if sizes else 0.0
    some = [t for s, t in zip(sizes, times, strict=True) if abs(s - usual) <= ALIKE]
    return _ratio(some, [t for s, t in zip(other_sizes, other_times, strict=True) if abs(s - usual) <= ALIKE])


def _ratio(some: Sequence[float], others: Sequence[float]) -> float | None:
    """By the rank-sum test (Mann and Whitney 1947), which asks nothing of how times are spread."""
    n, m = len(some), len(others)
    if min(n, m) < TELLS:
        return None
    ordered = sorted((*some, *others))
    first, count = dict[float, int](), dict[float, int]()
    for rank, value in enumerate(ordered, 1):
        first.setdefault(value, rank)
        count[value] = count.get(value, 0) + 1
    ranks = sum(first[value] + (count[value] - 1) / 2 for value in some)
    error = math.sqrt(n * m * (n + m + 1) / 12)
    if abs(ranks - n * (n + m + 1) / 2) < SURELY * error:
        return 1.0
    return math.exp(median(some) - median(others))
