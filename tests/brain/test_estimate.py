"""What is learned of run times, starts and prices: right, honest, quick to unlearn, small."""

import math
import random
from collections.abc import Callable

import msgspec
import pytest
from msgspec.structs import replace

from hybridq.brain.calls import Overhead
from hybridq.brain.estimate import ENOUGH, Estimate, Model, Observation, judged, learn_many
from hybridq.config.values import HandlerConfig
from hybridq.job import Lane

S, B = Lane.STREAM, Lane.BATCH


def learn(model: Model, observation: Observation) -> Model:
    return learn_many(model, (observation,))


def taught(source: random.Random, jobs: int, seconds: Callable[[float], float], noise: float = 0.2) -> Model:
    """A model that has seen jobs of log-normal sizes, which took `seconds(size)` with log-normal noise."""
    model = Model()
    for _ in range(jobs):
        size = source.lognormvariate(7, 1.5)
        model = learn(model, Observation(size=size, busy=seconds(size) * source.lognormvariate(0, noise)))
    return model


def per_kilobyte(size: float) -> float:
    return size / 1000


def test_of_a_filter_each_lane_tells_its_own_times() -> None:
    """A streamed line is always started, one of a batch has its share of the starts: neither tells the other's."""
    handler, started, shared = HandlerConfig(protocol="lines"), Model(), Model()
    for _ in range(5):
        started = learn(started, Observation(size=100, busy=4.0, startup=4.0))
        shared = learn(shared, Observation(size=100, busy=8.0))
    both = Estimate(started, shared, handler)
    assert both.run_time(S, 100) == pytest.approx(4.0, rel=0.01)
    assert both.run_time(B, 100) == pytest.approx(8.0, rel=0.01)
    assert Estimate(None, shared, handler).run_time(S, 100) == pytest.approx(8.0, rel=0.01)


@pytest.mark.parametrize(("late", "least", "most"), [(0, -0.2, 0.0), (8, 0.2, 0.5), (32, 0.5, 0.8)])
def test_promises_that_were_not_kept_make_the_next_ones_later(late: int, least: float, most: float) -> None:
    """What was late makes the spread wider, what was in time a little narrower; no promise changes nothing."""
    wide = judged(Model(), [True] * late or [False] * 8).wide
    assert least <= wide <= most
    assert wide != 0.0
    assert judged(Model(wide=0.5), []).wide == 0.5


def test_the_time_of_many_knows_how_they_share_calls() -> None:
    """A call takes 5 s and 0.05 s a job: jobs that went twenty a call tell what one takes, and what a thousand do that
    go a hundred a call; streamed jobs share nothing."""
    busy = 5 / 20 + 0.05
    seen = [Observation(size=9, busy=busy, together=20)] * 9
    model = learn_many(Model(overhead=Overhead(seconds=5.0, jobs=100.0)), seen)
    both = Estimate(model, model)
    assert both.total_time(B, 9, 1) == pytest.approx(5.05, rel=0.01)
    assert both.total_time(B, 9, 20) == pytest.approx(6.0, rel=0.05)
    assert both.total_time(B, 9, 1000) == pytest.approx(100.0, rel=0.05)
    assert both.total_time(S, 9, 20) == pytest.approx(20 * busy, rel=0.05)
    assert both.total_time(B, 9, 0) == 0.0
    few = Estimate(model, model, HandlerConfig(chunk=5))
    assert few.total_time(B, 9, 1000) == pytest.approx(1000 * (5 / 5 + 0.05), rel=0.05)
    assert Estimate(model, Model(overhead=Overhead(math.nan, -1.0))).total_time(B, 9, 20, 0.9) == both.total_time(
        S, 9, 20, 0.9
    )
    assert Estimate(model, model, HandlerConfig(protocol="lines")).total_time(B, 9, 1) == pytest.approx(busy, rel=0.01)


def test_nothing_known_is_none() -> None:
    """Without jobs and without configuration nothing is guessed; a flush's start costs nothing."""
    estimate = Estimate()
    assert estimate.run_time(S, 10) is None
    assert estimate.total_time(B, 10, 5) is None
    assert estimate.startup() is None
    assert estimate.cost(B, 10) is None
    assert estimate.chance(S, 10, 5.0) is None
    assert estimate.fixed_cost() == 0


