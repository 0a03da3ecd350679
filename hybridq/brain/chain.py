"""The exact plan for known work: which instants to flush at, by dynamic programming over the candidates.

Every class goes to the last chosen instant that is not after its latest start. That loses nothing where waiting
is free or costs alike, since then the chosen instants get cheaper one by one; O(m^2) in the candidates.
"""

from itertools import accumulate

from .work import Work

TIE = 1e-12  # relative; within it two plans cost the same and the later one is chosen


class Chains:
    """The best plans over the instants at which the work may be flushed."""

    def __init__(self, work: Work, fixed: float) -> None:
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
