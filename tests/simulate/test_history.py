"""A real run of a minute, with real workers that share calls and both lanes, simulated again."""

import time
from pathlib import Path

import pytest
from msgspec.structs import replace

from hybridq.brain.estimate import Model
from hybridq.brain.outcome import settle
from hybridq.job import Audience, Lane, Mode, Output
from hybridq.queue.claims import claim_batch
from hybridq.queue.cohorts import cohorts
from hybridq.queue.learned import remember
from hybridq.queue.results import record
from hybridq.queue.runner import Runner
from hybridq.simulate.past import past

from ..support.building import asking, queue, submit_all
from ..support.replays import CONFIG, live, recorded, replayed

SECONDS = 45.0


def test_the_history_of_a_real_run_costs_and_waits_as_that_did(tmp_path: Path) -> None:
    """The cost, and that of streaming all, within a tenth, the mean waits of people and of the others within a third:
    the bench, on a quiet machine, holds a twentieth and a quarter."""
    outlook = live(tmp_path, SECONDS)
    with outlook.store:
        really, told = recorded(outlook), replayed(outlook)
    assert told.cost == pytest.approx(really.cost, rel=0.1)
    assert told.streamed == pytest.approx(really.streamed, rel=0.1)
    for audience in Audience:
        assert told.waits[audience][0] == pytest.approx(really.waits[audience][0], rel=0.33)


def test_a_job_of_a_shared_call_is_told_what_it_would_have_taken_alone(tmp_path: Path) -> None:
    """Of a call that takes 0.3 s however few jobs it has, and with four of them 0.4 s: each takes 0.325 s alone. What a
    person asked for as a batch is one again."""
    outlook = queue(tmp_path, CONFIG.format(folder=tmp_path))
    with outlook.store:
        known = replace(Model(), trials=((0.325, 0.025),) * 3)
        remember(outlook.store, "together", Lane.BATCH, known, time.time())
        submit_all(outlook, asking("together"), [b"1"] * 4)
        runner, now = Runner(outlook.store, "submit"), time.time()
        keys = [of.id for of in cohorts(outlook.store, "queued > 0")]
        claims = claim_batch(outlook.store, runner.id, 1, "together", keys, 4, now)
        ended = [(Output(c.id, c.attempt, value=b"1", busy=0.1), c) for c in claims]
        record(outlook.store, [settle(event, claim, retries=0, now=now) for event, claim in ended])
        runner.close(outlook.store)
        arrivals = past(outlook).workload.arrivals
    assert [arrival.busy for arrival in arrivals] == [pytest.approx(0.325)] * 4
    assert {arrival.mode for arrival in arrivals} == {Mode.BATCH}
