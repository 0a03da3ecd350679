"""What a snapshot of the queue says: rows in their order, counts, times ahead, and what is left out."""

import re
import time
from pathlib import Path

import pytest

from hybridq.brain.outcome import settle
from hybridq.errors import NoSuchJob
from hybridq.job import ENDED, Decision, Happening, Lane, Mode, Output, State
from hybridq.outlook import Outlook
from hybridq.queue import lists
from hybridq.queue.cancel_retry import cancel, retry
from hybridq.queue.claims import claim_stream
from hybridq.queue.group_sums import group_sums
from hybridq.queue.intake import accept
from hybridq.queue.lanes import move
from hybridq.queue.results import record
from hybridq.queue.runner import Runner
from hybridq.reason import NOBODY, said
from hybridq.submit import submit
from tests.support.building import asking, daemon, groups, look, names, queue, run_jobs, submit_all, until


def test_an_empty_queue_has_no_rows(outlook: Outlook) -> None:
    """Nothing is shown, nothing is hidden, nothing is planned."""
    found = look(outlook)
    assert (found.rows, found.hidden, found.head.counts, found.head.next_flush) == ((), 0, {}, None)


def test_rows_stand_in_the_order_in_which_things_happen(every_state: Outlook) -> None:
    """What runs is first, then what streams next, then what is held, then what ended."""
    assert names(look(every_state).rows) == ["g", 9, 8, 7]


def test_a_draft_counts_with_its_final(outlook: Outlook) -> None:
    """What a draft cost is no loss while its final is to come."""
    decision = Decision(mode=Mode.ADAPTIVE, reason=said("so"), considered=())
    accept(outlook.store, asking(mode=Mode.ADAPTIVE), b"1", lambda *_: (decision, 0.0), now=time.time())
    runner, now = Runner(outlook.store, "submit"), time.time()
    (claim,) = claim_stream(outlook.store, runner.id, "echo", 1, now)
    draft = Output(claim.id, claim.attempt, value=b'"draft"', busy=1.0)
    record(outlook.store, [settle(draft, claim, retries=0, now=now, cost=0.1, draft=True)])
    runner.close(outlook.store)
    assert (look(outlook).head.cost, look(outlook).head.saved) == (0.1, 0.0)
    run_jobs(outlook, 1)
    assert look(outlook).head.saved == pytest.approx(1.0 - 0.25 - 0.1)


def test_a_group_is_one_row_that_counts_its_jobs(every_state: Outlook) -> None:
    """The row of a group holds every state of its jobs; the worst that goes on is its own."""
    row = look(every_state, "g").rows[0]
    assert row.counts == {State.QUEUED: 1, State.RUNNING: 1, State.DONE: 3, State.FAILED: 1}
    assert (row.state, row.id, row.last, row.jobs) == (State.RUNNING, 1, 6, 6)


def test_the_head_counts_jobs_held_and_money(every_state: Outlook) -> None:
    """Counts are those of jobs; saved is for what was done, and a failure saves nothing and loses nothing."""
    head = look(every_state).head
    assert head.counts == {State.QUEUED: 3, State.RUNNING: 1, State.DONE: 3, State.FAILED: 1, State.CANCELLED: 1}
    assert head.held == 2
    assert (head.cost, head.saved) == pytest.approx((4 * 0.25, 3 * 0.75))


def test_what_is_hidden_is_counted_in_jobs(every_state: Outlook) -> None:
    """Whatever the limit, shown and hidden jobs together are all of them."""
    for limit in range(1, 6):
        found = look(every_state, limit=limit)
        assert len(found.rows) == min(limit, 4)
        assert sum(row.jobs for row in found.rows) + found.hidden == 9


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (State.QUEUED, [6, 9, 8]),
        (State.RUNNING, [5]),
        (State.DONE, [1, 2, 3]),
        (State.FAILED, [4]),
        (State.CANCELLED, [7]),
    ],
)
def test_a_state_shows_the_single_jobs_in_it(every_state: Outlook, state: State, expected: list[str | int]) -> None:
    """Each job in the state is a row, whether it is in a group or not; what the limit cuts is counted."""
    found = look(every_state, states=[state])
    assert names(found.rows) == expected
    assert all(row.state is state for row in found.rows)
    assert found.hidden == 0
    assert look(every_state, states=[state], limit=1).hidden == len(expected) - 1


@pytest.mark.parametrize(("state", "expected"), [(State.FAILED, ["g"]), (State.QUEUED, ["g", 9, 8])])
def test_a_state_can_show_whole_groups(every_state: Outlook, state: State, expected: list[str | int]) -> None:
    """A group that holds a job in the state is one row; the jobs of it in other states count as no hidden ones."""
    found = look(every_state, states=[state], whole=True)
    assert (names(found.rows), found.hidden) == (expected, 0)


