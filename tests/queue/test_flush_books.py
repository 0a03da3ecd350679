"""What is told of flushes adds up, whoever died in the middle: each job once, and all the money."""

import signal
import time
from pathlib import Path

import pytest

from hybridq.brain.outcome import settle
from hybridq.handlers.llm.batches import LACKING
from hybridq.job import Lane, Output
from hybridq.outlook import Outlook
from hybridq.queue.claims import claim_batch
from hybridq.queue.flushes import add_to_flush, end_flushes, open_flush, results_of
from hybridq.queue.ledger import read
from hybridq.queue.results import record
from hybridq.queue.runner import Runner
from hybridq.reason import said
from tests.crash.provider import ProviderCrash
from tests.crash.runner import Crash
from tests.support.building import asking, command, daemon, submit_all, until
from tests.support.llm import served
from tests.support.provider import Provider, missing


def check(outlook: Outlook, jobs: int) -> None:
    """The flushes' jobs are all jobs of the batch lane, and their cost is what these cost."""
    ledger = read(outlook.store, 0.0, time.time())
    assert sum(each.jobs for each in ledger.rules) == jobs
    assert sum(each.cost for each in ledger.rules) == pytest.approx(
        sum(each.cost for each in ledger.sums if each.lane is Lane.BATCH)
    )


@pytest.mark.parametrize("point", ["stored:2", "ending", "replied:4"])
def test_a_flush_that_died_keeps_what_it_had_done(tmp_path: Path, point: str) -> None:
    """Kill -9 in a flush: the report counts what it did for it, the rest for the next."""
    crash = Crash(tmp_path, seed=1)
    crash.submit(jobs=200)
    with crash.runner(HYBRIDQ_TEST_DIE_AT=point) as process:
        assert process.wait(60) == -signal.SIGKILL
    crash.kills += 1
    crash.finish()
    crash.verdict()
    ((jobs,),) = crash.outlook.store.rows("SELECT sum(jobs) FROM cohort WHERE lane = 'batch'")
    assert jobs >= 200  # and those that are urgent, or waited for others
    check(crash.outlook, jobs)


def test_a_batch_that_was_fetched_by_two_runners_is_counted_once(tmp_path: Path) -> None:
    """The first dies with a part of the answers stored, the second stores the rest."""
    with Provider() as provider:
        crash = ProviderCrash(tmp_path, "openai", provider)
        crash.submit(2500)
        with crash.runner("daemon", HYBRIDQ_TEST_DIE_AT="stored") as process:
            assert process.wait(30) == -signal.SIGKILL
        assert 0 < crash.left() < 2500
        crash.finish()
        crash.verdict()
        check(crash.outlook, 2500)


def test_what_a_server_without_batches_sends_back_is_counted_where_it_runs(tmp_path: Path) -> None:
    """Jobs that go back untouched and come again in another flush are no jobs of the first."""
    with Provider() as provider, served(tmp_path, provider) as outlook:
        provider.instead["POST", "/v1/files"] = missing
        with daemon(outlook):
            submit_all(outlook, asking("gpt", group="docs"), [b'"%d"' % number for number in range(20)])
            until(lambda: not outlook.store.rows("SELECT 1 FROM job WHERE state <> 'done'"))
            until(lambda: not outlook.store.rows("SELECT 1 FROM flush WHERE ended IS NULL"))
        assert len(read(outlook.store, 0.0, time.time()).flushes) > 1
        check(outlook, 20)
        assert LACKING in " ".join(command(outlook.store.home, "explain", "docs").stdout.split())


def test_what_runs_elsewhere_when_its_flush_dies_is_added_once(outlook: Outlook) -> None:
    """One of two detached jobs has ended when the runner dies within the flush; both count when the batch is over."""
    submit_all(outlook, asking(), [b"1", b"2"])
    store, runner, now = outlook.store, Runner(outlook.store, "drain"), time.time()
    flush = open_flush(store, runner.id, "echo", "plan", said("why"), 1.0, 2, now)
    claims = claim_batch(store, runner.id, flush, "echo", [1], 2, now)
    pairs = [(claim.id, claim.attempt) for claim in claims]
    record(store, [settle(Output(*pairs[0], value=b"1"), claims[0], retries=0, now=now, cost=0.25, streamed=1.0)])
    with store.tx() as connection:
        end_flushes(connection, runner.id, set(pairs), now)
    record(store, [settle(Output(*pairs[1], value=b"2"), claims[1], retries=0, now=now, cost=0.25, streamed=1.0)])
    with store.tx() as connection:
        add_to_flush(connection, flush, results_of(connection, flush, pairs), now)
    runner.close(store)
    check(outlook, 2)
