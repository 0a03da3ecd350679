"""Very many separate submissions: they are planned as classes, and what is said of them and run of them stays right."""

import asyncio
import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hybridq.brain.plan import plan
from hybridq.brain.work import HeldWork
from hybridq.job import Flush, State
from hybridq.money.limits import Budget, hold_back
from hybridq.outlook import Outlook
from hybridq.queue.buckets import CLASSES, EXACT, NEAR, Buckets, buckets, pages
from hybridq.queue.cancel_retry import cancel
from hybridq.queue.cohorts import held
from hybridq.queue.counters import spend
from hybridq.queue.holds import withheld
from hybridq.queue.runner import Runner
from hybridq.reason import said
from hybridq.runner import batch
from hybridq.runner.engine import Engine
from hybridq.submit import submit
from tests.support.building import ECHO, asking, command, daemon, document, look, night, queue, until
from tests.support.crowd import HOUR, crowd
from tests.support.verbs import check_classes

MANY = EXACT + 500
PRICED = ECHO.replace("20ms", "1ms") + "price = 0.02\n"  # dear enough to wait for the night


@pytest.fixture
def crowded(tmp_path: Path) -> Iterator[Outlook]:
    """More submissions than are planned one by one, and a night that begins in five hours."""
    outlook = queue(tmp_path, night(time.time(), 5 * HOUR, 4 * HOUR) + PRICED)
    with outlook.store:
        crowd(outlook, MANY)
        yield outlook


def steps(outlook: Outlook, work: Callable[[], object]) -> int:
    """How many hundreds of SQLite's own steps it takes."""
    taken: list[int] = []
    outlook.store.connection.set_progress_handler(lambda: taken.append(1), 100)
    try:
        work()
    finally:
        outlook.store.connection.set_progress_handler(None, 0)
    return len(taken)


def flushes(outlook: Outlook, now: float, *, exact: bool) -> list[Flush]:
    """What is planned at an instant, with each cohort by itself or as it is gathered."""
    work = held(outlook.store, "echo") if exact else buckets(outlook.store, "echo", now).held
    planned = plan(work, outlook.conditions("echo", now, work))
    return [*planned.due, *planned.later]


def test_few_are_told_one_by_one(outlook: Outlook) -> None:
    """Up to a thousand submissions each is a class of its own, as it always was."""
    now = crowd(outlook, 300)
    assert buckets(outlook.store, "echo", now).held == held(outlook.store, "echo")


def test_many_are_told_as_few_without_losing_any(crowded: Outlook) -> None:
    """Classes hold every job, its bytes and the cost of its waiting; what is due first and came first is exact."""
    alone = held(crowded.store, "echo")
    found = buckets(crowded.store, "echo", time.time())
    assert len(found.held) < MANY / 2
    assert sum(each.jobs for each in found.held) == sum(each.cohorts for each in found.held) == MANY
    for total in (lambda h: h.delay_cost, lambda h: h.jobs * h.size, lambda h: h.jobs * (h.since - alone[0].since)):
        assert sum(map(total, found.held)) == pytest.approx(sum(map(total, alone)))
    assert [h for h in found.held if h.deadline < math.inf][:NEAR] == alone[:NEAR]
    world = crowded.conditions("echo", time.time(), alone)
    assert sum(HeldWork(found.held, world).delay) == pytest.approx(sum(HeldWork(alone, world).delay))
    endless = [h for h in alone if h.deadline == math.inf]
    assert all(h in found.held for h in endless[:NEAR])


def test_no_deadline_is_told_later_than_it_is(crowded: Outlook) -> None:
    """A class has the deadline of the first of its cohorts that is not told by itself, to the second."""
    crowd(crowded, 400, latest=6.2 * HOUR)  # so that of some classes a part is told by itself
    found = buckets(crowded.store, "echo", time.time())
    alone = {h.key: h for h in held(crowded.store, "echo")}
    single = {h.key for h in found.held if h.key > 0}
    for each in found.held:
        if each.key < 0:
            members = [key for page in pages(crowded.store, [each.key]) for key in page if key not in single]
            assert each.deadline == min(alone[key].deadline for key in members)
            assert each.cohorts == len(members)


