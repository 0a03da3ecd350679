"""A worker that writes lines and never an answer: every view says so after a while, and what an answer is."""

import sys
from pathlib import Path

import pytest

from hybridq.handlers.worker import turn
from hybridq.job import Lane, Remark
from tests.support.building import until
from tests.support.handling import calls, items, run
from tests.support.user import Queue

CHATTY = f"""
[handlers.w]
command = ["{sys.executable}", "-c", '''
import sys
for line in sys.stdin: print("thinking\\u001b[31m", flush=True)
''']
"""
DAEMON = "from hybridq.handlers.worker import turn; turn.SILENCE = 0.2; from hybridq_cli.main import run; run()"
SAID = "but 1 other line, the last: thinking\\x1b[31m"


def test_every_view_tells_of_a_worker_that_does_not_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Status of the job and of its group, explain and follow say that there is no answer, and what one looks like."""
    queue = Queue(tmp_path, CHATTY)
    monkeypatch.setattr("tests.support.user.HYBRIDQ", (sys.executable, "-c", DAEMON))
    with queue.daemon(), queue.start("submit", "w", "x", "--group", "g", "--follow", "--mode", "stream") as follower:
        until(lambda: queue.rows("SELECT 1 FROM remark"))
        assert follower.stderr is not None
        assert SAID in follower.stderr.readline()
        for command in (("status",), ("status", "1"), ("status", "g"), ("explain", "1"), ("show", "1")):
            told = " ".join(queue.run(*command).stdout.split())
            assert SAID in told, command
            assert 'Expected a line {"id": 1, "output": ...}, flushed' in told


def test_silence_is_told_again_after_twice_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """While a worker goes on without an answer it is told seldom; an answer ends it."""
    monkeypatch.setattr(turn, "SILENCE", 0.02)
    events = run(items(), calls(["all", ["raw", "line"], ["sleep", 0.5]], "answer"), Lane.BATCH)
    told = [event for event in events if isinstance(event, Remark)]
    assert 1 <= len(told) <= 12
    assert all(event.id == 1 for event in told)


def test_worker_that_works_in_silence_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without any line, or with partial output, nothing is said, however long it takes."""
    monkeypatch.setattr(turn, "SILENCE", 0.01)
    wishes = [["sleep", 0.1], ["all", ["raw", '{"id": ID, "partial": "x"}'], ["raw", "log"], ["sleep", 0.1]]]
    for wish in wishes:
        assert not [event for event in run(items(), calls(wish), Lane.STREAM) if isinstance(event, Remark)]