def test_expected_serves_until_three_jobs_are_known() -> None:
    """`expected` is believed until the third job; then only what was seen counts."""
    handler, model = HandlerConfig(expected=20.0), Model()
    for known in range(ENOUGH):
        assert Estimate(model, None, handler).run_time(S, 100) == pytest.approx(20), known
        model = learn(model, Observation(size=100, busy=1.0))
    assert Estimate(model, None, handler).run_time(S, 100) == pytest.approx(1.0, rel=0.01)


def test_other_lane_serves_until_three_jobs_are_known() -> None:
    """A lane that has seen nothing is judged by what the other one saw."""
    model = taught(random.Random(1), 50, per_kilobyte)
    assert Estimate(model, None).run_time(B, 1000) == Estimate(model, None).run_time(S, 1000)


@pytest.mark.parametrize(
    "seconds",
    [per_kilobyte, lambda size: 5.0, math.sqrt, lambda size: 2 + size / 1000],
    ids=["proportional", "constant", "root", "start and rate"],
)
def test_quantiles_are_honest(seconds: Callable[[float], float]) -> None:
    """The 90th percentile, asked before each job, covers 87-95 % of jobs; half end before the 50th."""
    source, model, within, half = random.Random(2), Model(), 0, 0
    for number in range(1030):
        size = source.lognormvariate(7, 1.5)
        took = seconds(size) * source.lognormvariate(0, 0.3)
        if number >= 30:
            estimate = Estimate(model)
            within += took <= (estimate.run_time(S, size, 0.9) or 0)
            half += took <= (estimate.run_time(S, size) or 0)
        model = learn(model, Observation(size=size, busy=took))
    assert 870 <= within <= 950
    assert 430 <= half <= 570


def test_what_jobs_of_one_size_take_is_learned_of_them() -> None:
    """Two kinds of jobs, small ones that take long and large ones that do not: each is foreseen by its like."""
    source, model, errors = random.Random(4), Model(), []
    for number in range(300):
        size, usual = source.choice([(200.0, 30.0), (500.0, 1.0), (4000.0, 8.0)])
        size, took = size * source.lognormvariate(0, 0.05), usual * source.lognormvariate(0, 0.1)
        if number >= 100:
            errors.append(abs((Estimate(model).run_time(S, size) or 0) - took) / took)
        model = learn(model, Observation(size=size, busy=took))
    assert sorted(errors)[100] < 0.12


@pytest.mark.parametrize("factor", [0.01, 0.5, 2.0, 100.0])
def test_new_regime_is_believed_within_thirty_jobs(factor: float) -> None:
    """When every job takes another time, half or a hundredfold, the estimate is right again 30 jobs later."""
    source = random.Random(3)
    model = taught(source, 300, per_kilobyte)
    for _ in range(30):
        size = source.lognormvariate(7, 1.5)
        model = learn(model, Observation(size=size, busy=size / 1000 * factor * source.lognormvariate(0, 0.2)))
    assert Estimate(model).run_time(S, 1000) == pytest.approx(factor, rel=0.25)
    assert (Estimate(model).run_time(S, 1000, 0.9) or 0) < factor * 2.5


def test_same_regime_is_kept() -> None:
    """Jobs that only scatter are no new regime: the window stays full."""
    assert len(taught(random.Random(4), 2000, per_kilobyte, noise=1.0).times) == 128


def test_total_is_the_sum_of_jobs() -> None:
    """The 90th percentile of fifty jobs' total covers 83-97 % of totals, and the middle is near."""
    source, within, errors = random.Random(5), 0, []
    for _ in range(200):
        estimate = Estimate(taught(source, 128, lambda size: 1.0, noise=0.6))
        total = sum(source.lognormvariate(0, 0.6) for _ in range(50))
        within += total <= (estimate.total_time(S, 1000, 50, 0.9) or 0)
        errors.append(abs((estimate.total_time(S, 1000, 50) or 0) - total) / total)
    assert 166 <= within <= 194
    assert sorted(errors)[100] <= 0.12


