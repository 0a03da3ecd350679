"""How good promises are where two lanes use the same instances: by kind of worker, lane and what else runs.

On the virtual clock, one instance: people's jobs and groups of background jobs come at random, so that each lane is met
idle and at work. `covered` is the share that was done by the promised 90th percentile, `error` the median distance of
the promised end from the real one, relative to the time until that, `bias` the median of the same with its sign (below
0: promised too soon), `best` the error of somebody who knew when each job begins and how long such jobs take (a lower
bound that no forecast of random arrivals comes near, since who will come is not known).

Run: python -m tests.bench.lanes [--seeds N] [--hours H]
"""

import argparse
import math
import random
from collections.abc import Iterator, Sequence
from statistics import median

from msgspec import Struct
from msgspec.structs import replace

from hybridq.config.values import Config, HandlerConfig
from hybridq.job import Audience, Lane, Mode
from hybridq.simulate.clock import SimulatedRun, World, simulate
from hybridq.simulate.hybrid import Hybrid
from hybridq.simulate.station import Task, Times
from hybridq.simulate.verdict import hindsight
from hybridq.simulate.workload import MONDAY, Arrival, Workload

HEAD = "kind         lane    beside       promises  covered  error    bias   best"
NAME = "shared"


class Kind(Struct, frozen=True):
    """A kind of worker: seconds of a job, how far they stray, of that its call's; and how busy each lane keeps it."""

    job: float
    spread: float
    call: float = 0.0
    people: float = 0.3
    batches: float = 0.3
    group: int = 20


KINDS = {
    "steady 2s": Kind(2.0, 0.05),
    "wide 2s": Kind(2.0, 0.8),
    "quick 0.1s": Kind(0.1, 0.3, group=200),
    "calls 5s": Kind(5.3, 0.1, call=5.0, group=60),
    "crowded 2s": Kind(2.0, 0.3, people=0.5, batches=0.4),
}


def arrivals(kind: Kind, hours: float, chance: random.Random) -> Iterator[Arrival]:
    """People one by one, and groups that asked for a batch."""
    end, at = hours * 3600, 0.0
    while (at := at + chance.expovariate(kind.people / kind.job)) < end:
        yield Arrival(at=MONDAY + at, size=100.0, audience=Audience.USER, busy=kind.job, handler=NAME)
    each, at, number = (kind.job - kind.call) + kind.call / 16, 0.0, 0
    while (at := at + chance.expovariate(kind.batches / (each * kind.group))) < end:
        number += 1
        for _ in range(max(1, round(chance.expovariate(1 / kind.group)))):
            yield Arrival(
                at=MONDAY + at,
                size=100.0,
                audience=Audience.BACKGROUND,
                busy=kind.job,
                handler=NAME,
                group=f"g{number}",
                mode=Mode.BATCH,
            )


def run(kind: Kind, hours: float, seed: int) -> SimulatedRun:
    """A day of one kind of worker."""
    chance = random.Random(seed)
    came = sorted(arrivals(kind, hours, chance), key=lambda each: each.at)
    strayed = [_strayed(each, kind, chance) for each in came]
    config = Config(handlers={NAME: HandlerConfig(instances=1)})
    times = Times(start=1.0, call=kind.call / kind.job, batch=1.0, spread=0.0)
    work = Workload(tuple(strayed), NAME)
    return simulate(World(config=config, times={NAME: times}, workload=work, seed=seed, slots={NAME: 1}), Hybrid)


def _strayed(each: Arrival, kind: Kind, chance: random.Random) -> Arrival:

    return replace(each, busy=kind.job * math.exp(chance.gauss(0.0, kind.spread)))


def told(outcome: SimulatedRun) -> dict[tuple[Lane, str], list[Task]]:
    """The promised jobs (of a group its last), by lane and by what else ran when they were promised."""
    whole: dict[object, Task] = {}
    for task in outcome.tasks:
        key = task.group or task.number
        if key not in whole or task.finish > whole[key].finish:
            whole[key] = task
    flushes = [(flush.at, flush.end) for flush in outcome.flushes]
    streams = sorted((t.at, t.finish) for t in outcome.tasks if t.lane is Lane.STREAM)
    found: dict[tuple[Lane, str], list[Task]] = {}
    for task in whole.values():
        if task.promise is None or task.promise.finish is None or task.promise.finish90 is None:
            continue
        flush = any(begin < task.at < end for begin, end in flushes)
        stream = any(at < task.at < finish for at, finish in streams)
        beside = {(0, 0): "nothing", (1, 0): "a batch", (0, 1): "streams", (1, 1): "both"}[flush, stream]
        found.setdefault((task.lane, beside), []).append(task)
    return found


def figures(tasks: Sequence[Task], best: dict[int, float]) -> str:
    """Coverage, error, bias and least error of some promises."""
    off = [(t.promise.finish - t.finish) / max(1e-9, t.finish - t.at) for t in tasks if t.promise and t.promise.finish]
    covered = sum(t.finish <= (t.promise.finish90 or 0.0) for t in tasks if t.promise) / len(tasks)
    least = median(abs(best[t.number] - t.finish) / max(1e-9, t.finish - t.at) for t in tasks)
    return f"{len(tasks):9,} {covered:8.1%} {median(map(abs, off)):6.1%} {median(off):7.1%} {least:6.1%}"


def main() -> None:
    """All kinds, by the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--hours", type=float, default=6.0)
    asked = parser.parse_args()
    print(HEAD)
    every: list[Task] = []
    least: dict[int, float] = {}
    for name, kind in KINDS.items():
        for seed in range(1, asked.seeds + 1):
            outcome = run(kind, asked.hours, seed)
            best, found = hindsight(outcome.tasks), told(outcome)
            for lane, beside in sorted(found):
                tasks = found[lane, beside]
                if len(tasks) >= 10:
                    print(f"{name:12} {lane:7} {beside:10} {figures(tasks, best)}", flush=True)
            every += [task for some in found.values() for task in some]
            least |= best
    print(f"{'all':12} {'':7} {'':10} {figures(every, least)}")


if __name__ == "__main__":
    main()
