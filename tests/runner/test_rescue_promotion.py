"""A provider's batch in a queue: promoted at the last safe moment, cancelled there, drafts and their finals."""

import math
import time
from pathlib import Path

import pytest
from msgspec.structs import replace

from hybridq.brain.conditions import Conditions
from hybridq.brain.estimate import Estimate, Model, Observation, learn_many
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
from hybridq.brain.remote import MEDIAN, NINETY, WINDOW, Remote
from hybridq.brain.tariff import Tariff
from hybridq.config.llm import LlmOptions
from hybridq.config.values import HandlerConfig, PolicyConfig, TariffConfig
from hybridq.job import Audience, Failure, Held, Lane, Mode, Request, State
from hybridq.outlook import Outlook
from hybridq.queue.claims import Claim
from hybridq.queue.cohorts import history, job, result
from hybridq.submit import submit
from tests.support.building import asking, command, daemon, submit_all, until
from tests.support.llm import COST, served
from tests.support.provider import Fault, Provider


def states(outlook: Outlook) -> dict[str, int]:
    return dict(outlook.store.rows("SELECT state, count(*) FROM job GROUP BY state"))


@pytest.mark.parametrize(("kind", "takes"), [("openai", 0.0), ("openai", 1e9), ("anthropic", 0.0)])
def test_what_a_batch_would_deliver_late_is_streamed(
    provider: Provider, tmp_path: Path, kind: str, takes: float
) -> None:
    """A batch that never ends, with a deadline: ended there at the last safe moment, what it has done is kept, the
    rest is streamed, each paid once; a provider that does not confirm the end is not waited for."""
    provider.script.status, provider.script.done, provider.script.cancel_takes = "never", 0.4, takes
    with served(tmp_path, provider, kind, 'expected = "1s"') as outlook:
        deadline = time.time() + 30  # the last safe moment is some 7 s before it
        numbers = submit_all(
            outlook, asking("gpt", Mode.BATCH, deadline=deadline), [b'"%d"' % number for number in range(10)]
        )
        with daemon(outlook):
            until(lambda: states(outlook) == {"done": 10}, 60)
        assert provider.batches[0].cancelled is not None
        paid = [provider.charged[str(number)] for number in range(10)]
        assert paid == [1] * 10
        streamed = [number for number in numbers if any("promoted" in text for _, text in story(outlook, number))]
        assert len(streamed) == (6 if takes == 0 else 10)
        assert len(provider.requests) == len(streamed)
        lanes = dict(outlook.store.rows("SELECT lane, sum(done) FROM cohort GROUP BY lane"))
        assert lanes["stream"] == len(streamed)
        assert outlook.store.rows("SELECT * FROM detached") == []


def test_a_batch_that_is_ended_for_a_deadline_takes_nobody_else_with_it(provider: Provider, tmp_path: Path) -> None:
    """One flush with and without a deadline makes two batches: the one is ended in time, the other goes on there."""
    provider.script.status, provider.script.done = "never", 0.0
    with served(tmp_path, provider, more='expected = "0.2s"') as outlook:
        with_deadline = asking("gpt", Mode.BATCH, deadline=time.time() + 6)
        hurried = submit_all(outlook, with_deadline, [b'"a"', b'"b"'])
        submit_all(outlook, asking("gpt", Mode.BATCH), [b'"c"', b'"d"', b'"e"'])
        with daemon(outlook):
            until(lambda: all(job(outlook.store, number).state is State.DONE for number in hurried))
            assert outlook.store.rows("SELECT count(*) FROM flush") == [(1,)]
            ended, other = provider.batches
            assert (len(ended.requests), ended.cancelled is None) == (2, False)
            assert (len(other.requests), other.cancelled is None) == (3, True)
            provider.script.status, provider.script.done = "completed", 1.0
            until(lambda: states(outlook) == {"done": 5})
        assert len(provider.batches) == 2
        assert set(provider.charged.values()) == {1}


def story(outlook: Outlook, number: int) -> list[tuple[float, str]]:
    return history(outlook.store, job(outlook.store, number).cohort, number)


