"""A real run of a minute with real workers in both lanes, and the same jobs simulated again.

`live` makes it: people and a trickle of background jobs come one by one, groups at once, to a worker whose calls take
long however few jobs they have, and to one that takes its jobs one after another. `recorded` tells what it cost and
how long it kept whom waiting, `replayed` what `simulate --history` tells of it.
"""

import random
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import mean, median

from msgspec import Struct

from hybridq.job import Audience, Request
from hybridq.outlook import Outlook
from hybridq.queue import ledger
from hybridq.queue.account import Ledger
from hybridq.report.figures import rank
from hybridq.simulate.baselines import Stream
from hybridq.simulate.clock import SimulatedRun, simulate
from hybridq.simulate.hybrid import Hybrid
from hybridq.simulate.past import past
from hybridq.submit import submit, submit_many

from .building import daemon, queue, until

FUNCTIONS = """
import random
import time

time.sleep(0.5)


def together(inputs):
    time.sleep(0.3 + sum(0.01 + len(each) / 4000 for each in inputs))
    return [len(each) for each in inputs]


def in_turn(inputs):
    for each in inputs:
        time.sleep(0.05 + len(each) / 2000)
        yield len(each)
"""
CONFIG = """
[policy]
hold = "12s"
load_weight = 0.0

[handlers.together]
call = "timed:together"
cwd = "{folder}"

[handlers.in_turn]
call = "timed:in_turn"
cwd = "{folder}"
"""
# Each kind: seconds between two of them in the mean, how many at once, who waits, and by when (seconds).
KINDS = {
    "together": (
        (2.5, 1, Audience.USER, None),
        (0.8, 1, Audience.BACKGROUND, None),
        (6.0, 1, Audience.BACKGROUND, 9.0),
        (20.0, 60, Audience.BACKGROUND, None),
    ),
    "in_turn": (
        (4.0, 1, Audience.USER, None),
        (1.5, 1, Audience.BACKGROUND, None),
        (15.0, 20, Audience.BACKGROUND, 12.0),
    ),
}


class Figures(Struct, frozen=True):
    """Money, what streaming all is said to cost, and seconds until a first result: of people and of the others the
    mean, the median and the 99th percentile."""

    cost: float
    streamed: float
    waits: dict[Audience, tuple[float, float, float]]


def live(folder: Path, seconds: float) -> Outlook:
    """The queue after jobs came for so many seconds and all of them are done. Close its `store`."""
    (folder / "timed.py").write_text(FUNCTIONS)
    outlook = queue(folder, CONFIG.format(folder=folder))
    with daemon(outlook):
        began = time.monotonic()
        for at, request, inputs in _script(seconds):
            time.sleep(max(0.0, began + at - time.monotonic()))
            if len(inputs) == 1:
                submit(outlook, request, inputs[0])
            else:
                submit_many(outlook, [(request, data, None) for data in inputs])
        until(lambda: _left(outlook) == 0, 120.0)
    return outlook


def _left(outlook: Outlook) -> int:
    return int((outlook.store.row("SELECT sum(queued + running) FROM cohort") or (0,))[0] or 0)


def _script(seconds: float) -> Iterator[tuple[float, Request, list[bytes]]]:
    """(when, what is asked, inputs), in the order of time; the same at each call."""
    chance, found, number = random.Random(7), [], 0
    for handler, kinds in KINDS.items():
        for every, jobs, audience, by in kinds:
            at = chance.expovariate(1 / every) if jobs == 1 else every / 3
            while at < seconds:
                number += 1
                inputs = [b'"' + b"x" * int(chance.lognormvariate(4.5, 0.5)) + b'"' for _ in range(jobs)]
                found.append((at, handler, audience, by, None if jobs == 1 else f"group {number}", inputs))
                at += chance.expovariate(1 / every) if jobs == 1 else every
    for at, handler, audience, by, group, inputs in sorted(found, key=lambda one: one[0]):
        deadline = None if by is None else time.time() + by
        yield at, Request(handler=handler, audience=audience, deadline=deadline, group=group), inputs


def recorded(outlook: Outlook) -> Figures:
    """What was recorded of the run."""
    found: Ledger = ledger.read(outlook.store, 0.0, time.time())
    waits = {audience: [r.first - r.accepted for r in found.ran if r.audience is audience] for audience in Audience}
    cost, streamed = sum(each.cost for each in found.sums), sum(each.streamed for each in found.sums)
    return Figures(cost, streamed, {who: _waits(those) for who, those in waits.items()})


def replayed(outlook: Outlook) -> Figures:
    """What the simulation tells of the same jobs."""
    run = simulate(past(outlook), Hybrid)
    waits = {who: [task.first - task.at for task in run.tasks if task.audience is who] for who in Audience}
    return Figures(_cost(run), all_streamed(outlook), {who: _waits(those) for who, those in waits.items()})


def all_streamed(outlook: Outlook) -> float:
    """What the simulation says that streaming all of them would have cost."""
    return _cost(simulate(past(outlook), Stream))


def _cost(run: SimulatedRun) -> float:
    return sum(task.cost for task in run.tasks) + run.starts


def _waits(seconds: list[float]) -> tuple[float, float, float]:
    return mean(seconds), median(seconds), rank(sorted(seconds), 0.99) or 0.0
