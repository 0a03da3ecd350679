"""The verbs of the queue one by one: what each changes, what it refuses, and whose result counts."""

import os
from pathlib import Path
from typing import Any

import pytest

from hybridq.brain.estimate import Model
from hybridq.errors import BadData, NoSuchJob, TryAgain
from hybridq.home import Home
from hybridq.job import LANES, Audience, Happening, Lane, Mode, Request
from hybridq.queue.bulk import Bulk
from hybridq.queue.cancel_retry import cancel
from hybridq.queue.claims import claim_batch, claim_stream
from hybridq.queue.cleaning import sweep
from hybridq.queue.cohorts import cohorts, held, job
from hybridq.queue.intake import accept
from hybridq.queue.lanes import move
from hybridq.queue.learned import models
from hybridq.queue.rescue import give_back, rescue, to_stop
from hybridq.queue.results import record, result
from hybridq.queue.runner import Runner
from hybridq.queue.select import chosen
from hybridq.queue.store import Store
from hybridq.reason import said, stored
from hybridq.selection import parse_selector
from tests.support.verbs import BACKGROUND, check_counters, deciding, ended, many


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """An empty queue."""
    return Store.open(Home.find({"HYBRIDQ_HOME": str(tmp_path / "home")}))


def test_a_result_counts_only_from_the_attempt_that_holds_the_job(store: Store) -> None:
    """The late result of an attempt that lost its job is told and not stored."""
    (number,) = many(store, [b"x"])
    runner = Runner(store, "drain")
    (first,) = claim_batch(store, runner.id, 1, "h", [1], 9, 5.0)
    give_back(store, runner.id, 6.0)
    (second,) = claim_batch(store, runner.id, 1, "h", [1], 9, 7.0)
    assert record(store, [ended(first)]) == []
    assert result(store, number) is None
    assert len(record(store, [ended(second)])) == 1
    kept = result(store, number)
    assert kept is not None
    assert kept.attempt == 2


def test_one_lost_attempt_does_not_lose_the_others_of_its_chunk(store: Store) -> None:
    """In a chunk with one job that was cancelled, all others are stored."""
    numbers = many(store, [b"x"] * 10)
    claims = claim_batch(store, Runner(store, "drain").id, 1, "h", [1], 10, 5.0)
    cancel(store, [numbers[4]], 6.0)
    stored = record(store, [ended(claim) for claim in claims])
    assert [each.id for each in stored] == [n for n in numbers if n != numbers[4]]
    check_counters(store)


def test_an_id_is_never_used_again(store: Store) -> None:
    """What was taken back before it was accepted leaves a gap, not a free id."""
    with Bulk(store) as bulk:
        bulk.add(BACKGROUND, b"x")
        bulk._write()
    assert store.rows("SELECT 1 FROM job") == []
    assert many(store, [b"x"]) == [2]


def test_a_large_submission_is_seen_whole_or_not_at_all(store: Store) -> None:
    """Before it is accepted nothing of it can be claimed, selected or counted."""
    with Bulk(store) as bulk:
        for _ in range(50):
            bulk.add(BACKGROUND, b"x")
        bulk._write()
        assert store.rows("SELECT count(*) FROM job") == [(50,)]
        assert held(store, "h") == []
        assert cohorts(store, "accepted IS NOT NULL") == []
        assert list(chosen(store, [parse_selector("all")])) == []
        with pytest.raises(NoSuchJob):
            list(chosen(store, [parse_selector("1-50")]))
        bulk.accept(deciding(Mode.BATCH), now=1.0)
        assert sum(each.jobs for each in held(store, "h")) == 50
    assert len(list(chosen(store, [parse_selector("all")]))) == 50


def test_others_write_while_many_jobs_are_decided(store: Store) -> None:
    """A decision may take its time: the queue is locked only to accept."""
    with Store.open(store.home) as other, Bulk(store) as bulk:

        def decide(*asked: Any) -> Any:
            with other.tx() as connection:
                connection.execute("INSERT OR REPLACE INTO meta VALUES ('probe', 1)")
            return deciding(Mode.BATCH)(*asked)

        bulk.add(BACKGROUND, b"x")
        accepted = bulk.accept(decide, now=1.0)
    assert accepted is not None
    assert accepted.jobs == 1


