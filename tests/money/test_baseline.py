"""What jobs are said to have saved, against what streaming all of them as they came would really have cost."""

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from hybridq.brain.estimate import Model, Observation, learn_many
from hybridq.brain.outcome import Outcome
from hybridq.job import Audience, Lane, Mode, Output
from hybridq.money.bill import Billing
from hybridq.outlook import Outlook
from hybridq.queue.claims import Claim, claim_batch, claim_stream
from hybridq.queue.cohorts import cohorts
from hybridq.queue.runner import Runner
from hybridq.simulate.baselines import Stream
from hybridq.simulate.clock import World, simulate
from hybridq.simulate.station import Times
from hybridq.simulate.workload import Arrival, Workload
from hybridq.submit import submit_many
from tests.support.building import ECHO, asking, queue

HOUR = 3600.0
WORKER = ECHO.replace('protocol = "lines"\n', "")


def cheap_after(seconds: float, factor: float = 0.1) -> str:
    """A configuration with a worker, and a tenth of the price from so many seconds on for an hour."""
    begin, end = (datetime.fromtimestamp(time.time() + after, UTC) for after in (seconds, seconds + HOUR))
    return (
        f'{WORKER}\n[tariff]\nzone = "UTC"\n[[tariff.window]]\nstart = "{begin:%H:%M:%S}"\nend = "{end:%H:%M:%S}"\n'
        f"factor = {factor}\n"
    )


def knowing(folder: Path, config: str, seconds: float) -> Outlook:
    """A queue whose worker is known to take so long in either lane."""
    outlook = queue(folder, config)
    known = learn_many(Model(), [Observation(size=3, busy=seconds)] * 8)
    outlook.models["echo"] = dict.fromkeys(Lane, known)
    return outlook


def ended(outlook: Outlook, claims: Sequence[Claim], seconds: float) -> list[Outcome]:
    """What becomes of these, each of which took so long and ends now."""
    return Billing(outlook).outcomes([(Output(c.id, c.attempt, value=b"1", busy=seconds), c) for c in claims])


def test_a_job_that_ran_at_once_has_saved_nothing(tmp_path: Path) -> None:
    """A tenth of the price began 50 s before the end of a run of 200 s: it costs 155 s in full, and would have."""
    outlook = knowing(tmp_path, cheap_after(-50), 200.0)
    with outlook.store:
        submit_many(outlook, [(asking(mode=Mode.STREAM), b"123", None)])
        runner = Runner(outlook.store, "submit")
        claims = claim_stream(outlook.store, runner.id, "echo", 1, time.time())
        (one,) = ended(outlook, claims, 200.0)
        assert one.cost == one.streamed == pytest.approx(155 / HOUR, rel=0.03)
        runner.close(outlook.store)


@pytest.mark.parametrize("alone", [True, False], ids=["one by one", "as a group"])
def test_the_comparison_is_what_streaming_all_would_have_cost(tmp_path: Path, alone: bool) -> None:
    """A hundred jobs of 2 s, handed in 100 s before a tenth of the price: streamed, the second half runs into that, as
    it does where they are really run on the clock."""
    outlook = knowing(tmp_path, cheap_after(100), 2.0)
    with outlook.store:
        asked = asking(mode=Mode.BATCH)
        for jobs in [1] * 100 if alone else [100]:
            submit_many(outlook, [(asked, b"123", None)] * jobs)
        runner, now = Runner(outlook.store, "submit"), time.time()
        keys = [of.id for of in cohorts(outlook.store, "queued > 0")]
        claims = claim_batch(outlook.store, runner.id, 1, "echo", keys, 100, now)
        told = sum(one.streamed for one in ended(outlook, claims, 2.0))
        at = [of.accepted for of in cohorts(outlook.store, "jobs > 0") for _ in range(of.jobs)]
        came = [Arrival(at=each, size=3, busy=2.0, audience=Audience.BACKGROUND, handler="echo") for each in at]
        times = {"echo": Times(start=0.0, spread=0.0)}
        work = Workload(tuple(came), "the same")
        world = World(config=outlook.config, times=times, workload=work, seed=1, slots={"echo": 1})
        really = sum(task.cost for task in simulate(world, Stream).tasks)
        runner.close(outlook.store)
    assert len(claims) == 100
    assert told == pytest.approx(really, rel=0.03)
    assert told == pytest.approx(110 / HOUR, rel=0.1)
