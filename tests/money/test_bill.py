"""What a job cost, and what it would have streamed: in a call of its own, by an instance that was up or was not."""

import time

import pytest
from msgspec.structs import replace

from hybridq.brain.estimate import Model, Observation, learn_many
from hybridq.brain.outcome import Outcome
from hybridq.brain.trials import KEPT, Trial
from hybridq.job import Lane, Mode, Output
from hybridq.money.bill import Billing
from hybridq.outlook import Outlook
from hybridq.queue.claims import claim_batch, claim_stream
from hybridq.queue.cohorts import cohorts
from hybridq.queue.results import book_streamed, record
from hybridq.queue.runner import Runner
from tests.support.building import ECHO, asking, queue, submit_all

HOUR = 3600.0
WORKER = ECHO.replace('protocol = "lines"\n', "")


def settled(outlook: Outlook, trials: tuple[Trial, ...], startup: float) -> list[Outcome]:
    """Two jobs that shared a call, of 0.25 s each, of a handler that starts in 2 s."""
    start = Observation(size=3, busy=0.25, startup=2.0)
    known = learn_many(Model(), [start] * 3)
    outlook.models["echo"] = {Lane.STREAM: Model(), Lane.BATCH: replace(known, trials=trials)}
    submit_all(outlook, asking(), [b"123"] * 2)
    runner, now = Runner(outlook.store, "submit"), time.time()
    keys = [of.id for of in cohorts(outlook.store, "queued > 0")]
    claims = claim_batch(outlook.store, runner.id, 1, "echo", keys, 2, now)
    ended = [(Output(each.id, each.attempt, value=b"1", busy=0.25), each) for each in claims]
    found = Billing(outlook).outcomes(ended, startup=startup, together=2)
    runner.close(outlook.store)
    return found


@pytest.mark.parametrize(
    ("trials", "more"),
    [
        ([(1.0, 0.25)] * KEPT, 0.75),
        ([(0.2, 0.25)] * KEPT, -0.05),
        ([(0.26, 0.25), (0.24, 0.25)] * KEPT, 0.0),
        ([], 0.0),
        ([(1.0, 0.5)] * 4, 0.0),
    ],
    ids=["quicker in a batch", "slower in a batch", "by chance", "never tried", "too few"],
)
def test_a_job_of_a_batch_would_have_had_a_call_of_its_own(outlook: Outlook, trials: list[Trial], more: float) -> None:
    """Of two that shared one each saved half a call, or lost that; what nothing has told is said of neither."""
    outlook = _worker(outlook)
    first, second = settled(outlook, tuple(trials[-KEPT:]), 2.0)
    assert (first.cost, second.cost) == (pytest.approx(2.25 / HOUR), pytest.approx(0.25 / HOUR))
    assert first.streamed == pytest.approx((2.25 + more / 2) / HOUR, rel=0.001)
    assert second.streamed == pytest.approx((0.25 + more / 2) / HOUR, rel=0.001)


def test_each_line_would_have_paid_the_start_of_its_filter(outlook: Outlook) -> None:
    """Streamed, a line filter is started for each job; in a batch the first one pays for all. Its trials tell nothing,
    for it has a call of its own in either lane."""
    first, second = settled(outlook, ((1.0, 0.25),) * KEPT, 2.0)
    assert (first.cost, second.cost) == (pytest.approx(2.25 / HOUR), pytest.approx(0.25 / HOUR))
    assert first.streamed == second.streamed == pytest.approx(2.25 / HOUR, rel=0.01)


@pytest.mark.parametrize(("up", "ran"), [(True, True), (True, False), (False, True)])
def test_a_start_beside_a_warm_instance_is_lost(outlook: Outlook, up: bool, ran: bool) -> None:
    """A drain starts a worker of its own beside that of a daemon: streamed, the jobs would have met the daemon's. Where
    no runner was there, or it had run nothing, they would have paid a start as well."""
    outlook = _worker(outlook)
    with outlook.store:
        runner = Runner(outlook.store, "daemon")
        if ran:
            submit_all(outlook, asking(mode=Mode.STREAM), [b"1"])
            claims = claim_stream(outlook.store, runner.id, "echo", 1, time.time())
            ends = [(Output(each.id, each.attempt, value=b"1", busy=0.1), each) for each in claims]
            record(outlook.store, Billing(outlook).outcomes(ends))
        if not up:
            runner.close(outlook.store)
        first, second = settled(outlook, (), 2.0)
        if up:
            runner.close(outlook.store)
    assert first.cost == pytest.approx(2.25 / HOUR)
    assert first.streamed == pytest.approx((0.25 if up and ran else 2.25) / HOUR)
    assert second.streamed == second.cost


def _worker(outlook: Outlook) -> Outlook:
    """The same queue, whose handler is a worker that stays."""
    folder = outlook.store.home.folder
    outlook.store.close()
    return queue(folder.parent, WORKER)


def test_what_was_not_known_yet_is_told_once_it_is(outlook: Outlook) -> None:
    """Two jobs ended before any trial told what sharing saves: the queue's sums have it as soon as some do, once."""
    outlook = _worker(outlook)
    with outlook.store:
        billing = Billing(outlook)
        submit_all(outlook, asking(), [b"123"] * 2)
        runner = Runner(outlook.store, "submit")
        keys = [of.id for of in cohorts(outlook.store, "queued > 0")]
        claims = claim_batch(outlook.store, runner.id, 1, "echo", keys, 2, time.time())
        ended = [(Output(each.id, each.attempt, value=b"1", busy=0.25), each) for each in claims]
        record(outlook.store, billing.outcomes(ended, together=2))
        assert billing.sharing.due("echo") == {}
        outlook.models["echo"] = {Lane.STREAM: Model(), Lane.BATCH: Model(trials=((1.0, 0.25),) * KEPT)}
        book_streamed(outlook.store, billing.sharing.due("echo"))
        book_streamed(outlook.store, billing.sharing.due("echo"))
        (of,) = cohorts(outlook.store, "done > 0")
        runner.close(outlook.store)
    assert of.cost == pytest.approx(0.5 / HOUR)
    assert of.streamed == pytest.approx((1 + 0.5 + 2 * 0.75 / 2) / HOUR)  # and a start, as it is set
