"""What the answers of one call tell of its jobs' run times.

Rule: answers that come together took their time together, whether they were read at once or one shortly after the
other: each is learned with an even part of it. A new instance's first ones are learned as one, since they share
whatever it loaded first.
"""

from ..brain.curve import mean
from ..brain.estimate import SAMPLE, Observation

FOLLOWS = 0.02  # of the time before the first of those that come together


class Bunches:
    """The answers of one call, in the order in which they came."""

    def __init__(self, jobs: int) -> None:
        """`jobs`: how many the call has."""
        self._jobs = jobs
        self._every = 1 + jobs // SAMPLE
        self._count = 0
        self._lead = self._last = self._busy = 0.0  # seconds: before the first of those together, the last, and all
        self._startup: float | None = None
        self._some: list[tuple[float, float | None]] = []  # size and cost of each

    def hear(self, size: int, busy: float, cost: float | None, startup: float | None) -> list[Observation]:
        """One answer, `busy` seconds after the one before, or an even part of that; `startup`: the first since a start.
        Returns what is known now of those before it."""
        together = self._some and startup is None and (busy == self._last or busy <= FOLLOWS * self._lead)
        told = [] if together else self.told()
        if not together:
            self._lead, self._startup = busy, startup
        self._last = busy
        self._busy += busy
        self._some.append((float(size), cost))
        return told

    def told(self) -> list[Observation]:
        """What the last ones that came together tell."""
        some, self._some = self._some, []
        busy, self._busy = self._busy / max(1, len(some)), 0.0
        if some and self._startup is not None:
            costs = [cost for _, cost in some if cost is not None]
            cost = mean(costs) if costs else None
            size = mean([size for size, _ in some])
            return [Observation(size=size, busy=busy, startup=self._startup, cost=cost, jobs=len(some))]
        first, self._count = -self._count % self._every, self._count + len(some)
        return [
            Observation(size=size, busy=busy, cost=cost, together=self._jobs)
            for size, cost in some[first :: self._every]
        ]
