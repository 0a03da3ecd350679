"""Run time as a function of input size: a straight line in logarithms, with quantiles from what was seen.

Around the line, what jobs really took gives the quantiles (split conformal prediction, Vovk et al. 2005: with
n past jobs exchangeable with the next, their (n+1)q-th smallest residual covers it with probability q,
whatever the distribution). Residuals near the asked size count most. A window whose newest part no longer
fits its older part is a new regime. Pure arithmetic on a window of jobs.
"""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from functools import cache, cached_property
from itertools import accumulate, combinations
from operator import mul
from typing import NamedTuple

TINY = 1e-6  # seconds; shorter is not measurable
SPLITS = (6, 8, 12, 16, 24, 32, 48, 64, 96)  # how many of the newest may be a new regime
SHIFT = 4.0  # standard errors between old and new that make a new regime
SLOPE, SLOPE_WEIGHT = 0.5, 1.0  # run time against size, in logarithms, until sizes differ enough to tell
LIKE = 16  # jobs nearest in size, by which one job is foreseen: of one size times may have nothing of the line
MIXED = 1.0  # logarithmic distance of the jobs by which a sum is foreseen, whose sizes are not all its mean
FAR_WEIGHT = 0.02  # what a residual of any other size counts
PAIRS = 16  # jobs of which every two tell a slope; of more, each tells one
ROOM = math.log(2)  # least that a promise may go beyond what was seen, however odd that was; twice it far away
FAR = math.log(1.5)  # beyond the 90th percentile, where a job is no longer like the others
SPREAD = math.log(1.5)  # least distance from the median to the 90th percentile, shared by the first few jobs
NINETIETH = 1.2816  # the 90th percentile of the standard normal distribution


class LogLine:
    """A straight line in logarithms that a few odd jobs do not turn: medians of slopes and of heights (Theil 1950,
    Sen 1968). Where the sizes say little, the slope stays near SLOPE."""

    def __init__(self, xs: Sequence[float], ys: Sequence[float]) -> None:
        self.n = len(xs)
        self.x = mean(xs)
        self.sxx = sum((x - self.x) ** 2 for x in xs)
        slope = (_slope(xs, ys) * self.sxx + SLOPE_WEIGHT * SLOPE) / (self.sxx + SLOPE_WEIGHT)
        self.slope = max(0.0, min(2.0, slope))
        self.y = median([y - self.slope * (x - self.x) for x, y in zip(xs, ys, strict=True)])

    def at(self, x: float) -> float:
        """The line's height at `x`."""
        return self.y + self.slope * (x - self.x)

    def leverage(self, x: float) -> float:
        """How much of a prediction at `x` rests on that one point: its share of the fit's variance."""
        return float(1 / self.n + (x - self.x) ** 2 / (self.sxx + SLOPE_WEIGHT))


def _left(line: LogLine, xs: Sequence[float], ys: Sequence[float]) -> list[float]:
    """What the line leaves unexplained of each job, had that not drawn the line to itself."""
    found = []
    for x, y in zip(xs, ys, strict=True):
        residual = y - line.at(x)
        alone = residual / math.sqrt(max(0.25, 1 - line.leverage(x)))
        found.append(alone if abs(alone - residual) <= SPREAD else residual + math.copysign(SPREAD, residual))
    return found


