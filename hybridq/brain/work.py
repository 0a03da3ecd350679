"""The held work in numbers: what each class costs, what its waiting costs, and when it must start.

A million jobs come as classes, and of many latest starts a few stand for all: planning takes time by the classes,
and by the square of the instants at which a flush may be planned, of which there are at most a few hundred.
Pure data about one instant.
"""

import math
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from functools import cache
from itertools import pairwise

from ..job import Held, Lane
from .conditions import Conditions, cheaper_name
from .estimate import Estimate
from .price_steps import AHEAD, PriceSteps

STARTS = 64  # latest starts that are planned one by one; of more, those stand for others that are at most
ROUNDING = 1.0 / 12  # of the time left later
SIZES = 256  # classes whose sizes are estimated one by one; more are rounded to a tenth of a logarithm
LATEST = 0.95  # quantile of the run time that a latest start leaves room for
UNKNOWN_ROOM = 0.5  # share of the time to a deadline that is kept for work of which nothing is known,
UNKNOWN_LEAST = 0.25  # and the least of it where that waits for a cheaper price
EAGER = 1e-9  # cost of delay a second, per cost, that only breaks ties towards the earlier instant


class HeldWork:
    """Held classes beside their costs. Lists are parallel to `held`; money at factor 1, times in seconds.

    `known`: what the jobs cost is known; else each costs 1, and waiting nothing. Of a class, `cost` is the money of its
    jobs, `seconds` their run time on one instance, `delay` money a second of its waiting, `pull` the same with what
    breaks ties, `latest` its latest start and `slot` the last of the instants `at`, by number, that is not after it.
    `overhead` is money of one call beside its jobs; `begun`: a flush now pays no start.
    `price` is the mean factor of the whole work begun at each of `at`.
    """

    def __init__(self, held: Sequence[Held], conditions: Conditions) -> None:
        self.held, self.now = held, conditions.now
        self._conditions = conditions
        self.load = conditions.load  # per core
        sizes = _sizes(held)
        cost = cache(lambda size, kind: estimate_of(conditions, kind).cost(Lane.BATCH, size))
        costs = [cost(size, h.kind) for size, h in zip(sizes, held, strict=True)]
        self.known = None not in costs
        self.cost = [h.jobs * (c if c is not None and self.known else 1.0) for h, c in zip(held, costs, strict=True)]
        self.delay = [self._delay(h) for h in held]
        self.fixed = conditions.estimate.fixed_cost() if self.known else 0.0
        self.overhead = conditions.estimate.overhead_cost() if self.known else 0.0
        self.begun = conditions.warm and not conditions.fresh
        self.slots = max(1, conditions.batch_slots)
        self.startup = conditions.estimate.startup() or 0.0
        mean = cache(lambda size, kind: estimate_of(conditions, kind).mean_time(Lane.BATCH, size) or 0.0)
        self._at_once = conditions.estimate.at_once
        share = conditions.estimate.together(Lane.BATCH, sum(h.jobs for h in held) / self.slots)
        self.seconds = [
            (1 if self._at_once else h.jobs * share) * mean(s, h.kind) for h, s in zip(held, sizes, strict=True)
        ]
        self.duration = self.length(range(len(held)))
        behind = [0.0] * len(held) if self._at_once else self.seconds
        self.latest = _latest(held, behind, conditions, sizes)
        self.prices = PriceSteps(conditions, min(h.since for h in held), max(self.latest), load=self.known)
        self.at = self._instants()
        self.price = [self.prices.over(self.begin(at), self.duration) for at in self.at]
        # One flush is longer than the cheapest hours: none of them may pass unused.
        overlong = min(self.price) > self.prices.lowest_ahead() * (1 + 1e-9)
        eager = 0.0 if self.known and not overlong else EAGER
        self.pull = [w + eager * c for w, c in zip(self.delay, self.cost, strict=True)]
        self.slot = [bisect_right(self.at, latest) - 1 for latest in self.latest]

    def waited(self, i: int, until: float) -> float:
        """Money that the waiting of class `i` has cost at `until`."""
        return self.delay[i] * max(0.0, until - self.held[i].since)

    def shared(self, jobs: float) -> float:
        """Money that so many jobs may share with others that join: the start, unless an instance is warm, and what a
        call takes beside its jobs, unless they fill calls of their own."""
        start = 0.0 if self.begun else self.fixed
        return start + (self.overhead if jobs < self._conditions.estimate.overhead.jobs else 0.0)

    def begin(self, at: float) -> float:
        """When a flush at `at` would really start: after the batches that already run."""
        return max(at, self.now + self._conditions.batch_ahead)

    def cheaper(self, at: float) -> str:
        """What the price then is called, where it is lower than now's; else ""."""
        return cheaper_name(self._conditions, at)

    def cheaper_ahead(self) -> float | None:
        """When a lower price than now's begins; None: none is foreseen."""
        tariff = self._conditions.tariff
        changes = tariff.changes(self.now, self.now + AHEAD)
        return next((at for at, factor in changes if factor < tariff.factor(self.now)), None)

    def length(self, members: Iterable[int]) -> float:
        """Seconds that one flush of these classes takes."""
        each = [self.seconds[i] for i in members]
        if self._at_once:
            return max(each, default=0.0)
        seconds = sum(each)
        slots = min(self.slots, max(1, sum(h.jobs for h in self.held)))
        return self.startup + seconds / slots if seconds else 0.0

    @property
    def runs(self) -> int:
        """How many run times are known of the handler, where they do not tell yet what its jobs cost."""
        return self._conditions.estimate.timed()

    def timed(self, members: Iterable[int]) -> bool:
        """Whether that is known of each of these by jobs of its kind, and not by those of others."""
        kinds = {self.held[i].kind for i in members}
        known = (self._conditions.estimate.of(kind, 2).mean_time(Lane.BATCH, 0.0) for kind in kinds)
        return all(each is not None for each in known)

    def _delay(self, held: Held) -> float:
        """Money a second of waiting costs."""
        if not self.known:
            return 0.0
        return delay_of(held, self._conditions) / 3600

    def _instants(self) -> list[float]:
        """Where a flush may be planned: now, the turns of the price, and the latest starts."""
        last = max(self.latest)
        turns = sorted(at for at in self.prices.turns(self.duration) if at <= last)
        return sorted({self.now, *turns, *_firsts(self.latest, self.now, turns)})


