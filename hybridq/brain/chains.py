"""The exact plan for known work: at which instants to flush, and what of a flush fits into its cheap hours.

Dynamic programming over the candidates, O(m^2): every class goes to the last chosen instant that is not after its
latest start. That loses nothing where waiting is free or costs alike, since then the chosen instants get cheaper one by
one. Of a flush too long for its cheap hours, what may wait and saves more than another start costs waits for the next.
"""

from itertools import accumulate
from typing import NamedTuple

from .work import HeldWork

TIE = 1e-12  # relative; within it two plans cost the same and the later one is chosen


class Chains:
    """The best plans over the instants at which the work may be flushed."""

    def __init__(self, work: HeldWork, fixed: float) -> None:
        """`fixed` is the money that one flush counts for."""
        self._at, self._price = work.at, work.price
        costs, delays = [0.0] * len(work.at), [0.0] * len(work.at)
        for k, c, w in zip(work.slot, work.cost, work.pull, strict=True):
            costs[k] += c
            delays[k] += w
        self._costs, self._delays = [0.0, *accumulate(costs)], [0.0, *accumulate(delays)]
        self.first = min(work.slot)  # nothing may be planned only after this candidate
        self._value, self._next = self._solve(fixed)

    def best(self, low: int) -> tuple[float, int]:
        """The cost of the best plan whose first flush is not before candidate `low`, and that flush."""
        value, first = self._value[low], low
        for a in range(low + 1, self.first + 1):
            if self._value[a] <= value * (1 + TIE):
                value, first = self._value[a], a
        return value, first

    def value(self, first: int) -> float:
        """The cost of the best plan that flushes first at candidate `first`."""
        return self._value[first]

    def chain(self, first: int) -> list[int]:
        """The candidates of the best plan that flushes first at `first`."""
        found, a = [], first
        while a < len(self._at):
            found.append(a)
            a = self._next[a]
        return found

    def _solve(self, fixed: float) -> tuple[list[float], list[int]]:
        m, costs, delays = len(self._at), self._costs, self._delays
        value, after = [0.0] * (m + 1), [m] * m
        for a in range(m - 1, -1, -1):
            price, wait = self._price[a], self._at[a] - self._at[0]
            least, choice = float("inf"), m
            for b in range(a + 1, m + 1):
                total = (costs[b] - costs[a]) * price + (delays[b] - delays[a]) * wait + value[b]
                if total <= least * (1 + TIE):
                    least, choice = total, b
            value[a], after[a] = least + fixed, choice
        return value, after


class Part(NamedTuple):
    """Some jobs of some classes, to be run at one instant: a flush before it has its sentence."""

    rule: str
    at: float
    members: list[int]
    jobs: int


def fit_cheap_hours(work: HeldWork, part: Part) -> list[Part]:
    """The part as it is, or what fits before the price rises and, at a cheaper price, the rest.

    Classes run by their latest start; `work.slots` of their jobs at once.
    """
    rise = work.prices.rise_within(work.begin(part.at), work.length(part.members))
    cheap = None if rise is None else work.prices.cheaper_after(rise)
    if rise is None or cheap is None:
        return [part]
    order = sorted(part.members, key=lambda i: work.latest[i])
    room = (rise - work.begin(part.at) - work.startup) * work.slots
    first, rest, jobs = _cut(work, order, room, cheap)
    if jobs == 0 or not rest:
        return [part]
    left = part.jobs - jobs
    share = dict.fromkeys(rest, 1.0)
    if first[-1] == rest[0]:
        inside = jobs - sum(work.held[i].jobs for i in first[:-1])
        share[rest[0]] = 1 - inside / work.held[rest[0]].jobs
    dear, less = work.prices.tariff(rise), work.prices.tariff(cheap)
    gain = sum(work.cost[i] * portion * (dear - less) for i, portion in share.items())
    wait = sum(work.delay[i] * portion * (cheap - rise) for i, portion in share.items())
    if gain <= work.fixed + wait:
        return [part]
    return [part._replace(members=first, jobs=jobs), Part("plan", cheap, rest, left)]


def _cut(work: HeldWork, order: list[int], room: float, cheap: float) -> tuple[list[int], list[int], int]:
    """The classes that run first, those that wait until `cheap` (one may be in both), and the jobs that run."""
    first: list[int] = []
    jobs = 0
    for place, i in enumerate(order):
        count, need = work.held[i].jobs, work.seconds[i]
        if need > room and work.latest[i] >= cheap:
            fits = int(count * max(0.0, room) / need)
            return ([*first, i] if fits else first), order[place:], jobs + fits
        first, jobs, room = [*first, i], jobs + count, room - need
    return first, [], jobs