def _slope(xs: Sequence[float], ys: Sequence[float]) -> float:
    """The median slope between two jobs; SLOPE where no sizes differ."""
    points, n = sorted(zip(xs, ys, strict=True)), len(xs)
    pairs = combinations(points, 2) if n <= PAIRS else zip(points, points[n // 2 :], strict=False)
    slopes = [(y2 - y1) / (x2 - x1) for (x1, y1), (x2, y2) in pairs if x2 > x1]
    return median(slopes) if slopes else SLOPE


def regime(sizes: Sequence[float], times: Sequence[float]) -> int:
    """How many of the newest jobs belong together: all, or those since run times jumped.

    For each split the residuals of the newest are held against the older by the rank-sum test (Mann and
    Whitney 1947), which asks nothing of the distribution, so that a few odd jobs are no new regime.
    """
    line, n = LogLine(sizes, times), len(sizes)
    residuals = [y - line.at(x) for x, y in zip(sizes, times, strict=True)]
    ranks = [0] * n
    for rank, i in enumerate(sorted(range(n), key=residuals.__getitem__), 1):
        ranks[i] = rank
    best, keep = SHIFT, n
    sums = list(accumulate(reversed(ranks)))
    for new in SPLITS:
        old = n - new
        if old < SPLITS[0]:
            break
        shift = abs(sums[new - 1] - new * (n + 1) / 2) / math.sqrt(new * old * (n + 1) / 12)
        if shift > best:
            best, keep = shift, new
    return keep


class _Nearby(NamedTuple):
    """Running sums of what the residuals count for one size, and what the coming job counts among them."""

    sums: list[float]
    next_one: float


class RunTimes:
    """One lane's run times as a function of size and quantile. Needs one job or more."""

    def __init__(self, sizes: Sequence[float], times: Sequence[float]) -> None:
        """Natural logarithms of size + 1 and, beside them, of seconds."""
        self.line = LogLine(sizes, times)
        self._times = _left(self.line, sizes, times)
        rows = list(zip(self._times, sizes, strict=True))
        rows.sort()
        self._residuals = [residual for residual, _ in rows]
        self._at = [x for _, x in rows]
        # A plan asks for many sizes that are nearly the same, and for several quantiles of each.
        self._moments: dict[float, tuple[float, float]] = {}
        self._known: dict[float, _Nearby] = {}
        self._near: dict[tuple[float, float], float] = {}

    def quantile(self, size: float, q: float) -> float:
        """Seconds of one job."""
        x = math.log1p(size)
        key = round(x, 1), q
        if key not in self._near:
            self._near[key] = self._residual(*key)
        return math.exp(min(self.line.at(x) + self._near[key], 50.0))

    def chance(self, size: float, seconds: float) -> float:
        """The weighted share of past jobs that took no longer, had they been of this size."""
        x = math.log1p(size)
        weights = self._weights(x)
        below = bisect_right(self._residuals, math.log(max(seconds, TINY)) - self.line.at(x))
        return sum(weights[:below]) / sum(weights)

    def excess(self, x: float, y: float) -> float:
        """Seconds by which a job goes beyond the usual, if it is far from all but a few; both as logarithms."""
        usual, n = self.line.at(x), len(self._residuals)
        far = self._residuals[min(n, math.ceil((n + 1) * 0.9)) - 1] + FAR
        return math.exp(y) - math.exp(usual) if y - usual > far else 0.0

    def moments(self, size: float) -> tuple[float, float]:
        """Mean seconds of one job, and the standard deviation of jobs relative to it."""
        x = round(math.log1p(size), 1)
        if x not in self._moments:
            weights = self._within(x, MIXED)
            factors = self._factors
            total = sum(weights)
            mean = sum(map(mul, weights, factors)) / total
            square = sum([w * (f - mean) ** 2 for w, f in zip(weights, factors, strict=True)]) / total
            self._moments[x] = mean, math.sqrt(square) / mean
        mean, spread = self._moments[x]
        return math.exp(min(self.line.at(math.log1p(size)), 50.0)) * mean, spread

    @cached_property
    def together(self) -> float:
        """How much more the mean of neighbours varies than chance would have it (1: not at all)."""
        block, values = 8, self._times
        if len(values) < 4 * block:
            return 2.0
        means = [mean(values[i : i + block]) for i in range(0, len(values) - block + 1, block)]
        centre = mean(values)
        whole = mean([(v - centre) ** 2 for v in values])
        return max(1.0, block * mean([(m - centre) ** 2 for m in means]) / whole) if whole > 0 else 1.0

    @cached_property
    def _factors(self) -> list[float]:
        """The residuals as times relative to the line."""
        return [math.exp(min(residual, 20.0)) for residual in self._residuals]

    def _nearby(self, x: float) -> "_Nearby":
        if x not in self._known:
            weights = self._weights(x)
            sums = list(accumulate(weights))
            next_one = sum(map(mul, weights, weights)) / sums[-1]
            self._known[x] = _Nearby(sums, next_one)
        return self._known[x]

    def _weights(self, x: float) -> list[float]:
        """What each residual counts for a job of this size: those of the LIKE nearest in size count most."""
        away = sorted([abs(x - at) for at in self._at])
        reach = max(len(away) ** (-1 / 3), away[min(LIKE, len(away)) - 1])
        return self._within(x, reach)

    def _within(self, x: float, reach: float) -> list[float]:
        exp = math.exp
        return [FAR_WEIGHT + exp(-(((x - at) / reach) ** 2)) for at in self._at]

    def _residual(self, x: float, q: float) -> float:
        """The weighted (n+1)q-th residual; beyond the largest, more than any that was seen."""
        sums, next_one = self._nearby(x)
        n, whole = len(sums), sums[-1]
        middle = self._residuals[min(n - 1, bisect_left(sums, 0.5 * whole))]
        if q == 0.5:
            return middle
        target = q * (whole + next_one)
        place = min(n - 1, bisect_left(sums, target))
        value = self._residuals[place]
        if place > 0 and sums[place] >= target:
            share = (target - sums[place - 1]) / (sums[place] - sums[place - 1])
            value = self._residuals[place - 1] + share * (value - self._residuals[place - 1])
        beyond = 1.25 if target > whole else 1.0
        unsure = math.sqrt(1 + self.line.leverage(x))
        room = ROOM * min(2.0, unsure)
        widened = value - middle
        widened += max(-room, min(room, widened * (unsure * beyond - 1)))
        prior = normal(q) / NINETIETH * SPREAD / n
        return middle + (max(widened, prior) if q > 0.5 else min(widened, prior))


@cache
def normal(q: float) -> float:
    """The standard normal distribution's quantile."""
    from statistics import NormalDist  # its import costs 3 ms, which `submit` need not pay for an unknown handler

    return NormalDist().inv_cdf(q)


def chance(z: float) -> float:
    """The probability that a standard normal value is at most `z`."""
    return 0.5 * math.erfc(-z / math.sqrt(2))


def mean(values: Sequence[float]) -> float:
    """Their arithmetic mean; there is at least one."""
    return math.fsum(values) / len(values)


def median(values: Sequence[float]) -> float:
    """The lower one of two."""
    return sorted(values)[(len(values) - 1) // 2]
