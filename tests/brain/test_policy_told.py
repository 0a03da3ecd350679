"""What a decision says of itself: what it knows, what it assumes, and what decided."""

import math

import pytest

from hybridq.brain.estimate import Estimate, Model, Observation, learn_many
from hybridq.brain.llm import LlmEstimate
from hybridq.brain.policy import classify
from hybridq.brain.tariff import Tariff
from hybridq.config.llm import LlmOptions
from hybridq.config.values import HandlerConfig, TariffConfig
from hybridq.job import Held, Mode
from hybridq.reason import Reason
from hybridq.sentences import sentence
from tests.support.deciding import NOON, conditions, person, request, told


def learned(seconds: float) -> Model:
    return learn_many(Model(), [Observation(size=100, busy=seconds)] * 10)


def test_a_batch_of_one_is_no_quicker_than_streaming() -> None:
    """Batches took a quarter of the time a job; a person alone streams all the same, and a thousand jobs gain by it."""
    known = Estimate(learned(600.0), learned(150.0), HandlerConfig(fixed=2.0))
    alone = classify(person(), 1, 100, conditions(estimate=known, tariff=Tariff(TariffConfig())))
    assert alone.mode is Mode.STREAM
    stream, batch = alone.considered
    assert (batch.finish or 0) >= (stream.finish or 0)
    many = classify(person(), 1000, 100, conditions(estimate=known, tariff=Tariff(TariffConfig())))
    stream, batch = many.considered
    assert (batch.finish or 0) < (stream.finish or 0)


def test_what_is_known_is_not_said_to_be_unknown() -> None:
    """Nothing is known only where neither time nor money is; else what is lacking is named, a price first."""
    model = HandlerConfig(kind="openai")
    listed, priceless = (
        LlmEstimate(Model(), Model(), model, LlmOptions(model="gpt-5-mini", base_url=url))
        for url in ("", "http://localhost")
    )
    for estimate, says in (
        (Estimate(None, None, HandlerConfig()), "no run times of digest yet"),
        (Estimate(None, None, HandlerConfig(price=0.1)), "no run times of digest yet"),
        (listed, "no run times of digest in mode stream yet"),
        (priceless, "no costs of digest known"),
    ):
        assert told(classify(request(), 3, 100, conditions(estimate=estimate)).reason).endswith(says)


def test_the_run_times_that_are_known_are_counted_truly() -> None:
    """Of a command its own runs, while they are too few to tell of the next; of another handler those of its jobs."""
    handler = HandlerConfig(kind="shell")
    for runs in (0, 1, 2):
        seen = Model(
            commands={"p.q.a": ((1.0, 1.0),) * runs, "p.q.b": ((1.0, 9.0),)}, times=(1.0,) * 3, sizes=(1.0,) * 3
        )
        decision = classify(request(kind="p.q.a"), 1, 100, conditions(estimate=Estimate(seen, None, handler)))
        counted = "no run times of this command yet" if not runs else f"{runs} of 3 run times of this command known"
        assert counted in told(decision.reason)
    two = learn_many(Model(), [Observation(size=100, busy=1.0)] * 2)
    decision = classify(request(), 1, 100, conditions(estimate=Estimate(two, None, HandlerConfig())))
    assert "2 of 3 run times of digest known" in told(decision.reason)


def test_run_times_that_are_not_alike_are_counted_all() -> None:
    """Streamed and batched ones, first and later ones: all are told, and that too few of them are alike."""
    two = learn_many(Model(), [Observation(size=100, busy=1.0), Observation(size=100, busy=1.0, startup=1.0)])
    decision = classify(request(), 1, 100, conditions(estimate=Estimate(two, two, HandlerConfig())))
    assert "1 of 3 run times of digest of one sort known (3 of other sorts do not count)" in told(decision.reason)


def test_what_half_of_such_jobs_make_is_not_probably_missed() -> None:
    """A deadline between the 50th and the 90th percentile may be missed; one before both probably is."""
    known = Estimate(learn_many(Model(), [Observation(size=100, busy=s) for s in (2.0, 3.0, 4.0, 9.0)] * 3))
    for seconds, says in (
        (6.0, "may be missed: half of such jobs are done by 12:00:0"),
        (1.0, "will probably be missed"),
    ):
        decision = classify(person(deadline=NOON + seconds), 1, 100, conditions(estimate=known))
        assert says in told(decision.warning)


def test_a_forecast_names_what_it_assumes() -> None:
    """What no job has told yet is named, and how much of the cost a start is; nothing of it once jobs have told."""
    told = classify(person(), 1, 100, conditions(2.0, 5.0)).forecast
    assert told.assumed == ("2s a job",)
    assert told.cost == pytest.approx(told.starting * 7 / 5)
    seen = learn_many(Model(), [Observation(size=100, busy=2.0) for _ in range(8)])
    known = classify(person(), 1, 100, conditions(estimate=Estimate(seen, None, HandlerConfig(expected=9.0))))
    assert known.forecast.assumed == ()
    model = LlmEstimate(Model(), Model(), HandlerConfig(kind="openai"), LlmOptions(model="gpt-5-mini", max_tokens=50))
    batched = classify(request(mode=Mode.BATCH), 3, 100, conditions(estimate=model)).forecast
    assert batched.assumed == ("others' turnaround", "list prices", "50-token answers")


def test_a_load_that_decides_is_named() -> None:
    """Where the load alone makes later cheaper, the reason begins with it; where the tariff does too, it does not."""
    flat = Tariff(TariffConfig())
    decision = classify(request(), 500, 100, conditions(load=1.9, tariff=flat))
    assert decision.mode is Mode.BATCH
    assert told(decision.reason).startswith("held until the machine is idle, starts by 12:15: load 1.9 a core")
    assert told(classify(request(), 500, 100, conditions(load=1.9)).reason).startswith(
        "held for the night price at 22:00: a batch"
    )


def test_a_providers_batch_waits_for_no_other() -> None:
    """Batches at a provider run side by side: one that joins others is there as soon as they are."""
    estimate = LlmEstimate(Model(), Model(), HandlerConfig(kind="openai"), LlmOptions(model="gpt-5-mini"))
    before = Held(key=1, jobs=3, size=100.0, deadline=math.inf, since=NOON, delay_cost=0.001)
    alone, joining = (
        classify(request(mode=Mode.BATCH), 3, 100, conditions(estimate=estimate, held=held)).forecast
        for held in ((), (before,))
    )
    assert (joining.finish or 0) - (joining.start or 0) == (alone.finish or 0) - (alone.start or 0)
    assert alone.starting == 0  # nothing is started


def test_a_tiny_sum_beside_a_large_one_takes_no_eight_digits() -> None:
    """Amounts that are compared have the decimals of the larger; where both are tiny, as many as it takes."""
    sums = ((6.3e-7, 0.0355), (6.3e-7, 9e-7))
    far, near = (Reason("costs more", other="batch", saves=saves, costs=costs) for saves, costs in sums)
    assert sentence(far, 0.0).endswith("batch saves < 0.0001, waiting for it costs 0.0355")
    assert sentence(near, 0.0).endswith("batch saves 0.00000063, waiting for it costs 0.00000090")
