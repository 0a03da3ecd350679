"""When accepted work will start and be done."""

import math
import random

import pytest
from msgspec.structs import replace

from hybridq.brain.conditions import Conditions
from hybridq.brain.estimate import Estimate, Model, Observation, learn_many
from hybridq.brain.forecast import Eta, held_etas, rest_eta, running_eta, stream_eta
from hybridq.brain.plan import plan
from hybridq.brain.policy import classify
from hybridq.brain.tariff import Tariff
from hybridq.config.values import HandlerConfig, PolicyConfig, TariffConfig, Window
from hybridq.job import Audience, Held, Lane, Mode, Request

NOON = 1_795_867_200.0  # 12:00 UTC
HOUR = 3600.0
NIGHT = Tariff(TariffConfig(window=(Window(start="22:00", end="06:00", factor=0.5),)))


def held(key: int = 1, **changes: object) -> Held:
    fields = {"jobs": 500, "size": 100.0, "deadline": math.inf, "since": NOON, "delay_cost": 0.001} | changes
    return Held(key=key, **fields)  # type: ignore[arg-type]


def conditions(**changes: object) -> Conditions:
    estimate = Estimate(None, None, HandlerConfig(expected=10.0, fixed=5.0))
    fields = {"now": NOON, "tariff": NIGHT, "policy": PolicyConfig(), "estimate": estimate} | changes
    return Conditions(**fields)  # type: ignore[arg-type]


def learned(seconds: float = 10.0, *, batch: bool = False) -> Estimate:
    source, model = random.Random(1), Model()
    for _ in range(128):
        model = learn_many(model, [Observation(size=100, busy=seconds * source.lognormvariate(0, 0.3))])
    return Estimate(model, model if batch else None)


def test_held_work_starts_by_the_plan() -> None:
    """The start is the planned flush; the finish is start-up and all jobs later."""
    eta = held_etas([held()], conditions())[1]
    assert eta.start == NOON + 10 * HOUR
    assert eta.finish == pytest.approx(NOON + 10 * HOUR + 5 + 5000, abs=1)
    assert (eta.finish90 or 0) > (eta.finish or 0)


def test_place_in_the_flush_counts() -> None:
    """Of two classes in one flush the earlier deadline is done first, the other after it."""
    work = [held(1), held(2, deadline=NOON + 48 * HOUR)]
    etas = held_etas(work, conditions())
    assert etas[1].start == etas[2].start
    assert (etas[1].finish or 0) - (etas[2].finish or 0) == pytest.approx(5000, abs=1)


def test_those_that_will_join_go_first_where_they_are_due_first() -> None:
    """Until the flush 36,000 s away one more joins every 10,000 s: two of three have a deadline, and go before who has
    none. Of two that are held nobody can tell."""
    work = [held(1), *(held(key, jobs=100, deadline=NOON + 12 * HOUR) for key in (2, 3))]
    alone, crowd = (held_etas(work, conditions(joining=rate)) for rate in (0.0, 1e-4))
    assert crowd[2].start == alone[2].start == NOON + 10 * HOUR
    assert (crowd[1].finish or 0) - (alone[1].finish or 0) == pytest.approx(2.4 * 100 * 10, abs=1)
    assert crowd[2].finish == alone[2].finish
    assert held_etas(work[:2], conditions(joining=1e-4)) == held_etas(work[:2], conditions(joining=0.0))


def test_who_joins_is_counted_once() -> None:
    """Those that come before the first of two flushes go with that one, and are not counted again for the second."""
    work = [
        held(1, jobs=4000, deadline=NOON + 90 * HOUR),
        *(held(k, jobs=1, deadline=NOON + 12 * HOUR) for k in (2, 3)),
    ]
    alone, crowd = (held_etas(work, conditions(joining=rate))[1] for rate in (0.0, 1e-4))
    jobs = round(1e-4 / 3 * 24 * HOUR * 2)
    assert (crowd.finish or 0) - (alone.finish or 0) == pytest.approx(10 * jobs, abs=20)


def test_what_is_promised_is_what_is_told_a_moment_later() -> None:
    """A new submission's finish is the one that its place among the held ones, and those that will join, give."""
    others = tuple(held(key, jobs=100, deadline=NOON + (11 + key) * HOUR) for key in (1, 2, 3))
    world = conditions(joining=1e-4, held=others, modes=frozenset({Mode.BATCH}))
    (promised,) = classify(Request(handler="x", audience=Audience.BACKGROUND), 500, 100, world).considered
    told = held_etas([*others, held(4)], world)[4]
    assert promised.start == told.start
    assert promised.finish == pytest.approx(told.finish, abs=1)


