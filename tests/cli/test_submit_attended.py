"""`submit` with somebody who stays: it behaves as if it were the job, and Control-C goes without it."""

import re
import sys
import time
from pathlib import Path

import pytest

from hybridq.job import Mode, State
from hybridq.queue.cohorts import cohort
from tests.support.user import Queue, ended, until

TALKER = f"""
[handlers.talker]
command = ["{sys.executable}", "-u", "-c", '''
import json, sys
for line in sys.stdin:
    call = json.loads(line)
    print(json.dumps({{"id": call["id"], "partial": "one\\n"}}))
    print(json.dumps({{"id": call["id"], "partial": "\\u001b[31mtwo"}}))
    print(json.dumps({{"id": call["id"], "output": "one\\n\\u001b[31mtwo"}}))
''']
"""


@pytest.fixture
def queue(tmp_path: Path) -> Queue:
    return Queue(tmp_path)


def test_wait_ends_with_the_jobs_own_code(queue: Queue) -> None:
    """`--wait` without a daemon runs the job itself, prints its id and why it failed, and ends as it ended."""
    done = queue.run("submit", "--wait", "--", "sh", "-c", "echo out; echo err >&2; exit 7")
    assert (done.returncode, done.stdout, done.stderr) == (7, "1\n", "hybridq: job 1 failed: exit code 7\n")


def test_wait_on_a_terminal_says_where_the_result_is(queue: Queue) -> None:
    """Who waits at a terminal is told the job's id at once, and when it is done how to see what came of it."""
    with queue.terminal("submit", "--wait", "--", "echo", "out") as screen:
        screen.expect_exact("1\r\n")
        screen.expect_exact("job 1 is done: hybridq output 1")
        assert ended(screen) == 0


def test_follow_is_the_job(queue: Queue) -> None:
    """`--follow` passes both outputs through, bytes as they are, and ends as the job ends."""
    script = "printf '\\377\\033[1m'; echo err >&2; kill -9 $$"
    done = queue.run("submit", "--follow", "--", "sh", "-c", script, text=False)
    assert (done.returncode, done.stdout) == (137, b"\xff\x1b[1m")
    assert b"err\n" in done.stderr


def test_a_daemon_runs_what_is_waited_for(queue: Queue) -> None:
    """With a daemon, `--wait` leaves the running to it, and says nothing but why it failed."""
    with queue.daemon():
        done = queue.run("submit", "--wait", "--", "sh", "-c", "exit 4")
    assert (done.returncode, done.stderr) == (4, "hybridq: job 1 failed: exit code 4\n")
    assert "submit" not in {kind for (kind,) in queue.rows("SELECT kind FROM runner")}


def test_on_a_terminal_it_is_the_job(queue: Queue) -> None:
    """On a terminal a stream job's raw output comes at once, and its exit code is the command's."""
    with queue.terminal("submit", "--", "sh", "-c", "printf '\\033[31mred\\n'; read x; exit 3") as screen:
        screen.expect_exact("\x1b[31mred")
        assert ended(screen) == 3


def test_output_is_live(queue: Queue, tmp_path: Path) -> None:
    """The first line is on the terminal while the command still waits for something."""
    with queue.terminal(
        "submit", "--", "sh", "-c", "echo first; until test -e go; do sleep 0.01; done; echo last", cwd=str(tmp_path)
    ) as screen:
        screen.expect_exact("first")
        assert queue.state(1) is State.RUNNING
        (tmp_path / "go").touch()
        screen.expect_exact("last")
        assert ended(screen) == 0


def test_control_c_gives_the_job_back(queue: Queue) -> None:
    """Control-C without a daemon ends the command, queues the job again whole, and says how it will run."""
    with queue.terminal("submit", "--", "sh", "-c", "echo $$; sleep 60") as screen:
        screen.expect(r"\n(\d+)\r")
        running = int(screen.match[1])
        screen.sendintr()
        screen.expect_exact("job 1 is queued again; hybridq daemon or hybridq drain will run it")
        screen.expect_exact("hybridq follow 1")
        assert ended(screen) == 130
    assert queue.state(1) is State.QUEUED
    assert queue.rows("SELECT count(*) FROM runner") == [(0,)]
    until(lambda: not Path(f"/proc/{running}").exists())


def test_a_closed_terminal_gives_the_job_back(queue: Queue) -> None:
    """When the terminal goes away, the job that this submit ran is queued again, and nothing is left running."""
    with queue.terminal("submit", "--", "sh", "-c", "echo up; sleep 60") as screen:
        screen.expect_exact("up")
        screen.close(force=False)
        until(lambda: queue.state(1) is State.QUEUED)
        until(lambda: queue.rows("SELECT count(*) FROM runner") == [(0,)])