def test_reading_costs_the_classes_not_the_submissions(outlook: Outlook) -> None:
    """Four times as many submissions of the same kinds take no more of SQLite's steps to read."""
    now = crowd(outlook, MANY)
    few = steps(outlook, lambda: buckets(outlook.store, "echo", now))
    crowd(outlook, 3 * MANY)
    many = steps(outlook, lambda: buckets(outlook.store, "echo", now))
    assert many < 1.5 * few
    assert len(buckets(outlook.store, "echo", now).held) <= CLASSES + 2 * NEAR


def test_too_many_classes_are_put_together(crowded: Outlook) -> None:
    """However few classes are asked for, no job is lost, and a key still stands for all of its parts."""
    now = time.time()
    found = buckets(crowded.store, "echo", now, exact=10, most=20)
    assert len(found.held) <= 20 + 2 * NEAR
    assert sum(each.jobs for each in found.held) == MANY
    named = [key for page in pages(crowded.store, found.keys(each.key for each in found.held)) for key in page]
    assert set(named) == {each.key for each in held(crowded.store, "echo")}
    by_key = {each.key: each for each in buckets(crowded.store, "echo", now).held}
    for each in found.held:
        assert each.deadline == min(by_key[key].deadline for key in found.keys([each.key]))


def test_the_plan_of_classes_is_that_of_all_cohorts(crowded: Outlook) -> None:
    """As many flushes at the same instants, the later ones to the minute, with about the same jobs in each."""
    now = time.time()
    exact, told = flushes(crowded, now, exact=True), flushes(crowded, now, exact=False)
    assert [f.at for f in told] == pytest.approx([f.at for f in exact], abs=60)
    assert [f.jobs for f in told] == pytest.approx([f.jobs for f in exact], rel=0.02)
    assert [f.rule for f in told] == [f.rule for f in exact]


def test_the_next_flush_for_a_deadline_is_exact(tmp_path: Path) -> None:
    """What must start before the night does so at the very instant that it would if each were planned by itself."""
    outlook = queue(tmp_path, night(time.time(), 5 * HOUR, 4 * HOUR) + PRICED)
    with outlook.store:
        now = crowd(outlook, MANY, soonest=2 * HOUR)
        exact, told = flushes(outlook, now, exact=True), flushes(outlook, now, exact=False)
    assert told[0].at == pytest.approx(exact[0].at, abs=1.0)
    assert told[0].reason == exact[0].reason
    assert len(exact) > 1


def test_a_cohort_with_a_limit_of_its_own_is_told_by_itself(crowded: Outlook) -> None:
    """`--max-cost` is kept for each submission, so none of these is in a class."""
    limited = submit(crowded, asking(max_cost=5.0), b"1").first
    (place,) = crowded.store.row("SELECT cohort FROM job WHERE id = ?", (limited,)) or (0,)
    assert place in {each.key for each in buckets(crowded.store, "echo", time.time()).held}
    check_classes(crowded.store)


def test_any_number_with_limits_of_their_own_is_looked_at_some_at_a_time(tmp_path: Path) -> None:
    """A look costs what it tells, not what waits; those that their limits hold keep no other from being told."""
    outlook = queue(tmp_path, PRICED)
    with outlook.store:
        now = crowd(outlook, 4 * MANY, max_cost=5.0)
        told = buckets(outlook.store, "echo", now).held
        assert len(told) <= 8 * NEAR
        hold_back(outlook.store, told[0].key, said("it is held"), now)
        after = buckets(outlook.store, "echo", now).held
        assert {each.key for each in told} < {each.key for each in after}
        limit = Budget(outlook)
        assert steps(outlook, lambda: limit.affordable(after, "echo", now)) < 10 * len(after)


