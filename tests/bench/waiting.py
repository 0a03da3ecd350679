"""What the cost of delay of background work is worth: its savings, people's waits and deadlines, on many workloads.

Each line is one workload at one tariff by workers of one kind. Of each cost of delay it tells the share saved of what
streaming all background work would have cost, the median and the 99th percentile of its waits, and how much of it was
held for more than an hour; what people wait, which should not depend on it, and deadlines kept; and of the promises how
many were done by their 90th percentile, and how many held jobs began within a minute of what was said. `xN` is a cost
in proportion to the work: N times what a job of the workload costs in the mean, an hour. `calls`: of the 2.7 s of a job
2 are its call's, which those share that have one together; `embed`: of 1.02 s one is.

Run: python -m tests.bench.waiting [--only NAME…] [--worlds WORLD…] [--costs COST…]. Figures only, nothing to pass or to
miss.
"""

import argparse
from collections.abc import Iterator

from msgspec.structs import replace

from hybridq.config.values import Config, PolicyConfig, TariffConfig, Window
from hybridq.job import Audience
from hybridq.simulate.baselines import BASELINES
from hybridq.simulate.clock import SimulatedRun, World, simulate
from hybridq.simulate.hybrid import Hybrid
from hybridq.simulate.station import Times
from hybridq.simulate.synthetic import synthetic
from hybridq.simulate.verdict import Verdict, judge
from hybridq.simulate.workload import Workload
from hybridq.when import span
from tests.bench.traces import TRACES, replayed
from tests.support.workloads import ALL, HOUR, workload

COSTS = ("0.001", "0.0003", "0.0001")
NIGHT = TariffConfig(factor=0.4, window=(Window(start="06:00", end="22:00", factor=1.0),))
SHARING = Times()
CALLS = Times(output=0.002, call=2.0, batch=1.0)
EMBED = Times(job=0.02, input=0.0, output=0.0, call=1.0, batch=1.0)
ALONE = Times(start=0.0, batch=1.0)  # no start, and a batch is no quicker than its jobs one by one
WORLDS = (
    ("shared, flat", SHARING, TariffConfig()),
    ("shared, night", SHARING, NIGHT),
    ("calls, flat", CALLS, TariffConfig()),
    ("calls, night", CALLS, NIGHT),
    ("embed, flat", EMBED, TariffConfig()),
    ("alone, flat", ALONE, TariffConfig()),
    ("alone, night", ALONE, NIGHT),
)
(STREAM,) = (each for each in BASELINES if "stream" in each.name)


def workloads(seed: int) -> Iterator[Workload]:
    """All there are: those of the tests, the office, and the requests of the Azure trace where it is."""
    for make in ALL:
        yield workload(make, seed)
    yield synthetic(2, seed)
    if TRACES.is_dir():
        real = replayed()
        yield Workload(real.arrivals[:3000], "azure")


def lines(work: Workload, costs: tuple[str, ...], worlds: tuple[str, ...]) -> Iterator[str]:
    """A line for each world and each cost of delay."""
    for name, times, tariff in (each for each in WORLDS if not worlds or each[0] in worlds):
        place = World(
            config=Config(tariff=tariff), times={a.handler: times for a in work.arrivals}, workload=work, seed=1
        )
        run = simulate(place, STREAM.make)
        streamed, background = judge("", "", run, place.config.policy), Audience.BACKGROUND
        people = sum(t.cost for t in run.tasks if t.audience is Audience.USER)
        mean = sum(t.busy for t in run.tasks) / len(run.tasks) / 3600 * place.config.policy.machine_cost
        yield f"{work.what}, {name}: {len(run.tasks):,} jobs of {mean:.1e} each; streamed {streamed.cost:.3f}"
        for cost in costs:
            hourly = mean * float(cost[1:]) if cost.startswith("x") else float(cost)
            policy = PolicyConfig(background_delay_cost=hourly)
            ours = simulate(replaced(place, policy), Hybrid)
            found = judge("", "", ours, policy)
            saved = (streamed.cost - found.cost) / max(1e-12, streamed.cost - people)
            waited = f"{waits(found, background)}, {long(ours):.1%} held > 1 h"
            yield f"  {cost:>8} = {hourly:.1e}: saved {saved:6.1%}, {waited}; {told(found)}"


def replaced(place: World, policy: PolicyConfig) -> World:
    """The same world with another policy."""
    return replace(place, config=replace(place.config, policy=policy))


def waits(found: Verdict, audience: Audience) -> str:
    """How long an audience waits."""
    seconds = found.waits[audience]
    return " ".join("-" if each is None else span(each) for each in (seconds.p50, seconds.p99))


def long(run: SimulatedRun) -> float:
    """The share of the background work that was held for more than an hour."""
    held = [t.first - t.at > HOUR for t in run.tasks if t.audience is Audience.BACKGROUND]
    return sum(held) / len(held)


def told(found: Verdict) -> str:
    """What must not suffer: people's waits, deadlines, and promises."""
    shares = found.kept, found.promises.covered, found.promises.started
    kept, covered, began = ("-" if each is None else f"{each:.1%}" for each in shares)
    return f"people {waits(found, Audience.USER)}; kept {kept}; promises {covered}, began {began}"


def main() -> None:
    """All of them, by the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="*", help="names of workloads")
    parser.add_argument("--worlds", nargs="*", default=(), help="such as 'calls, flat'")
    parser.add_argument("--costs", nargs="*", default=COSTS)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    for work in workloads(asked.seed):
        if not asked.only or work.what.split()[0] in asked.only:
            for line in lines(work, tuple(asked.costs), tuple(asked.worlds)):
                print(line, flush=True)


if __name__ == "__main__":
    main()
