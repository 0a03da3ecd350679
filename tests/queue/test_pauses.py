"""What is paused is in nobody's hands until it is resumed, and everything else goes on."""

import os
import time
from pathlib import Path

import pytest

from hybridq.job import Lane, Mode, State
from hybridq.outlook import Outlook
from hybridq.queue.buckets import buckets
from hybridq.queue.claims import claim_batch, claim_stream
from hybridq.queue.cohorts import cohorts, state_of
from hybridq.queue.history import history
from hybridq.queue.paused_work import give_back_running, going, queued_in
from hybridq.queue.pauses import pause, pauses, resume
from hybridq.queue.rescue import rescue
from hybridq.queue.results import record
from hybridq.queue.runner import Runner
from tests.support.building import asking, look, queue, submit_all
from tests.support.verbs import check_counters, ended

NOW = 2e9


@pytest.fixture
def made(tmp_path: Path) -> Outlook:
    """A queue; what is in it was accepted before NOW."""
    return queue(tmp_path)


def streamed(made: Outlook, now: float = NOW) -> list[int]:
    """What a runner gets when it claims all that is to stream."""
    return [claim.id for claim in claim_stream(made.store, Runner(made.store, "drain").id, "echo", 100, now)]


@pytest.mark.parametrize(("handler", "group"), [(None, None), ("echo", None), (None, "g")])
def test_a_paused_stream_job_is_not_claimed(made: Outlook, handler: str | None, group: str | None) -> None:
    """Neither of everything, nor of its handler, nor of its group; once resumed it is."""
    jobs = submit_all(made, asking(mode=Mode.STREAM, group="g"), [b"1", b"2"])
    pause(made.store, handler, group, None, NOW)
    assert streamed(made) == []
    assert len(resume(made.store, handler, group, NOW)) == 1
    assert streamed(made) == jobs


def test_others_go_on_past_any_number_that_is_paused(made: Outlook) -> None:
    """A paused group that is due first holds up nobody behind it."""
    for _ in range(200):
        submit_all(made, asking(mode=Mode.STREAM, group="first", deadline=NOW), [b"1"])
    other = submit_all(made, asking(mode=Mode.STREAM), [b"2"])
    pause(made.store, None, "first", None, NOW)
    assert streamed(made) == other


def test_a_pause_ends_at_its_time(made: Outlook) -> None:
    """A second before it holds, and then no more, whoever looks."""
    jobs = submit_all(made, asking(mode=Mode.STREAM), [b"1"])
    pause(made.store, None, None, NOW + 60, NOW)
    assert streamed(made, NOW + 59) == []
    assert streamed(made, NOW + 60) == jobs
    assert pauses(made.store, NOW + 60).all == ()


def test_a_flush_that_runs_takes_no_more_of_what_is_paused_meanwhile(made: Outlook) -> None:
    """Its cohort leaves the list of those to claim from, as if nothing were left."""
    submit_all(made, asking(group="g"), [b"1", b"2"])
    submit_all(made, asking(), [b"3"])
    keys = [of.id for of in cohorts(made.store, "queued > 0")]
    runner = Runner(made.store, "drain").id
    assert [c.id for c in claim_batch(made.store, runner, 1, "echo", keys, 1, NOW)] == [1]
    pause(made.store, None, "g", None, NOW)
    assert [c.id for c in claim_batch(made.store, runner, 1, "echo", keys, 10, NOW)] == [3]
    assert keys == []


@pytest.mark.parametrize("exact", [1000, 1], ids=["one by one", "classes"])
def test_a_plan_does_not_see_what_is_paused(made: Outlook, exact: int) -> None:
    """Of held work only the rest is planned, cohort by cohort and in classes."""
    for group in ("a", "b", "b"):
        submit_all(made, asking(group=group), [b"1", b"2"])
    pause(made.store, None, "b", None, NOW)
    found = going(made.store, "echo", buckets(made.store, "echo", NOW, exact), NOW)
    assert sum(each.jobs for each in found.held) == 2
    assert queued_in(made.store, "echo", ["b"]) == {Lane.BATCH: 4}


def test_what_runs_is_given_back_and_its_late_result_does_not_count(made: Outlook) -> None:
    """It is queued again at once, its story says why, and its runner hears that it is to end it."""
    (job,) = submit_all(made, asking(mode=Mode.STREAM), [b"1"])
    (claim,) = claim_stream(made.store, Runner(made.store, "drain").id, "echo", 1, NOW)
    paused = pause(made.store, None, None, None, NOW)
    assert give_back_running(made.store, paused, NOW) == 1
    assert record(made.store, [ended(claim)]) != [claim]
    assert state_of(made.store, job)[0] is State.QUEUED
    assert made.store.rows("SELECT job, attempt FROM stop") == [(job, 1)]
    assert [each.kind for each in history(made.store, claim.cohort)] == ["stopped"]
    check_counters(made.store)


def test_what_took_its_runner_down_is_paused_like_any_other(made: Outlook) -> None:
    """Its row says so, and not that it is watched, until it is resumed."""
    submit_all(made, asking(mode=Mode.STREAM), [b'"x"'])
    runner = Runner(made.store, "drain")
    claim_stream(made.store, runner.id, "echo", 1, time.time())
    os.close(runner._lock)  # as when a process dies
    rescue(made.store, time.time())
    assert look(made).rows[0].why_kind == "watched"
    pause(made.store, None, None, None, time.time())
    assert look(made).rows[0].why_kind == "paused"
