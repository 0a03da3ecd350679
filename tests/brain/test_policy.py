"""Which mode a submission gets, with the numbers that say why."""

import math

import pytest

from hybridq.brain.estimate import Estimate, Model, Observation, learn_many
from hybridq.brain.policy import classify, promote, reclassify
from hybridq.brain.tariff import Tariff
from hybridq.config.values import TariffConfig
from hybridq.errors import UsageError
from hybridq.job import Decision, Held, Mode
from tests.support.deciding import HOUR, NOON, conditions, person, request, told


def test_person_streams() -> None:
    """A person is served at once, though it would be cheaper at night; the reason names both and the signal."""
    decision = classify(person(), 1, 100, conditions())
    assert decision.mode is Mode.STREAM
    assert told(decision.reason).endswith("you are waiting (terminal)")


def test_next_to_nothing_is_no_saving() -> None:
    """A saving that would be told as 0 is none; what is cheaper and there sooner has no waiting to pay for."""
    flat = {"tariff": Tariff(TariffConfig()), "batch_ahead": 9.0, "warm": True}
    sooner = classify(person(), 1, 100, conditions(0.0005, 0.01, fresh=True, **flat))
    assert told(sooner.reason).startswith("runs now: costs 95% less, and comes sooner")
    decision = classify(person(), 1, 100, conditions(0.0005, 0.001, **flat))
    assert decision.mode is Mode.STREAM
    assert told(decision.reason).startswith("runs now: a batch would save nothing and end later; you are waiting")


def test_a_batch_at_once_pays_no_start_that_a_warm_instance_saves() -> None:
    """What is forecast of a batch that begins now has a start, in money and time, only where one will happen."""
    asked, flat = request(mode=Mode.BATCH), Tariff(TariffConfig())
    warm, anew = (
        classify(
            asked, 1, 100, conditions(600.0, 60.0, tariff=flat, joining=0.0, joined=(), warm=True, fresh=fresh)
        ).forecast
        for fresh in (False, True)
    )
    assert warm.start == anew.start == NOON
    assert warm.cost == pytest.approx(600 / 3600)
    assert anew.cost == pytest.approx(660 / 3600)
    assert anew.finish == pytest.approx((warm.finish or 0) + 60, abs=0.01)


def test_large_background_work_waits_for_the_night() -> None:
    """A thousand jobs in the background wait for the cheap hours, and the numbers of the reason are right."""
    decision = classify(request(), 1000, 100, conditions())
    stream, batch = decision.considered
    assert decision.mode is Mode.BATCH
    assert decision.forecast.start == NOON + 10 * HOUR
    assert batch.cost == pytest.approx((1000 * 10 + 2) / 3600 * 0.5)
    assert stream.cost == pytest.approx(1000 * 10 / 3600 + 2 / 3600)
    assert told(decision.reason).startswith(
        "held for the night price at 22:00: a batch costs 1.39 then, streaming 2.78 now"
    )


def test_a_few_quick_jobs_run_at_once() -> None:
    """Nobody holds a tenth of a second of work for ten hours to save nothing, even if it is more jobs than slots;
    a second of it, which a person might wait behind, is held."""
    quick, longer = (classify(request(), jobs, 100, conditions(0.01, 0.0)) for jobs in (30, 1000))
    assert (quick.mode, longer.mode) == (Mode.STREAM, Mode.BATCH)


def test_total_is_cost_and_delay() -> None:
    """Every forecast's total is its cost and its delay; the delay is that of the middle of what is seen, at the stated
    price: of a batch from its first result on, of a stream from its begin on, which is seen as it comes."""
    for forecast in classify(request(), 50, 100, conditions()).considered:
        assert forecast.cost is not None
        assert forecast.first is not None
        assert forecast.finish is not None
        seen = forecast.first - (10 if forecast.mode is Mode.STREAM else 0)
        assert forecast.delay == pytest.approx(0.001 * ((seen + forecast.finish) / 2 - NOON) / HOUR)
        assert forecast.total == pytest.approx(forecast.cost + forecast.delay)


def test_trivial_background_work_runs_at_once() -> None:
    """Nobody delays a short job for hours to save less than the waiting costs, and the reason says so."""
    decision = classify(request(), 1, 100, conditions(expected=1.0, fixed=0.0))
    assert decision.mode is Mode.STREAM
    assert "waiting for it costs" in told(decision.reason) or "save nothing" in told(decision.reason)


