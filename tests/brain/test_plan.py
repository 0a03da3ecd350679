"""The flush plan, rule by rule."""

import random

import pytest

from hybridq.brain.estimate import Estimate
from hybridq.brain.model import Model
from hybridq.brain.plan import plan
from hybridq.brain.reasons import GATHER
from hybridq.brain.tariff import Tariff
from hybridq.config.values import HandlerConfig, PolicyConfig, TariffConfig, Window
from hybridq.job import Lane

from ..support.judge import Ideal, Steps
from ..support.planning import FLAT, HOUR, NOON, conditions, held, only, told


def timed(**changes: object) -> Estimate:
    """Jobs of a known number of seconds, a second of the machine costing 1/3600."""
    return Estimate(None, None, HandlerConfig(**changes))  # type: ignore[arg-type]


def test_waits_for_the_cheap_price_with_its_numbers() -> None:
    """Work worth it is held until the price falls, and the sentence has what that saves and costs."""
    flush = only(plan([held(delay_cost=0.5, since=NOON)], conditions()))
    assert flush.at == NOON + 4 * HOUR
    assert flush.rule == "plan"
    assert told(flush).endswith("costs 5.00 then, 10.00 now, waiting costs 2.00")


def test_small_work_does_not_wait_for_a_cent() -> None:
    """Where waiting costs more than the cheaper price saves, the flush is not put off to it."""
    flush = only(plan([held(delay_cost=30.0)], conditions()))
    assert flush.at < NOON + HOUR
    assert flush.rule == "worth-it"


def test_free_waiting_goes_to_the_last_cheap_instant() -> None:
    """When waiting is free the flush waits for more jobs until the cheap price is about to end."""
    assert only(plan([held()], conditions())).at == NOON + 8 * HOUR - 1


def test_a_cheaper_hour_after_the_deadline_is_told() -> None:
    """Of what nobody knows the cost of it is not said that no cheaper hour is ahead when one begins after it is due."""
    due = held(deadline=NOON + HOUR, since=NOON - 60)
    flush = only(plan([due], conditions(estimate=Estimate(None, None, HandlerConfig()))))
    assert told(flush).endswith("the deadline 13:00 comes before the cheaper hour at 16:00")


def test_deadline_starts_the_job_in_time() -> None:
    """A flush starts early enough for its run at the 95th percentile, and says by when it must be done."""
    estimate = timed(expected=600.0, fixed=60.0)
    late = (estimate.startup(0.95) or 0) + (estimate.run_time(Lane.BATCH, 1.0, 0.95) or 0)
    flush = only(plan([held(jobs=1, deadline=NOON + 2 * HOUR)], conditions(estimate=estimate, tariff=FLAT)))
    assert flush.at == pytest.approx(NOON + 2 * HOUR - late, abs=0.01)
    now = conditions(estimate=estimate, tariff=FLAT, now=flush.at)
    due = plan([held(jobs=1, deadline=NOON + 2 * HOUR)], now).due[0]
    assert due.rule == "deadline"
    assert told(due).startswith("runs now: deadline ")
    assert told(due).endswith(", takes about 11m")


def test_deadline_takes_along_what_gains_nothing_by_waiting() -> None:
    """A forced flush takes every job but those that a later, cheaper instant pays for."""
    work = [
        held(1, deadline=NOON),
        held(2, deadline=NOON + 3 * HOUR),
        held(3, jobs=100, deadline=NOON + 20 * HOUR),
    ]
    planned = plan(work, conditions())
    assert planned.due[0].keys == (1, 2)
    assert planned.later[0].keys == (3,)


def test_group_runs_in_time_though_it_is_long() -> None:
    """The latest start leaves room for all jobs that go first, spread over the slots."""
    estimate = timed(expected=60.0)
    work = [held(1, jobs=100, deadline=NOON + 4 * HOUR)]
    one = only(plan(work, conditions(estimate=estimate, tariff=FLAT, batch_slots=1))).at
    two = only(plan(work, conditions(estimate=estimate, tariff=FLAT, batch_slots=2))).at
    assert one < NOON + 4 * HOUR - 100 * 60
    assert two - one == pytest.approx((NOON + 4 * HOUR - one) / 2, rel=0.01)


def test_full_flush_goes_at_once() -> None:
    """As many jobs as one flush holds are not kept waiting where no cheaper price is worth it."""
    planned = plan([held(jobs=10, delay_cost=0.01)], conditions(tariff=FLAT, max_flush=8))
    assert (planned.due[0].rule, planned.due[0].jobs) == ("full", 8)
    assert planned.look == NOON


def test_full_flush_still_waits_for_a_cheaper_price() -> None:
    """Being full is no reason to pay more."""
    assert plan([held(jobs=10)], conditions(max_flush=8)).due == ()


