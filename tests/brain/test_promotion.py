"""What is foreseen of a provider's batch, and when its jobs are streamed after all: the last safe moment, its odds."""

import math

import pytest
from msgspec.structs import replace

from hybridq.brain.conditions import Conditions
from hybridq.brain.estimate import Estimate, Model, Observation, learn_many
from hybridq.brain.llm import LlmEstimate
from hybridq.brain.outcome import settle
from hybridq.brain.plan import plan
from hybridq.brain.policy import classify
from hybridq.brain.promotion import (
    ENDLESS,
    HANDING,
    UNKNOWN_CALL,
    ending_time,
    last_moment,
    promotion_reason,
    stream_time,
)
from hybridq.brain.remote import MEDIAN, NINETY, WINDOW
from hybridq.brain.tariff import Tariff
from hybridq.config.llm import LlmOptions
from hybridq.config.values import HandlerConfig, PolicyConfig, TariffConfig
from hybridq.job import Audience, Failure, Held, Lane, Mode, Request, State
from hybridq.queue.claims import Claim
from hybridq.reason import Reason
from tests.support.deciding import told


def test_what_is_given_back_waits_as_long_as_it_was_told() -> None:
    """A job that the provider sends away for an hour is queued again, uncounted, and not before that hour is over."""
    claim = Claim(id=1, attempt=2, tries=0, cohort=1, input=b"")
    outcome = settle(Failure(1, 2, "later", gave_back=True, retry_after=3600.0), claim, retries=0, now=1000.0)
    assert (outcome.state, outcome.ready, outcome.counted) == (State.QUEUED, 4600.0, False)


def remote(*turnarounds: float, calls: float = 2.0) -> LlmEstimate:
    stream = learn_many(Model(), [Observation(size=100.0, busy=calls, cost=0.01)] * 8)
    batch = Model(starts=turnarounds)
    return LlmEstimate(stream, batch, HandlerConfig(kind="openai"), LlmOptions(model="m"))


def test_a_turnaround_is_the_reports_until_own_batches_say_more() -> None:
    """Median 7 minutes, 90 % within the hour, never above the provider's day; own batches move it towards theirs."""
    unknown = remote()
    assert unknown.run_time(Lane.BATCH, 1.0) == pytest.approx(MEDIAN)
    assert unknown.total_time(Lane.BATCH, 1.0, 50_000, 0.9) == pytest.approx(NINETY)
    assert unknown.run_time(Lane.BATCH, 1.0, 0.99999) == WINDOW
    assert unknown.chance(Lane.BATCH, 1.0, NINETY) == pytest.approx(0.9)
    known = remote(*[60.0] * 20)
    assert 60 < (known.run_time(Lane.BATCH, 1.0) or 0) < 120
    assert (known.run_time(Lane.BATCH, 1.0, 0.9) or 0) < 600


def test_the_price_of_a_batch_follows_from_that_of_streams() -> None:
    """Three streamed answers are known: a batch is thought to cost half of them."""
    assert remote().cost(Lane.STREAM, 100.0) == pytest.approx(0.01)
    assert remote().cost(Lane.BATCH, 100.0) == pytest.approx(0.005)


def test_the_last_safe_moment_grows_with_what_is_left() -> None:
    """One call at its 99th percentile, and the waves before it; unknown calls take a minute each."""
    estimate = remote()
    one, many = (stream_time(estimate, jobs, 100.0, 10) for jobs in (1, 1000))
    assert 2 <= one < 4
    assert many > 90 * 2
    assert stream_time(Estimate(), 1, 1.0, 10) == UNKNOWN_CALL
    assert stream_time(Estimate(), 11, 1.0, 10) == 2 * UNKNOWN_CALL
    assert stream_time(estimate, 0, 100.0, 10) == 0
    assert ending_time(0.0, 100.0) == 10
    assert ending_time(0.0, 1e9) == 60


