"""`clean`: what goes, what stays, and that a death in the midst of it leaves nothing half."""

import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from hybridq.errors import NoSuchJob
from hybridq.job import Happening, Lane, Mode, State
from hybridq.queue import cleaning
from hybridq.queue.account import Cleaned
from hybridq.queue.cancel_retry import retry
from hybridq.queue.cleaning import clean, cleaned, sweep
from hybridq.queue.cohorts import job, tally
from hybridq.queue.lanes import move
from hybridq.queue.lists import totals
from hybridq.queue.store import Store
from hybridq.reason import said
from tests.support.building import asking, run_jobs, submit_all, until
from tests.support.user import Queue, ended
from tests.support.verbs import check_counters

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
    done = queue.run("clean", "--older", "0s", "--yes")
    assert (done.returncode, done.stdout) == (0, "3 jobs deleted\n")
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
    assert totals(store, [Mode.BATCH])[0].counts == {State.QUEUED: 1, State.DONE: 2}


def test_only_the_groups_that_are_named(queue: Queue) -> None:
    """Groups that are named go at once, and nothing else; an unknown one is said to be none (66)."""
    fill(queue, 2, group="a", fail=1)
    fill(queue, 2, group="b")
    assert queue.run("clean", "a", "--yes").stdout == "2 jobs deleted\n"
    assert queue.rows("SELECT name FROM groups") == [("b",)]
    assert queue.run("clean", "a", "--yes").returncode == 66
    assert queue.run("clean", "b", "--older", "1h", "--yes").returncode == 0


def test_it_is_counted(queue: Queue) -> None:
    """How much went, and what it had cost, is kept for good; ids are never used again."""
    fill(queue, 2)
    clean(queue.outlook.store, time.time() + 60)
    fill(queue, 1)
    assert cleaned(queue.outlook.store) == Cleaned(2, 0.5)
    assert queue.rows("SELECT id FROM job") == [(3,)]
    assert "not counted above" in queue.run("report").stdout
    with pytest.raises(NoSuchJob):
        job(queue.outlook.store, 1)


def test_where_jobs_were_moved_from_goes_too(queue: Queue) -> None:
    """What a moved job leaves behind goes with it."""
    ids = submit_all(queue.outlook, asking(mode=Mode.STREAM), [b'"x"'])
    with queue.outlook.store.tx():
        move(queue.outlook.store, ids, Lane.BATCH, Happening.RECLASSIFIED, said("waited too long"), time.time())
    run_jobs(queue.outlook, 1)
    assert clean(queue.outlook.store, time.time() + 60).jobs == 1
    assert set(left(queue).values()) == {0}


def test_a_death_in_the_midst_of_it(queue: Queue) -> None:
    """A kill -9 while it removes leaves nothing that anybody sees; the next daemon or sweep removes the rest."""
    fill(queue, 3, group="g")
    died = queue.run("clean", "g", "--yes", env={"HYBRIDQ_TEST_DIE_AT": "cleaning"})
    assert died.returncode == -signal.SIGKILL
    assert queue.rows("SELECT count(*) FROM job") == [(3,)]
    assert "no group" in queue.run("status", "g").stderr
    with queue.daemon():
        pass
    list(sweep(queue.outlook.store))
    assert set(left(queue).values()) == {0}


def meanwhile(monkeypatch: pytest.MonkeyPatch, what: Callable[[], object]) -> None:
    """Do this once while something is cleaned away: when it is invisible, before it is removed."""
    rest = [what]

    def take_back(store: Store, writer: int) -> None:
        if rest:
            rest.pop()()
        for_real(store, writer)

    for_real = cleaning.take_back
    monkeypatch.setattr(cleaning, "take_back", take_back)


