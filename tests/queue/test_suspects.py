"""Jobs that take their runner down: suspected, watched, blamed only when nothing else can be why."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from hybridq.home import Home
from hybridq.job import Lane, Mode, State
from hybridq.queue.claims import claim_batch, claim_stream
from hybridq.queue.cohorts import job
from hybridq.queue.rescue import give_back, rescue
from hybridq.queue.results import record, result
from hybridq.queue.runner import Runner
from hybridq.queue.store import Store
from hybridq.queue.suspects import Watched, let_be, take
from hybridq.runner.suspects import BETWEEN, Watch
from tests.support.building import HYBRIDQ, until
from tests.support.user import Queue
from tests.support.verbs import check_counters, ended, many


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(Home(tmp_path / "home", tmp_path / "home" / "config.toml")) as opened:
        yield opened


class Everything:
    """No limit on money: one job of each cohort may begin, again and again."""

    def __call__(self, cohort: int) -> int:
        """One more."""
        return 1

    def took(self, cohort: int, jobs: int) -> None:
        """Whatever was taken changes nothing."""


def dies(store: Store, runner: Runner) -> None:
    """What the kernel does when a process dies, and what the next one finds."""
    os.close(runner._lock)
    rescue(store, 6.0)
    check_counters(store)


def watched(store: Store, runner: Runner) -> Watched:
    """What this runner begins when it has nothing else."""
    taken = take(store, runner.id, Lane.BATCH, ["h"], 7.0, room=lambda _: Everything())
    assert taken is not None
    return taken[1]


def state(store: Store, number: int) -> State:
    """Where a job stands."""
    return job(store, number).state


def test_many_that_died_together_are_narrowed_and_none_fails(store: Store) -> None:
    """Of 1,000 that ran when their runner was killed, 125 begin together, then 15; three kills fail none of them."""
    many(store, [b"x"] * 1000)
    sizes = []
    for _ in range(3):
        runner = Runner(store, "drain")
        sizes.append(len(claim_batch(store, runner.id, 1, "h", [1], 1000, 5.0) or watched(store, runner).claims))
        dies(store, runner)
    assert sizes == [1000, 125, 125], "those that died once before those that died twice"
    assert store.rows("SELECT DISTINCT state FROM job") == [("queued",)]


def test_suspect_that_kills_alone_fails_at_the_third_time(store: Store) -> None:
    """Watched alone, a job is blamed: at the third death it fails with a reason that names it and the way back."""
    (one,) = many(store, [b"x"])
    runner = Runner(store, "drain")
    claim_batch(store, runner.id, 1, "h", [1], 1, 5.0)
    dies(store, runner)
    for _ in range(3):
        assert state(store, one) is State.QUEUED
        runner = Runner(store, "drain")
        watched(store, runner)
        dies(store, runner)
    found = result(store, one)
    assert state(store, one) is State.FAILED
    assert found is not None
    assert found.error is not None
    assert found.error.startswith("the runner died 4 times while this job ran, 3 of those times with this job alone")
    assert "hybridq retry 1" in found.error


def test_long_job_that_outlived_its_watch_is_not_blamed(store: Store) -> None:
    """Kills of a runner long after it began a job count against nobody, however many there are."""
    (one,) = many(store, [b"x"])
    for _ in range(8):
        runner = Runner(store, "drain")
        claim_batch(store, runner.id, 1, "h", [1], 1, 5.0) or watched(store, runner)
        let_be(store, runner.id)
        dies(store, runner)
    assert state(store, one) is State.QUEUED


def test_suspect_waits_for_all_others_and_is_none_when_it_is_done(store: Store) -> None:
    """What never saw a runner die is claimed as ever, and a suspect that ends is forgotten."""
    many(store, [b"x"] * 3)
    runner = Runner(store, "drain")
    claim_batch(store, runner.id, 1, "h", [1], 1, 5.0)
    dies(store, runner)
    runner = Runner(store, "drain")
    assert [each.id for each in claim_batch(store, runner.id, 1, "h", [1], 9, 6.0)] == [2, 3]
    begun = watched(store, runner)
    record(store, [ended(each) for each in begun.claims])
    let_be(store, runner.id)
    assert store.rows("SELECT * FROM suspect") == []


def test_next_suspect_begins_soon_after_the_one_before_though_something_is_held(store: Store) -> None:
    """What is held, for hours maybe, costs a second once, not a second for each suspect."""
    first = Runner(store, "drain")
    many(store, [b"x"] * 4)
    claim_batch(store, first.id, 1, "h", [1], 2, 5.0)
    dies(store, first)
    second = Runner(store, "drain")
    watch = Watch(store, second.id)
    for _ in range(2):
        until(lambda: not watch.free_in())
        watch.begin(watched(store, second))
        watch.began()
        assert watch.on()
        watch.ended()
        assert not watch.on()
        assert 0 < watch.free_in() <= BETWEEN


def test_stop_makes_no_suspects_and_a_break_does(store: Store) -> None:
    """A runner that stops as it was told gives back without suspicion; one in which something raised does not."""
    many(store, [b"x"] * 2)
    for broke, suspects in ((False, 0), (True, 2)):
        runner = Runner(store, "drain")
        assert len(claim_batch(store, runner.id, 1, "h", [1], 9, 5.0)) == 2
        give_back(store, runner.id, 6.0, broke=broke)
        runner.close(store)
        assert len(store.rows("SELECT * FROM suspect")) == suspects


def test_no_more_begin_at_once_than_there_are_slots(store: Store) -> None:
    """Suspects that are watched together are no more than may run at once."""
    many(store, [b"x"] * 100, Mode.STREAM)
    runner = Runner(store, "drain")
    assert len(claim_stream(store, runner.id, "h", 100, 5.0)) == 100
    dies(store, runner)
    taken = take(
        store, Runner(store, "drain").id, Lane.STREAM, ["h"], 7.0, room=lambda _: Everything(), slots=lambda _: 4
    )
    assert taken is not None
    assert len(taken[1].claims) == 4


SHAPES = {
    "its parent": "kill -9 $PPID",
    "the group of its parent": "kill -9 -$(ps -o pgid= -p $PPID | tr -d ' ')",
    "a crash of the interpreter": "kill -SEGV $PPID; sleep 30",
    "from a session of its own": "setsid sh -c 'kill -9 '$PPID",
}


@pytest.mark.parametrize(
    ("mode", "deed"),
    [(Mode.STREAM, deed) for deed in SHAPES.values()] + [(Mode.BATCH, SHAPES["its parent"])],
    ids=[*SHAPES, "in the batch lane"],
)
def test_job_that_kills_its_runner_fails_and_the_others_are_done(tmp_path: Path, mode: Mode, deed: str) -> None:
    """Whichever way a job takes its runner down: it fails after few starts, is named, and all others are done."""
    queue = Queue(tmp_path)
    kind = ("--detach", "--mode", mode, "--audience", "background")
    queue.run("submit", *kind, "--shell", deed)
    for n in range(3):
        queue.run("submit", *kind, "--shell", f"sleep 0.5; echo {n}")
    starts = 0
    while queue.state(1) is not State.FAILED:
        starts += 1
        assert starts <= 6
        subprocess.run(
            [*HYBRIDQ, "drain", "--quiet"],
            env=queue.environment,
            stdin=subprocess.DEVNULL,
            check=False,
            timeout=60,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        queue.run("status")
    queue.run("drain", "--quiet")
    assert [queue.state(number) for number in (2, 3, 4)] == [State.DONE] * 3
    assert "the job is taken to be the cause" in queue.run("status", "--all").stdout
    assert "3 of those times with this job alone" in queue.run("explain", "1").stdout


HELD = f"""
[policy]
background_delay_cost = 0
load_weight = 0
[handlers.slow]
command = ["{sys.executable}", "-u", "-c", '''
import json, sys, time
for line in sys.stdin:
    calls = json.loads(line)
    for call in calls if isinstance(calls, list) else [calls]:
        time.sleep(float(call["input"]))
        print(json.dumps({{"id": call["id"], "output": 1}}))
''']
expected = "100ms"
[tariff]
zone = "UTC"
[[tariff.window]]
start = "%s"
end = "%s"
factor = 0.1
"""


def test_suspects_run_though_others_of_their_handler_are_held_for_hours(tmp_path: Path) -> None:
    """What a kill interrupted is done soon, while what waits for another time, or for company, goes on waiting."""
    cheap = (time.strftime("%H:%M", time.gmtime(time.time() + hours * 3600)) for hours in (3, 4))
    queue = Queue(tmp_path, HELD % tuple(cheap))
    queue.run("submit", "slow", "--lines", "-", "--group", "later", input="0\n" * 50)
    with queue.daemon() as daemon:
        soon = ("--group", "soon", "--deadline", "1s", "--mode", "batch")
        queue.run("submit", "slow", "--lines", "-", *soon, input="0.1\n" * 40)
        until(lambda: queue.rows("SELECT 1 FROM job JOIN cohort ON cohort.id = cohort WHERE state = 'done'"))
        daemon.kill()
    rescue(queue.outlook.store, time.time())
    assert queue.rows("SELECT 1 FROM suspect")
    with queue.daemon():
        until(lambda: queue.rows("SELECT done FROM cohort WHERE name = 'soon'") == [(40,)], 60)
    assert queue.rows("SELECT queued FROM cohort WHERE name = 'later'") == [(50,)]