def test_drain_takes_all() -> None:
    """A drain flushes everything now, whatever was planned."""
    planned = plan([held(1), held(2, deadline=NOON + HOUR)], conditions(), drain=True)
    assert planned.due[0].keys == (1, 2)
    assert (planned.due[0].rule, planned.later) == ("drain", ())


def test_flat_price_waits_for_theta_of_a_start() -> None:
    """Where nobody knows who comes, a flush waits until the delay has cost theta times a start: not for `hold`."""
    for theta in (1.0, 0.25):
        flush = only(plan([held(delay_cost=0.5)], conditions(tariff=FLAT, policy=PolicyConfig(theta=theta))))
        assert flush.at == pytest.approx(NOON + theta / 0.5 * HOUR, abs=0.01)
    assert told(flush).endswith("others may share the start (1.00)")


def test_free_starts_flush_at_once() -> None:
    """Where a start costs nothing and nothing gets cheaper, nothing waits."""
    assert plan([held(delay_cost=0.001)], conditions(tariff=FLAT, estimate=Ideal(0.0))).due[0].at == NOON


def test_hold_is_only_the_cap() -> None:
    """Work whose waiting is free and gains nothing runs when it was held for `hold`, with that reason."""
    flush = only(plan([held()], conditions(tariff=FLAT, policy=PolicyConfig(hold=7200.0))))
    assert flush.at == NOON + 7200
    due = plan([held()], conditions(tariff=FLAT, policy=PolicyConfig(hold=7200.0), now=NOON + 7200)).due[0]
    assert told(due) == "runs now: deadline: a job is held for 2h 00m at most"


def test_unknown_work_waits_for_a_cheaper_price() -> None:
    """Nothing known: what is held waits for the start of a cheaper price within `hold`."""
    flush = only(plan([held()], conditions(estimate=Estimate())))
    assert flush.at == NOON + 4 * HOUR
    assert told(flush).endswith("then x0.5, now x1; no costs known yet")


def test_run_times_that_do_not_tell_costs_yet_are_counted() -> None:
    """Two of three run times are known: that is said, not that there are none."""
    model = Model(sizes=(0.0, 0.0), times=(0.5, 0.7))
    flush = only(plan([held()], conditions(estimate=Estimate(model))))
    assert told(flush).endswith("2 of 3 run times known")


def test_unknown_work_gathers_only_shortly() -> None:
    """Nothing known and nothing cheaper ahead: a burst gathers for a moment and runs together."""
    flush = only(plan([held(1), held(2, since=NOON - 1)], conditions(estimate=Estimate(), tariff=FLAT)))
    assert flush.at == NOON - 1 + GATHER
    assert told(flush).endswith("waits 5s for others; no costs known yet")


@pytest.mark.parametrize(
    ("begins", "ends", "starts"),
    [(5, 8, 5), (3, 8, 4.5), (5, 10, 4.5), (7, 8, 4.5)],
    ids=["after half of the time", "before", "not over in time", "too late"],
)
def test_unknown_work_waits_for_a_cheap_price_that_ends_before_its_deadline(
    begins: float, ends: float, starts: float
) -> None:
    """Of nine hours half are kept for it, or a quarter where a cheaper price begins later and ends in time."""
    tariff = Steps(((0.0, 1.0), (NOON + begins * HOUR, 0.5), (NOON + ends * HOUR, 1.0)))
    work = [held(deadline=NOON + 9 * HOUR)]
    flush = only(plan(work, conditions(tariff=tariff, estimate=Estimate())))
    assert flush.at <= NOON + starts * HOUR
    assert flush.at == NOON + begins * HOUR or begins > starts


def test_unknown_work_keeps_half_its_time() -> None:
    """Nothing known and a deadline: half the time is kept for running."""
    flush = only(plan([held(deadline=NOON + 2 * HOUR)], conditions(estimate=Estimate())))
    assert flush.at <= NOON + HOUR


def test_pinned_work_is_in_no_hurry() -> None:
    """A person who asked for a batch waits at the price of nobody waiting."""
    asked = only(plan([held(delay_cost=30.0, pinned=True)], conditions()))
    assert asked.at == NOON + 4 * HOUR


def test_load_puts_a_choice_off_and_not_a_deadline() -> None:
    """A high load makes now dearer; a latest start takes no notice."""
    busy = conditions(tariff=FLAT, estimate=Ideal(0.0), load=1.7)
    planned = plan([held(delay_cost=0.001)], busy)
    assert planned.due == ()
    assert planned.loaded
    assert "until the machine is idle, starts by 12:15: load 1.7 a core" in told(planned.later[0])
    assert plan([held(deadline=NOON)], busy).due