def test_background_work_leaves_a_busy_stream_lane_alone() -> None:
    """Where people wait in the stream lane, or too many jobs come at once, background work is gathered."""
    flat = Tariff(TariffConfig())
    assert classify(request(), 1, 100, conditions(tariff=flat)).mode is Mode.STREAM
    busy = classify(request(), 1, 100, conditions(tariff=flat, stream_ahead=3.0))
    assert busy.mode is Mode.BATCH
    assert told(busy.reason).startswith("held until 12:33: people go first")
    assert classify(request(), 5, 100, conditions(tariff=flat)).mode is Mode.BATCH
    assert classify(request(), 1, 100, conditions(tariff=flat, expected=3600.0)).mode is Mode.BATCH


def test_nothing_known_the_audience_decides() -> None:
    """With no estimate at all a person streams and the background is batched."""
    unknown = conditions(expected=None, fixed=None)
    assert classify(person(), 1, 100, unknown).mode is Mode.STREAM
    decision = classify(request(), 1, 100, unknown)
    assert decision.mode is Mode.BATCH
    assert told(decision.reason) == "held until 22:00: nobody is waiting (cron); no run times of digest yet"
    assert decision.forecast.finish is None


def test_asked_mode_wins() -> None:
    """An explicit mode is taken, whatever it costs; the forecasts stand beside it."""
    decision = classify(person(mode=Mode.BATCH), 1, 100, conditions())
    assert (decision.mode, told(decision.reason)) == (
        Mode.BATCH,
        "held until 12:33: you asked for batch; you are waiting (terminal); others may share the start (0.0006)",
    )
    assert len(decision.considered) == 2


def test_mode_that_is_not_offered_is_refused() -> None:
    """A mode that the handler has not is a usage error that names those it has."""
    with pytest.raises(UsageError, match=r"cannot run in mode adaptive .*; it offers: batch, stream"):
        classify(person(mode=Mode.ADAPTIVE), 1, 100, conditions())


def test_only_mode() -> None:
    """A handler with one mode gets it."""
    decision = classify(request(), 9, 100, conditions(modes=frozenset({Mode.STREAM})))
    assert told(decision.reason) == "runs now: digest offers only stream; nobody is waiting (cron)"


@pytest.mark.parametrize("mode", [None, Mode.ADAPTIVE])
def test_a_final_that_will_be_late_is_told_where_the_draft_is_not(mode: Mode | None) -> None:
    """Due in a minute: the draft takes a second, the final more than a hundred. Adaptive makes the deadline by its
    draft, is chosen for that, and says what its final does not make."""
    small = conditions(1.0, 0.0)
    decision = classify(
        person(mode=mode, deadline=NOON + 60), 1, 100, conditions(100.0, modes=frozenset(Mode), draft=small)
    )
    assert decision.mode is Mode.ADAPTIVE
    assert "the draft makes the deadline" in told(decision.warning)
    assert "the final will probably be late: done by" in told(decision.warning)
    assert "the final misses the deadline" in told(decision.forecast.note)
    ample = classify(
        person(mode=mode, deadline=NOON + 3600), 1, 100, conditions(100.0, modes=frozenset(Mode), draft=small)
    )
    assert ample.warning is None
    assert all("misses" not in told(each.note) for each in ample.considered)


def test_adaptive_gives_the_draft_first() -> None:
    """An adaptive forecast has the stream's first result, the batch's finish as much later, and both costs."""
    modes = frozenset(Mode)
    stream, batch, adaptive = classify(person(), 1, 100, conditions(modes=modes)).considered
    assert adaptive.first == stream.first
    assert adaptive.finish == pytest.approx((stream.first or 0) + (batch.finish or 0) - (batch.start or 0))
    assert adaptive.cost == pytest.approx((stream.cost or 0) + (batch.cost or 0))


def test_deadline_excludes_what_misses_it() -> None:
    """Only modes whose 90th percentile makes the deadline are chosen from."""
    work = request(deadline=NOON + 1800)
    decision = classify(work, 1, 100, conditions(stream_ahead=7200.0))
    assert decision.mode is Mode.BATCH
    assert decision.forecast.finish90 <= NOON + 1800  # type: ignore[operator]


