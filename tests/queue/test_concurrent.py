"""The core under attack: what happens beside each other, in the wrong order, or twice."""

import logging
import os
import sys
from pathlib import Path

import pytest

from hybridq.errors import TryAgain
from hybridq.handlers.worker.chatter import LOGGED, Chatter
from hybridq.home import Home
from hybridq.job import Audience, Happening, Mode, Partial, Request
from hybridq.queue import cancel_retry, read_only, rescue
from hybridq.queue import runner as runners
from hybridq.queue.cancel_retry import cancel
from hybridq.queue.claims import claim_batch, claim_stream
from hybridq.queue.cohorts import tally
from hybridq.queue.flushes import open_flush
from hybridq.queue.history import history
from hybridq.queue.holds import withhold
from hybridq.queue.intake import accept
from hybridq.queue.outputs import Sink, output_path
from hybridq.queue.runner import Runner, sweep_locks
from hybridq.queue.store import Store
from hybridq.reason import said
from tests.support.user import Queue
from tests.support.verbs import check_counters, deciding, many

USER = Request(handler="h", audience=Audience.USER)


class Lets:
    """A limit that lets one of this cohort begin at a time; None: of any."""

    def __init__(self, cohort: int | None) -> None:
        self._cohort = cohort

    def __call__(self, cohort: int) -> int:
        return int(self._cohort in (None, cohort))

    def took(self, cohort: int, jobs: int) -> None:
        assert jobs == self(cohort)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """An empty queue."""
    return Store.open(Home.find({"HYBRIDQ_HOME": str(tmp_path / "home")}))


def stream(store: Store, jobs: int) -> list[int]:
    """So many stream jobs, each a submission of its own."""
    with store.tx():
        return [accept(store, USER, b"x", deciding(Mode.STREAM), now=1.0).first for _ in range(jobs)]


def test_jobs_that_money_holds_keep_nobody_waiting(store: Store) -> None:
    """However many jobs come first that a limit on money holds, the next one is taken; those keep their order."""
    ids = stream(store, 300)
    (free,) = stream(store, 1)
    for number in ids:
        withhold(store, number, said("held: the cost limit is 1"), 1.0)
    runner = Runner(store, "daemon")
    (claim,) = claim_stream(store, runner.id, "h", 4, 2.0, room=Lets(free))
    assert claim.id == free
    again = claim_stream(store, runner.id, "h", 4, 3.0, room=Lets(None))
    assert [each.id for each in again] == ids[:4]


def test_any_job_that_money_held_is_asked_for_again(store: Store) -> None:
    """One for which there is room again is found, wherever among the others it stands."""
    ids = stream(store, 300)
    for number in ids:
        withhold(store, number, said("held: the cost limit is 1"), 1.0)
    runner = Runner(store, "daemon")
    tries = (claim_stream(store, runner.id, "h", 4, 2.0, room=Lets(200)) for _ in range(1000))
    assert [each.id for each in next(found for found in tries if found)] == [200]


def test_an_attempt_that_begins_again_puts_out_its_own_alone(store: Store) -> None:
    """A power cut may take a claim back: the attempt that has its number then does not go on in its file."""
    for data in (b"first, and longer", b"second"):
        sink = Sink(store.home, 1, 1)
        sink.write(Partial(1, 1, data[:3]))
        sink.write(Partial(1, 1, data[3:]))
        sink.close()
    assert output_path(store.home, 1, 1).read_bytes() == b"second"


