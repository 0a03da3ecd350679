"""Why a limit on money keeps jobs from beginning, asked at the very instant, whether anybody runs the queue or not.

Rule: reads only. Where a runner is at work it has said the same in the store, and its word counts for views.
"""

from ..job import Lane, Mode
from ..outlook import Outlook
from ..queue.reading import Cohort


def why_withheld(outlook: Outlook, of: Cohort, now: float) -> str:
    """Why nothing of these jobs may begin at `now`; "" where no limit keeps them."""
    if of.request.max_cost is None and not _has_budget(outlook, of.handler):
        return ""
    from ..loops.budget import Budget  # with it comes zoneinfo: 8 ms that few submissions need

    limited = Budget(outlook).limits(of.id, of.handler, of.lane, now)
    return "" if limited.jobs else limited.reason


def would_be_withheld(outlook: Outlook, handler: str, mode: Mode, now: float) -> str:
    """The same for a job that is not submitted yet, by its handler's daily budget."""
    if not _has_budget(outlook, handler):
        return ""
    from ..loops.budget import Budget

    limited = Budget(outlook).of_handler(handler, Lane.BATCH if mode is Mode.BATCH else Lane.STREAM, now)
    return "" if limited.jobs else limited.reason


def _has_budget(outlook: Outlook, handler: str) -> bool:
    found = outlook.config.handlers.get(handler)
    return found is not None and found.daily_budget is not None
