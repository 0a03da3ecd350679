"""The price of running at an instant, as the plan sees it: the tariff averaged over a run, and the load.

Steps reach back to the oldest job, for what has been let pass, and forward as far as anything is planned.
A load above `load_free` makes the present dearer until the oldest job has waited SETTLE seconds: a load that
never ends holds nothing for longer.
"""

from bisect import bisect_left, bisect_right
from itertools import accumulate, pairwise

from ..config.values import PolicyConfig
from .conditions import Conditions

PAST = 7 * 86400.0  # seconds back that prices are remembered
AHEAD = 14 * 86400.0  # seconds ahead that prices are planned with
SETTLE = 900.0  # seconds after which a load is thought to be over
DEAD_BAND = 0.1  # load per core around `load_free` within which nothing changes


class PriceSteps:
    """A step function of time, with its integral, so that a mean costs two look-ups."""

    def __init__(self, conditions: Conditions, oldest: float, until: float, *, load: bool = True) -> None:
        """`oldest` and `until` (epoch seconds) bound what will be asked; outside, the end steps go on.

        `load`: whether the load counts. It does not where nobody knows what it would make dearer.
        """
        self.now = conditions.now
        start = max(min(oldest, self.now), self.now - PAST)
        end = min(max(until, self.now), self.now + AHEAD)
        steps = [(start, conditions.tariff.factor(start)), *conditions.tariff.changes(start, end)]
        self._at = [at for at, _ in steps]
        self._factors = [factor for _, factor in steps]
        spans = pairwise(steps)
        self._sums = [0.0, *accumulate(f * (after - at) for (at, f), (after, _) in spans)]
        self.settled = oldest + SETTLE  # when the load no longer counts
        counts = load and self.settled > self.now
        self.surcharge, self.loaded = _surcharge(conditions) if counts else (1.0, False)
        self._lows = _lows(self._factors[: bisect_right(self._at, self.now)])

    def tariff(self, at: float) -> float:
        """The tariff's factor at an instant, without load."""
        return self._factors[self._step(at)]

    def over(self, at: float, seconds: float) -> float:
        """The mean factor of a run of so many seconds that starts at `at`, load included."""
        plain = self.paid(at, seconds)
        return plain * self.surcharge if at < self.settled else plain

    def paid(self, at: float, seconds: float) -> float:
        """The same without the load: what is really paid."""
        if self._step(at + seconds) > self._step(at):  # else exactly one factor: a quotient of sums would only be near
            return (self._sum(at + seconds) - self._sum(at)) / seconds
        return self.tariff(at)

    def lowest_since(self, since: float) -> float:
        """The lowest factor that held at any instant from `since` to now."""
        return self._lows[min(len(self._lows) - 1, max(0, bisect_right(self._at, since) - 1))]

    def lowest_ahead(self) -> float:
        """The lowest factor of now and all that is planned with."""
        return min(self._factors[bisect_right(self._at, self.now) - 1 :])

    def turns(self, seconds: float) -> list[float]:
        """Where the mean price of a run of so many seconds has its least values ahead.

        That mean is piecewise linear in the start; it turns upwards only at the start of a cheaper price and
        where the run would end with a dearer one (a second before, for a run that takes no time).
        """
        found = []
        for i in range(bisect_right(self._at, self.now), len(self._at)):
            at = self._at[i] if self._factors[i] < self._factors[i - 1] else self._end(i, seconds)
            if at > self.now:
                found.append(at)
        if self.surcharge > 1:
            found.append(self.settled)
        return found

    def _end(self, i: int, seconds: float) -> float:
        """The last good start before step `i`, a rise: not before the cheap step, if it was no cheaper before."""
        at = self._at[i] - max(1.0, seconds)
        no_gain = i > 1 and self._factors[i - 2] >= self._factors[i]
        return max(at, self._at[i - 1]) if no_gain else at

    def rise_within(self, at: float, seconds: float) -> float | None:
        """The first instant of a dearer price strictly inside a run of so many seconds from `at`, or None."""
        for i in range(bisect_right(self._at, at), bisect_left(self._at, at + seconds)):
            if self._factors[i] > self._factors[i - 1]:
                return self._at[i]
        return None

    def cheaper_after(self, at: float) -> float | None:
        """The first instant after `at` of a price lower than the one at `at`, or None."""
        price = self.tariff(at)
        later = range(bisect_right(self._at, at), len(self._at))
        return next((self._at[i] for i in later if self._factors[i] < price), None)

    def next_change(self) -> float | None:
        """The next instant at which the tariff changes, or None."""
        i = bisect_right(self._at, self.now)
        return self._at[i] if i < len(self._at) else None

    def _step(self, at: float) -> int:
        return max(0, bisect_right(self._at, at) - 1)

    def _sum(self, at: float) -> float:
        i = self._step(at)
        return self._sums[i] + self._factors[i] * (at - self._at[i])


def _lows(factors: list[float]) -> list[float]:
    return list(accumulate(reversed(factors), min))[::-1]


def on_edge(load: float, policy: PolicyConfig) -> bool:
    """Whether a load (per core) is priced in or not, as it was by the last plan: nothing else asks for that."""
    return policy.load_free - DEAD_BAND < load <= policy.load_free + DEAD_BAND


def _surcharge(conditions: Conditions) -> tuple[float, bool]:
    """What the load multiplies the price by, and whether it does; the dead band keeps it from fluttering."""
    free = conditions.policy.load_free
    edge = free - DEAD_BAND if conditions.loaded else free + DEAD_BAND
    if conditions.load <= edge:
        return 1.0, False
    return 1 + conditions.policy.load_weight * max(0.0, conditions.load - free), True