def test_split_class_is_done_with_its_last_part() -> None:
    """A class that runs in two nights starts in the first and is done in the second."""
    eta = held_etas([held(jobs=4000, deadline=NOON + 72 * HOUR)], conditions())[1]
    assert eta.start == NOON + 10 * HOUR
    assert (eta.finish or 0) > NOON + 34 * HOUR


@pytest.mark.parametrize("load", [1.0, 4.0, 8.0])
def test_a_load_that_lasts_moves_no_start(load: float) -> None:
    """What is held because the machine is loaded is said to start when its plan says, now as a minute later."""
    work = [held(jobs=10_000)]
    for later in (0.0, 20.0, 60.0):
        then = conditions(now=NOON + later, load=load)
        planned = plan(work, then)
        assert not planned.due
        assert held_etas(work, then)[1].start == planned.later[0].at


def test_what_the_load_alone_holds_begins_when_that_is_over() -> None:
    """Nobody knows when: what is held is likely to be done sooner by half of the quarter of an hour that the load is
    given, until that half has passed, and at the 90th percentile after all of it; so is what comes."""
    work = [held(jobs=10_000)]
    free = held_etas(work, conditions())[1]
    lasts, most = ((at or 0.0) - (free.start or 0.0) for at in (free.finish, free.finish90))
    for later, sooner in ((0.0, 450.0), (200.0, 450.0), (449.0, 450.0), (460.0, 0.0)):
        busy = conditions(now=NOON + later, load=9.0)
        assert plan(work, busy).later[0].reason.kind == "busy"
        eta = held_etas(work, busy)[1]
        assert eta.start == NOON + 900.0
        assert eta.finish == pytest.approx(NOON + 900.0 + lasts - sooner)
        assert eta.finish90 == pytest.approx(NOON + 900.0 + most)
    asked = Request(handler="x", audience=Audience.BACKGROUND, mode=Mode.BATCH)
    promised = classify(asked, 10_000, 100, conditions(load=9.0)).forecast
    assert promised.finish == pytest.approx(NOON + 450.0 + lasts)
    assert (promised.finish90 or 0.0) == pytest.approx(NOON + 900.0 + most)


def test_what_was_claimed_runs_only_once_its_instance_is_up_and_free() -> None:
    """A job of 10 s that was claimed a second ago by an instance that takes 3 s more to start has 13 s left; one that
    waits for a call of a batch as long as the lanes say."""
    starts = running_eta(Lane.STREAM, 100, NOON - 1, conditions(estimate=learned(), up=NOON + 3))
    assert (starts.finish or 0.0) - NOON == pytest.approx(13.0, rel=0.1)
    waits = running_eta(Lane.STREAM, 100, NOON - 1, conditions(estimate=learned(), turn=(14.0, 2.0)))
    assert (waits.finish, waits.finish90) == (NOON + 14, pytest.approx(NOON + 16.6, abs=0.1))
    assert waits.start == starts.start == NOON - 1


def test_the_rest_of_what_runs_knows_what_goes_between() -> None:
    """Three jobs of a batch, one after another, have two and a half times 10 s left; twice that where people keep the
    instance half of the time; and the start that goes on comes before."""
    alone, beside, cold = (
        rest_eta(Lane.BATCH, 3, 3, 100, conditions(estimate=learned(batch=True), **more))
        for more in ({}, {"busy": 0.5}, {"up": NOON + 20})
    )
    assert (alone.finish or 0.0) - NOON == pytest.approx(25.0, rel=0.1)
    assert (beside.finish or 0.0) - NOON == pytest.approx(50.0, rel=0.1)
    assert (cold.finish or 0.0) - NOON == pytest.approx(45.0, rel=0.1)
    assert (alone.finish or 0.0) < (alone.finish90 or 0.0)


def test_running_batches_go_first() -> None:
    """Work that is due waits for the batches that already run."""
    eta = held_etas([held(deadline=NOON)], conditions(batch_ahead=600.0))[1]
    assert eta.start == NOON + 600