def test_total_of_none_and_one() -> None:
    """No jobs take no time, one job takes what one job takes."""
    estimate = Estimate(taught(random.Random(6), 50, per_kilobyte))
    assert estimate.total_time(S, 1000, 0) == 0
    assert estimate.total_time(S, 1000, 1, 0.9) == estimate.run_time(S, 1000, 0.9)


def test_chance_turns_the_quantile_round() -> None:
    """The probability of ending within the q-quantile is about q."""
    estimate = Estimate(taught(random.Random(7), 128, per_kilobyte))
    for q in (0.1, 0.5, 0.9):
        assert estimate.chance(S, 1000, estimate.run_time(S, 1000, q) or 0) == pytest.approx(q, abs=0.06)


def test_quantiles_are_in_order() -> None:
    """A higher quantile is never sooner, at sizes seen and far beyond."""
    estimate = Estimate(taught(random.Random(8), 40, per_kilobyte))
    for size in (0.0, 1e3, 1e9):
        times = [estimate.run_time(S, size, q / 20) or 0 for q in range(1, 20)]
        assert times == sorted(times)


def test_learned_price_goes_with_size() -> None:
    """A price that goes with size is learned as such, goes before the configured one, and is never negative."""
    model = Model()
    for size in (100, 200, 300, 400):
        model = learn(model, Observation(size=size, busy=1.0, cost=0.5 + size * 0.01))
    estimate = Estimate(None, model, HandlerConfig(price=9.0))
    assert estimate.cost(B, 1000) == pytest.approx(10.5, rel=0.01)
    assert (estimate.cost(B, 0) or 0) >= 0


def test_configured_price_then_busy_time() -> None:
    """Without a learned price the configured one counts, without that the busy time at the machine's rate."""
    model = taught(random.Random(9), 100, lambda size: 36.0, noise=0.0)
    assert Estimate(model, None, HandlerConfig(price=0.25)).cost(S, 100) == 0.25
    assert Estimate(model, None, HandlerConfig(), machine_cost=2.0).cost(S, 100) == pytest.approx(0.02, rel=0.05)


def test_starts_are_learned() -> None:
    """Start-up time is configured until one is seen, then seen; warm jobs say nothing about it."""
    handler = HandlerConfig(fixed=8.0)
    warm = learn(Model(), Observation(size=1, busy=1.0, startup=0.0))
    assert Estimate(warm, None, handler).startup() == pytest.approx(8.0)
    cold = learn(warm, Observation(size=1, busy=1.0, startup=3.6))
    assert Estimate(None, cold, handler, machine_cost=10.0).fixed_cost() == pytest.approx(0.01)


def test_first_call_that_loads_is_part_of_the_start() -> None:
    """A program that reads its first job and loads then teaches a start of two seconds, and jobs of milliseconds."""
    model = learn(Model(), Observation(size=20, busy=2.003, startup=0.04))
    for size in (5, 8, 11):
        model = learn(model, Observation(size=size, busy=0.003))
    estimate = Estimate(model)
    assert estimate.startup() == pytest.approx(2.04, rel=0.05)
    assert (estimate.run_time(S, 20, 0.9) or 9) < 0.02


def test_first_call_like_the_others_is_no_start() -> None:
    """What a first call takes within the usual is its run time, and adds nothing to the start."""
    source = random.Random(13)
    model = taught(source, 40, lambda size: 1.0)
    for _ in range(9):
        model = learn(model, Observation(size=1000, busy=source.lognormvariate(0, 0.2), startup=0.5))
    assert Estimate(model).startup(0.9) == pytest.approx(0.5)


def test_starts_stay_what_they_were_when_jobs_get_quicker() -> None:
    """In a new regime the first calls of the old one do not look as if they had loaded something."""
    job = Observation(size=10, busy=10.0)
    old = learn_many(Model(), [msgspec.structs.replace(job, startup=0.5), *[job] * 5] * 5)
    new = old
    for _ in range(30):
        new = learn(new, msgspec.structs.replace(job, busy=0.1))
    assert Estimate(new).run_time(S, 10) == pytest.approx(0.1, rel=0.05)
    assert Estimate(new).startup() == 0.5