def test_cancelling_all_of_a_batch_cancels_it_there(provider: Provider, tmp_path: Path) -> None:
    """Adopted by a second daemon. Some cancelled: the batch goes on. The last one: the provider is told at once, and
    nothing is left over."""
    provider.script.status = "never"
    with served(tmp_path, provider) as outlook:
        submit_all(outlook, asking("gpt", Mode.BATCH), [b'"%d"' % number for number in range(5)])
        with daemon(outlook):
            until(lambda: known(outlook, "batch_0"))
        with daemon(outlook):
            until(lambda: outlook.store.rows("SELECT 1 FROM detached JOIN runner ON runner.id = detached.runner"))
            assert command(outlook.store.home, "cancel", "1-4").returncode == 0
            until(lambda: states(outlook) == {"cancelled": 4, "running": 1})
            assert provider.batches[0].cancelled is None
            assert command(outlook.store.home, "cancel", "5").returncode == 0
            until(lambda: provider.batches[0].cancelled is not None)
            until(lambda: outlook.store.rows("SELECT * FROM detached") == [])
        assert states(outlook) == {"cancelled": 5}


def known(outlook: Outlook, batch: str) -> bool:
    """Whether the reference to this batch is stored."""
    return bool(outlook.store.rows("SELECT 1 FROM detached WHERE CAST(reference AS TEXT) LIKE ?", (f"%{batch}%",)))


def test_what_was_cancelled_while_nobody_ran_is_cancelled_there_by_the_next(provider: Provider, tmp_path: Path) -> None:
    """All cancelled between two daemons: the next one tells the provider."""
    provider.script.status = "never"
    with served(tmp_path, provider) as outlook:
        submit_all(outlook, asking("gpt", Mode.BATCH), [b'"a"', b'"b"'])
        with daemon(outlook):
            until(lambda: known(outlook, "batch_0"))
        assert states(outlook) == {"running": 2}
        assert command(outlook.store.home, "cancel", "all", "--yes").returncode == 0
        with daemon(outlook):
            until(lambda: provider.batches[0].cancelled is not None)
            until(lambda: outlook.store.rows("SELECT * FROM detached") == [])


def test_an_expired_batch_goes_again_with_what_is_left(provider: Provider, tmp_path: Path) -> None:
    """Half done at expiry: these are kept, a second batch has only the others, and everything is paid once."""
    provider.script.status, provider.script.done = "expired", 0.5
    with served(tmp_path, provider) as outlook:
        submit_all(outlook, asking("gpt", Mode.BATCH), [b'"%d"' % number for number in range(10)])
        with daemon(outlook):
            until(lambda: len(provider.batches) > 1)
            provider.script.status = "completed"
            until(lambda: states(outlook) == {"done": 10})
        assert set(provider.charged.values()) == {1}
        assert len(provider.batches[1].requests) == 5


def test_a_drain_fetches_its_batch_and_closes_the_books(provider: Provider, tmp_path: Path) -> None:
    """From cron: it waits for the provider, ends when all is there, and leaves the flush's figures and no reference."""
    provider.script.after = 0.3
    with served(tmp_path, provider) as outlook:
        submit_all(outlook, asking("gpt", Mode.BATCH), [b'"%d"' % number for number in range(300)])
        assert command(outlook.store.home, "drain", "--quiet").returncode == 0
        assert states(outlook) == {"done": 300}
        assert outlook.store.rows("SELECT * FROM detached") == []
        ((jobs, done, cost),) = outlook.store.rows("SELECT jobs, done, cost FROM flush")
        assert (jobs, done) == (300, 300)
        assert cost == pytest.approx(300 * COST / 2)


DRAFT = """draft = "small"
[handlers.small]
kind = "openai"
model = "small"
base_url = "{url}"
api_key_env = "TEST_KEY"
price_input = 0.1
price_output = 1
retries = 0
"""


