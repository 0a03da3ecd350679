"""Kill -9 at random instants and at each named point: nothing lost, nothing twice, nothing stuck."""

import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.crash.runner import Crash

HANDS = 3 * 512  # jobs: chunks in the worker's hands and not yet committed, at most


def test_random_kills_leave_one_right_result_a_job(tmp_path: Path) -> None:
    """After runners were killed at random instants, each job has exactly one result, the right one."""
    crash = Crash(tmp_path, seed=random.randrange(1 << 30))
    for _ in range(6):
        crash.round(jobs=400)
    crash.finish()
    figures = crash.verdict()
    assert figures["run again"] <= crash.kills * HANDS


@pytest.mark.parametrize(
    "point",
    [
        "claimed",
        "claimed:3",
        "started",
        "replied",
        "replied:4",
        "storing",
        "storing:3",
        "releasing",
        "releasing:2",
        "stored",
        "stored:2",
        "ending",
        "ended",
    ],
)
def test_a_kill_at_each_named_point_loses_nothing(tmp_path: Path, point: str) -> None:
    """A runner that dies there leaves a queue that the next one finishes, each job once."""
    crash = Crash(tmp_path, seed=1)
    crash.submit(jobs=200)
    with crash.runner(HYBRIDQ_TEST_DIE_AT=point) as process:
        assert process.wait(60) == -signal.SIGKILL
    crash.kills += 1
    assert crash.left() or point in ("ending", "ended", "stored", "stored:2")
    crash.finish()
    crash.verdict()
    told, counted = crash.outlook.store.rows(
        "SELECT sum(done), (SELECT count(*) FROM job WHERE flush IS NOT NULL AND state = 'done') FROM flush"
    )[0]
    assert told == counted, "the flushes do not add up"


@pytest.mark.parametrize("kind", ["daemon", "drain"])
def test_a_kill_in_the_midst_of_an_occurrence_leaves_none_of_it(tmp_path: Path, kind: str) -> None:
    """Killed between the job and the end of its transaction, a runner leaves neither; the next one makes each once."""
    crash = Crash(tmp_path, seed=1)
    for _ in range(3):
        crash.recur()
    with crash.runner(kind, HYBRIDQ_TEST_DIE_AT="accepting:25") as process:
        assert process.wait(60) == -signal.SIGKILL
    assert crash.outlook.store.row("SELECT count(*) FROM occurrence") == (20,)
    crash.finish()
    crash.verdict()


def test_a_submit_that_is_killed_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    """Killed inside its transaction, a submit leaves no job; with its key it can simply be repeated."""
    crash = Crash(tmp_path, seed=1)
    code = (
        "import os; from hybridq.submit import connect, submit; from hybridq.job import Audience, Request\n"
        "print(submit(connect(os.environ), Request(handler='echo', audience=Audience.USER), b'\"0\"', key='k').first)"
    )
    killed = subprocess.run(
        [sys.executable, "-c", code], env={**crash.environment, "HYBRIDQ_TEST_DIE_AT": "accepting"}, check=False
    )
    assert killed.returncode == -signal.SIGKILL
    assert crash.outlook.store.rows("SELECT 1 FROM job") == []
    for _ in range(2):
        again = subprocess.run([sys.executable, "-c", code], env=crash.environment, check=True, capture_output=True)
        assert again.stdout == b"1\n"
    assert crash.outlook.store.rows("SELECT count(*) FROM job") == [(1,)]
