"""Load and peak hours shift background work to batches; people are served whatever the load."""

import math

from msgspec.structs import replace

from hybridq.brain.policy import classify
from hybridq.job import Audience, Held, Mode, Request
from tests.support.deciding import HOUR, NOON, conditions, person, request

JOBS = 20


def batched(asked: Request, at: float, load: float) -> int:
    """How many of JOBS, one every 20 s from `at` on, are batched; those before stay held meanwhile."""
    world = conditions(5.0, 1.0, load=load, now=at)
    for i in range(JOBS):
        now = at + 20.0 * i
        world = replace(world, now=now)
        if classify(asked, 1, 100, world).mode is Mode.BATCH:
            new = Held(key=i, jobs=1, size=100, deadline=math.inf, since=now, delay_cost=0.001)
            world = replace(world, held=(*world.held, new))
    return len(world.held)


def test_the_share_of_batches_rises_with_the_load() -> None:
    """At night, with a free machine, all background jobs run at once; under load every one is held, the first and those
    after it; a person's stream at any load."""
    night = NOON + 11 * HOUR
    assert [batched(request(), night, load) for load in (0.0, 0.5, 2.0, 5.0)] == [0, 0, JOBS, JOBS]
    assert [batched(person(), night, load) for load in (0.0, 5.0)] == [0, 0]
    assert request().audience is Audience.BACKGROUND


def test_the_cost_that_is_told_is_what_is_paid() -> None:
    """At seven a core the load makes a stream dearer in the decision alone: its cost is told as on a free machine, and
    a limit on money is held against that."""
    free, busy = (classify(request(), 1, 100, conditions(5.0, 1.0, load=load)) for load in (0.0, 7.0))
    one, other = (decision.considered[0] for decision in (free, busy))
    assert one.mode is other.mode is Mode.STREAM
    assert one.cost == other.cost
    assert (one.surcharge, free.mode, busy.mode) == (0.0, Mode.STREAM, Mode.BATCH)
    assert other.surcharge > 5 * (other.cost or 0.0)
    assert other.total == (other.cost or 0.0) + other.surcharge + (other.delay or 0.0)
    limited = replace(request(), max_cost=1.5 * (one.cost or 0.0))
    assert not classify(limited, 1, 100, conditions(5.0, 1.0, load=7.0)).warning
