"""Why a pause or a limit on money keeps jobs from beginning, asked at the very instant, whether anybody runs the queue
or not.

Rule: reads only. Where a daemon or a drain is at work its word counts, which the store has; without any the limits are
asked themselves.
"""

from functools import cached_property
from typing import TYPE_CHECKING

from ..job import Lane, Mode
from ..outlook import Outlook
from ..queue.cohorts import Cohort
from ..queue.holds import withheld
from ..queue.pauses import Pauses, pauses
from ..queue.runner import attended
from ..reason import Reason

if TYPE_CHECKING:
    from .limits import Budget, Opening


def why_withheld(outlook: Outlook, cohort: Cohort, now: float) -> Reason | None:
    """Why nothing of these jobs may begin at `now`; None where no limit keeps them."""
    return WhyHeld(outlook, now).cohort(cohort)


def would_be_withheld(
    outlook: Outlook, handler: str, group: str | None, mode: Mode, size: float, now: float
) -> Reason | None:
    """The same for jobs that are not submitted yet."""
    asked = WhyHeld(outlook, now)
    paused = asked.pauses.of(handler, group)
    return asked.handler(handler, mode, size) if paused is None else paused.reason


class WhyHeld:
    """The answers for one instant: each limit is read once, however many rows are asked for."""

    def __init__(self, outlook: Outlook, now: float) -> None:
        self._outlook, self._now = outlook, now
        self._openings: dict[tuple[str, Lane], Opening] = {}

    def cohort(self, cohort: Cohort) -> Reason | None:
        """Why nothing of a cohort may begin; None where neither a pause nor a limit keeps it."""
        if (paused := self.pauses.of(cohort.handler, cohort.name)) is not None:
            return paused.reason
        told = withheld(self._outlook.store, (cohort.id,)).get(cohort.id)
        if told is not None and self._attended:  # a key that is lacking, a pause: only who runs it can tell of these
            return told
        if cohort.request.max_cost is None and not has_budget(self._outlook, cohort.handler):
            return None
        return self._opening(cohort.handler, cohort.lane).limited(cohort.id).why

    def handler(self, name: str, mode: Mode, size: float) -> Reason | None:
        """Why no jobs of a handler with inputs of mean `size` (bytes) may begin, by its daily budget."""
        if not has_budget(self._outlook, name):
            return None
        lane = Lane.BATCH if mode is Mode.BATCH else Lane.STREAM
        return self._opening(name, lane).of_all(size, draft=mode is Mode.ADAPTIVE).why

    def _opening(self, handler: str, lane: Lane) -> "Opening":
        if (handler, lane) not in self._openings:
            self._openings[handler, lane] = self._budget.opening(handler, lane, self._now)
        return self._openings[handler, lane]

    @cached_property
    def pauses(self) -> Pauses:
        """What is paused."""
        return pauses(self._outlook.store, self._now)

    @cached_property
    def _budget(self) -> "Budget":
        from .limits import Budget  # with it comes zoneinfo: 8 ms that few submissions need

        return Budget(self._outlook)

    @cached_property
    def _attended(self) -> bool:
        return attended(self._outlook.store)


def has_budget(outlook: Outlook, handler: str) -> bool:
    """Whether a handler has a daily budget."""
    found = outlook.config.handlers.get(handler)
    return found is not None and found.daily_budget is not None