def test_a_model_that_cannot_be_read_is_learned_anew(store: Store) -> None:
    """What was learned is no reason for a queue to stop."""
    with store.tx() as connection:
        connection.execute(
            "INSERT INTO model (handler, lane, learned, at) VALUES ('h', 'batch', ?, 1)", (b'{"seen":"x"}',)
        )
    assert models(store, "h") == ({lane: Model() for lane in LANES}, 1.0)


def test_what_a_dead_writer_left_is_taken_away(store: Store) -> None:
    """A submission whose writer died before accepting leaves nothing, and its keys are free again."""
    bulk = Bulk(store)
    bulk.add(BACKGROUND, b"x", "k")
    bulk._write()
    with pytest.raises(TryAgain):
        accept(store, BACKGROUND, b"x", deciding(Mode.BATCH), now=1.0, key="k")
    store.connection.execute("DELETE FROM runner")
    again = accept(store, BACKGROUND, b"x", deciding(Mode.BATCH), now=1.0, key="k")
    assert again.existed == 0
    assert len(list(sweep(store))) == 1
    assert [number for (number,) in store.rows("SELECT id FROM job")] == [again.first]
    assert accept(store, BACKGROUND, b"x", deciding(Mode.BATCH), now=1.0, key="k").first == again.first


def test_the_same_key_gives_the_same_job_or_is_refused(store: Store) -> None:
    """A key repeats safely, and never stands for two different things."""
    first = accept(store, BACKGROUND, b"x", deciding(Mode.BATCH), now=1.0, key="k")
    assert accept(store, BACKGROUND, b"x", deciding(Mode.STREAM), now=2.0, key="k").first == first.first
    with pytest.raises(BadData, match="already"):
        accept(store, BACKGROUND, b"other", deciding(Mode.BATCH), now=3.0, key="k")
    assert store.rows("SELECT count(*) FROM job") == [(1,)]


def test_stream_jobs_go_by_deadline_then_priority_then_age(store: Store) -> None:
    """The order of the stream lane."""
    asked = [
        BACKGROUND,
        Request(handler="h", audience=Audience.USER, priority=5),
        Request(handler="h", audience=Audience.USER, deadline=500.0),
        Request(handler="h", audience=Audience.USER, deadline=100.0),
        BACKGROUND,
    ]
    for request in asked:
        accept(store, request, b"x", deciding(Mode.STREAM), now=1.0)
    runner = Runner(store, "drain").id
    order = [claim_stream(store, runner, "h", 1, 2.0)[0].id for _ in asked]
    assert order == [4, 3, 2, 1, 5]


def test_a_cancelled_running_job_is_told_to_its_runner_once(store: Store) -> None:
    """The runner hears of it, and only once."""
    (number,) = many(store, [b"x"])
    runner = Runner(store, "drain")
    claim_batch(store, runner.id, 1, "h", [1], 1, 5.0)
    cancel(store, [number], 6.0)
    assert to_stop(store, runner) == [(number, 1)]
    assert to_stop(store, runner) == []


def test_jobs_of_a_dead_runner_are_queued_again_and_only_those(store: Store) -> None:
    """A free lock is a dead runner; a living runner's jobs stay."""
    many(store, [b"x"] * 4)
    living, dying = Runner(store, "drain"), Runner(store, "drain")
    claim_batch(store, living.id, 1, "h", [1], 2, 5.0)
    claim_batch(store, dying.id, 1, "h", [1], 2, 5.0)
    os.close(dying._lock)  # what the kernel does when a process dies
    assert rescue(store, 6.0) == 2
    assert [job(store, number).state for number in (1, 2, 3, 4)] == ["running", "running", "queued", "queued"]
    assert rescue(store, 7.0) == 0
    check_counters(store)


def test_a_job_that_moves_keeps_its_story(store: Store) -> None:
    """A promoted job leaves its group's batch, keeps the group's name, and says why."""
    numbers = many(store, [b"x"] * 3)
    move(store, numbers[:1], Lane.STREAM, Happening.PROMOTED, said("its deadline is near"), 5.0)
    moved = job(store, numbers[0])
    (there,) = cohorts(store, "id = ?", (moved.cohort,))
    assert (there.lane, there.jobs, there.name) == (Lane.STREAM, 1, "h-1")
    assert store.rows("SELECT text FROM history WHERE job = ?", (numbers[0],)) == [
        (stored(said("its deadline is near")),)
    ]
    check_counters(store)
