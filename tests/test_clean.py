"""`clean`: what goes, what stays, and that a death in the midst of it leaves nothing half."""

import signal
import time
from pathlib import Path

import pytest

from hybridq.errors import NoSuchJob
from hybridq.job import Lane, Mode, State
from hybridq.queue.account import Cleaned
from hybridq.queue.cleaning import clean, cleaned, sweep
from hybridq.queue.listing import totals
from hybridq.queue.moves import move
from hybridq.queue.reading import job, tally
from tests.building import asking, run_jobs, submit_all
from tests.user import Queue, ended

ALL = ("job", "result", "draft", "key", "history", "promise", "withheld", "cohort", "groups")


@pytest.fixture
def queue(tmp_path: Path) -> Queue:
    return Queue(tmp_path, '[handlers.echo]\ncommand = ["cat"]\nprotocol = "lines"\n')


def left(queue: Queue) -> dict[str, int]:
    """How many rows each table that holds jobs has."""
    return {table: queue.rows(f"SELECT count(*) FROM {table}")[0][0] for table in ALL}  # noqa: S608 - our own names


def fill(queue: Queue, jobs: int, *, group: str | None = None, fail: int = 0) -> list[int]:
    """Submit so many and run them, the last `fail` of them to a failure."""
    ids = submit_all(queue.outlook, asking(group=group), [b'"x"'] * jobs)
    run_jobs(queue.outlook, jobs, fail=fail)
    return ids


def test_all_of_it_goes(queue: Queue) -> None:
    """Jobs, results, keys, stories, promises and output files go; the counters are those of what is left."""
    for number in range(3):
        queue.run("submit", "--detach", "--key", f"k{number}", "--", "echo", "hi")
    queue.run("drain")
    assert len(list(queue.folder.glob("outputs/*/*"))) == 3
    done = queue.run("clean", "--older", "0s")
    assert (done.returncode, done.stdout) == (0, "3 jobs cleaned away\n")
    assert set(left(queue).values()) == {0}
    assert not list(queue.folder.glob("outputs/*/*"))
    assert not tally(queue.outlook.store)


def test_what_has_not_ended_stays(queue: Queue) -> None:
    """A group of which one job waits stays whole, whatever its age; so does whatever ended later than asked for."""
    fill(queue, 3, group="over")
    submit_all(queue.outlook, asking(group="open"), [b'"x"'] * 3)
    run_jobs(queue.outlook, 2)
    store = queue.outlook.store
    assert clean(store, time.time() - 60) == Cleaned(0, 0.0)
    assert clean(store, time.time() + 60) == Cleaned(3, 0.75)
    assert queue.rows("SELECT count(*), count(DISTINCT cohort) FROM job") == [(3, 1)]
    assert tally(store) == {("echo", Lane.BATCH, State.QUEUED): 1, ("echo", Lane.BATCH, State.DONE): 2}
    assert totals(store, list(Mode))[1].counts == {State.QUEUED: 1, State.DONE: 2}


def test_only_the_groups_that_are_named(queue: Queue) -> None:
    """Groups that are named go at once, and nothing else; an unknown one is said to be none (66)."""
    fill(queue, 2, group="a", fail=1)
    fill(queue, 2, group="b")
    assert queue.run("clean", "a").stdout == "2 jobs cleaned away\n"
    assert queue.rows("SELECT name FROM groups") == [("b",)]
    assert queue.run("clean", "a").returncode == 66
    assert queue.run("clean", "b", "--older", "1h").returncode == 66


def test_it_is_counted(queue: Queue) -> None:
    """How much went, and what it had cost, is kept for good; ids are never used again."""
    fill(queue, 2)
    clean(queue.outlook.store, time.time() + 60)
    fill(queue, 1)
    assert cleaned(queue.outlook.store) == Cleaned(2, 0.5)
    assert queue.rows("SELECT id FROM job") == [(3,)]
    assert "cleaned away" in queue.run("report").stdout
    with pytest.raises(NoSuchJob):
        job(queue.outlook.store, 1)


def test_where_jobs_were_moved_from_goes_too(queue: Queue) -> None:
    """What a moved job leaves behind goes with it."""
    ids = submit_all(queue.outlook, asking(mode=Mode.STREAM), [b'"x"'])
    with queue.outlook.store.tx():
        move(queue.outlook.store, ids, Lane.BATCH, "waited too long", time.time())
    run_jobs(queue.outlook, 1)
    assert clean(queue.outlook.store, time.time() + 60).jobs == 1
    assert set(left(queue).values()) == {0}


def test_a_death_in_the_midst_of_it(queue: Queue) -> None:
    """A kill -9 while it removes leaves nothing that anybody sees; the next daemon or sweep removes the rest."""
    fill(queue, 3, group="g")
    died = queue.run("clean", "g", env={"HYBRIDQ_TEST_DIE_AT": "cleaning"})
    assert died.returncode == -signal.SIGKILL
    assert queue.rows("SELECT count(*) FROM job") == [(3,)]
    assert "there is no group" in queue.run("status", "g").stderr
    with queue.daemon():
        pass
    sweep(queue.outlook.store)
    assert set(left(queue).values()) == {0}


def test_it_asks(queue: Queue) -> None:
    """On a terminal it says how much and asks first; --dry-run changes nothing."""
    fill(queue, 2, group="g")
    assert queue.run("clean", "g", "--dry-run").stdout == "2 jobs would be cleaned away\n"
    with queue.terminal("clean", "g") as screen:
        screen.expect_exact("clean 2 jobs away, with results and output files? [y/N]")
        screen.sendline("n")
        assert ended(screen) == 130
    assert left(queue)["job"] == 2
    with queue.terminal("clean", "g", "--yes") as screen:
        screen.expect_exact("2 jobs cleaned away")
        assert ended(screen) == 0
    assert left(queue)["job"] == 0
