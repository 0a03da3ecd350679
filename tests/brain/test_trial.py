"""Background work of a handler whose calls may be shared, while nobody knows what that saves."""

import math

import pytest
from msgspec.structs import replace

from hybridq.brain.calls import ChunkSize, Overhead
from hybridq.brain.conditions import Conditions
from hybridq.brain.estimate import TRIES, Estimate, Model, Observation, learn_many
from hybridq.brain.forecast import held_etas
from hybridq.brain.plan import plan
from hybridq.brain.policy import classify
from hybridq.brain.sharing import TRY
from hybridq.brain.tariff import Tariff
from hybridq.config.values import HandlerConfig, PolicyConfig, TariffConfig
from hybridq.job import Held, Mode
from tests.support.deciding import HOUR, NOON, person, request, told
from tests.support.deciding import conditions as deciding

EVERY = 60.0  # seconds between two submissions


def known(jobs: int = 10, seconds: float = 3.0, together: int = 1) -> Model:
    return learn_many(Model(), [Observation(size=100, busy=seconds, together=together)] * jobs)


def world(batch: Model | None = None, handler: HandlerConfig | None = None, **changes: object) -> Conditions:
    """A warm worker, whose jobs take three seconds alone, at a flat price, and a trickle to it."""
    fields = {
        "tariff": Tariff(TariffConfig()),
        "estimate": Estimate(known(), batch, handler or HandlerConfig()),
        "warm": True,
        "batch_slots": 1,
        "coming": 1 / EVERY,
        "joining": 1 / EVERY,
        "joined": tuple(NOON - EVERY * before for before in range(64)),
    }
    return deciding(**(fields | changes))


def waiting(jobs: int, **changes: object) -> tuple[Held, ...]:
    fields = {"jobs": 1, "size": 100.0, "deadline": math.inf, "since": NOON, "delay_cost": 0.001} | changes
    return tuple(Held(key=key, **fields) for key in range(1, jobs + 1))  # type: ignore[arg-type]


def test_a_trickle_is_held_to_find_out_what_sharing_saves() -> None:
    """Nobody waits and others will come: it is held, an hour at most, and the reason says until when and what for."""
    decision = classify(request(), 1, 100, world())
    assert decision.mode is Mode.BATCH
    assert NOON < (decision.forecast.start or 0) <= NOON + TRY
    assert "at most: finds out what sharing a call saves" in told(decision.reason)


def test_as_many_as_tell_are_run_at_once() -> None:
    """The fourth of one worker completes the trial: all four run now."""
    held = waiting(3)
    assert classify(request(), 1, 100, world(held=held[:2])).forecast.start != NOON
    decision = classify(request(), 1, 100, world(held=held))
    assert (decision.mode, decision.forecast.start) == (Mode.BATCH, NOON)
    assert told(decision.reason).startswith("runs now: finds out what sharing a call saves")
    (flush,) = plan(waiting(4), world()).due
    assert (flush.rule, flush.jobs) == ("trial", 4)


@pytest.mark.parametrize(
    "there",
    [
        world(coming=1 / HOUR, joined=(NOON - HOUR, NOON - 2 * HOUR)),  # too few come
        world(policy=PolicyConfig(background_delay_cost=1.0)),  # a minute costs more than a whole job
        world(known(TRIES)),  # many in batches have told nothing
        world(handler=HandlerConfig(chunk=1)),  # no call is shared
        world(handler=HandlerConfig(price=0.1)),  # a shared call is no cheaper
        world(handler=HandlerConfig(protocol="lines", command=("cat",))),  # each call has a start of its own
        world(estimate=Estimate(None, None, HandlerConfig(expected=3.0, fixed=0.0))),  # nothing is learned yet
    ],
    ids=["few", "dear", "told", "alone", "priced", "filter", "new"],
)
def test_where_nothing_can_be_learned_or_saved_it_streams(there: Conditions) -> None:
    """No wait that could not pay, and none for longer than it takes to know."""
    assert classify(request(), 1, 100, there).mode is Mode.STREAM


def test_nobody_who_waits_and_no_deadline_is_part_of_a_trial() -> None:
    """A person streams, and a person's batch begins at once; a deadline that a trial would miss is made."""
    assert classify(person(), 1, 100, world()).mode is Mode.STREAM
    assert plan(waiting(1, delay_cost=30.0), world()).due
    soon = classify(request(deadline=NOON + 20), 1, 100, world())
    assert (soon.forecast.finish90 or math.inf) <= NOON + 20


def test_what_was_measured_rules_after_the_trial() -> None:
    """Calls of two seconds that each job shares are worth waiting for, and are said to cost less; where a call takes
    nothing by itself it streams again."""
    saving = replace(known(6, 1.5, 4), overhead=Overhead(2.0, 4.0, 4))
    held = classify(request(), 1, 100, world(saving))
    assert held.mode is Mode.BATCH
    assert "costs" in told(held.reason)
    assert "finds out" not in told(held.reason)
    nothing = replace(known(TRIES, 3.0, 2), overhead=Overhead(0.0, 0.0, 2))
    assert classify(request(), 1, 100, world(nothing)).mode is Mode.STREAM


def test_a_trial_promises_its_latest_begin_and_is_likely_sooner() -> None:
    """Said is the latest begin; the end at the 90th percentile is after that, the median is when enough will be
    there."""
    first = classify(request(), 1, 100, world()).forecast
    assert (first.finish or 0) < (first.start or 0) < (first.finish90 or 0)
    assert (first.finish or 0) == pytest.approx(NOON + 3 * EVERY, abs=EVERY / 2)
    eta = held_etas(waiting(2), world())[1]
    assert (eta.finish or 0) < (eta.start or 0) < (eta.finish90 or 0)


def test_a_trial_goes_on_though_fewer_come() -> None:
    """How many will come is foreseen when the first is held: what is told does not change while it waits."""
    first = plan(waiting(1), world()).later[0].at
    later = plan(waiting(1), world(now=NOON + 300, coming=1 / 600.0)).later[0]
    assert (later.rule, later.at) == ("trial", pytest.approx(first))


def test_what_tells_a_call_apart_is_not_pushed_out() -> None:
    """A hundred calls of one job leave what a few larger ones have told."""
    chunk = ChunkSize(0.5, 1000)
    chunk.begin(None)
    for jobs in (1, 2, 1, 2, *[1] * 100):
        chunk.took(2.0 + 0.5 * jobs, jobs)
    assert chunk.overhead.seconds == pytest.approx(2.0)
    assert chunk.overhead.jobs == pytest.approx(4.0)
