"""Limits on money hold whatever the jobs cost, wherever they are, and whoever runs them: real workers tell the cost."""

import json
import sys
import time
from pathlib import Path

import pytest
from msgspec.structs import replace

from hybridq.home import Home
from hybridq.job import Happening, Lane, State
from hybridq.queue.claims import claim_batch
from hybridq.queue.cohorts import job
from hybridq.queue.holds import of_submission, terms_of
from hybridq.queue.lanes import move
from hybridq.queue.results import record
from hybridq.queue.runner import Runner
from hybridq.queue.store import Store
from hybridq.reason import said
from tests.support.building import asking, queue, submit_all
from tests.support.user import Queue, until
from tests.support.verbs import ended

PAID = f"""
[handlers.paid]
command = ["{sys.executable}", "-u", "-c", '''
import json, sys, time
for line in sys.stdin:
    calls = json.loads(line)
    for call in calls if isinstance(calls, list) else [calls]:
        time.sleep(0.005)
        print(json.dumps({{"id": call["id"], "output": 1, "cost": 1}}))
''']
"""
MORE = ["", "price = 1", "price = 0.01", 'expected = "5ms"', "instances = 3\nchunk = 50"]


def spent(queue: Queue) -> float:
    """What all jobs have cost."""
    return float(queue.rows("SELECT total(cost) FROM cohort")[0][0])


def submit(queue: Queue, jobs: int, *more: str, mode: str = "batch") -> None:
    """One submission whose lines differ in priority."""
    lines = "".join(json.dumps({"input": n, "priority": n % 7}) + "\n" for n in range(jobs))
    done = queue.run("submit", "paid", "--jsonl", "-", "--mode", mode, *more, input=lines)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("more", MORE, ids=["unknown", "priced", "priced wrongly", "expected", "instances"])
def test_a_drain_spends_what_it_may(tmp_path: Path, more: str) -> None:
    """Jobs that turn out to cost 1 each: with room for nine, nine run, whatever is known of them before."""
    queue = Queue(tmp_path, PAID + more)
    submit(queue, 60)
    done = queue.run("drain", "--max-cost", "9")
    assert (done.returncode, spent(queue)) == (75, 9.0)
    assert "--max-cost is 9.00, 9.00 is spent" in done.stderr


def test_drains_beside_each_other_share_what_their_jobs_may_cost(tmp_path: Path) -> None:
    """Three at once over the same jobs spend what one would, but for what was spent before the last of them began."""
    queue = Queue(tmp_path, PAID)
    submit(queue, 100)
    with queue.start("drain", "--max-cost", "5") as one, queue.start("drain", "--max-cost", "5") as two:
        assert queue.run("drain", "--max-cost", "5").returncode == 75
        assert [one.wait(60), two.wait(60)] == [75, 75]
    assert 5.0 <= spent(queue) <= 10.0  # 15 if each counted its own alone


@pytest.mark.parametrize("mode", ["stream", "batch"])
def test_lines_of_one_submission_share_its_cost_limit(tmp_path: Path, mode: str) -> None:
    """Whatever their lines ask for: a limit of 3 for a submission with seven priorities runs three jobs."""
    queue = Queue(tmp_path, PAID)
    submit(queue, 20, "--max-cost", "3", mode=mode)
    assert queue.run("drain").returncode == 75
    assert spent(queue) == 3.0


def test_a_daily_budget_holds_beside_drains_and_a_daemon(tmp_path: Path) -> None:
    """Two drains and a daemon take of one budget: it is spent, and not exceeded."""
    queue = Queue(tmp_path, f"{PAID}daily_budget = 7")
    submit(queue, 60)
    with queue.daemon(), queue.start("drain") as one, queue.start("drain", "--max-cost", "2") as two:
        until(lambda: spent(queue) >= 7.0)
        assert [one.wait(60), two.wait(60)] == [75, 75]
    assert spent(queue) == 7.0


def test_jobs_stay_in_their_limit_however_often_they_move(tmp_path: Path) -> None:
    """What moved lanes three times has its money in the limit of its submission, and no other line's."""
    outlook = queue(tmp_path)
    store, now = outlook.store, time.time()
    ids = submit_all(outlook, asking(max_cost=3.0), [b"1", b"2", b"3"])
    for lane in (Lane.STREAM, Lane.BATCH, Lane.STREAM, Lane.BATCH):
        assert move(store, ids[1:], lane, Happening.SAID, said("test"), now) == 2
        assert (
            move(
                store,
                ids[2:],
                Lane.STREAM if lane is Lane.BATCH else Lane.BATCH,
                Happening.RECLASSIFIED,
                said("test"),
                now,
            )
            == 1
        )
        assert move(store, ids[2:], lane, Happening.SAID, said("test"), now) == 1
    here = job(store, ids[2]).cohort
    assert here != job(store, ids[0]).cohort
    claims = claim_batch(store, Runner(store, "drain").id, 1, "echo", [here], 1, now)
    record(store, [replace(ended(claim), cost=0.5) for claim in claims])
    terms = terms_of(store, job(store, ids[0]).cohort)
    assert terms_of(store, here).submission == terms.submission
    assert sum(cost for *_, cost, _ in of_submission(store, terms.submission, 3.0)) == 0.5
    store.close()


def test_a_queue_of_an_earlier_release_knows_its_submissions(tmp_path: Path) -> None:
    """What moved before the file was migrated is found in the submission that it came with."""
    outlook = queue(tmp_path)
    ids = submit_all(outlook, asking(max_cost=3.0), [b"1", b"2"])
    for lane in (Lane.STREAM, Lane.BATCH):
        move(outlook.store, ids[1:], lane, Happening.SAID, said("test"), time.time())
        move(outlook.store, ids[1:], Lane.STREAM, Happening.PROMOTED, said("test"), time.time())
    for undo in (
        "DROP INDEX cohort_submission",
        "ALTER TABLE cohort DROP COLUMN submission",
        "DELETE FROM _sqlite_migrations WHERE name = '0002_submissions'",
    ):
        outlook.store.connection.execute(undo)
    outlook.store.close()
    with Store.open(Home.find({"HYBRIDQ_HOME": str(tmp_path / "home")})) as store:
        first, moved = (job(store, number).cohort for number in ids)
        assert first != moved
        assert terms_of(store, moved).submission == terms_of(store, first).submission == first
        assert job(store, ids[1]).state is State.QUEUED
