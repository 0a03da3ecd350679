"""Queued jobs that are to wait for others as well: they do, in whatever lane they were, and never in a circle."""

import time
from pathlib import Path

import pytest

from hybridq.errors import UsageError
from hybridq.job import Lane, Mode, State, Waits
from hybridq.outlook import Outlook
from hybridq.queue.cancel_retry import cancel
from hybridq.queue.cohorts import cohort, job
from hybridq.queue.edits import Edit, edit
from hybridq.queue.gates import gate_of, told
from tests.support.building import asking, queue, run_jobs, submit_all
from tests.support.user import Queue
from tests.support.verbs import check_counters


@pytest.fixture
def made(tmp_path: Path) -> Outlook:
    """A queue with the jobs 1 to 4 in the batch lane, each of its own submission."""
    made = queue(tmp_path)
    for _ in range(4):
        submit_all(made, asking(), [b"1"])
    return made


def after(made: Outlook, number: int, *awaited: int, name: str = "") -> int:
    """A job is to wait for these as well; how many jobs were edited."""
    waits = Waits(done=tuple((each, each) for each in awaited), name=name)
    return edit(made.store, [number], Edit(), time.time(), waits)


def waits(made: Outlook, number: int) -> str:
    """What a job waits for."""
    found = gate_of(made.store, number)
    return "" if found is None else told(found.ranges)


def lane(made: Outlook, number: int) -> Lane:
    """The lane of a job."""
    return cohort(made.store, job(made.store, number).cohort).lane


def test_it_leaves_its_lane_until_they_are_done(made: Outlook) -> None:
    """Then it comes back; the counters stay true."""
    assert after(made, 2, 1) == 1
    assert (lane(made, 2), waits(made, 2)) == (Lane.NONE, "1")
    check_counters(made.store)
    run_jobs(made, 1)
    assert (lane(made, 2), job(made.store, 1).state) == (Lane.BATCH, State.DONE)
    check_counters(made.store)


def test_what_it_waited_for_before_is_not_forgotten(made: Outlook) -> None:
    """It begins when all of them are done."""
    after(made, 4, 1)
    after(made, 4, 2, 3)
    assert waits(made, 4) == "1-3"
    run_jobs(made, 2)
    assert lane(made, 4) is Lane.NONE
    run_jobs(made, 1)
    assert lane(made, 4) is Lane.BATCH
    assert made.store.rows("SELECT count(*) FROM dependency") == [(0,)]


@pytest.mark.parametrize("number", [1, 3], ids=["itself", "what waits for it in turn"])
def test_a_circle_is_refused(made: Outlook, number: int) -> None:
    """And nothing is changed, neither here nor of what else was asked for."""
    after(made, 2, 1)
    after(made, 3, 2)
    with pytest.raises(UsageError, match="circle" if number == 3 else "cannot wait for itself"):
        edit(made.store, [1], Edit(priority=5), time.time(), Waits(done=((number, number),)))
    assert (lane(made, 1), waits(made, 1)) == (Lane.BATCH, "")
    assert cohort(made.store, job(made.store, 1).cohort).request.priority == 0
    check_counters(made.store)


def test_some_jobs_of_a_submission_alone(made: Outlook) -> None:
    """The others stay where they are."""
    jobs = submit_all(made, asking(group="g"), [b"1", b"2", b"3"])
    assert edit(made.store, jobs[1:], Edit(), time.time(), Waits(done=((1, 1),))) == 2
    assert [lane(made, each) for each in jobs] == [Lane.BATCH, Lane.NONE, Lane.NONE]
    check_counters(made.store)


def test_what_is_done_is_not_waited_for(made: Outlook) -> None:
    """It begins as it would have."""
    run_jobs(made, 1)
    after(made, 2, 1)
    assert lane(made, 2) is Lane.BATCH
    check_counters(made.store)


def test_what_was_not_done_cannot_be_waited_for(made: Outlook) -> None:
    """It would never begin: that is told, and how to go on."""
    cancel(made.store, [1], time.time())
    with pytest.raises(UsageError, match=r"job 1 was cancelled, so nothing can wait for it\. .*hybridq retry 1"):
        after(made, 2, 1)


def test_one_that_streams_waits_too(made: Outlook) -> None:
    """In whatever lane it was."""
    (number,) = submit_all(made, asking(mode=Mode.STREAM), [b"1"])
    after(made, number, 1)
    run_jobs(made, 1)
    assert lane(made, number) is Lane.STREAM
    check_counters(made.store)


def test_a_failure_cancels_what_waits_for_it_now(made: Outlook) -> None:
    """As if it had been submitted so."""
    after(made, 2, 1)
    run_jobs(made, 1, fail=1)
    assert job(made.store, 2).state is State.CANCELLED


def test_as_a_user_types_it(tmp_path: Path) -> None:
    """Views say what it waits for, explain that it was edited, and it runs after that."""
    typed = Queue(tmp_path)
    for line in ("echo first >>log", "echo second >>log"):
        typed.run("submit", "--detach", "--mode", "batch", "--cwd", str(tmp_path), "--shell", line)
    assert typed.run("edit", "1", "--after", "2").stdout == "1 job edited\n"
    assert "waits for 2" in typed.run("status").stdout
    assert "edited: waits for 2 as well" in typed.run("explain", "1").stdout
    refused = typed.run("edit", "2", "--after", "1")
    assert (refused.returncode, "circle" in refused.stderr) == (64, True)
    assert typed.run("drain").returncode == 0
    assert (tmp_path / "log").read_text() == "second\nfirst\n"
