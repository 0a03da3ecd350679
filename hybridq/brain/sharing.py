"""How long held jobs wait for others to share a start with, where nothing else says when to flush.

Rule: by regret. Waiting has been worth it until it has cost theta F, where F is the start, or the call, that those to
come would share. Where it is known how much comes, its waiting is foreseen: the first job that is held sets the
instant, and those that join do not move it, so that it can be promised.

With a flat price and nothing foreseen this is the acknowledgement rule of Dooly, Goldman and Scott (STOC 1998). With a
rate of arrivals, waiting costs rate x t + growth x t^2 / 2 by then; `_until` solves that for t.
"""

import math

from ..job import Flush
from .conditions import Conditions
from .work import HeldWork

# Starts that waiting may cost at most before a flush is brought forward because more came than foreseen. Of 1, 2, 4 and
# 8, at 8 most begin when it was said (rush hours: 84, 69, 98 and 99.9 %), and it costs no more.
PATIENCE = 8.0
SURE = 3  # submissions that must have joined until their rate counts as much as that of those before


class Company:
    """Who will join the held work of one handler, and until when it is worth waiting for them."""

    def __init__(self, work: HeldWork, conditions: Conditions) -> None:
        self.work, self.conditions = work, conditions

    def worth(self, members: list[int], passed: float) -> float:
        """The instant at which waiting has cost as much as a start is worth; `passed`: what prices let pass cost.

        Where it is known how much comes, its waiting is foreseen and not counted: the first job that is held
        sets the instant, and those that join do not move it, so that it can be promised. Only waiting that costs
        PATIENCE starts, not theta of one, brings it forward.
        """
        work, conditions = self.work, self.conditions
        rate = sum(work.delay[i] for i in members)
        spent = passed + sum(work.waited(i, work.now) for i in members)
        each = conditions.policy.background_delay_cost / 3600
        growth = (conditions.joining or 0.0) * each
        if growth <= 0 or conditions.policy.theta <= 0:
            return work.now + _until(self._start(rate, sum(work.held[i].jobs for i in members)) - spent, rate, 0.0)
        since, alone, jobs = self._first(members)
        timer = self._company(since, alone, jobs, passed)
        seen = (SURE * each + rate - alone) / (SURE * each / growth + work.now - since)
        crowd = PATIENCE * self._start(rate, jobs) / conditions.policy.theta
        return min(timer, work.now + _until(crowd - spent, rate, seen))

    def waits_on(self, flush: Flush) -> bool:
        """Whether a flush that waits for a cheaper price will, once that is there, still wait for those to join."""
        work, tariff = self.work, self.conditions.tariff
        if not self.conditions.joining or not work.known or tariff.factor(flush.at) >= tariff.factor(work.now):
            return False
        keys = set(flush.keys)
        first = self._first([i for i, h in enumerate(work.held) if h.key in keys])
        return self._company(*first, 0.0) > flush.at

    def _first(self, members: list[int]) -> tuple[float, float, float]:
        """When the first of these came, the money a second that its waiting costs, and its jobs."""
        i = min(members, key=lambda i: self.work.held[i].since)
        first = self.work.held[i]
        return first.since, self.work.delay[i] / first.cohorts, first.jobs / first.cohorts

    def _company(self, since: float, alone: float, jobs: float, passed: float) -> float:
        """Until when one of so many jobs that came at `since`, its waiting at `alone` money a second, waits for those
        foreseen."""
        growth = (self.conditions.joining or 0.0) * self.conditions.policy.background_delay_cost / 3600
        return since + _until(self._start(alone, jobs) - passed, alone, growth)

    def _start(self, rate: float, jobs: float) -> float:
        """Money that so many jobs may wait for others, at `rate` money a second: theta F, as far as any are to come.

        Where less than one more submission is to be expected in the time that theta F buys, it buys that much less.
        """
        conditions = self.conditions
        start = conditions.policy.theta * self.work.shared(jobs)
        if conditions.joining is None or rate <= 0:
            return start
        return start * min(1.0, conditions.joining * start / rate)


def _until(missing: float, rate: float, growth: float) -> float:
    """Seconds until what waiting costs, `rate` money a second growing by `growth` a second, reaches `missing`."""
    if missing <= 0:
        return 0.0
    if growth <= 0:
        return missing / rate if rate > 0 else math.inf
    return (math.sqrt(rate * rate + 2 * growth * missing) - rate) / growth
