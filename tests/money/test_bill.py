"""What a job cost, and what it would have cost streamed, by what the handler's jobs took in either lane."""

import time
from pathlib import Path

import pytest

from hybridq.brain.estimate import Model, Observation, learn_many
from hybridq.brain.outcome import Outcome
from hybridq.job import Lane, Output
from hybridq.money.bill import Billing
from hybridq.queue.claims import claim_batch
from hybridq.queue.cohorts import cohorts
from hybridq.queue.runner import Runner
from tests.support.building import ECHO, asking, queue, submit_all

HOUR = 3600.0
WORKER = ECHO.replace('protocol = "lines"\n', "")


def settled(folder: Path, config: str, taught: dict[Lane, float], startup: float) -> list[Outcome]:
    """Two jobs of a batch, of 0.25 s each, of a handler whose jobs have taken so long in each lane; those of a filter
    were started one by one."""
    outlook = queue(folder, config)
    models = {lane: Model() for lane in Lane}
    for lane, seconds in taught.items():
        first = Observation(size=3, busy=seconds, startup=startup)
        rest = first if config == ECHO else Observation(size=3, busy=seconds)
        models[lane] = learn_many(Model(), [first, *[rest] * 8])
    outlook.models["echo"] = models
    submit_all(outlook, asking(), [b"123"] * 2)
    runner, now = Runner(outlook.store, "submit"), time.time()
    claims = claim_batch(
        outlook.store, runner.id, 1, "echo", [of.id for of in cohorts(outlook.store, "queued > 0")], 2, now
    )
    ended = [(Output(each.id, each.attempt, value=b"1", busy=0.25), each) for each in claims]
    found = Billing(outlook).outcomes(ended, startup=startup)
    runner.close(outlook.store)
    outlook.store.close()
    return found


@pytest.mark.parametrize(
    ("taught", "times"),
    [
        ({Lane.STREAM: 1.0, Lane.BATCH: 0.25}, 4.0),
        ({Lane.STREAM: 0.2, Lane.BATCH: 0.25}, 0.8),
        ({}, 1.0),
        ({Lane.BATCH: 0.25}, 1.0),
    ],
    ids=["quicker in a batch", "slower in a batch", "nothing known", "never streamed"],
)
def test_a_job_of_a_batch_would_have_cost_what_jobs_take_streamed(
    tmp_path: Path, taught: dict[Lane, float], times: float
) -> None:
    """Where both lanes are known the time that a batch saved is saved money, or lost; else nothing is said to be."""
    first, second = settled(tmp_path, WORKER, taught, 2.0)
    assert first.cost == pytest.approx(2.25 / HOUR)
    assert first.streamed == pytest.approx((0.25 * times + 2.0) / HOUR, rel=0.01)
    assert second.cost == pytest.approx(0.25 / HOUR)
    assert second.streamed == pytest.approx(0.25 * times / HOUR, rel=0.01)


def test_each_line_would_have_paid_the_start_of_its_filter(tmp_path: Path) -> None:
    """Streamed, a line filter is started for each job; in a batch the first one pays for all."""
    first, second = settled(tmp_path, ECHO, {Lane.STREAM: 0.25, Lane.BATCH: 0.25}, 2.0)
    assert (first.cost, second.cost) == (pytest.approx(2.25 / HOUR), pytest.approx(0.25 / HOUR))
    assert first.streamed == second.streamed == pytest.approx(2.25 / HOUR, rel=0.01)
