"""Cost over the bound, by tariff and fixed cost: the plan as work comes, against what nobody can go below.

The bound is not the plan's own: a linear program over known arrivals (`tests.support.judge.lower_bound`), which shares
no code with it. The plan sees each job as it comes, and of those to come only when the last ones came. Cases are all
of: arrivals (steady, in bursts, an office's hours), deadlines (tight, mixed, loose), fixed costs, tariffs by the clock
or by the hour as a power market sets them, and costs of delay. Money is in mean jobs.

Run: python -m tests.bench.bound [--jobs N] [--seed N] [--theta X]. Ends with 1 where a mean misses its limit.
"""

import argparse
import math
import random
import sys
from collections.abc import Iterator
from statistics import fmean

from msgspec import Struct

from hybridq.config.values import PolicyConfig
from tests.support.judge import Case, Item, Steps, lower_bound, run

HOUR, DAY, DAYS = 3600.0, 86400.0, 3
FIXED = (0.1, 1.0, 10.0, 50.0)
DEADLINES = {"tight": (900.0, HOUR), "mixed": (900.0, HOUR, 4 * HOUR, DAY), "loose": (4 * HOUR, DAY)}
ARRIVALS = ("steady", "bursts", "office")
DELAYS = (0.0, 0.03, 0.3, 3.0)  # mean jobs an hour
LIMITS = {"clock": 1.02, "hourly": 1.03, "clock, delay": 1.08, "hourly, delay": 1.08}


class Kind(Struct, frozen=True):
    """One case by its names."""

    tariff: str
    fixed: float
    arrivals: str
    deadlines: str
    delay: float


def kinds() -> Iterator[Kind]:
    """All of them."""
    for tariff in TARIFFS:
        for fixed in FIXED:
            for arrivals in ARRIVALS:
                for deadlines in DEADLINES:
                    for delay in DELAYS:
                        yield Kind(tariff, fixed, arrivals, deadlines, delay)


def case(kind: Kind, jobs: int, seed: int) -> Case:
    """The same kind, the same jobs."""
    chance = random.Random(f"{seed} {kind.arrivals} {kind.deadlines}")
    items = []
    for at in sorted(_arrivals(kind.arrivals, jobs, chance)):
        latest = at + chance.choice(DEADLINES[kind.deadlines])
        cost = chance.lognormvariate(-0.5, 1.0)  # 1 in the mean
        items.append(Item(at, latest, cost, kind.delay / HOUR))
    return Case(Steps(TARIFFS[kind.tariff]), tuple(items), kind.fixed)


def _arrivals(name: str, jobs: int, chance: random.Random) -> Iterator[float]:
    if name == "steady":
        yield from (chance.uniform(0, DAYS * DAY) for _ in range(jobs))
        return
    made = 0
    while made < jobs:
        at = chance.uniform(0, DAYS * DAY)
        if name == "office" and chance.random() > math.exp(-((((at % DAY) / HOUR - 14) / 4) ** 2)):
            continue
        burst = 1 if name == "office" else min(jobs - made, chance.randint(3, 30))
        yield from (at + chance.uniform(0, 120) for _ in range(burst))
        made += burst


def _by_clock(*edges: tuple[float, float]) -> tuple[tuple[float, float], ...]:
    """Each day the same factors from these hours on."""
    return tuple((day * DAY + hour * HOUR, factor) for day in range(DAYS + 2) for hour, factor in edges)


def _by_hour(seed: int) -> tuple[tuple[float, float], ...]:
    """Prices that stray about a day's shape, each hour near the one before (an autoregression)."""
    chance, off, steps = random.Random(seed), 0.0, []
    for hour in range((DAYS + 2) * 24):
        off = 0.8 * off + chance.gauss(0, 0.2)
        steps.append((hour * HOUR, round(math.exp(off - 0.4 * math.cos((hour % 24 - 4) / 24 * 2 * math.pi)), 3)))
    return tuple(steps)


TARIFFS = {
    "flat": ((0.0, 1.0),),
    "night": _by_clock((0, 0.4), (6, 1.0), (22, 0.4)),
    "peaks": _by_clock((0, 1.0), (1, 2.0), (4, 1.0), (6, 2.0), (10, 1.0)),
    "hourly": _by_hour(1),
}


def main() -> None:
    """The table, by the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--theta", type=float, default=PolicyConfig().theta)
    asked = parser.parse_args()
    policy = PolicyConfig(theta=asked.theta)
    cases = {kind: case(kind, asked.jobs, asked.seed) for kind in kinds()}
    ratios = {kind: run(each, policy) / lower_bound(each) for kind, each in cases.items()}
    for line in table(ratios):
        print(line)
    sys.exit(any(mean > LIMITS[name] for name, mean in means(ratios).items()))


def table(ratios: dict[Kind, float]) -> Iterator[str]:
    """Mean and worst by tariff and fixed cost, without and with cost of delay, and the means that have limits."""
    yield f"{'cost over the bound':20}" + "".join(f"  F = {fixed:<11}" for fixed in FIXED)
    for delayed in (False, True):
        for tariff in TARIFFS:
            row = [
                [r for k, r in ratios.items() if (k.tariff, k.fixed, k.delay > 0) == (tariff, fixed, delayed)]
                for fixed in FIXED
            ]
            name = f"{tariff}{', delay' * delayed}"
            yield f"{name:20}" + "".join(f"  {fmean(some):.4f} ({max(some):.3f})" for some in row)
    for name, mean in means(ratios).items():
        yield f"mean, {name}: {mean:.4f} (at most {LIMITS[name]})"


def means(ratios: dict[Kind, float]) -> dict[str, float]:
    """By what a limit is set for."""
    found: dict[str, list[float]] = {name: [] for name in LIMITS}
    for kind, ratio in ratios.items():
        found[("hourly" if kind.tariff.startswith("hourly") else "clock") + ", delay" * (kind.delay > 0)].append(ratio)
    return {name: fmean(some) for name, some in found.items()}


if __name__ == "__main__":
    main()