def test_first_calls_serve_where_there_are_no_others() -> None:
    """A program that is started for each job is known by its first calls; warm calls of the other lane go before."""
    starting = learn_many(Model(), [Observation(size=10, busy=4.0, startup=0.5)] * ENOUGH)
    alone = Estimate(starting)
    assert (alone.run_time(S, 10), alone.startup()) == (pytest.approx(4.0, rel=0.01), 0.5)
    warm = Estimate(starting, learn_many(Model(), [Observation(size=10, busy=1.0)] * 20))
    assert (warm.run_time(S, 10), warm.startup()) == (pytest.approx(1.0, rel=0.01), pytest.approx(3.5, rel=0.01))


@pytest.mark.parametrize("jobs", [4, 6, 9, 15, 30, 60, 128, 200])
def test_one_odd_job_makes_no_promise_of_hours(jobs: int) -> None:
    """One job of two seconds among jobs of three milliseconds: no promise is far beyond it; of many it is forgotten."""
    for odd in {0, 1, jobs // 2, jobs - 1}:
        model = Model()
        for n in range(jobs):
            model = learn(model, Observation(size=20.0 if n == odd else 5.0 + n % 7, busy=2.0 if n == odd else 0.003))
        for size in (5.0, 20.0):
            promised = Estimate(model, None).run_time(S, size, 0.9) or math.inf
            assert promised < (10.0 if jobs < 20 else 0.05), (odd, size)
            assert Estimate(None, model).run_time(S, size, 0.9) == promised


def test_chunk_is_learned_as_a_whole() -> None:
    """A chunk of thousands teaches its run time and does not push every other flush out of the window."""
    model = taught(random.Random(10), 128, lambda size: 1.0)
    chunk = [Observation(size=1000, busy=1.0)] * 5000
    after = learn_many(model, chunk)
    assert sum(1 for time in after.times if time == 0.0) <= 40
    assert learn_many(model, []) == model


def test_nonsense_changes_nothing() -> None:
    """An observation that is no number is left out."""
    model = taught(random.Random(11), 10, per_kilobyte)
    for busy in (math.nan, math.inf, -1.0):
        assert learn(model, Observation(size=1, busy=busy)) == model
    assert learn(model, Observation(size=math.nan, busy=1.0)) == model


def test_model_is_small_plain_data() -> None:
    """A full model is less than 8 KB of JSON and comes back the same."""
    source = random.Random(12)
    model = Model()
    for _ in range(500):
        job = Observation(size=source.random() * 1e9, busy=source.random() * 1e5, startup=source.random(), cost=1.0)
        model = learn(model, job)
    text = msgspec.json.encode(model)
    assert len(text) < 8192
    assert msgspec.json.decode(text, type=Model) == model


def test_the_first_batch_may_be_much_sooner() -> None:
    """While only streamed jobs are known, a batch is told widely: it may share much, or nothing."""
    stream = taught(random.Random(3), 40, lambda size: 1.0)
    untried = Estimate(stream, None)
    half, most = (untried.total_time(B, 1000, 100, q) or 0.0 for q in (0.5, 0.9))
    assert half < 0.7 * most
    assert most > 95.0
    told = Estimate(stream, stream)
    half, most = (told.total_time(B, 1000, 100, q) or 0.0 for q in (0.5, 0.9))
    assert half > 0.8 * most


def test_a_batch_is_foreseen_by_the_calls_that_it_will_have() -> None:
    """Calls that take a second beside jobs of 0.05 s: if one gets five jobs at most, ten take two seconds more than
    their own time, and not one."""
    seen = [Observation(size=9, busy=0.25, together=5)] * 9
    model = learn_many(Model(overhead=Overhead(seconds=1.0, jobs=20.0, size=5)), seen)
    known = Estimate(Model(), model)
    assert known.total_time(B, 9, 10) == pytest.approx(2.5, rel=0.02)
    assert known.by_itself() == pytest.approx(0.05, rel=0.02)
    whole = Estimate(Model(), replace(model, overhead=Overhead(seconds=1.0, jobs=20.0, size=20)))
    assert whole.total_time(B, 9, 10) == pytest.approx(1.5, rel=0.02)
