"""The end of a drain's window (`drain --until`): a job that would probably not end by then is not begun.

Rule: by the 95th percentile, with the start that is due. Of what nothing is known is found out how long it takes: what
was ended with the window, not done, is begun again only where there is half as much time again as it had.
"""

import math
import time
from collections.abc import Sequence

from ..brain.costs import UNLIMITED
from ..job import Lane
from ..outlook import Outlook
from ..queue.claims import Room
from ..queue.holds import terms_of
from ..queue.results import Unended, keep_unended

CUT = "its drain's window ended before it did"
SURE = 0.95
AGAIN = 1.5  # times what a job ran without an end, before it is begun again
MOST = 1 << 16  # jobs that are asked for at once


class Window:
    """`until` is an epoch second, infinity for a runner that stays; so is `since`, when it began."""

    def __init__(self, outlook: Outlook, until: float = math.inf, since: float = 0.0) -> None:
        self.since, self.until = since, until
        self._outlook = outlook
        self._warm: set[str] = set()

    @property
    def ends(self) -> bool:
        """Whether it ever does."""
        return self.until < math.inf

    def longest(self, now: float) -> float | None:
        """Seconds that a job may have run before, not done, to be begun at `now`; None: however long."""
        return max(0.0, self.until - now) / AGAIN if self.ends else None

    def within(self, money: Room, handler: str, lane: Lane, ahead: int = 0) -> Room:
        """What limits on money let begin, as far as there is time for it beside so many jobs `ahead` on an instance."""
        return Within(money, self, self._outlook, handler, lane, ahead) if self.ends else money

    def cut_short(self, unended: Sequence[Unended]) -> None:
        """Keep how long these ran in a window that is over, so that they are not begun in the next like it."""
        if self.ends and unended:
            keep_unended(self._outlook.store, unended, CUT)

    def lets(self, handler: str, lane: Lane, size: float, now: float, ahead: int = 0) -> int:
        """How many jobs with inputs of mean `size` (bytes) end in time on one instance that has so many `ahead`."""
        estimate = self._outlook.estimate(handler)
        if now >= self.until or not self.ends:
            return UNLIMITED if now < self.until else 0
        if lane is Lane.BATCH and estimate.at_once:  # at a provider, where it goes on without us
            return UNLIMITED
        start = 0.0 if handler in self._warm else estimate.startup(SURE) or 0.0

        def fits(jobs: int) -> bool:
            took = estimate.total_time(lane, size, jobs + ahead, SURE)
            return took is None or start + took <= self.until - now

        if lane is Lane.STREAM:
            return UNLIMITED if fits(1) else 0  # each has its own slot
        low, high = 0, 1
        while high <= MOST and fits(high):
            low, high = high, high * 2
        while high - low > 1 and low < MOST:
            middle = (low + high) // 2
            low, high = (middle, high) if fits(middle) else (low, middle)
        return low

    def warm(self, handler: str) -> None:
        """Something of it begins: the next needs no start, where a worker stays."""
        if self._outlook.handler(handler).traits.starts != "each":
            self._warm.add(handler)


class Within:
    """What limits on money let begin and the window has time for, whichever is less."""

    def __init__(self, money: Room, window: Window, outlook: Outlook, handler: str, lane: Lane, ahead: int) -> None:
        self._money, self._window, self._outlook = money, window, outlook
        self._handler, self._lane, self._ahead = handler, lane, ahead
        self._now = time.time()

    def __call__(self, cohort: int) -> int:
        """How many jobs of a cohort may begin now."""
        if not (jobs := self._money(cohort)):
            return 0
        size = terms_of(self._outlook.store, cohort).size
        return min(jobs, self._window.lets(self._handler, self._lane, size, self._now, self._ahead))

    def took(self, cohort: int, jobs: int) -> None:
        """So many of them do."""
        self._money.took(cohort, jobs)
        self._window.warm(self._handler)
        self._ahead += jobs