def test_control_c_detaches_from_a_daemon(queue: Queue, tmp_path: Path) -> None:
    """Control-C with a daemon leaves the job running, and says how to come back."""
    with queue.daemon():
        wait = f"echo up; until test -e {tmp_path}/go; do sleep 0.01; done"
        with queue.terminal("submit", "--", "sh", "-c", wait) as screen:
            screen.expect_exact("up")
            screen.sendintr()
            screen.expect_exact("job 1 goes on. Come back with: hybridq follow 1")
            assert ended(screen) == 130
        assert queue.state(1) is State.RUNNING
        (tmp_path / "go").touch()
        until(lambda: queue.state(1) is State.DONE)


def test_a_worker_cannot_touch_the_terminal(tmp_path: Path) -> None:
    """What a worker says is made visible on a terminal, and what was shown live is not shown twice."""
    queue = Queue(tmp_path, TALKER)
    with queue.terminal("submit", "talker", "x") as screen:
        screen.expect_exact("one\r\n\\x1b[31mtwo")
        assert ended(screen) == 0
        assert "two" not in screen.before


def test_a_batch_is_promised_not_followed(queue: Queue) -> None:
    """On a terminal a batch job prints its id and, beside it, mode and reason."""
    with queue.terminal("submit", "--mode", "batch", "--", "true") as screen:
        screen.expect_exact("1\r\n")
        screen.expect_exact("job 1 · batch · ")
        screen.expect_exact("you asked for batch")
        assert ended(screen) == 0


def test_detach_only_prints_the_id(queue: Queue) -> None:
    """`--detach` on a terminal leaves the job to a runner; nobody waits for it."""
    with queue.terminal("submit", "--detach", "--", "true") as screen:
        screen.expect_exact("1\r\n")
        assert ended(screen) == 0
    assert cohort(queue.outlook.store, 1).mode is Mode.BATCH
    assert queue.state(1) is State.QUEUED


def test_another_try_is_told(queue: Queue) -> None:
    """Who follows hears why a job is tried again and when, and which attempt it is that they see then."""
    done = queue.run("submit", "--follow", "--retries", "2", "--", "sh", "-c", "exit 3")
    told = done.stderr.splitlines()
    assert done.returncode == 3
    assert any(re.fullmatch(r"hybridq: job 1 tries again at .*: exit code 3", line) for line in told)
    assert told[-1] == "hybridq: this is attempt 3 of job 1"


def test_an_attempt_that_was_over_before_anybody_looked_counts(queue: Queue) -> None:
    """Who comes while a job waits to be tried again is told of that try, and then that it is another one."""
    flag = queue.folder / "flag"
    queue.run("submit", "--detach", "--mode", "stream", "--retries", "9", "--", "test", "-e", str(flag))
    with queue.daemon():
        until(lambda: queue.rows("SELECT 1 FROM job WHERE attempt > 0 AND state = 'queued'"))
    ((attempt,),) = queue.rows("SELECT attempt FROM job")
    begin(queue, time.time() + 3600)
    with queue.start("follow", "1") as follower:
        assert follower.stderr is not None
        alone, first = (follower.stderr.readline() for _ in range(2))
        flag.touch()
        begin(queue, 0.0)
        with queue.daemon():
            _, rest = follower.communicate(timeout=30)
    assert "no daemon runs" in alone
    assert " tries again at " in first
    assert rest == f"hybridq: this is attempt {attempt + 1} of job 1\n"


def test_who_waits_is_served_though_the_daemon_goes(queue: Queue) -> None:
    """A daemon that is busy is killed while a submit waits for its turn: it says so and runs its own job, no other."""
    (queue.folder / "config.toml").write_text("[runner]\nstream_slots = 1\n")
    with queue.daemon() as daemon:
        queue.run("submit", "--detach", "--mode", "stream", "--", "sleep", "600")
        until(lambda: queue.state(1) is State.RUNNING)
        with queue.start("submit", "--wait", "--mode", "stream", "--", "true") as waits:
            assert waits.stdout is not None
            assert waits.stdout.readline() == "2\n"  # by then it has seen that a daemon runs
            daemon.kill()
            _, told = waits.communicate(timeout=30)
        assert waits.returncode == 0
        assert "the daemon has stopped, so this submit runs job 2 itself" in told
    assert queue.state(1) is State.QUEUED


def begin(queue: Queue, at: float) -> None:
    """Jobs that wait to be tried again are, from then on."""
    with queue.outlook.store.tx() as connection:
        connection.execute("UPDATE job SET ready = ?", (at,))
