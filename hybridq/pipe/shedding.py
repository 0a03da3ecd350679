"""Shedding: which items cannot be answered within their time, and how many fit into the next call.

Rule: pure, told the time; a call is as large as the slack of its oldest item allows, by what the last ones took.
"""

from enum import StrEnum

from .backlog import Backlog, Block

WEIGHT = 0.2  # of the latest call in what one is expected to take
MARGIN = 0.8  # of the slack that a call may be expected to use


class Shed(StrEnum):
    """Which items go to the batch lane where not all can be answered in time."""

    NEVER = "never"
    OLDEST = "oldest"
    NEWEST = "newest"


class Shedding:
    """Keeps `within` (seconds from an item's coming to its answer; None: it has time) with calls `at_once`."""

    def __init__(self, within: float | None, which: Shed, at_once: int) -> None:
        self.within, self.which = within, which
        self.closed = False  # nothing may be answered live now
        self._at_once = at_once
        self._each = 0.0  # seconds of an item; 0: not known yet

    @property
    def sheds(self) -> bool:
        """Whether anything is ever shed for want of time."""
        return self.within is not None and self.which is not Shed.NEVER

    def learn(self, items: int, seconds: float) -> None:
        """A call of so many items took so long, without the start of a worker."""
        self._each = _nearer(self._each, seconds / items)

    def fits(self, backlog: Backlog, most: int, now: float) -> int:
        """How many items the next call may have, at least one: the first, of which nothing is known, has one."""
        if not self.sheds or backlog.oldest is None:
            return most
        slack = (backlog.oldest + (self.within or 0.0) - now) * MARGIN
        return max(1, min(most, int(slack / self._each) if self._each else 1))

    def too_late(self, backlog: Backlog, now: float) -> list[Block]:
        """Take out what will not be answered in time any more, and, where the newest are to go, what came too much."""
        if self.closed:
            return backlog.last(backlog.count)
        if not self.sheds or not backlog.blocks:
            return []
        within = self.within or 0.0
        found: list[Block] = []
        if self.which is Shed.NEWEST and self._each:
            fit = int(within * MARGIN / self._each * self._at_once)
            found = backlog.last(backlog.count - max(1, fit))
        return backlog.late(now - within + min(self._each, within / 2)) + found


def _nearer(before: float, latest: float) -> float:
    """Up by degrees, for one call may be slow by chance; down at once by half, for a large one tells more."""
    if not before:
        return latest
    return before + (latest - before) * (WEIGHT if latest > before else 0.5)
