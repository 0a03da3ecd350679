"""How good the promises are, and what waiting and running cost, on workloads that resemble each other least.

Each line is one workload of `tests/workloads.py`: what was done by the promised 90th percentile, how far half of
the promises were off at most (beside the least that anybody could be off), which held jobs began within a minute
of what was said and which later, and the cost with waiting beside that of the best baseline.

Run: python -m tests.bench.promises [--seeds N]. Ends with 1 where a coverage is not within 87-93 %.
"""

import argparse
import sys

from hybridq.config.values import Config
from hybridq.simulate.baselines import BASELINES
from hybridq.simulate.clock import World, simulate
from hybridq.simulate.hybrid import Hybrid
from hybridq.simulate.station import Times
from hybridq.simulate.synthetic import synthetic
from hybridq.simulate.verdict import Verdict, judge
from hybridq.simulate.workload import Workload
from tests.bench.traces import TARIFF
from tests.support.workloads import ALL, workload

HEAD = "workload                   jobs  covered  error   best  began   late   cost   beside"


def world(work: Workload, config: Config) -> World:
    """These jobs at this configuration's prices."""
    return World(config=config, times={a.handler: Times() for a in work.arrivals}, workload=work, seed=1)


def line(place: World) -> tuple[str, bool]:
    """The figures of one workload, and whether the coverage is as promised."""
    ours = judge("", "", simulate(place, Hybrid), place.config.policy)
    others = [judge(b.name, "", simulate(place, b.make), place.config.policy) for b in BASELINES]
    best, made = min(others, key=_total), ours.promises
    shares = " ".join(_share(x) for x in (made.covered, made.error, made.best, made.started, made.late))
    kept = 0.87 <= (made.covered or 0.0) <= 0.93 and not made.past
    return f"{len(place.workload.arrivals):7,}  {shares} {_total(ours):7.2f}  {_total(best):.2f} {best.name}", kept


def _total(verdict: Verdict) -> float:
    return verdict.cost + verdict.waited


def _share(part: float | None) -> str:
    return "     -" if part is None else f"{part:6.1%}"


def main() -> None:
    """All of them, by the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=1)
    good = []
    print(HEAD)
    for seed in range(1, parser.parse_args().seeds + 1):
        made = [*(workload(make, seed) for make in ALL), synthetic(3, seed)]
        for work in made:
            for name, config in (("", Config()), ("tariff", Config(tariff=TARIFF))):
                found, kept = line(world(work, config))
                good.append(kept)
                print(f"{f'{work.what} {name}':24}{found}", flush=True)
    sys.exit(not all(good))


if __name__ == "__main__":
    main()
