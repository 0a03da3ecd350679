"""What is urgent overtakes a batch of its handler that runs, on the same worker; the batch goes on behind it."""

import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from hybridq.job import Lane, Mode, State
from hybridq.queue.cohorts import job, tally
from hybridq.queue.flushes import flush_record
from hybridq.queue.learned import first_promise
from hybridq.queue.ledger import read
from tests.support.building import until
from tests.support.served import EAGER, Queue

SLOW = """
import json, os, sys, time
log = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
for line in sys.stdin:
    calls = json.loads(line)
    for call in calls if isinstance(calls, list) else [calls]:
        os.write(log, b"%d\\n" % call["id"])
        time.sleep(0.25)
        print(json.dumps({"id": call["id"], "output": 1}), flush=True)
"""
MANY = 48  # jobs of a quarter of a second


@pytest.fixture
def queue(tmp_path: Path) -> Iterator[Queue]:
    """A daemon within a batch of a slow worker that streams nothing: after five of its jobs."""
    (tmp_path / "slow.py").write_text(SLOW)
    command = f'["{sys.executable}", "{tmp_path / "slow.py"}", "{tmp_path / "log"}"]'
    slow = f'[handlers.slow]\ncommand = {command}\nmodes = ["batch"]\nchunk = 1\nexpected = "250ms"\n'
    queue = Queue(tmp_path, EAGER + slow)
    with queue.daemon():
        queue.call_many("slow", [b"1"] * MANY, group="night")
        until(lambda: tally(queue.store).get(("slow", Lane.BATCH, State.DONE), 0) >= 5)
        yield queue


def places(queue: Queue) -> list[int]:
    """The jobs in the order in which the worker got them."""
    return [int(line) for line in (queue.home.folder.parent / "log").read_text().split()]


def test_a_near_deadline_is_kept_within_a_batch_that_lasts_longer(queue: Queue) -> None:
    """The job runs within a few calls, in a flush of its own, and each of the others once, behind it."""
    before = len(places(queue))
    due = time.time() + 6.0
    late = queue.call("slow", b"1", deadline=due)
    assert queue.wait(late) == [State.DONE]
    assert (job(queue.store, late).finished or 0.0) < due
    until(lambda: not tally(queue.store).get(("slow", Lane.BATCH, State.QUEUED), 0))
    queue.wait(*range(1, MANY + 1), seconds=60)
    assert Counter(places(queue)) == dict.fromkeys(range(1, late + 1), 1)
    assert places(queue).index(late) < MANY - 20
    assert before < places(queue).index(late)


def test_each_of_both_flushes_has_an_account_of_its_own(queue: Queue) -> None:
    """The one that was overtaken counts its jobs, and the other its one, for its own reason."""
    late = queue.call("slow", b"1", deadline=time.time() + 6.0)
    queue.wait(late)
    until(lambda: not queue.store.rows("SELECT 1 FROM flush WHERE ended IS NULL"), 60)
    own = flush_record(queue.store, job(queue.store, late).flush)
    other = flush_record(queue.store, job(queue.store, 1).flush)
    assert own is not None
    assert other is not None
    assert (own.jobs, own.done) == (1, 1)
    assert own.reason.then is not None
    assert own.reason.then.kind == "overtakes"
    assert (other.jobs, other.done) == (MANY, MANY)
    assert (own.ended or 0.0) < (other.ended or 0.0)
    ledger = read(queue.store, 0.0, time.time())
    assert sum(each.cost for each in ledger.rules) == pytest.approx(sum(each.cost for each in ledger.sums))


def test_a_higher_priority_overtakes(queue: Queue) -> None:
    """Without any deadline, at once."""
    first = queue.call("slow", b"1", priority=5, mode=Mode.BATCH)
    queue.wait(first)
    assert queue.state(MANY) is State.QUEUED


def test_the_same_priority_waits(queue: Queue) -> None:
    """By age: what has neither a deadline nor a priority goes behind the batch."""
    last = queue.call("slow", b"1", mode=Mode.BATCH)
    queue.wait(last, seconds=60)
    assert places(queue)[-1] == last


def test_what_is_told_of_an_urgent_job_covers_what_happens(queue: Queue) -> None:
    """Its promise is neither the end of the batch nor too soon, and the row says why it goes first."""
    late = queue.call("slow", b"1", deadline=time.time() + 8.0)
    promise = first_promise(queue.store, job(queue.store, late).cohort)
    queue.wait(late)
    assert promise is not None
    finished = job(queue.store, late).finished or 0.0
    assert promise.finish90 is not None
    assert finished <= promise.finish90 + 0.1
    assert promise.finish90 < promise.made + 8.0