def test_load_holds_nothing_for_longer_than_a_quarter_of_an_hour() -> None:
    """However long the load lasts, what has waited fifteen minutes for it runs; what costs nobody knows never waits."""
    busy = conditions(tariff=FLAT, estimate=Ideal(0.0), load=9.0)
    assert plan([held(delay_cost=0.001, since=NOON - 899)], busy).later[0].at == NOON + 1
    assert plan([held(delay_cost=0.001, since=NOON - 900)], busy).due
    unknown = conditions(tariff=FLAT, estimate=Estimate(), load=9.0)
    assert plan([held(since=NOON - 5)], unknown).due


def test_load_has_a_dead_band() -> None:
    """A load just above `load_free` changes nothing until it was priced in, then it must fall below it."""
    quiet = conditions(tariff=FLAT, estimate=Ideal(0.0), load=0.75)
    assert plan([held(delay_cost=0.001)], quiet).due
    assert not plan([held(delay_cost=0.001)], conditions(load=0.75, loaded=True, tariff=FLAT)).due


def test_long_flush_runs_what_fits_the_cheap_hours() -> None:
    """Work for six hours in four cheap ones: what fits runs tonight, the rest tomorrow night."""
    night = Tariff(TariffConfig(window=(Window(start="16:00", end="20:00", factor=0.5),)))
    many = held(jobs=6 * 60, deadline=NOON + 72 * HOUR)
    planned = plan([many], conditions(tariff=night, estimate=timed(expected=60.0, fixed=60.0), now=NOON + 4 * HOUR))
    flushes = (*planned.due, *planned.later)
    assert [f.jobs for f in flushes] == [239, 121]
    assert all(night.factor(f.at) == 0.5 for f in flushes)
    assert flushes[1].at - flushes[0].at >= 12 * HOUR


def test_long_flush_starts_so_that_it_ends_cheap() -> None:
    """A flush of three hours that may wait freely starts where all of it is cheap."""
    work = held(jobs=180, deadline=NOON + 24 * HOUR)
    flush = only(plan([work], conditions(estimate=timed(expected=60.0))))
    assert NOON + 4 * HOUR <= flush.at <= NOON + 5 * HOUR


def test_work_that_runs_already_is_waited_for() -> None:
    """What would begin only in the dear hours, because batches still run, waits for the next cheap ones."""
    night = Tariff(TariffConfig(window=(Window(start="16:00", end="20:00", factor=0.5),)))
    work = [held(deadline=NOON + 72 * HOUR, delay_cost=0.001)]
    free = conditions(tariff=night, now=NOON + 7 * HOUR)
    full = conditions(tariff=night, now=NOON + 7 * HOUR, batch_ahead=2 * HOUR)
    assert only(plan(work, free)).at <= NOON + 8 * HOUR
    assert only(plan(work, full)).at >= NOON + 28 * HOUR


def test_look_is_the_next_instant_that_matters() -> None:
    """The plan says when it may change by itself: its next flush or the next price; nothing held: never."""
    assert plan([], conditions()).look is None
    assert plan([held()], conditions()).look == NOON + 4 * HOUR
    assert plan([held(delay_cost=30.0)], conditions()).look == only(plan([held(delay_cost=30.0)], conditions())).at


def test_many_classes_lose_no_job_and_no_deadline() -> None:
    """Ten thousand classes with latest starts of their own: each is in one flush, none after its latest start."""
    source = random.Random(3)
    work = [held(k, jobs=1, deadline=NOON + source.uniform(1, 30) * HOUR) for k in range(10_000)]
    planned = plan(work, conditions())
    flushes = (*planned.due, *planned.later)
    assert sorted(key for f in flushes for key in f.keys) == list(range(10_000))
    assert all(f.at <= work[key].deadline for f in flushes for key in f.keys)


def test_dearer_price_decides_a_choice() -> None:
    """A choice that waits for a shared start is made at the last cheap instant, not after it."""
    rising = Steps(((0.0, 0.3), (NOON + 460, 1.8), (NOON + 20000, 0.3)))
    work, look = [held(jobs=1, delay_cost=0.25)], NOON
    planned = plan(work, conditions(tariff=rising, estimate=Ideal(0.4)))
    while not planned.due:
        assert planned.look is not None
        assert planned.look > look
        look = planned.look
        planned = plan(work, conditions(tariff=rising, estimate=Ideal(0.4), now=look))
    assert look < NOON + 460


def test_of_very_many_starts_the_first_at_each_price_is_exact() -> None:
    """Hundreds of latest starts under falling prices: each flush is at the first latest start of its price."""
    falling = Steps(((0.0, 1.0), (NOON + 4 * HOUR, 0.8), (NOON + 8 * HOUR, 0.6), (NOON + 12 * HOUR, 0.4)))
    source = random.Random(5)
    work = [held(k, deadline=NOON + source.uniform(1, 20) * HOUR) for k in range(500)]
    planned = plan(work, conditions(tariff=falling))
    firsts = [min(h.deadline for h in work if h.deadline >= NOON + after * HOUR) for after in (0, 4, 8, 12)]
    assert [f.at for f in (*planned.due, *planned.later)] == firsts
