"""Why a limit on money keeps jobs from beginning, asked at the very instant, whether anybody runs the queue or not.

Rule: reads only. Where a runner is at work it has said the same in the store, and its word counts for views.
"""

from ..job import Lane, Mode
from ..outlook import Outlook
from ..queue.cohorts import Cohort
from ..queue.holds import withheld
from ..queue.runner import daemon_of
from ..reason import Reason


def why_withheld(outlook: Outlook, of: Cohort, now: float) -> Reason | None:
    """Why nothing of these jobs may begin at `now`; None where no limit keeps them."""
    told = withheld(outlook.store, (of.id,)).get(of.id)  # a key that it lacks, a pause: only it can tell of these
    if told is not None and daemon_of(outlook.store):
        return told
    if of.request.max_cost is None and not has_budget(outlook, of.handler):
        return None
    from .limits import Budget  # with it comes zoneinfo: 8 ms that few submissions need

    return Budget(outlook).limits(of.id, of.handler, of.lane, now).why


def would_be_withheld(outlook: Outlook, handler: str, mode: Mode, size: float, now: float) -> Reason | None:
    """The same for jobs with inputs of mean `size` (bytes) that are not submitted yet, by their handler's daily
    budget."""
    if not has_budget(outlook, handler):
        return None
    from .limits import Budget

    lane = Lane.BATCH if mode is Mode.BATCH else Lane.STREAM
    return Budget(outlook).of_handler(handler, lane, now, size=size, draft=mode is Mode.ADAPTIVE).why


def has_budget(outlook: Outlook, handler: str) -> bool:
    """Whether a handler has a daily budget."""
    found = outlook.config.handlers.get(handler)
    return found is not None and found.daily_budget is not None