def test_what_a_dead_runner_left_is_ended_before_it_is_forgotten(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever dies while it rescues leaves the rest to the next: processes are ended while they can still be found."""
    runner = Runner(store, "drain")
    (store.home.runners / f"{runner.mark}.lock").rename(store.home.runners / "away")

    def dies(_: Store, mark: str) -> None:
        assert mark == runner.mark
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(rescue, "kill_orphans", dies)
        with pytest.raises(KeyboardInterrupt):
            rescue.rescue(store, 2.0)
    assert store.rows("SELECT id FROM runner") == [(runner.id,)]


def test_a_runner_that_stops_leaves_no_books_open(store: Store) -> None:
    """A flush that was ended before it began, and a cancel that nobody heard of, do not outlive their runner."""
    ids = many(store, [b"x"] * 3)
    runner = Runner(store, "drain")
    flush = open_flush(store, runner.id, "h", "drain", said("test"), 1.0, 3, 2.0)
    claim_batch(store, runner.id, flush, "h", [1], 3, 2.0)
    cancel(store, ids[:1], 3.0)
    assert rescue.give_back(store, runner.id, 4.0) == 2
    runner.close(store)
    assert store.rows("SELECT job FROM stop") == []
    assert store.rows("SELECT ended, done FROM flush") == [(4.0, 0)]


def test_who_signs_off_meanwhile_is_not_dead(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A runner that ends well while somebody looks whether it lives has nothing of it ended."""
    ending = Runner(store, "drain")

    def held(path: Path) -> bool:
        ending.close(store)
        return False

    monkeypatch.setattr(runners, "locked", held)
    assert runners.dead(store) == []


def test_no_lock_outlives_its_runner(store: Store) -> None:
    """The lock of a runner that died before its row was there is taken away, those of the living stay."""
    runner = Runner(store, "drain")
    (store.home.runners / "0123.lock").touch()
    sweep_locks(store)
    assert {Path(name).stem for name in os.listdir(store.home.runners)} == {runner.mark}
    assert runner.missing() is None


def test_many_that_are_cancelled_are_told_of_once(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """In however many transactions: the story of a submission has one sentence, with the number of all."""
    monkeypatch.setattr(cancel_retry, "CHUNK", 3)
    assert cancel(store, many(store, [b"x"] * 8), 2.0) == 8
    assert [(each.kind, each.jobs) for each in history(store, 1)] == [(Happening.CANCELLED, 8)]
    check_counters(store)


def test_what_is_written_while_it_is_read_without_locks_is_not_shown(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that nobody had open is read as it stands; once somebody writes to it no answer counts any more: 75."""
    many(store, [b"x"])
    home = store.home
    store.close()
    with monkeypatch.context() as patched:
        patched.setattr(read_only, "may_write", lambda _: False)
        patched.setattr(read_only.Store, "open", lambda *_, **__: (_ for _ in ()).throw(read_only.StorageError))
        looking = read_only.open_to_read(home)
    assert sum(tally(looking).values()) == 1
    with Store.open(home) as writing:
        many(writing, [b"x"])
        with pytest.raises(TryAgain):
            tally(looking)
        writing.checkpoint()
    with pytest.raises(TryAgain):
        tally(looking)
    looking.close()


def test_a_chatty_worker_does_not_fill_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """Of a flood the first lines of each second are logged, and how many were not is told."""
    caplog.set_level(logging.INFO)
    chatter = Chatter(logging.getLogger("hybridq.worker.test"))
    for _ in range(100):
        chatter.tell(["blah"] * 100, more=5)
    chatter.say_left_out()
    told = [record.getMessage() for record in caplog.records]
    numbers = [int(text.split()[1]) for text in told if text != "blah"]
    assert told.count("blah") + sum(numbers) == 100 * 105
    assert len(told) < 100 * LOGGED / 2


STUBBORN = """
import json, pathlib, signal, sys, time
here = pathlib.Path(sys.argv[1])
def asked(*_):
    (here / sys.argv[2]).touch()
    while not (here / sys.argv[3]).exists():
        time.sleep(0.01)
    (here / ("together." + sys.argv[2])).touch()
    raise SystemExit
signal.signal(signal.SIGTERM, asked)
while line := sys.stdin.readline():
    print(json.dumps({"id": json.loads(line)["id"], "output": 1}), flush=True)
"""


def test_workers_of_all_handlers_are_ended_at_once(tmp_path: Path) -> None:
    """A runner that stops asks all of its workers to end before it waits for any: there is one grace time, not many."""
    (tmp_path / "w.py").write_text(STUBBORN)
    handlers = "".join(
        f"[handlers.{one}]\nexpected = 0.001\n"
        f'command = ["{sys.executable}", "{tmp_path}/w.py", "{tmp_path}", "{one}", "{other}"]\n'
        for one, other in ("ab", "ba")
    )
    queue = Queue(tmp_path, handlers)
    with queue.daemon():
        for name in "ab":
            assert queue.run("submit", name, "x", "--mode", "stream", "--wait").returncode == 0
    assert sorted(path.name for path in tmp_path.glob("together.*")) == ["together.a", "together.b"]
