"""`edit` as a user types it: what it changes is told, and what it cannot change is refused with a sentence."""

from pathlib import Path

import pytest

from tests.support.user import Queue

STREAMS = '[handlers.live]\ncommand = ["cat"]\nprotocol = "lines"\nmodes = ["stream"]\n'


@pytest.fixture
def queue(tmp_path: Path) -> Queue:
    """Job 1 is done, job 2 is queued, job 3 is of a handler that only streams."""
    queue = Queue(tmp_path, STREAMS)
    queue.run("submit", "--mode", "stream", "--wait", "--", "true")
    queue.run("submit", "--mode", "batch", "--", "true")
    queue.run("submit", "live", "x")
    return queue


def test_what_was_edited_is_told_by_explain(queue: Queue) -> None:
    """All of it, in the order of the story, and how many jobs were left alone."""
    done = queue.run("edit", "1-2", "--priority", "5", "--group", "g")
    assert done.stdout == "1 job edited; 1 that run or have ended: left alone\n"
    story = queue.run("explain", "2").stdout
    assert "edited: priority 0 -> 5" in story
    assert "edited: group none -> g" in story


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["1", "--priority", "5"], "job 1 is done: only queued jobs can be edited"),
        (["2"], "say what to change"),
        (["2-3", "--mode", "batch"], "live cannot run in mode batch; it offers: stream"),
        (["2", "--max-cost", "much"], "--max-cost must be an amount of money or none"),
        (["2", "--deadline", "yesterday"], "is not a time"),
        (["9", "--priority", "5"], "no job 9"),
    ],
)
def test_what_cannot_be_changed_is_refused_and_nothing_is(queue: Queue, words: list[str], says: str) -> None:
    """With a sentence; of several none is changed."""
    refused = queue.run("edit", *words)
    assert refused.returncode in (64, 66)
    assert says in refused.stderr
    assert queue.rows("SELECT count(*) FROM history") == [(0,)]
