"""When a flush waits for company: who is to join it, who joins it, and the instant that was told."""

import math

import pytest
from msgspec.structs import replace

from hybridq.brain.arrivals import best_timer
from hybridq.brain.calls import Overhead
from hybridq.brain.plan import Plan, plan
from hybridq.job import Flush

from ..support.judge import Ideal
from ..support.planning import FLAT, HOUR, NOON, conditions, held, joining, only, told


def test_a_start_that_nobody_will_share_is_not_waited_for() -> None:
    """With no other submissions to be expected, or a warm instance, a batch begins when its price is there."""
    alone = conditions(tariff=FLAT, estimate=Ideal(1.0), joining=0.0, joined=())
    assert plan([held(delay_cost=0.001)], alone).due
    assert plan([held(delay_cost=0.001)], conditions(tariff=FLAT, estimate=Ideal(1.0), warm=True)).due
    assert not plan([held(delay_cost=0.001)], conditions(tariff=FLAT, estimate=Ideal(1.0), **joining(1.0))).due


def joined(at: float, *since: float) -> Plan:
    """The plan at `at` of submissions held since then, where one more joins every ten minutes."""
    work = [held(key, jobs=1, since=when, delay_cost=0.001) for key, when in enumerate(since)]
    return plan(work, conditions(now=at, tariff=FLAT, estimate=Ideal(0.005), **joining(600.0)))


def test_who_joins_does_not_move_the_flush() -> None:
    """Where it is known how many come, the first one held sets the instant, and it is the same until then."""
    first = only(joined(NOON, NOON)).at
    assert NOON + 600 < first < NOON + 2 * HOUR
    assert only(joined(NOON + 600, NOON, NOON + 500)).at == pytest.approx(first, abs=1e-3)
    assert only(joined(NOON + 900, NOON, NOON + 300, NOON + 500, NOON + 800)).at == pytest.approx(first, abs=1e-3)
    assert not joined(first - 1, NOON, NOON + 300).due
    assert joined(first, NOON, NOON + 300).due


def test_far_more_waiting_than_foreseen_brings_the_flush_forward() -> None:
    """A thousand submissions at once are not held until their waiting costs more than a start."""
    crowd = joined(NOON + 60, *[NOON] * 1000)
    assert only(crowd).at <= NOON + 60
    assert only(joined(NOON + 1, *[NOON] * 100)).at < only(joined(NOON + 1, NOON)).at


def test_a_crowd_that_is_soon_served_keeps_to_the_promise() -> None:
    """Five submissions more than foreseen, whose waiting costs little beside a start, bring nothing forward: who was
    told an instant keeps it."""
    first = only(joined(NOON, NOON)).at
    assert only(joined(NOON + 600, NOON, *[NOON + 590] * 5)).at == pytest.approx(first, abs=1e-3)


def test_what_waits_for_company_at_the_cheaper_price_says_so() -> None:
    """A flush that will still wait for others to join once its price is there is planned for then, not before."""
    came = NOON + 4 * HOUR - 60
    work = [held(since=came, delay_cost=0.001)]
    world = conditions(now=came, estimate=Ideal(0.005), **joining(600.0, came))
    at = only(plan(work, world)).at
    assert NOON + 4 * HOUR < at < NOON + 8 * HOUR
    assert only(plan(work, replace(world, now=NOON + 4 * HOUR))).at == pytest.approx(at, abs=1e-3)
    assert only(plan(work, replace(world, joining=0.0, joined=()))).at == NOON + 4 * HOUR


def test_a_class_of_many_submissions_is_planned_as_these() -> None:
    """Twenty submissions told as one class wait as long for company as if each were told by itself."""
    each = [held(key, jobs=1, delay_cost=0.001, pinned=True) for key in range(20)]
    whole = held(1, jobs=20, delay_cost=0.02, pinned=True, cohorts=20)
    flat = conditions(tariff=FLAT, estimate=Ideal(0.05), **joining(600.0))
    assert only(plan([whole], flat)).at == pytest.approx(only(plan(each, flat)).at, abs=1e-3)


CALL = Overhead(seconds=18.0, jobs=20.0)  # 0.005 at an hour's 1.00


def at_a_warm_worker(*jobs: int, **changes: object) -> Flush:
    """The flush of submissions of so many jobs each that come now, where one more joins every ten minutes."""
    work = [held(key, jobs=each, delay_cost=0.001) for key, each in enumerate(jobs)]
    fields = {"tariff": FLAT, "warm": True, "estimate": Ideal(1.0, CALL), **joining(600.0)} | changes
    return only(plan(work, conditions(**fields)))


def test_at_a_warm_worker_a_call_is_shared() -> None:
    """There is no start to wait for, but a call that takes long whatever it has to do is worth as much waiting as a
    start of that cost; and the reason says so."""
    flush = at_a_warm_worker(1)
    assert flush.at == pytest.approx(only(joined(NOON, NOON)).at, abs=1e-3)
    assert "share the call (0.005" in told(flush)
    assert at_a_warm_worker(1, estimate=Ideal(1.0)).at == NOON


def test_who_fills_a_call_waits_for_nobody() -> None:
    """As many jobs as take as long as the call's own part share little with those that may yet come."""
    assert at_a_warm_worker(19).at > NOON
    assert at_a_warm_worker(20).at == NOON
    assert at_a_warm_worker(20, joining=None, joined=None).at == NOON


def test_a_cold_worker_shares_its_start_and_the_call() -> None:
    """Both are worth waiting for, so it is longer than for either."""
    cold, start = at_a_warm_worker(1, warm=False, estimate=Ideal(0.005, CALL)), only(joined(NOON, NOON))
    assert cold.at > start.at + 60
    assert "share the start (0.01" in told(cold)


def test_the_timer_is_the_best_of_an_even_trickle() -> None:
    """One every ten minutes: it is near the square root of 2 F over rate and delay, the best of all by arithmetic."""
    came = tuple(600.0 * k for k in range(100))
    start, delay = 0.005, 0.001 / 3600
    assert best_timer(came, start, delay) == pytest.approx(math.sqrt(2 * start * 600 / delay), rel=0.3)


def test_the_timer_of_bursts_waits_for_their_end_and_not_for_the_next() -> None:
    """Twenty within a minute, six hours apart, whose waiting costs as much as a start in half an hour."""
    came = tuple(6 * HOUR * burst + 3.0 * k for burst in range(6) for k in range(20))
    assert 57 <= best_timer(came, 1.0, 0.1 / HOUR) < 90
    assert best_timer(came, 1.0, 1e-4 / HOUR) > 6 * HOUR


def test_whose_start_nobody_shared_does_not_wait() -> None:
    """One a month, or the first ever, runs at once; where waiting is free it waits for all."""
    month = 30 * 24 * HOUR
    assert best_timer(tuple(month * k for k in range(5)), 0.005, 0.001 / 3600) == 0
    assert best_timer((NOON,), 0.005, 0.001 / 3600) == 0
    assert best_timer((NOON,), 0.005, 0.0) == math.inf
