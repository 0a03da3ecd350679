"""What a handler's instances are at, as the queue tells it."""

from pathlib import Path

import pytest

from hybridq.brain.lanes import Streaming
from hybridq.job import Mode
from hybridq.queue.claims import claim_batch, claim_stream
from hybridq.queue.flushes import close_flush, open_flush, progress
from hybridq.queue.instances import last_end, open_flush_of, stream_rate, streams_of
from hybridq.reason import said
from tests.support.ledgers import START, Past


def test_how_often_stream_jobs_come(tmp_path: Path) -> None:
    """Four that came within a minute are three in 50 s; what went to the batch lane, or long ago, does not count."""
    past = Past(tmp_path)
    past.submit(-900, mode=Mode.STREAM)
    for at in (0, 10, 30, 50):
        past.submit(at, mode=Mode.STREAM)
        past.submit(at, 9)
    assert stream_rate(past.store, "echo", START + 50, 600.0) == pytest.approx(3 / 50)
    assert stream_rate(past.store, "other", START + 50, 600.0) == 0.0
    assert stream_rate(past.store, "echo", START + 9000, 600.0) == 0.0


def test_what_comes_to_other_handlers_hides_nothing(tmp_path: Path) -> None:
    """Three that came are found among a hundred that came to others meanwhile."""
    past = Past(tmp_path)
    for at in (0, 10, 30):
        past.submit(at, mode=Mode.STREAM)
    past.store.connection.execute("UPDATE cohort SET handler = 'other' WHERE accepted = ?", (START + 10,))
    for _ in range(100):
        past.submit(20, mode=Mode.STREAM)
    past.store.connection.execute("UPDATE cohort SET handler = 'other' WHERE accepted = ?", (START + 20,))
    past.submit(50, mode=Mode.STREAM)
    assert stream_rate(past.store, "echo", START + 50, 600.0) == pytest.approx(2 / 50)


def test_since_when_stream_jobs_run(tmp_path: Path) -> None:
    """A single job that runs tells when it began; what waits, and what runs in a batch, does not."""
    past = Past(tmp_path)
    past.submit(0, mode=Mode.STREAM)
    past.submit(0, mode=Mode.STREAM)
    (held,) = past.submit(0)
    claim_stream(past.store, past.runner, "echo", 1, START + 5)
    (key,) = past.store.row("SELECT cohort FROM job WHERE id = ?", (held,)) or (0,)
    claim_batch(past.store, past.runner, 1, "echo", [key], 1, START + 6)
    assert streams_of(past.store, "echo") == [Streaming(START + 5, 3.0, queued=True), Streaming(None, 3.0)]


def test_a_flush_tells_how_far_it_is(tmp_path: Path) -> None:
    """Of ten jobs three are done and one has failed: six are left; of a flush that ended nothing is told."""
    past = Past(tmp_path)
    number = open_flush(past.store, past.runner, "echo", "drain", said("a test"), 1.0, 10, START)
    assert open_flush_of(past.store, "echo") == (START, 10, True)
    progress(past.store, number, 3, 1)
    assert open_flush_of(past.store, "echo") == (START, 6, True)
    close_flush(past.store, number, 9, 1, 0.0, 0.0, START + 9)
    assert open_flush_of(past.store, "echo") is None


def test_when_something_last_ended(tmp_path: Path) -> None:
    """A job of the flush that runs, or one that streamed: the later of both; before any it is 0."""
    past = Past(tmp_path)
    assert last_end(past.store, "echo") == 0.0
    past.stream(past.submit(0, mode=Mode.STREAM)[0], 1, 2, 7)
    past.stream(past.submit(1, mode=Mode.STREAM)[0], 1, 2, 4)
    assert last_end(past.store, "echo") == START + 7
    several = past.submit(0, 3)
    past.flush(5, 9, several[:1])
    (key,) = past.store.row("SELECT cohort FROM job WHERE id = ?", (several[1],)) or (0,)
    claim_batch(past.store, past.runner, 1, "echo", [key], 1, START + 9)
    assert last_end(past.store, "echo") == START + 9