def test_a_group_that_is_named_shows_its_failures(outlook: Outlook) -> None:
    """After the group's own row come its failed jobs with their errors; what the limit cuts of them is counted."""
    submit_all(outlook, asking(group="p"), [b'"x"'] * 12)
    run_jobs(outlook, 12, fail=3)
    found = look(outlook, "p")
    assert [(row.id, row.group, row.why) for row in found.rows[1:]] == [
        (n, None, "it went wrong") for n in (10, 11, 12)
    ]
    assert (names(found.rows[:1]), found.hidden) == (["p"], 0)
    few = look(outlook, "p", limit=2)
    assert (names(few.rows), few.hidden) == (["p", 10], 2)


@pytest.mark.parametrize("limit", [1, 4, 8, 20])
def test_no_row_that_ended_stands_before_one_that_has_not(every_state: Outlook, limit: int) -> None:
    """However few rows are shown, and whatever was asked for, what runs or waits comes first; what ended goes first."""
    submit_all(every_state, asking(group="h"), [b'"x"'])
    submit_all(every_state, asking(group="over"), [b'"x"'])
    cancel(every_state.store, [11], time.time())
    for words, states in [((), ()), (("all",), ()), (("over", "1-9", "g", "h"), ()), ((), tuple(State)), (("g",), ())]:
        every = look(every_state, *words, states=states).rows
        going_on = [row for row in every if row.state not in ENDED]
        shown = look(every_state, *words, states=states, limit=limit).rows
        assert names(shown) == names(every)[:limit]
        assert list(every[: len(going_on)]) == going_on


def test_a_group_of_two_modes_is_mixed(outlook: Outlook) -> None:
    """A group says that its jobs run in several modes; one of which some are done is done, one
    that was cancelled as a whole is not."""
    for mode in (Mode.BATCH, Mode.STREAM):
        submit_all(outlook, asking(mode=mode, group="g"), [b'"x"'] * 2)
    submit_all(outlook, asking(group="one"), [b'"x"'] * 2)
    assert {row.group: row.mixed for row in look(outlook).rows} == {"g": True, "one": False}
    run_jobs(outlook, 4)
    cancel(outlook.store, [3, 4], time.time())
    assert look(outlook, "g").rows[0].state is State.DONE
    cancel(outlook.store, submit_all(outlook, asking(group="two"), [b'"x"'] * 2), time.time())
    assert look(outlook, "two").rows[0].state is State.CANCELLED


def test_a_submit_that_runs_its_own_jobs_is_a_runner(outlook: Outlook) -> None:
    """What streams in the very process that looks does not wait for anybody else."""
    submit_all(outlook, asking(mode=Mode.STREAM, group="g"), [b'"x"'] * 2)
    assert look(outlook, "g").rows[0].why_kind == NOBODY
    runner = Runner(outlook.store, "submit")
    row = look(outlook, "g").rows[0]
    runner.close(outlook.store)
    assert row.why_kind != NOBODY
    assert row.eta is not None


def test_a_mode_shows_the_rows_of_that_mode(every_state: Outlook) -> None:
    """Modes filter rows and what is counted as hidden."""
    assert names(look(every_state, modes=[Mode.STREAM]).rows) == [9]
    found = look(every_state, modes=[Mode.BATCH], limit=1)
    assert (names(found.rows), found.hidden) == (["g"], 2)


def test_only_a_few_that_ended_are_shown_unless_all_is_asked_for(outlook: Outlook) -> None:
    """Of many single jobs that ended the latest few are shown; `all` shows each."""
    for _ in range(12):
        submit(outlook, asking(), b'"x"')
    run_jobs(outlook, 12)
    few = look(outlook)
    assert 0 < len(few.rows) < 12
    assert few.hidden == 12 - len(few.rows)
    assert len(look(outlook, all_=True).rows) == len(look(outlook, "all").rows) == 12


def test_what_is_held_is_not_hidden_for_what_ended(outlook: Outlook) -> None:
    """Where a screen has room for as many rows as wait, none of those that ended is shown in place of one."""
    for _ in range(5):
        submit(outlook, asking(), b'"x"')
    run_jobs(outlook, 5)
    groups(outlook, 14)
    assert all(row.state is State.QUEUED for row in look(outlook, limit=14).rows)
    assert [row.state for row in look(outlook, limit=16).rows[13:]] == [State.QUEUED, State.DONE, State.DONE]


def test_ids_select_jobs_inside_a_group(every_state: Outlook) -> None:
    """Ids name jobs one by one, each once, in the order asked for but for what ended; a range that is cut says how
    much."""
    assert names(look(every_state, "8", "2-3", "3").rows) == [8, 2, 3]
    assert [row.state for row in look(every_state, "4-6").rows] == [State.RUNNING, State.QUEUED, State.FAILED]
    assert look(every_state, "1-6", limit=2).hidden == 4


@pytest.mark.parametrize("word", ["99", "3,70-80", "nothing"])
def test_a_selector_that_names_nothing_is_an_error(every_state: Outlook, word: str) -> None:
    """An id or a group that is not there is said, not passed over."""
    with pytest.raises(NoSuchJob):
        look(every_state, word)


def test_last_is_what_was_submitted_last(every_state: Outlook) -> None:
    """`last` is a job or a whole group."""
    assert names(look(every_state, "last").rows) == [9]
    submit_all(every_state, asking(group="new"), [b"1", b"2"])
    assert names(look(every_state, "last").rows) == ["new"]


