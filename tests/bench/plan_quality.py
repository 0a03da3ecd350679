"""How good the flush plan is: its cost against the exact optimum of random small cases, and its planning time.

The plan sees each case only as it happens; the optimum knows all of it. Run from the top of the repository:
`python -m tests.bench.plan_quality [--cases N] [--seed N]`.
"""

import argparse
import math
import random
import time

from hybridq.brain.conditions import Conditions
from hybridq.brain.estimate import Estimate
from hybridq.brain.plan import plan
from hybridq.brain.tariff import Tariff
from hybridq.config.values import HandlerConfig, PolicyConfig, TariffConfig, Window
from hybridq.job import Held
from tests.support.judge import optimum, run, small_case


def quality(cases: int, seed: int, *, delay: bool) -> None:
    """Print the worst and the mean ratio of the plan's cost to the optimum."""
    source, policy = random.Random(seed), PolicyConfig()
    ratios = []
    for _ in range(cases):
        case = small_case(source, delay=delay)
        ratios.append(run(case, policy) / optimum(case))
    ratios.sort()
    kind = "with cost of delay   " if delay else "without cost of delay"
    tail = ratios[int(0.99 * len(ratios))]
    mean = sum(ratios) / len(ratios)
    print(f"{kind}  {cases:,} cases, seed {seed}: worst {ratios[-1]:.3f}  mean {mean:.4f}  p99 {tail:.3f}")


def planning_time(jobs: int, classes: int, *, seed: int) -> None:
    """Print the time of one plan of so many pending jobs in so many classes."""
    source, now = random.Random(seed), 1_795_867_200.0
    night = Window(start="22:00", end="06:00", factor=0.5)
    conditions = Conditions(
        now=now,
        tariff=Tariff(TariffConfig(zone="Europe/Vienna", window=(night,))),
        policy=PolicyConfig(),
        estimate=Estimate(None, None, HandlerConfig(expected=0.01, fixed=5.0)),
        batch_slots=2,
    )
    held = [
        Held(
            key=key,
            jobs=jobs // classes,
            size=source.uniform(100, 10_000),
            deadline=now + source.choice([math.inf, source.uniform(6, 48) * 3600]),
            since=now - source.uniform(0, 3600),
            delay_cost=0.001,
        )
        for key in range(classes)
    ]
    times = []
    for _ in range(5):
        start = time.perf_counter()
        plan(held, conditions)
        times.append(time.perf_counter() - start)
    print(f"planning {jobs:>9,} pending jobs in {classes:>7,} classes: {min(times) * 1000:.1f} ms")


def main() -> None:
    """Print all figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    for classes in (1, 1000):
        planning_time(1_000_000, classes, seed=chosen.seed)
    planning_time(100_000, 100_000, seed=chosen.seed)
    for delay in (False, True):
        quality(chosen.cases, chosen.seed, delay=delay)


if __name__ == "__main__":
    main()
