"""How long held jobs wait for others to share a start with, where nothing else says when to flush.

Rule: the first of a batch waits for as long as would have been best for the submissions that came of late, had each
batch cost a start, or the call, that they would have shared (`arrivals.best_timer`). That is known when the first one
is held, and those that join do not move it, so it can be promised. It needs no law by which they come: bursts and an
even trickle each get their own. Only waiting that costs PATIENCE starts, or jobs that fill CROWD calls, bring it
forward. Where nobody knows who comes, a flush waits until that has cost theta F: with theta = 1 within twice the
optimum, and no deterministic rule does better (Dooly, Goldman and Scott, STOC 1998).

Of a handler whose jobs may share calls, and have too seldom to know what that saves (`Estimate.untried`), background
work is held for a few others to find out: at most TRY, as long as would be best did a call cost a whole job, until
TRIES jobs have told that nothing is saved; and never for a person, or past a deadline or a cheaper price.

A price about to be let pass is another matter: what that loses may be PASSED of a start.
"""

import math

from ..job import Flush
from .arrivals import best_timer, coming
from .conditions import Conditions
from .work import HeldWork

PATIENCE = 2.0  # starts; of 1, 2 and 4 the cost is the same within 1 % (`tests.bench.bound`)
CROWD = 8.0  # calls; at 8 of what is held 95 % begins when it was said, at 4 81-89 % (an office, rush hours)
# Seconds that background work is held at most to find out what sharing a call saves: a few times in a handler's life an
# hour keeps nobody waiting. Where it is too short for a few to come, little could be shared.
TRY = 3600.0
AMPLE = 2.0  # times as long as it takes for enough to come in the mean
ROUNDING = 1e-6  # relative
PASSED = 0.25  # of a start: of 1/4, 1/2 and 1 the best on prices by the hour (mean 1.025, 1.026 and 1.031 of the bound)


class Company:
    """Who will join the held work of one handler, and until when it is worth waiting for them."""

    def __init__(self, work: HeldWork, conditions: Conditions) -> None:
        self.work, self.conditions = work, conditions

    def worth(self, members: list[int], passed: float) -> float:
        """The instant at which waiting has cost as much as a start is worth; `passed`: what prices let pass cost."""
        work, known = self.work, self.conditions.joined is not None
        patience, crowd = (PATIENCE, CROWD) if known else (1.0, 1.0)
        start = self._start(sum(work.held[i].jobs for i in members) / crowd)
        if passed >= PASSED * start:
            return work.now
        spent = passed + sum(work.waited(i, work.now) for i in members)
        delay = sum(work.delay[i] for i in members)
        growth = self.conditions.coming * delay / sum(work.held[i].cohorts for i in members) if known else 0.0
        latest = work.now + _until(patience * start - spent, delay, growth)
        return min(latest, self._crowded(members), self._company(members)) if known else latest

    def _crowded(self, members: list[int]) -> float:
        """When those that come as they did will have filled so many calls that nothing is left to be shared."""
        work, coming = self.work, self.conditions.coming
        if work.shared(math.inf) > 0 or not coming:
            return math.inf
        jobs = sum(work.held[i].jobs for i in members)
        each = jobs / sum(work.held[i].cohorts for i in members)
        return work.now + max(0.0, CROWD * self.conditions.estimate.overhead.jobs - jobs) / (coming * each)

    def trial(self, members: list[int]) -> tuple[float, float] | None:
        """Where nobody knows what sharing a call saves: until when these are held at most to find out, and when enough
        others are likely to have joined. None: they are not."""
        work = self.work
        if not self.conditions.estimate.untried or not all(map(self._calm, members)):
            return None
        whole = 2 * (work.slots + 1)
        missing = whole - sum(work.held[i].jobs for i in members)
        if missing <= 0:
            return work.now, work.now
        first = self._first(members)
        rate = coming(self.conditions.joined or (), work.held[first].since)
        most = min(TRY, self._timer(first, self.conditions.policy.theta * work.cost[first] / work.held[first].jobs))
        if rate * most < AMPLE * whole:
            return None
        latest = work.held[first].since + AMPLE * whole / rate  # by nothing that changes while it is held
        return latest, min(latest, work.now + missing / rate)

    def waits_on(self, flush: Flush) -> bool:
        """Whether a flush that waits for a cheaper price will, once that is there, still wait for those to join."""
        work, tariff = self.work, self.conditions.tariff
        if not self.conditions.joining or not work.known or tariff.factor(flush.at) >= tariff.factor(work.now):
            return False
        keys = set(flush.keys)
        return self._company([i for i, h in enumerate(work.held) if h.key in keys]) > flush.at

    def _company(self, members: list[int]) -> float:
        """Until when the first of these that came waits for others."""
        i = self._first(members)
        first = self.work.held[i]
        return first.since + self._timer(i, self._start(first.jobs / first.cohorts))

    def _calm(self, i: int) -> bool:
        """Whether nobody waits for it."""
        held, calm = self.work.held[i], self.conditions.policy.background_delay_cost
        return held.delay_cost <= calm * held.cohorts * (1 + ROUNDING)

    def _first(self, members: list[int]) -> int:
        return min(members, key=lambda i: self.work.held[i].since)

    def _timer(self, i: int, start: float) -> float:
        """Seconds that one submission like these waits for others to share what costs a `start`."""
        alone = self.work.delay[i] / self.work.held[i].cohorts
        return best_timer(self.conditions.joined or (), start, alone)

    def _start(self, jobs: float) -> float:
        """Money that so many jobs may wait for others at most: theta F."""
        return self.conditions.policy.theta * self.work.shared(jobs)


def _until(missing: float, rate: float, growth: float) -> float:
    """Seconds until what waiting costs, `rate` money a second that grows by `growth` each second, reaches `missing`."""
    if missing <= 0:
        return 0.0
    if growth <= 0:
        return missing / rate if rate > 0 else math.inf
    return 2 * missing / (rate + math.sqrt(rate * rate + 2 * growth * missing))