def test_a_group_of_very_many_parts_hides_what_it_must_and_counts_it(outlook: Outlook) -> None:
    """A group handed in one job at a time is one row, with its jobs counted, and what comes after it is counted."""
    decision = Decision(mode=Mode.BATCH, reason=said("test"))
    with outlook.store.tx():
        for _ in range(lists.SCAN + 10):
            accept(outlook.store, asking(group="g"), b"1", lambda *_: (decision, 0.0), now=1.0)
        accept(outlook.store, asking(), b"1", lambda *_: (decision, 0.0), now=1.0)
    found = look(outlook)
    assert names(found.rows) == ["g"]
    assert (found.rows[0].jobs, found.hidden) == (lists.SCAN + 10, 1)


def test_a_dead_runners_jobs_are_queued_again_by_whoever_looks(every_state: Outlook, tmp_path: Path) -> None:
    """A running job whose runner has died is shown as queued, in the same look."""
    for lock in every_state.store.home.runners.iterdir():
        lock.unlink()  # a lock that nobody holds and one that is not there are the same: no proof of life
    assert look(every_state, "5").rows[0].state is State.QUEUED


def test_a_thousand_groups_are_listed_in_their_order(outlook: Outlook) -> None:
    """Groups stand in the order of their deadlines, as many as were asked for, the rest is counted."""
    groups(outlook, 1000)
    found = look(outlook, limit=100)
    assert names(found.rows) == [f"g{number}" for number in range(999, 899, -1)]
    assert found.hidden == 900
    assert len(look(outlook, limit=2000).rows) == 1000


def test_a_handler_that_is_no_longer_configured_is_named(every_state: Outlook, tmp_path: Path) -> None:
    """Work of a handler that was taken out of the configuration is shown, with that reason."""
    bare = Outlook(every_state.store, queue(tmp_path, "").config)
    runner = Runner(every_state.store, "daemon")
    row = look(bare, "8").rows[0]
    runner.close(every_state.store)
    assert "echo" in row.why
    assert "config.toml" in row.why


def test_a_failed_job_tells_its_error_and_exit_code(every_state: Outlook) -> None:
    """A failure is shown with what went wrong."""
    row = look(every_state, "4").rows[0]
    assert (row.state, row.why, row.exit_code) == (State.FAILED, "it went wrong", 3)


def test_the_sums_stay_true_whatever_happens(every_state: Outlook) -> None:
    """Totals by mode and by group are what the cohorts come to, after moves, cancels and retries."""
    store = every_state.store
    retry(store, [4, 7], time.time())
    move(store, [4, 8], Lane.STREAM, Happening.PROMOTED, said("test"), time.time())
    cancel(store, [5, 6], time.time())
    with store.tx() as connection:
        connection.execute("UPDATE cohort SET mode = 'adaptive' WHERE queued > 0 AND name IS NULL")
    sums = "sum(queued), sum(running), sum(done), sum(failed), sum(cancelled), sum(cost)"
    by_kind = (
        "SELECT handler, lane, mode, {sums} FROM {table} WHERE queued + running + done + failed + cancelled > 0"
        " GROUP BY handler, lane, mode ORDER BY handler, lane, mode"
    )
    by_name = "SELECT name, min(first_id), max(last_id), {sums} FROM {table} WHERE name IS NOT NULL GROUP BY name"
    for kept, sql in (("tally", by_kind), ("groups", by_name)):
        assert store.rows(sql.format(sums=sums, table=kept)) == store.rows(sql.format(sums=sums, table="cohort"))


def test_each_list_walks_an_index(every_state: Outlook) -> None:
    """No list of a snapshot scans cohorts or jobs, or sorts them: the plans of SQLite say so."""
    store = every_state.store
    said: list[str] = []
    store.connection.set_trace_callback(said.append)
    look(every_state, limit=20)
    store.connection.set_trace_callback(None)
    reads = [sql for sql in said if re.match(r"SELECT.* FROM (cohort|job|groups)\b", sql)]
    assert len(reads) > 5
    for sql in reads:
        for *_, step in store.rows(f"EXPLAIN QUERY PLAN {sql}"):
            # `part`: the first of a group's; a constant row: whether there is any; limits are few.
            bounded = ("INDEX cohort_running", "INDEX groups_ended", "SCAN part", "SCAN CONSTANT ROW", "SCAN job_limit")
            assert not step.startswith("SCAN") or any(each in step for each in bounded), sql
            assert "TEMP B-TREE" not in step, sql


def test_a_daemon_shows_what_it_runs(outlook: Outlook) -> None:
    """With a real daemon the head names it, jobs become done, and what was held is told as its plan has it."""
    submit_all(outlook, asking(group="g", deadline=time.time() + 5), [b'"x"'] * 50)
    with daemon(outlook) as process:
        assert f"pid {process.pid}" in look(outlook).head.daemon
        until(lambda: look(outlook, "g").rows[0].state is State.DONE)
    assert look(outlook).head.daemon == ""
    assert group_sums(outlook.store, ["g"])["g"].counts == {State.DONE: 50}
