"""What is queued is edited whole: its counters, its place in the plan and its story tell the same."""

from pathlib import Path

import pytest

from hybridq.job import Lane, Mode, State
from hybridq.outlook import Outlook
from hybridq.queue.buckets import buckets
from hybridq.queue.cohorts import cohort, cohorts, job
from hybridq.queue.edits import Edit, edit
from hybridq.queue.group_sums import group_sums
from hybridq.queue.history import history
from hybridq.sentences import sentence
from hybridq.when import clock
from tests.support.building import asking, queue, run_jobs, submit_all
from tests.support.verbs import check_counters

NOW = 2e9


@pytest.fixture
def made(tmp_path: Path) -> Outlook:
    """A queue; what is in it was accepted before NOW."""
    return queue(tmp_path)


def told(made: Outlook, number: int) -> list[str]:
    """The story of a job's cohort in words."""
    return [sentence(each.reason, NOW) for each in history(made.store, job(made.store, number).cohort)]


def test_a_deadline_and_a_priority_order_the_plan_at_once(made: Outlook) -> None:
    """Held work has the new deadline, and explain tells both old and new."""
    (number,) = submit_all(made, asking(), [b"1"])
    assert edit(made.store, [number], Edit(deadline=NOW + 60, priority=3), NOW) == 1
    assert [each.deadline for each in buckets(made.store, "echo", NOW).held] == [NOW + 60]
    assert told(made, number) == [f"edited: deadline none -> {clock(NOW + 60, NOW)}", "edited: priority 0 -> 3"]
    check_counters(made.store)


@pytest.mark.parametrize("exact", [1000, 0], ids=["one by one", "classes"])
def test_some_jobs_of_a_submission_go_into_a_cohort_of_their_own(made: Outlook, exact: int) -> None:
    """The others stay as they were, in the plan as well."""
    jobs = submit_all(made, asking(), [b"1", b"22", b"333"])
    assert edit(made.store, jobs[1:], Edit(deadline=NOW + 60), NOW) == 2
    assert sorted((of.queued, of.size) for of in cohorts(made.store, "jobs > 0")) == [(1, 1.0), (2, 2.5)]
    assert sum(each.jobs for each in buckets(made.store, "echo", NOW, exact).held) == 3
    check_counters(made.store)


def test_another_mode_is_another_lane_and_is_said_to_be_asked_for(made: Outlook) -> None:
    """It is as if it had been submitted so."""
    (number,) = submit_all(made, asking(), [b"1"])
    edit(made.store, [number], Edit(mode=Mode.STREAM), NOW)
    of = cohort(made.store, job(made.store, number).cohort)
    assert (of.mode, of.lane, of.pinned, of.decision.reason.kind) == (Mode.STREAM, Lane.STREAM, True, "asked")
    assert told(made, number) == ["edited: mode batch -> stream"]
    check_counters(made.store)


@pytest.mark.parametrize("begun", [0, 2], ids=["whole", "in part"])
def test_jobs_change_their_group(made: Outlook, begun: int) -> None:
    """Both groups count what is in them; one that nothing is left of is no more."""
    jobs = submit_all(made, asking(group="a"), [b"1", b"2", b"3"])
    run_jobs(made, begun)
    left = [number for number in jobs if job(made.store, number).state is State.QUEUED]
    assert edit(made.store, jobs, Edit(group="b"), NOW) == len(left)
    sums = group_sums(made.store, ["a", "b"])
    assert sums["b"].counts == {State.QUEUED: len(left)}
    assert ("a" in sums) == bool(begun)
    check_counters(made.store)


def test_what_has_ended_and_what_is_so_already_is_not_edited(made: Outlook) -> None:
    """Nothing is told of it, and it is not counted."""
    jobs = submit_all(made, asking(), [b"1"])
    assert edit(made.store, jobs, Edit(priority=0), NOW) == 0
    run_jobs(made, 1)
    assert edit(made.store, jobs, Edit(priority=1), NOW) == 0
    assert told(made, jobs[0]) == []


def test_a_cost_limit_takes_a_cohort_out_of_its_class_and_none_puts_it_back(made: Outlook) -> None:
    """Work with a limit of its own is planned by itself; the sums of classes stay true."""
    jobs = submit_all(made, asking(), [b"1"])
    for amount in (2.5, None):
        edit(made.store, jobs, Edit(max_cost=amount), NOW)
        counted = made.store.rows("SELECT class IS NOT NULL FROM cohort")
        assert counted == [(amount is None,)]
        check_counters(made.store)
    assert told(made, jobs[0])[0].startswith("edited: max-cost none -> 2.50")
