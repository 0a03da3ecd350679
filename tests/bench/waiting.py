"""What the cost of delay of background work is worth: its savings, people's waits and deadlines, on many workloads.

Each line is one workload at one tariff by workers of one kind. Of each cost of delay it tells the share saved of what
streaming all background work would cost, half of the background's waits, nine in ten of its waits, and deadlines kept;
and what people wait, which should not depend on it. `xN` is a cost in proportion to the work: N times what a job of
the workload costs in the mean, an hour.

Run: python -m tests.bench.waiting [--only NAME…] [--costs COST…]. Figures only, nothing to pass or to miss.
"""

import argparse
from collections.abc import Iterator

from msgspec.structs import replace

from hybridq.config.values import Config, PolicyConfig, TariffConfig, Window
from hybridq.job import Audience
from hybridq.simulate.baselines import BASELINES
from hybridq.simulate.clock import World, simulate
from hybridq.simulate.hybrid import Hybrid
from hybridq.simulate.station import Times
from hybridq.simulate.synthetic import synthetic
from hybridq.simulate.verdict import Verdict, judge
from hybridq.simulate.workload import Workload
from hybridq.when import span
from tests.bench.traces import TRACES, replayed
from tests.support.workloads import ALL, workload

COSTS = ("0.001", "0.0001", "0.00001", "x1", "x0.3", "x0.1")
NIGHT = TariffConfig(factor=0.4, window=(Window(start="06:00", end="22:00", factor=1.0),))
SHARING = Times()
ALONE = Times(start=0.0, batch=1.0)  # no start, and a batch is no quicker than its jobs one by one
WORLDS = (
    ("shared, flat", SHARING, TariffConfig()),
    ("shared, night", SHARING, NIGHT),
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


def lines(work: Workload, costs: tuple[str, ...]) -> Iterator[str]:
    """A line for each world and each cost of delay."""
    for name, times, tariff in WORLDS:
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
            found = judge("", "", simulate(replaced(place, policy), Hybrid), policy)
            saved = (streamed.cost - found.cost) / max(1e-12, streamed.cost - people)
            yield f"  {cost:>8} = {hourly:.1e}: saved {saved:6.1%}, {waits(found, background)}; {told(found)}"


def replaced(place: World, policy: PolicyConfig) -> World:
    """The same world with another policy."""
    return replace(place, config=replace(place.config, policy=policy))


def waits(found: Verdict, audience: Audience) -> str:
    """How long an audience waits."""
    seconds = found.waits[audience]
    return " ".join("-" if each is None else span(each) for each in (seconds.p50, seconds.p95))


def told(found: Verdict) -> str:
    """What must not suffer: people's waits, and deadlines."""
    return f"people {waits(found, Audience.USER)}; kept {'-' if found.kept is None else f'{found.kept:.1%}'}"


def main() -> None:
    """All of them, by the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="*", help="names of workloads")
    parser.add_argument("--costs", nargs="*", default=COSTS)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    for work in workloads(asked.seed):
        if not asked.only or work.what.split()[0] in asked.only:
            for line in lines(work, tuple(asked.costs)):
                print(line, flush=True)


if __name__ == "__main__":
    main()
