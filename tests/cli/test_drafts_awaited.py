"""One rule for whoever stays with an adaptive job: its draft is enough, and it is said when the final is due."""

import signal
from pathlib import Path

import pytest

from hybridq.job import State
from hybridq.queue.progress import Awaited
from hybridq.selection import Group
from tests.cli.test_output import WORKERS
from tests.support.user import Queue, until

ADAPTIVE = ("submit", "echo", "text", "--mode", "adaptive")


@pytest.fixture
def queue(tmp_path: Path) -> Queue:
    return Queue(tmp_path, WORKERS)


@pytest.fixture
def drafted(queue: Queue) -> Queue:
    """Job 1 has its draft, and nobody is there to make its final."""
    assert queue.run(*ADAPTIVE, "--wait").returncode == 0
    return queue


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ((*ADAPTIVE, "--follow"), "TEXT\n"),
        ((*ADAPTIVE, "--wait"), "2\n"),
        (("follow", "1"), "TEXT\n"),
        (("wait", "1"), ""),
        (("wait", "last"), ""),
    ],
)
def test_whoever_stays_ends_with_the_draft(drafted: Queue, words: tuple[str, ...], shown: str) -> None:
    """`submit --follow`, `submit --wait`, `follow` and `wait` end well, and name the final's state and the command."""
    done = drafted.run(*words)
    assert (done.returncode, done.stdout) == (0, shown)
    assert "the final: adaptive · held · " in done.stderr
    assert " --wait-final" in done.stderr


def test_wait_final_stays(drafted: Queue) -> None:
    """With `--wait-final` each of them goes on until the final is there."""
    with drafted.start("wait", "1", "--wait-final") as waits, drafted.start("follow", "1", "--wait-final") as follows:
        assert waits.stderr is not None
        waits.stderr.readline()
        assert waits.poll() is None
        with drafted.daemon():
            assert waits.wait(30) == 0
            assert follows.communicate(timeout=30)[0] == "TEXT\ntext\n"
            assert drafted.run(*ADAPTIVE, "--wait-final").returncode == 0
    assert [drafted.state(number) for number in (1, 2)] == [State.DONE, State.DONE]


def test_a_group_is_waited_for_until_its_drafts_are_there(queue: Queue) -> None:
    """`wait` and `follow` of a group end when each of its jobs has ended or has its draft, and count the drafts."""
    queue.run("submit", "echo", "--mode", "adaptive", "--group", "g", "--lines", "-", "--wait", input="a\nb\n")
    for verb in ("wait", "follow"):
        done = queue.run(verb, "g")
        assert done.returncode == 0
        assert "2 of these are drafts: hybridq output g" in done.stderr
        assert "Wait for them: hybridq wait g --wait-final" in done.stderr


def test_a_draft_that_failed_is_no_result(queue: Queue) -> None:
    """Where the draft failed there is nothing yet: it is said, and ends with 75."""
    config = queue.folder / "config.toml"
    config.write_text(config.read_text().replace('["tr", "a-z", "A-Z"]', '["false"]'))
    for stays in ("--follow", "--wait"):
        done = queue.run(*ADAPTIVE, stays)
        assert done.returncode == 75
        assert "the draft failed" in done.stderr


def test_the_library_keeps_the_same_rule(queue: Queue) -> None:
    """`Awaited` has ended with the drafts, unless the finals are wanted."""
    queue.run("submit", "echo", "--mode", "adaptive", "--group", "g", "--lines", "-", "--wait", input="a\nb\n")
    store = queue.outlook.store
    assert [Awaited(store, [Group("g")], final=final).ended() for final in (False, True)] == [True, False]


def test_leaving_before_the_draft_says_how_to_come_back(queue: Queue) -> None:
    """Control-C while the draft is awaited leaves the job queued."""
    queue.run(*ADAPTIVE, "--detach")
    with queue.start("wait", "1") as waits:
        assert waits.stderr is not None
        until(lambda: "no daemon runs" in waits.stderr.readline())  # type: ignore[union-attr]
        waits.send_signal(signal.SIGINT)
        assert waits.wait(30) == 130
    assert queue.state(1) is State.QUEUED