def delay_of(held: Held, conditions: Conditions) -> float:
    """Money an hour of their waiting costs. Who asked for a batch is not thought to be in a hurry."""
    calm = conditions.policy.background_delay_cost
    return min(held.delay_cost, calm * held.cohorts) if held.pinned else held.delay_cost


def estimate_of(conditions: Conditions, kind: str) -> Estimate:
    """What is known of a kind of command; while that is nothing, of all of them: a plan needs some figure."""
    found = conditions.estimate.of(kind, 2)
    return conditions.estimate if found.mean_time(Lane.BATCH, 0.0) is None else found


def _latest(held: Sequence[Held], busy: Sequence[float], conditions: Conditions, sizes: Sequence[float]) -> list[float]:
    """The latest start of each class.

    A flush runs the earliest deadline first, so a class waits for those before it; it must be done by its
    deadline at the 95th percentile. Without a deadline it is held for `hold` at most.
    """
    estimate, now, slots = conditions.estimate, conditions.now, max(1, conditions.batch_slots)
    late = cache(lambda size, kind: estimate_of(conditions, kind).run_time(Lane.BATCH, size, LATEST))
    latest, seconds, jobs = [now] * len(held), 0.0, 0
    startup = estimate.startup(LATEST) or 0.0
    margin = cache(lambda size, bits: _margin(estimate, size, bits))
    unknown = cache(lambda: _Unknown(held, conditions))
    for i in sorted(range(len(held)), key=lambda i: held[i].deadline):
        h = held[i]
        one = late(sizes[i], h.kind)
        seconds, jobs = seconds + busy[i], jobs + h.jobs
        if h.deadline == math.inf:
            start = h.since + conditions.policy.hold
        elif one is None:
            start = unknown().latest(h)
        else:
            ahead = seconds * margin(sizes[i], jobs.bit_length()) / slots
            start = h.deadline - startup - conditions.lead - max(one, ahead)
        latest[i] = max(now, start)
    return latest


class _Unknown:
    """The latest starts of work of which nobody knows how long it takes: half of its time is kept for it, or at least a
    quarter where a cheaper price begins later and ends before the deadline."""

    def __init__(self, held: Sequence[Held], conditions: Conditions) -> None:
        now = conditions.now
        last = max((h.deadline for h in held if h.deadline < math.inf), default=now)
        self._steps = [(now, conditions.tariff.factor(now)), *conditions.tariff.changes(now, min(last, now + AHEAD))]

    def latest(self, held: Held) -> float:
        """Of one class, which has a deadline."""
        whole = held.deadline - held.since
        half, least = held.deadline - UNKNOWN_ROOM * whole, held.deadline - UNKNOWN_LEAST * whole
        found = min((factor for at, factor in self._steps if at <= half), default=0.0)
        start = half
        for (at, factor), (ends, after) in pairwise(self._steps):
            if half < at <= least and factor < found and factor < after and ends <= held.deadline:
                found, start = factor, at
        return start


def _margin(estimate: Estimate, size: float, bits: int) -> float:
    """The 95th percentile of the sum of about 2^bits jobs, relative to its mean."""
    jobs = 1 << (bits - 1)
    whole, one = estimate.total_time(Lane.BATCH, size, jobs, LATEST), estimate.mean_time(Lane.BATCH, size)
    return max(1.0, whole / (jobs * one * estimate.together(Lane.BATCH, jobs))) if whole and one else 1.0


def _sizes(held: Sequence[Held]) -> list[float]:
    """The sizes to estimate by: of many classes only as many as differ by a tenth of a logarithm."""
    if len(held) <= SIZES:
        return [h.size for h in held]
    steps = [int(10 * math.log1p(h.size)) for h in held]
    middle = {step: math.expm1((step + 0.5) / 10) for step in set(steps)}
    return [middle[step] for step in steps]


def _firsts(latest: Sequence[float], now: float, turns: Sequence[float]) -> set[float]:
    """The latest starts, or where they are many, the first of those that are near each other.

    Between two turns of the price the first is the one that counts, so it is told exactly.
    """
    exact = set(latest)
    if len(exact) <= STARTS:
        return exact
    firsts: dict[tuple[int, int], float] = {}
    for at in sorted(exact):
        step = math.floor(math.log(max(1.0, at - now), 1 + ROUNDING))
        firsts.setdefault((bisect_right(turns, at), step), at)
    return set(firsts.values())
