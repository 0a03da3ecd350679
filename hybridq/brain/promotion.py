"""When work that a provider's batch holds must be streamed instead, so that its deadline is still made.

Pure: sizes, times and what is known go in, instants and reasons come out.
"""

import math

from ..job import Lane
from ..reason import Reason
from .estimate import Estimate

UNKNOWN_CALL = 60.0  # seconds that one call is thought to take at worst, until three are known
ENDING = 60.0  # seconds that a provider may take to end a batch, at most
ENDLESS = 90000.0  # seconds; an hour beyond the provider's day: what it should have ended itself is ended there
HANDING = 3.0  # seconds from giving a batch up until what it left is streamed, at most: both loops' ticks, and storing
SHARE = 0.1  # of the time until the deadline; a near one cannot wait as long
CAUTION = 0.99  # the quantile of one call
NEXT = 0.9  # the quantile of another batch


def stream_time(estimate: Estimate, jobs: int, size: float, slots: int) -> float:
    """Seconds that it takes to stream so many jobs, the last one at the 99th percentile of a call.

    `slots` calls run at once, as many as the rate limit lets through.
    """
    if jobs <= 0:
        return 0.0
    one = estimate.run_time(Lane.STREAM, size, CAUTION)
    before = estimate.total_time(Lane.STREAM, size, math.ceil(jobs / slots) - 1, CAUTION)
    return (UNKNOWN_CALL if one is None else one) + (
        UNKNOWN_CALL * (math.ceil(jobs / slots) - 1) if before is None else before
    )


def ending_time(since: float, due: float) -> float:
    """Seconds that the provider gets to end a batch that was made at `since` for the deadline `due`."""
    return min(ENDING, max(0.0, SHARE * (due - since))) if math.isfinite(due) else ENDING


def last_moment(since: float, due: float, stream: float, endless: float = ENDLESS) -> float:
    """When a batch that was made at `since` must be taken back, so that what is left makes the deadline `due` streamed
    in `stream` seconds, though the provider never confirms the end; after `endless` seconds in any case."""
    handing = min(HANDING, max(0.0, SHARE * (due - since)))
    return min(since + endless, due - ending_time(since, due) - stream - handing)


def promotion_reason(due: float, now: float, estimate: Estimate, size: float) -> Reason | None:
    """Why a job that came back unfinished is to be streamed; None: another batch can make its deadline."""
    if not math.isfinite(due):
        return None
    again = estimate.run_time(Lane.BATCH, size, NEXT)
    if again is not None and now + again <= due:
        return None
    return Reason("unfinished", due=due, done=None if again is None else now + again)