def test_classes_end_with_what_they_hold(crowded: Outlook) -> None:
    """Cancelled cohorts leave their classes; when nothing is held, nothing is kept of them."""
    ids = [number for (number,) in crowded.store.rows("SELECT id FROM job ORDER BY id")]
    cancel(crowded.store, ids[: MANY // 2], 1.0)
    check_classes(crowded.store)
    cancel(crowded.store, ids, 2.0)
    assert crowded.store.rows("SELECT 1 FROM class") == []


def test_a_daily_budget_holds_and_frees_all_at_once(tmp_path: Path) -> None:
    """Any number of submissions gets its reason in one commit, told once, and loses it in one."""
    outlook = queue(tmp_path, PRICED + "daily_budget = 1.0\n")
    with outlook.store:
        now = crowd(outlook, MANY)
        with outlook.store.tx() as connection:
            spend(connection, "echo", 5.0, now)
        budget, said = Budget(outlook), list[str]()
        work = buckets(outlook.store, "echo", now).held
        outlook.store.connection.set_trace_callback(said.append)
        assert budget.affordable(work, "echo", now) == []
        assert budget.affordable(work, "echo", now) == []
        outlook.store.connection.set_trace_callback(None)
        assert len(withheld(outlook.store)) == MANY
        assert sum(text == "COMMIT" for text in said) == 2
        assert outlook.store.row("SELECT count(*) FROM history") == (MANY,)
        tomorrow = now + 2 * 86400
        assert budget.affordable(work, "echo", tomorrow) == work
        assert withheld(outlook.store) == {}


def test_status_tells_each_its_own_start(tmp_path: Path) -> None:
    """What is due long after the next flush is told its own, later one, not that of the crowd before it."""
    outlook = queue(tmp_path, night(time.time(), 5 * HOUR, 4 * HOUR) + PRICED)
    with outlook.store:
        now = crowd(outlook, MANY, soonest=2 * HOUR)
        runner = Runner(outlook.store, "daemon")
        starts = {key: flush.at for flush in flushes(outlook, now, exact=True) for key in flush.keys}
        assert len(set(starts.values())) > 1
        work = held(outlook.store, "echo")
        for each in (work[0], work[MANY // 4], work[-1]):
            (job,) = outlook.store.row("SELECT first_id FROM cohort WHERE id = ?", (each.key,)) or (0,)
            assert look(outlook, str(job)).rows[0].start == pytest.approx(starts[each.key], abs=60)
        runner.close(outlook.store)


def test_a_flush_of_classes_runs_every_submission(tmp_path: Path) -> None:
    """A daemon plans so many as classes, names their cohorts as it goes, and runs each job once."""
    outlook = queue(tmp_path, ECHO)
    with outlook.store:
        crowd(outlook, MANY, soonest=-60.0, latest=60.0)
        with daemon(outlook):
            until(lambda: outlook.store.row("SELECT sum(done) FROM tally") == (MANY,))
        assert outlook.store.rows("SELECT DISTINCT state, attempt FROM job") == [(State.DONE, 1)]
        check_classes(outlook.store)


def test_a_drain_takes_what_was_held_when_it_began(tmp_path: Path) -> None:
    """A drain goes cohort by cohort, whatever their number, and leaves nothing."""
    outlook = queue(tmp_path, ECHO)
    with outlook.store:
        crowd(outlook, MANY)
        done = command(outlook.store.home, "drain", "--quiet")
        assert (done.returncode, done.stderr) == (0, "")
        assert outlook.store.row("SELECT sum(done) FROM tally") == (MANY,)
        assert document(outlook, "status")["head"]["held"] == 0


def test_a_look_that_takes_long_is_followed_by_a_rest(crowded: Outlook, monkeypatch: pytest.MonkeyPatch) -> None:
    """The loop looks again after nine times what a look took: others have nine tenths of the event loop."""
    engine = Engine(crowded.store.home, crowded.config, "drain")
    lane = batch.BatchLoop(engine, asyncio.TaskGroup())
    clock, looks = [100.0], [0]

    def slow(*_: object) -> Buckets:
        clock[0] += 0.1
        looks[0] += 1
        return Buckets([])

    monkeypatch.setattr(batch, "buckets", slow)
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    lane.turn(time.time())
    assert lane.turn(time.time()) == pytest.approx(0.9)
    assert looks == [1]
    clock[0] += 0.91
    lane.turn(time.time())
    assert looks == [2]
    asyncio.run(engine.close())
