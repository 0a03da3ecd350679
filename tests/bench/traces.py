"""The plan on real arrivals and sizes against a bound that nobody can go below, and the promises on a replay.

Arrivals are those of the ServeGen file (the request rates of its clients over a week), thinned; sizes are those
of the Azure file; deadlines are 15 min, 1 h, 4 h or 24 h; the price doubles at 01-04 and 06-10 UTC on weekdays.
Without `../shared/traces` the synthetic workload takes their place, and the first line says so.

Run: python -m tests.bench.traces [--seeds N] [--jobs N]. Ends with 1 where a figure misses its limit.
"""

import argparse
import csv
import random
import sys
import time
from bisect import bisect_right
from itertools import accumulate
from pathlib import Path
from statistics import fmean

from hybridq.brain.tariff import Tariff
from hybridq.config.values import Config, PolicyConfig, TariffConfig, Window
from hybridq.simulate.clock import World
from hybridq.simulate.clock import simulate as simulate
from hybridq.simulate.hybrid import Hybrid
from hybridq.simulate.station import Times
from hybridq.simulate.synthetic import synthetic
from hybridq.simulate.verdict import judge
from hybridq.simulate.workload import MONDAY, TRACE, Suppose, Workload, read_trace
from tests.support.judge import Case, Item, Steps, lower_bound, run

TRACES = Path(__file__).resolve().parents[2].parent / "shared" / "traces"
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri")
DEADLINES = (900.0, 3600.0, 14400.0, 86400.0)
FIXED = (0.1, 1.0, 10.0, 50.0)  # mean jobs
DEARER = 5.0  # what a token of output costs, in tokens of input
LIMIT = 1.03
DAYS = 7
TARIFF = TariffConfig(
    window=(
        Window(start="01:00", end="04:00", factor=2.0, days=WEEKDAYS),
        Window(start="06:00", end="10:00", factor=2.0, days=WEEKDAYS),
    )
)


def arrivals(jobs: int, chance: random.Random) -> list[float]:
    """Seconds at which `jobs` requests come within DAYS."""
    if not TRACES.is_dir():
        made = [arrival.at - MONDAY for arrival in synthetic(DAYS, chance.randrange(2**31)).arrivals]
        return sorted(chance.sample(made, min(jobs, len(made))))
    return servegen(jobs, chance)


def servegen(jobs: int, chance: random.Random) -> list[float]:
    """The same from the rates in the file, window by window."""
    rates: dict[float, float] = {}
    with (TRACES / "servegen_m-small_clients.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            start = float(row["window_start_s"])
            rates[start] = rates.get(start, 0.0) + float(row["rate_rps"])
    windows = [start for start in sorted(rates) if start < DAYS * 86400]
    sums = list(accumulate(rates[start] for start in windows))
    width = windows[1] - windows[0]
    return sorted(
        windows[bisect_right(sums, chance.random() * sums[-1])] + chance.random() * width for _ in range(jobs)
    )


def replayed() -> Workload:
    """Requests with their sizes: the Azure file, or the made-up office."""
    if not TRACES.is_dir():
        return synthetic(DAYS, 1)
    return read_trace(TRACES / "AzureLLMInferenceTrace_conv.csv", Suppose(deadlines=DEADLINES))


def case(arrivals: list[float], costs: list[float], fixed: float, chance: random.Random) -> Case:
    """The workload as the judge takes it."""
    end = arrivals[-1] + max(DEADLINES) + 1
    steps = [(0.0, 1.0), *((at - MONDAY, factor) for at, factor in Tariff(TARIFF).changes(MONDAY, MONDAY + end))]
    mean = fmean(costs)
    items = tuple(Item(at, at + chance.choice(DEADLINES), chance.choice(costs) / mean) for at in arrivals)
    return Case(Steps(tuple(steps)), items, fixed)


def ratios(seeds: int, jobs: int) -> bool:
    """Print cost over bound for each fixed cost and seed; returns whether all are within LIMIT."""
    costs = [arrival.size + DEARER * arrival.output for arrival in replayed().arrivals]
    worst = 0.0
    print(f"cost over the lower bound, {jobs} jobs in {DAYS} days, at most {LIMIT}:")
    for fixed in FIXED:
        found = []
        for seed in range(seeds):
            chance = random.Random(seed)
            one = case(arrivals(jobs, chance), costs, fixed, chance)
            found.append(run(one, PolicyConfig()) / lower_bound(one))
        worst = max(worst, *found)
        print(f"  fixed cost of {fixed:4} mean jobs: {', '.join(f'{ratio:.4f}' for ratio in found)}")
    return worst <= LIMIT


def promises() -> bool:
    """Print how good the promises on a replay are; returns whether those that can be are within their limits."""
    workload = replayed()
    world = World(config=Config(tariff=TARIFF), times={TRACE: Times()}, workload=workload, seed=1)
    began = time.perf_counter()
    made = judge("", "", simulate(world, Hybrid), world.config.policy).promises
    took = time.perf_counter() - began
    print(f"promises on {workload.what}, simulated in {took:.1f} s:")
    print(f"  done by the 90th percentile {made.covered:.1%} (87-93 %),")
    print(f"  median error {made.error:.1%} (12 %; best possible {made.best:.1%}),")
    print(f"  began within a minute {made.started:.1%} (90 %), later {made.late:.1%}, in the past {made.past} (0)")
    good = 0.87 <= (made.covered or 0.0) <= 0.93 and not made.past
    return good and (not TRACES.is_dir() or ((made.error or 1.0) <= 0.12 and (made.started or 0.0) > 0.9))


def main() -> None:
    """Both, by the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=1000)
    asked = parser.parse_args()
    print(f"traces: {TRACES.name if TRACES.is_dir() else 'absent, so the synthetic workload is used'}")
    good = [ratios(asked.seeds, asked.jobs), promises()]
    sys.exit(not all(good))


if __name__ == "__main__":
    main()