def test_a_group_of_many_submissions_goes_at_once(queue: Queue, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many submissions a group has: nothing of it can be seen or queued again when some of it has gone."""
    monkeypatch.setattr(cleaning, "TOGETHER", 2)
    store = queue.outlook.store
    ids = [submit_all(queue.outlook, asking(group="g"), [b'"x"'])[0] for _ in range(5)]
    run_jobs(queue.outlook, 5, fail=5)
    meanwhile(monkeypatch, lambda: retry(store, ids, time.time()))
    assert clean(store, time.time() + 60) == Cleaned(5, 1.25)
    check_counters(store)
    assert set(left(queue).values()) == {0}


def test_a_key_is_free_again_at_once(queue: Queue, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key whose job is being removed stands for nothing any more, and its new job keeps it."""
    asked = ("submit", "echo", "--mode", "batch", "--key", "k")
    queue.run(*asked, '"a"')
    run_jobs(queue.outlook, 1)
    meanwhile(monkeypatch, lambda: queue.run(*asked, '"b"'))
    assert clean(queue.outlook.store, time.time() + 60).jobs == 1
    assert queue.rows("SELECT job FROM key") == [(2,)]


def test_a_sweep_goes_in_small_steps(queue: Queue, monkeypatch: pytest.MonkeyPatch) -> None:
    """A daemon that sweeps a large group away serves others after each chunk of it."""
    monkeypatch.setattr(cleaning, "CHUNK", 3)
    fill(queue, 10, group="g")
    queue.run("clean", "g", "--yes", env={"HYBRIDQ_TEST_DIE_AT": "cleaning"})
    queue.run("status")  # rescues what it held
    steps = [left(queue)["job"] for _ in sweep(queue.outlook.store)]
    assert steps == [7, 4, 1, 0]


GATED = """
[policy]
background_delay_cost = 1e6
[handlers.echo]
command = ["sh", "-c", "while read -r line; do until [ -e $line ]; do sleep 0.05; done; echo 1; done"]
protocol = "lines"
chunk = 1
"""


def test_a_daemon_outlives_what_it_has_run(tmp_path: Path) -> None:
    """A group that is cleaned away while the batch that ran it goes on with others ends no daemon."""
    queue, gate = Queue(tmp_path, GATED), tmp_path / "gate"
    submit_all(queue.outlook, asking(group="a"), [b'"/"'])
    submit_all(queue.outlook, asking(group="b"), [b'"%s"' % bytes(gate)] * 2)
    with queue.daemon() as daemon:
        until(lambda: queue.state(1) is State.DONE)
        assert queue.run("clean", "a", "--yes").returncode == 0
        assert queue.rows("SELECT running + queued > 0 FROM groups") == [(1,)]
        gate.touch()
        until(lambda: queue.rows("SELECT 1 FROM flush WHERE ended > 0") or daemon.poll() is not None)
        assert daemon.poll() is None


def test_where_nobody_can_be_asked_it_needs_yes(queue: Queue) -> None:
    """Without a terminal nothing goes before --yes says so (64); with nothing to do it ends well, without a word."""
    fill(queue, 2, group="g")
    refused = queue.run("clean", "--older", "0s")
    assert (refused.returncode, left(queue)["job"]) == (64, 2)
    assert "--yes" in refused.stderr
    assert queue.run("clean", "g", "--yes").stdout == "2 jobs deleted\n"
    idle = queue.run("clean")
    assert (idle.returncode, idle.stdout, idle.stderr) == (0, "", "")


def test_it_asks(queue: Queue) -> None:
    """On a terminal it says how much and asks first; --dry-run changes nothing."""
    fill(queue, 2, group="g")
    assert queue.run("clean", "g", "--dry-run").stdout == "2 jobs would be deleted\n"
    with queue.terminal("clean", "g") as screen:
        screen.expect_exact("delete 2 jobs, with results and output files? [y/N]")
        screen.sendline("n")
        assert ended(screen) == 130
    assert left(queue)["job"] == 2
    with queue.terminal("clean", "g", "--yes") as screen:
        screen.expect_exact("2 jobs deleted")
        assert ended(screen) == 0
    assert left(queue)["job"] == 0