def test_impossible_deadline_takes_the_fastest_and_warns() -> None:
    """Where nothing makes the deadline the fastest is taken, with a warning that says when it will be done."""
    decision = classify(request(deadline=NOON + 5), 1, 100, conditions())
    assert decision.mode is Mode.STREAM
    assert told(decision.reason).startswith(
        "runs now: no mode is sure to make the deadline 12:00:05; streaming is done first"
    )
    assert told(decision.warning).startswith("the deadline 12:00:05 will probably be missed: done by 12:00:1")


def test_cost_limit() -> None:
    """A mode within the cost limit goes before a dearer one; where none is, there is a warning."""
    dear, cheap = (learn_many(Model(), [Observation(size=100, busy=10.0, cost=cost)] * 5) for cost in (1.0, 0.5))
    priced = conditions(estimate=Estimate(dear, cheap), warm=True)
    assert classify(person(), 1, 100, conditions()).mode is Mode.STREAM
    assert classify(person(max_cost=0.7), 1, 100, priced).mode is Mode.BATCH
    none = classify(person(max_cost=0.0001), 1, 100, conditions())
    assert told(none.warning).startswith("costs about 0.0033, more than --max-cost of 0.0001")


def test_load_sends_background_work_to_the_batch() -> None:
    """At a high load what would have streamed is gathered."""
    flat = Tariff(TariffConfig())
    assert classify(request(), 1, 100, conditions(tariff=flat)).mode is Mode.STREAM
    assert classify(request(), 1, 100, conditions(tariff=flat, load=2.0)).mode is Mode.BATCH


def test_joins_a_planned_flush() -> None:
    """What others already wait for is joined: the fixed cost is shared."""
    others = (Held(key=1, jobs=999, size=100, deadline=math.inf, since=NOON, delay_cost=0.001),)
    alone = classify(request(mode=Mode.BATCH), 1, 100, conditions()).forecast
    shared = classify(request(mode=Mode.BATCH), 1, 100, conditions(held=others)).forecast
    assert shared.start == NOON + 10 * HOUR
    assert (alone.cost or 0) - (shared.cost or 0) > 2 / 3600 * 0.9


def test_place_in_the_flush_counts() -> None:
    """The first result of a batch comes after the jobs with earlier deadlines that go with it."""
    others = (Held(key=1, jobs=1000, size=100, deadline=NOON + 30 * HOUR, since=NOON, delay_cost=0.001),)
    forecast = classify(request(mode=Mode.BATCH), 1, 100, conditions(held=others)).forecast
    assert forecast.start == NOON + 10 * HOUR
    assert forecast.first == pytest.approx(NOON + 10 * HOUR + 2 + 1000 / 2 * 10 + 10, abs=1)


def test_late_stream_is_thought_over() -> None:
    """A stream job that waited far longer than foreseen may go to the batch; what was asked for stays."""
    crowded = conditions(stream_ahead=600.0)
    decision = reclassify(request(), 1, 100, crowded, waited=60.0, foreseen=1.0)
    assert isinstance(decision, Decision)
    assert decision.mode is Mode.BATCH
    assert told(decision.reason).startswith("waited 1m to stream where 1s was foreseen; ")
    assert reclassify(request(), 1, 100, crowded, waited=4.0, foreseen=1.0) is None
    assert reclassify(request(mode=Mode.STREAM), 1, 100, crowded, waited=60.0, foreseen=1.0) is None
    assert reclassify(person(), 1, 100, conditions(), waited=60.0, foreseen=1.0) is None


def test_what_is_late_either_way_goes_before_nobody_for_little() -> None:
    """Streamed it would be late as well and hardly sooner: it stays, for there it would go before people; much sooner
    is worth it."""
    work = request(deadline=NOON + 1)
    assert promote(work, 1, 100, conditions(batch_ahead=3600.0, stream_ahead=3500.0)) is None
    assert promote(work, 1, 100, conditions(batch_ahead=3600.0, stream_ahead=600.0)) is not None


def test_batch_that_comes_too_late_is_promoted() -> None:
    """Held jobs that a batch cannot deliver in time are streamed, even where a batch was asked for."""
    late = conditions(batch_ahead=3600.0)
    work = request(deadline=NOON + 1800, mode=Mode.BATCH)
    decision = promote(work, 1, 100, late)
    assert isinstance(decision, Decision)
    assert decision.mode is Mode.STREAM
    assert told(decision.reason).startswith("a batch ends at 13:00, after the deadline")
    assert promote(work, 1, 100, conditions()) is None
    assert promote(request(), 1, 100, late) is None
    assert promote(work, 1, 100, conditions(batch_ahead=3600.0, stream_ahead=7200.0)) is None
