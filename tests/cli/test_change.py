"""`cancel` and `retry`: what they change, how they say it, and when they refuse."""

import re
from pathlib import Path

import pytest

from hybridq.job import State
from tests.support.user import Queue, ended, until


@pytest.fixture
def queue(tmp_path: Path) -> Queue:
    return Queue(tmp_path)


def lines(queue: Queue, text: str) -> None:
    """One shell job a line."""
    queue.run("submit", "shell", "--group", "g", "--lines", "-", input=text)


def states(queue: Queue, jobs: int) -> list[State]:
    """Where the first so many jobs stand."""
    return [queue.state(number) for number in range(1, jobs + 1)]


def test_cancel_says_how_many(queue: Queue) -> None:
    """Cancelling changes what has not ended, says how many, and again there is nothing to do (66)."""
    lines(queue, "true\n" * 4)
    first, second = queue.run("cancel", "2,3-4"), queue.run("cancel", "2-4")
    assert (first.returncode, first.stdout) == (0, "3 jobs cancelled\n")
    assert (second.returncode, second.stdout) == (66, "")
    assert states(queue, 4) == [State.QUEUED, *[State.CANCELLED] * 3]


def test_cancel_ends_what_runs(queue: Queue) -> None:
    """A running command is ended by its runner at once, and whoever follows it is told."""
    with queue.daemon(), queue.start("submit", "--follow", "--", "sh", "-c", "echo $$; sleep 60") as follower:
        assert follower.stdout is not None
        running = int(follower.stdout.readline())
        assert queue.run("cancel", "1").stdout == "1 job cancelled\n"
        until(lambda: not Path(f"/proc/{running}").exists())
        _, said = follower.communicate(timeout=30)
    assert (follower.returncode, said) == (1, "hybridq: job 1 was cancelled\n")


def test_cancel_all_asks(queue: Queue) -> None:
    """On a terminal `cancel all` asks first; no means no, and --yes means that nobody asks."""
    lines(queue, "true\n" * 2)
    with queue.terminal("cancel", "all") as screen:
        screen.expect_exact("cancel all unfinished jobs (2 jobs)? [y/N]")
        screen.sendline("n")
        assert ended(screen) == 130
    assert states(queue, 2) == [State.QUEUED] * 2
    with queue.terminal("cancel", "all", "--yes") as screen:
        screen.expect_exact("2 jobs cancelled")
        assert ended(screen) == 0


def test_cancel_all_needs_yes_where_nobody_can_be_asked(queue: Queue) -> None:
    """Without a terminal all is cancelled only with --yes; what is named one by one needs none."""
    lines(queue, "true\n" * 3)
    refused = queue.run("cancel", "all")
    assert (refused.returncode, states(queue, 3)) == (64, [State.QUEUED] * 3)
    assert "--yes" in refused.stderr
    assert queue.run("cancel", "1").returncode == 0
    assert queue.run("cancel", "all", "--yes").stdout == "2 jobs cancelled\n"


def test_retry_runs_it_again(queue: Queue, tmp_path: Path) -> None:
    """A failed job is queued again and runs with what is there now."""
    lines(queue, f"test -e {tmp_path}/there\ntrue\n")
    assert queue.run("drain").returncode == 1
    (tmp_path / "there").touch()
    assert queue.run("retry", "g").stdout == "1 job queued again\n"
    assert queue.run("drain").returncode == 0
    assert states(queue, 2) == [State.DONE, State.DONE]


def test_retry_failed_leaves_the_cancelled(queue: Queue) -> None:
    """`retry --failed` takes every failed job, and no cancelled one; with none it is 66."""
    lines(queue, "false\ntrue\n")
    queue.run("cancel", "2")
    queue.run("drain")
    assert queue.run("retry", "--failed").stdout == "1 job queued again\n"
    assert queue.run("retry", "--failed").returncode == 66
    assert states(queue, 2) == [State.QUEUED, State.CANCELLED]


@pytest.mark.parametrize("words", [("cancel", "7"), ("wait", "3-5"), ("status", "7"), ("show", "7"), ("status", "g")])
def test_what_is_not_there_is_said_with_what_to_type(queue: Queue, words: tuple[str, ...]) -> None:
    """Whichever command names a job or group that is not there, it says so, and which command shows what is."""
    done = queue.run(*words)
    assert done.returncode == 66
    assert re.fullmatch(r"hybridq: no (job|group) \S+\. List them: hybridq status --all\n", done.stderr)


@pytest.mark.parametrize("words", [(), ("nosuch",), ("7",), ("3-",)], ids=str)
def test_nothing_matches(queue: Queue, words: tuple[str, ...]) -> None:
    """Without a selector, or with one that names nothing, nothing happens and a sentence says so."""
    done = queue.run("cancel", *words)
    assert done.returncode in (64, 66)
    assert done.stderr.startswith("hybridq: ")
    assert done.stderr.count("\n") == 1