def test_a_cancel_that_is_never_confirmed_still_leaves_the_deadline() -> None:
    """What is left streams after the provider's time to confirm, and after what handing it over takes: a few seconds,
    of a near deadline a tenth; without a deadline a batch is ended an hour after the provider's own end."""
    assert last_moment(0.0, 3600.0, 100.0) == pytest.approx(3600 - 60 - 100 - HANDING)
    assert last_moment(0.0, 10.0, 1.0) == pytest.approx(10 - 1 - 1 - 1)
    assert last_moment(0.0, math.inf, 100.0) == ENDLESS


def test_only_what_no_further_batch_can_make_is_promoted() -> None:
    """Given back with an hour and a half left another batch will do; with ten minutes left it is streamed."""
    now = 1_000_000.0
    assert promotion_reason(now + 5400, now, remote(), 1.0) is None
    assert promotion_reason(float("inf"), now, remote(), 1.0) is None
    unfinished = promotion_reason(now + 600, now, remote(), 1.0)
    assert unfinished == Reason("unfinished", due=now + 600, done=unfinished and unfinished.done)


def world(seen: Model = Model(), price: float | None = 1.0) -> Conditions:  # noqa: B008 - it is frozen
    """A model's world in which little is known but what providers' batches take."""
    options = LlmOptions(model="m", price_input=price, price_output=price)
    estimate = LlmEstimate(seen, Model(), HandlerConfig(kind="openai"), options)
    return Conditions(now=0.0, tariff=Tariff(TariffConfig()), policy=PolicyConfig(), estimate=estimate)


def test_plain_requests_of_a_batch_run_side_by_side() -> None:
    """3,200 calls of a second each, 32 at once: a hundred seconds, for whoever asks."""
    seen = learn_many(Model(), [Observation(size=10.0, busy=1.0)] * 8)
    options = LlmOptions(model="m", batch_by="calls")
    estimate = LlmEstimate(seen, Model(), HandlerConfig(kind="openai", instances=32), options)
    assert estimate.total_time(Lane.BATCH, 10.0, 3200) == pytest.approx(100, rel=0.05)
    assert estimate.total_time(Lane.BATCH, 10.0, 1) == pytest.approx(1, rel=0.05)
    assert 3200 * (estimate.mean_time(Lane.BATCH, 10.0) or 0) == pytest.approx(100, rel=0.05)
    assert estimate.total_time(Lane.STREAM, 10.0, 100) == pytest.approx(100, rel=0.05)


def test_a_batch_takes_no_longer_for_its_many_jobs() -> None:
    """Ten thousand jobs that are due in twenty hours: held for others to come, as one job would be; and a class of
    another size beside them changes nothing."""
    due = 20 * 3600.0
    held = [Held(key=key, jobs=5000, size=10.0 * key, deadline=due, since=0.0, delay_cost=1e-9) for key in (1, 2)]
    many, one = plan(held, world()), plan([replace(held[0], jobs=1)], world())
    assert many.due == ()
    assert many.later[0].at == pytest.approx(one.later[0].at, abs=1e-3)
    assert many.later[0].at > 10 * 3600


@pytest.mark.parametrize("timed", [True, False])
@pytest.mark.parametrize(("hours", "mode"), [(0.1, Mode.STREAM), (30.0, Mode.BATCH)])
def test_work_that_a_batch_would_deliver_late_is_streamed_although_little_is_known(
    hours: float, mode: Mode, timed: bool
) -> None:
    """Nobody waits, and no call was ever timed, or none was ever priced; but a provider's batch takes up to an hour.
    What is not known is said as it is."""
    seen = learn_many(Model(), [Observation(size=10.0, busy=0.1)] * 8) if timed else Model()
    request = Request(handler="gpt", audience=Audience.BACKGROUND, signal="cron", deadline=hours * 3600)
    decision = classify(request, 100, 10.0, world(seen, None if timed else 1.0))
    assert decision.mode is mode
    late = "after the deadline"
    unknown = "no costs of gpt known" if timed else "no run times of gpt in mode stream yet"
    assert (late if mode is Mode.STREAM else unknown) in told(decision.reason)
