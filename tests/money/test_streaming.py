"""Which starts streaming all would have needed: by a forward run, after real crashes, and beside a second runner."""

import sys
from contextlib import nullcontext
from pathlib import Path

import pytest

from hybridq.brain.baseline import Begun, Came, begins
from hybridq.job import Lane, Mode, Output
from hybridq.money.bill import Billing
from hybridq.outlook import Outlook
from hybridq.queue.claims import Claim, claim_batch, claim_stream
from hybridq.queue.cohorts import cohorts
from hybridq.queue.runner import Runner, served_since
from tests.support.building import asking, daemon, queue, staying, submit_all, until

START = 0.5
WORKER = f"""
[handlers.slow]
command = ["{sys.executable}", "-c", '''
import json, sys, time
time.sleep({START})
for line in sys.stdin:
    calls = json.loads(line)
    for call in calls if isinstance(calls, list) else [calls]:
        time.sleep(0.002)
        print(json.dumps({{"id": call["id"], "output": 1}}), flush=True)
''']
"""
HOUR = 3600.0


@pytest.mark.parametrize(
    ("came", "starts"),
    [
        ([(0, 1), (5, 1), (200, 1)], [1, 0, 1]),
        ([(0, 100), (130, 1)], [2, 0]),
        ([(0, 1), (0, 1), (0, 1)], [1, 1, 0]),
        ([(0, 1), (50, 1), (100, 3)], [1, 0, 1]),
    ],
    ids=["idle for long", "many at once", "one by one", "side by side"],
)
def test_a_start_is_needed_where_no_instance_is_up(came: list[tuple[int, int]], starts: list[int]) -> None:
    """Of two instances that stay for 100 s, each job takes the one that was at work last, or starts the other."""
    found = begins([Came(at, jobs, 1.0) for at, jobs in came], slots=2, start=2.0, idle=100.0)
    assert [each.starts for each in found] == starts


def test_what_keeps_no_instance_leaves_the_next_a_start() -> None:
    """A job that ran in the foreground took its worker with it; one that waits for a slot begins when it is free."""
    came = [Came(0, 1, 1.0, keeps=False), Came(1, 1, 1.0), Came(2, 1, 1.0)]
    assert begins(came, 1, start=2.0, idle=100.0) == [Begun(0, 1), Begun(3, 1), Begun(6, 0)]


@pytest.mark.parametrize("mode", [Mode.BATCH, Mode.STREAM])
def test_the_starts_after_a_crash_are_not_those_of_streaming(tmp_path: Path, mode: Mode) -> None:
    """A daemon is killed in the midst of a group, which the next one ends beside a drain: two or three jobs
    paid a start, and one would have."""
    outlook = queue(tmp_path, WORKER)
    batch, store = mode is Mode.BATCH, outlook.store

    def done(least: int) -> bool:
        return int(store.rows("SELECT total(done) FROM cohort")[0][0]) >= least

    with store:
        submit_all(outlook, asking("slow", mode), [b"1"] * 300)
        for least in (20, 300):
            with daemon(outlook) as serves, staying(outlook, "drain") if batch else nullcontext():
                until(lambda least=least: done(least))
                if least < 300:
                    serves.kill()
                    until(lambda: serves.poll() is not None)
        dearer = "SELECT count(*) FROM result WHERE {} * 3600 - busy > ?"
        paid, own = (store.rows(dearer.format(money), (START / 2,))[0][0] for money in ("cost", "streamed"))
    assert paid >= 2
    assert own == 1


def test_a_daemon_that_died_served_until_one_stops(tmp_path: Path) -> None:
    """The next daemon goes on with its time; one that stopped leaves none."""
    outlook = queue(tmp_path, WORKER)
    with outlook.store:
        with daemon(outlook) as serves:
            first = served_since(outlook.store)
            serves.kill()
            serves.wait()
        with daemon(outlook):
            until(lambda: outlook.store.rows("SELECT count(*) FROM runner") == [(1,)])
            assert served_since(outlook.store) == first
        assert served_since(outlook.store) > first


def claimed(outlook: Outlook, mode: Mode, runner: Runner) -> list[Claim]:
    """Two jobs of a group in this runner's hands."""
    submit_all(outlook, asking("slow", mode), [b"1"] * 2)
    if mode is Mode.STREAM:
        return claim_stream(outlook.store, runner.id, "slow", 2, 9e9)
    keys = [of.id for of in cohorts(outlook.store, "queued > 0")]
    return claim_batch(outlook.store, runner.id, 1, "slow", keys, 2, 9e9)


@pytest.mark.parametrize("mode", [Mode.BATCH, Mode.STREAM])
def test_a_worker_that_dies_would_have_died_streamed(tmp_path: Path, mode: Mode) -> None:
    """Its second start is as dear in either: both jobs paid one, and would have."""
    outlook = queue(tmp_path, WORKER)
    with outlook.store:
        runner, billing = Runner(outlook.store, "daemon"), Billing(outlook)
        for claim in claimed(outlook, mode, runner):
            (one,) = billing.outcomes([(Output(claim.id, claim.attempt, value=b"1", busy=0.25), claim)], startup=2.0)
            assert one.cost == one.streamed == pytest.approx(2.25 / HOUR)
        runner.close(outlook.store)


def test_a_batch_that_met_a_warm_worker_saved_the_start_that_streaming_would_have_made(tmp_path: Path) -> None:
    """No start was made for a group that nobody came before: streamed, it would have been, as long as that takes."""
    outlook = queue(tmp_path, f"{WORKER}fixed = 2.0\n")
    with outlook.store:
        runner = Runner(outlook.store, "daemon")
        ended = [(Output(c.id, c.attempt, value=b"1", busy=0.25), c) for c in claimed(outlook, Mode.BATCH, runner)]
        first, second = Billing(outlook).outcomes(ended)
        assert (first.cost, first.streamed) == (pytest.approx(0.25 / HOUR), pytest.approx(2.25 / HOUR))
        assert second.cost == second.streamed
        assert outlook.estimate("slow").startup(0.5) == pytest.approx(2.0)
        assert Lane.BATCH in {of.lane for of in cohorts(outlook.store, "running > 0")}
        runner.close(outlook.store)
