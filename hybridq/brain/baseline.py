"""What savings are compared with: the same jobs, each streamed by itself as it came.

Rule: a forward run, in the order in which the jobs came: as many at once as there are slots, each for as long as jobs
of its size take streamed, at the prices of the hours into which that runs. What each takes by itself more than in a
batch is told by `trials`. Pure arithmetic.
"""

import heapq
import math
from collections.abc import Iterable

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