def test_an_adaptive_jobs_draft_streams_and_its_final_follows(provider: Provider, tmp_path: Path) -> None:
    """The small model answers at once, the large one by batch; both are kept apart, and the best is what is shown."""
    provider.answer = lambda text: f"answer to {text}"
    provider.script.after = 1.0
    with served(tmp_path, provider, more=DRAFT.format(url=provider.url)) as outlook, daemon(outlook):
        number = submit(outlook, asking("gpt", Mode.ADAPTIVE), b'"q"').first
        until(lambda: result(outlook.store, number, draft=True))
        assert job(outlook.store, number).state is not State.DONE
        until(lambda: job(outlook.store, number).state is State.DONE)
        draft, final = result(outlook.store, number, draft=True), result(outlook.store, number)
        assert draft is not None
        assert final is not None
        assert draft.value == final.value == b'"answer to q"'
        assert provider.requests[0]["model"] == "small"
        assert final.cost > draft.cost > 0
        assert command(outlook.store.home, "output", "1", "--draft").stdout == "answer to q\n"


def test_a_failed_draft_leaves_the_final_and_the_other_way_round(provider: Provider, tmp_path: Path) -> None:
    """Without the draft the final comes all the same; without the final the draft is still there to be read."""
    with served(tmp_path, provider, more=DRAFT.format(url=provider.url)) as outlook, daemon(outlook):
        provider.faults.append(Fault(status=400))
        number = submit(outlook, asking("gpt", Mode.ADAPTIVE), b'"q"').first
        until(lambda: job(outlook.store, number).state is State.DONE)
        assert (failed := result(outlook.store, number, draft=True)) is not None
        assert failed.error
        provider.script.refuse = (0,)
        number = submit(outlook, asking("gpt", Mode.ADAPTIVE), b'"r"').first
        until(lambda: job(outlook.store, number).state is State.FAILED)
        assert (draft := result(outlook.store, number, draft=True)) is not None
        assert draft.value == b'"answer to r"'


def test_what_is_given_back_waits_as_long_as_it_was_told() -> None:
    """A job that the provider sends away for an hour is queued again, uncounted, and not before that hour is over."""
    claim = Claim(id=1, attempt=2, tries=0, cohort=1, input=b"")
    outcome = settle(Failure(1, 2, "later", gave_back=True, retry_after=3600.0), claim, retries=0, now=1000.0)
    assert (outcome.state, outcome.ready, outcome.counted) == (State.QUEUED, 4600.0, False)


def remote(*turnarounds: float, calls: float = 2.0) -> Remote:
    stream = learn_many(Model(), [Observation(size=100.0, busy=calls, cost=0.01)] * 8)
    batch = Model(starts=turnarounds)
    return Remote(stream, batch, HandlerConfig(kind="openai"), LlmOptions(model="m"))


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
    assert promotion_reason(now + 5400, now, remote(), 1.0) == ""
    assert promotion_reason(float("inf"), now, remote(), 1.0) == ""
    assert promotion_reason(now + 600, now, remote(), 1.0).startswith("promoted: ")


def world(seen: Model = Model(), price: float | None = 1.0) -> Conditions:  # noqa: B008 - it is frozen
    """A model's world in which little is known but what providers' batches take."""
    options = LlmOptions(model="m", price_input=price, price_output=price)
    estimate = Remote(seen, Model(), HandlerConfig(kind="openai"), options)
    return Conditions(now=0.0, tariff=Tariff(TariffConfig()), policy=PolicyConfig(), estimate=estimate)


def test_plain_requests_of_a_batch_run_side_by_side() -> None:
    """3,200 calls of a second each, 32 at once: a hundred seconds, for whoever asks."""
    seen = learn_many(Model(), [Observation(size=10.0, busy=1.0)] * 8)
    options = LlmOptions(model="m", batch_by="calls")
    estimate = Remote(seen, Model(), HandlerConfig(kind="openai", instances=32), options)
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
    lacking = "what gpt costs" if timed else "how long gpt takes in mode stream"
    late, unknown = "after its deadline", f"{lacking} is not known"
    assert (late if mode is Mode.STREAM else unknown) in decision.reason