def test_unknown_run_time_is_none() -> None:
    """Of work of which nothing is known the planned start is told, and no finish."""
    nothing = conditions(estimate=Estimate())
    assert held_etas([held()], nothing)[1] == Eta(start=NOON + 10 * HOUR)
    assert stream_eta(1, 100, nothing) == Eta(start=NOON)
    assert stream_eta(1, 100, conditions(stream_ahead=None)) == Eta()
    assert running_eta(Lane.STREAM, 100, NOON - 5, nothing) == Eta(start=NOON - 5)


def test_stream_waits_for_what_is_ahead() -> None:
    """A queued stream job starts after the work ahead; a warm instance saves the start."""
    cold = stream_eta(1, 100, conditions(stream_ahead=30.0))
    warm = stream_eta(1, 100, conditions(stream_ahead=30.0, warm=True))
    assert cold.start == NOON + 30
    assert cold.finish == pytest.approx(NOON + 45, abs=0.01)
    assert warm.finish == pytest.approx(NOON + 40, abs=0.01)


def test_a_flush_that_is_due_finds_the_instance_up() -> None:
    """A warm instance saves the start of a flush at once, not of one tonight, and not where each flush starts anew."""
    flat = conditions(tariff=Tariff(TariffConfig()), warm=True, joining=0.0, joined=())
    due, anew = (held_etas([held()], replace(flat, fresh=fresh))[1] for fresh in (False, True))
    tonight, cold = (held_etas([held()], conditions(warm=warm))[1] for warm in (True, False))
    assert due.start == anew.start == NOON
    assert anew.finish == pytest.approx((due.finish or 0) + 5, abs=0.01)
    assert tonight == cold


def test_running_job_is_never_promised_for_the_past() -> None:
    """The longer a job runs, the later it is expected; beyond all that was seen: unknown."""
    estimate, finishes = learned(), []
    for elapsed in (0.0, 5.0, 10.0, 14.0):
        eta = running_eta(Lane.STREAM, 100, NOON - elapsed, conditions(estimate=estimate))
        assert NOON <= (eta.finish or 0) <= (eta.finish90 or 0)
        finishes.append((eta.finish or 0) - NOON + elapsed)
    assert finishes == sorted(finishes)
    assert running_eta(Lane.STREAM, 100, NOON - 1000, conditions(estimate=estimate)).finish is None


def test_running_forecast_covers() -> None:
    """Given that a job still runs after ten seconds, nine of ten such jobs end by its 90th percentile."""
    source = random.Random(2)
    eta = running_eta(Lane.STREAM, 100, NOON - 10, conditions(estimate=learned()))
    ends = [NOON - 10 + took for took in (10 * source.lognormvariate(0, 0.3) for _ in range(4000)) if took > 10]
    assert sum(end <= (eta.finish90 or 0) for end in ends) / len(ends) == pytest.approx(0.9, abs=0.05)


def test_nothing_is_due_later_than_promised() -> None:
    """With nothing new coming, no work is due later than the start that was promised for it at submission."""
    source = random.Random(3)
    for _ in range(100):
        work = [held(k, jobs=source.randint(1, 300), deadline=NOON + source.uniform(0.2, 40) * HOUR) for k in range(3)]
        promised = held_etas(work, conditions())
        now, started = NOON, {}
        while work:
            planned = plan(work, conditions(now=now))
            for flush in planned.due:
                started |= dict.fromkeys(flush.keys, now)
                work = [h for h in work if h.key not in flush.keys]
            now = now if planned.due else planned.look or now
        for key, at in started.items():
            late = at - (promised[key].start or 0)
            assert late <= 60, (late, promised[key])


def test_a_spread_is_that_of_the_run_and_the_same_for_all_who_ask() -> None:
    """However late promises turned out, our own plan for the start has none; submit and status say the same."""
    late = replace(learn_many(Model(), [Observation(size=100, busy=n) for n in (1.0, 2.0) * 8]), wide=1.0)
    told = conditions(estimate=Estimate(late, late, HandlerConfig()))
    request = Request(handler="digest", audience=Audience.BACKGROUND, mode=Mode.BATCH)
    forecast = classify(request, 500, 100.0, told).forecast
    eta = held_etas([held(pinned=True)], told)[1]
    assert (forecast.start, forecast.finish) == (eta.start, eta.finish)
    assert forecast.finish90 == pytest.approx(eta.finish90, abs=1e-3)
    whole = told.estimate.total_time(Lane.BATCH, 100, 500, 0.9) or 0.0
    few = 1 + 1 / 17  # sixteen jobs have told
    assert (eta.finish90 or 0) - (eta.start or 0) == pytest.approx(math.e * whole * few)
