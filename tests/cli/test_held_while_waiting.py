"""Whoever waits where no terminal is hears once until when jobs are held for long, and why."""

import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.building import night, until
from tests.support.user import ECHO, Queue

CONFIG = f"{ECHO}expected = 900\n\n[policy]\nload_weight = 0\n\n"
BATCH = ("submit", "echo", "x", "--mode", "batch")


@pytest.fixture
def queue(tmp_path: Path) -> Iterator[Queue]:
    """A queue under CI with a daemon, two hours before its night price."""
    made = Queue(tmp_path, f"{CONFIG}{night(time.time(), 7200)}")
    made.environment["CI"] = "true"
    (tmp_path / "two").write_text("a\nb\n")
    with made.daemon():
        yield made


def waits(queue: Queue, *words: str) -> list[str]:
    """What a command has said on standard error when it waits, before it is told to leave."""
    with queue.start(*words) as waiting:
        until(lambda: list((queue.folder / "bells").glob("viewer.*")))
        waiting.send_signal(signal.SIGINT)
        _, errors = waiting.communicate(timeout=30)
    assert re.search(r"(job \d+|it) stays held until |goes on", errors)
    return [line for line in errors.splitlines() if not re.search("goes on|stays held", line)]


def test_a_submission_that_waits_says_until_when_it_is_held(queue: Queue) -> None:
    """One line: which jobs, until when, why, and what to say where somebody waits after all."""
    (line,) = waits(queue, "submit", "echo", "--lines", str(queue.folder.parent / "two"), "--group", "g", "--wait")
    assert line.startswith("hybridq: group g is held for the night price at ")
    assert "night price" in line
    assert line.endswith("nobody is waiting (CI). If somebody is: --audience user")


def test_who_asked_for_a_batch_is_told_of_no_other_way(queue: Queue) -> None:
    """What was asked for is held for that, whoever waits; a job that existed by its key is told as it stands."""
    (line,) = waits(queue, *BATCH, "--wait", "--key", "k")
    assert line.startswith("hybridq: job 1 is held until ")
    assert "you asked for batch" in line
    assert "--audience" not in line
    (line,) = waits(queue, *BATCH, "--follow", "--key", "k")
    assert line.startswith("hybridq: job 1: batch · held · ")


@pytest.mark.parametrize("words", [("wait", "1"), ("wait", "last"), ("wait", "g"), ("follow", "1")])
def test_who_comes_later_is_told_too(queue: Queue, words: tuple[str, str]) -> None:
    """`wait` and `follow` of a held job or group say once when it starts, and why then."""
    queue.run("submit", "echo", "--lines", str(queue.folder.parent / "two"), "--group", "g")
    (line,) = waits(queue, *words)
    assert " · held · " in line
    assert line.count(" held ") == 1
    assert " starts " not in line


@pytest.mark.parametrize("words", [(*BATCH, "--wait", "--json"), ("wait", "1", "--json"), ("follow", "1", "--json")])
def test_json_has_it_already(queue: Queue, words: tuple[str, ...]) -> None:
    """With `--json` nothing is said beside the document."""
    queue.run(*BATCH)
    assert waits(queue, *words) == []


def test_a_short_wait_is_not_told(tmp_path: Path) -> None:
    """Jobs that are held for less than a minute are waited for without a word."""
    queue = Queue(tmp_path, f"{CONFIG}{night(time.time(), 40)}")
    with queue.daemon():
        assert waits(queue, *BATCH, "--wait") == []
