"""The plan on real arrivals and sizes, against a bound that nobody can go below.

Arrivals are those of the ServeGen file (the request rates of 43 clients over two weeks), thinned; sizes are those
of the Azure file; deadlines are 15 min, 1 h, 4 h or 24 h; the price doubles at 01-04 and 06-10 UTC on weekdays.
Without `../shared/traces` the synthetic workload takes their place, and the first line says so.

Run: python -m tests.bench.traces [--seeds N] [--jobs N]
"""

import argparse
import csv
import random
import time
from bisect import bisect_right
from itertools import accumulate, pairwise
from pathlib import Path
from statistics import fmean

from hybridq.config import PolicyConfig, TariffConfig, Window
from hybridq.tariff import Tariff
from hybridq.workload import MONDAY, Suppose, read_trace
from tests.judge import Case, Item, Steps, lower_bound, run

TRACES = Path(__file__).resolve().parents[2].parent / "shared" / "traces"
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri")
DEADLINES = (900.0, 3600.0, 14400.0, 86400.0)
FIXED = (0.1, 1.0, 10.0, 50.0)  # mean jobs
LIMIT = 1.03
DAYS = 7
TARIFF = TariffConfig(
    window=(
        Window(start="01:00", end="04:00", factor=2.0, days=WEEKDAYS),
        Window(start="06:00", end="10:00", factor=2.0, days=WEEKDAYS),
    )
)


def servegen(jobs: int, chance: random.Random) -> list[float]:
    """Seconds at which `jobs` requests come within DAYS: drawn from the file's rates, window by window."""
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


def azure() -> list[float]:
    """The cost of each request: its tokens, those that are generated at five times the price."""
    trace = read_trace(TRACES / "AzureLLMInferenceTrace_conv.csv", Suppose())
    return [arrival.size + 5 * arrival.output for arrival in trace.arrivals]


def case(arrivals: list[float], costs: list[float], fixed: float, chance: random.Random) -> Case:
    """The workload as the judge takes it."""
    end = arrivals[-1] + max(DEADLINES) + 1
    steps = [(0.0, 1.0), *((at - MONDAY, factor) for at, factor in Tariff(TARIFF).changes(MONDAY, MONDAY + end))]
    mean = fmean(costs)
    items = tuple(Item(at, at + chance.choice(DEADLINES), chance.choice(costs) / mean) for at in arrivals)
    return Case(Steps(tuple(steps)), items, fixed)


def main() -> None:
    """Print the ratio for each fixed cost and seed, and the worst."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--jobs", type=int, default=400)
    asked = parser.parse_args()
    costs = azure()
    for fixed in FIXED:
        for seed in range(asked.seeds):
            chance = random.Random(seed)
            one = case(servegen(asked.jobs, chance), costs, fixed, chance)
            began = time.perf_counter()
            spent, took = run(one, PolicyConfig()), time.perf_counter() - began
            bound = lower_bound(one)
            print(f"{fixed:5} {seed} {spent / bound:.4f} plan {took:.1f}s bound {time.perf_counter() - began - took:.1f}s")


if __name__ == "__main__":
    main()
