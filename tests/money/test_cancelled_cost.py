"""A job that is cancelled while it runs has cost what it ran."""

import time
from pathlib import Path

import pytest

from hybridq.brain.outcome import settle
from hybridq.job import Mode, Output, State
from hybridq.outlook import Outlook
from hybridq.queue.cancel_retry import cancel, retry
from hybridq.queue.claims import claim_batch
from hybridq.queue.cohorts import job
from hybridq.queue.holds import spent_since
from hybridq.queue.results import record, result
from hybridq.queue.runner import Runner
from tests.support.building import asking, command, daemon, document, queue, submit_all, until


def booked(outlook: Outlook) -> tuple[float, float]:
    """What all cohorts have cost, and the day's spending."""
    return outlook.store.rows("SELECT total(cost) FROM cohort")[0][0], spent_since(outlook.store, "shell", 0.0)


def test_a_stream_job_is_charged_for_the_time_until_it_was_cancelled(tmp_path: Path) -> None:
    """`sleep` runs for a moment and is cancelled: the machine's rate for that moment is booked, once and everywhere."""
    outlook = queue(tmp_path, "[policy]\nmachine_cost = 3600\n")
    with daemon(outlook):
        assert (
            command(outlook.store.home, "submit", "--detach", "--mode", "stream", "--", "sleep", "60").returncode == 0
        )
        until(lambda: job(outlook.store, 1).state is State.RUNNING)
        assert command(outlook.store.home, "cancel", "1").returncode == 0
        until(lambda: result(outlook.store, 1))
    found, ran = result(outlook.store, 1), job(outlook.store, 1)
    assert found is not None
    assert ran.state is State.CANCELLED
    assert found.cost == pytest.approx(found.busy)
    assert found.cost is not None
    assert found.cost >= (ran.finished or 0.0) - (ran.started or 0.0) > 0
    assert booked(outlook) == (pytest.approx(found.cost), pytest.approx(found.cost))
    assert document(outlook, "show", "1")["cost"] == pytest.approx(found.cost)
    outlook.store.close()


def test_what_comes_for_a_cancelled_job_of_a_batch_is_paid_and_not_stored(outlook: Outlook) -> None:
    """Its late answer is dropped and its cost booked, once; what was queued again meanwhile is left alone."""
    submit_all(outlook, asking(mode=Mode.BATCH), [b"1", b"2"])
    store, now = outlook.store, time.time()
    runner = Runner(store, "drain")
    claims = claim_batch(store, runner.id, 1, "echo", [1], 2, now)
    cancel(store, [1, 2], now)
    retry(store, [2], now)
    ends = [settle(Output(c.id, c.attempt, value=b"1"), c, retries=0, now=now, cost=0.25, streamed=1.0) for c in claims]
    assert record(store, ends) == record(store, ends) == []
    runner.close(store)
    found = result(store, 1)
    assert found is not None
    assert (found.value, found.cost) == (None, 0.25)
    assert result(store, 2) is None
    assert store.rows("SELECT cost, streamed FROM cohort") == [(0.25, 0.25)]
    assert spent_since(store, "echo", 0.0) == 0.25
