"""A configuration with a mistake in it: whoever looks, waits or cancels goes on; whoever decides by it does not."""

from pathlib import Path

import pytest

from hybridq_cli.reach import renew
from tests.support.user import Queue

ECHO = '[handlers.echo]\ncommand = ["cat"]\nprotocol = "lines"\n'
MISTAKES = {"toml": "[[[", "key": ECHO + "[policy]\nthetta = 1\n", "folder": None, "encoding": b"\xff"}


@pytest.fixture
def queue(tmp_path: Path) -> Queue:
    """A queue with a job that was done, one that failed and one that waits."""
    queue = Queue(tmp_path, ECHO)
    queue.run("submit", "echo", "hello", "--wait", "--mode", "stream")
    queue.run("submit", "--wait", "--mode", "stream", "--", "sh", "-c", "exit 3")
    queue.run("submit", "echo", "x", "--mode", "batch")
    assert queue.outlook.config.handlers["echo"]
    return queue


def told(errors: str) -> None:
    """The mistake stands in one line of these, with the file's name."""
    mistake = [line for line in errors.splitlines() if "Continuing with the defaults" in line]
    assert len(mistake) == 1, errors
    assert "config.toml" in mistake[0]


def spoil(queue: Queue, how: str) -> None:
    """Put this mistake into the configuration."""
    file, mistake = queue.folder / "config.toml", MISTAKES[how]
    file.unlink()
    if mistake is None:
        file.mkdir()
    else:
        file.write_bytes(mistake if isinstance(mistake, bytes) else mistake.encode())


def test_looking_waiting_and_cancelling_go_on(queue: Queue) -> None:
    """They name the mistake in one line on standard error, and do what they were asked for."""
    spoil(queue, "toml")
    expected = {
        "status": 0,
        "show 1": 0,
        "explain 3": 0,
        "output 1": 0,
        "wait 1": 0,
        "wait 2": 3,
        "follow 2": 3,
        "report": 0,
        "cancel 3": 0,
        "retry 3": 0,
    }
    for words, code in expected.items():
        done = queue.run(*words.split())
        assert (done.returncode, done.stdout == "") == (code, words in ("wait 1", "wait 2", "follow 2")), words
        told(done.stderr)


@pytest.mark.parametrize("how", MISTAKES)
def test_each_kind_of_mistake_is_told(queue: Queue, how: str) -> None:
    """Whatever keeps the file from being read is one line, and no reason to end."""
    spoil(queue, how)
    done = queue.run("cancel", "3")
    assert (done.returncode, done.stdout) == (0, "1 job cancelled\n")
    told(done.stderr)


@pytest.mark.parametrize("words", ["submit -- true", "daemon", "drain", "handlers", "config", "simulate"])
def test_whatever_decides_by_it_ends_with_78(queue: Queue, words: str) -> None:
    """No job is accepted or run by values that were never meant."""
    spoil(queue, "key")
    done = queue.run(*words.split())
    assert (done.returncode, done.stdout) == (78, "")
    assert "did you mean theta?" in done.stderr
    assert queue.rows("SELECT count(*) FROM job") == [(3,)]


def test_a_handler_that_is_not_known_is_not_said_to_be_missing(queue: Queue) -> None:
    """The reason of a held job does not blame the queue for what the file hides."""
    spoil(queue, "toml")
    assert "cannot be read" in queue.run("status", "3").stdout


def test_a_watch_takes_up_what_changed(queue: Queue) -> None:
    """A changed configuration counts in a live view as in the daemon; with a mistake in it the one before does."""
    outlook = queue.outlook
    (queue.folder / "config.toml").write_text(ECHO + "[policy]\ntheta = 0.5\n")
    renew(outlook)
    assert outlook.config.policy.theta == 0.5
    spoil(queue, "key")
    renew(outlook)
    assert outlook.config.policy.theta == 0.5


def test_a_suggestion_ends_the_sentence(queue: Queue) -> None:
    """No full stop follows a question mark."""
    spoil(queue, "key")
    assert "did you mean theta? Continuing with the defaults" in queue.run("status").stderr
