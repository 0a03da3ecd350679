"""`pause` and `resume`: nothing new begins, everybody is told, and nothing is lost."""

import json
import signal
from pathlib import Path

import pytest

from tests.support.user import Queue, until

SLOW = '[handlers.slow]\ncommand = ["sh", "-c", "read x; sleep 60; echo $x"]\nprotocol = "lines"\nmodes = ["stream"]\n'


@pytest.fixture
def queue(tmp_path: Path) -> Queue:
    """A queue with one handler more."""
    return Queue(tmp_path, SLOW)


def test_what_is_submitted_to_a_paused_group_waits_and_is_told_so(queue: Queue) -> None:
    """A word at submission, the row's reason, the banner; after `resume` it runs."""
    queue.run("pause", "night")
    told = queue.run("submit", "--group", "night", "--mode", "stream", "--", "true")
    assert told.stderr.startswith("hybridq: paused by hand; to go on: hybridq resume night")
    status = json.loads(queue.run("status", "--json").stdout)
    assert status["rows"][0]["why"] == "paused by hand"
    assert status["head"]["paused"] == [
        {"handler": None, "group": "night", "until": None} | {"since": status["head"]["paused"][0]["since"]}
    ]
    assert queue.run("resume").stdout == "resumed night\n"
    assert queue.run("drain", "--quiet").returncode == 0


def test_a_drain_says_what_it_leaves(queue: Queue) -> None:
    """It runs the rest, ends by itself, and names the command that lets go."""
    queue.run("submit", "--group", "a", "--mode", "batch", "--", "true")
    queue.run("submit", "--group", "b", "--mode", "batch", "--", "true")
    queue.run("pause", "a")
    end = queue.run("drain")
    assert end.returncode == 75
    assert "1 done" in end.stdout
    assert "1 job is left: paused by hand; to go on: hybridq resume a" in end.stderr


def test_an_eta_is_not_before_the_pause_ends_and_a_deadline_it_breaks_is_late(queue: Queue) -> None:
    """Of a handler whose times are known: it starts when the pause ends, and is late if it is due before."""
    for _ in range(3):
        queue.run("submit", "--mode", "stream", "--wait", "--", "sleep", "0.01")
    with queue.daemon():
        pause = json.loads(queue.run("pause", "--handler", "shell", "--until", "2h", "--json").stdout)
        queue.run("submit", "--mode", "stream", "--deadline", "1h", "--", "sleep", "0.01")
        row = json.loads(queue.run("status", "last", "--json").stdout)["rows"][0]
    assert row["start"] == pause["paused"][0]["until"]
    assert row["eta"] > row["start"]
    assert row["late"]


def test_stop_gives_back_what_runs(queue: Queue) -> None:
    """Its process ends, the job is queued, and it runs again after `resume`."""
    with queue.daemon():
        queue.run("submit", "slow", "x")
        until(lambda: queue.rows("SELECT 1 FROM job WHERE state = 'running'"))
        told = queue.run("pause", "--stop").stdout
        assert "; 1 job given back to the queue. To go on: hybridq resume" in told
        assert queue.rows("SELECT state, attempt FROM job") == [("queued", 1)]
        queue.run("resume")
        until(lambda: queue.rows("SELECT 1 FROM job WHERE state = 'running' AND attempt = 2"))
        queue.run("cancel", "1")


def test_a_pause_outlives_the_daemon(queue: Queue) -> None:
    """After kill -9 the next one still runs nothing of what is paused, and all else."""
    with queue.daemon() as process:
        queue.run("pause", "night")
        process.send_signal(signal.SIGKILL)
        process.wait()
    queue.run("submit", "--group", "night", "--mode", "stream", "--", "true")
    queue.run("submit", "--mode", "stream", "--", "true")
    with queue.daemon():
        assert queue.run("wait", "2", "--timeout", "30s").returncode == 0
    assert queue.rows("SELECT id, state FROM job") == [(1, "queued"), (2, "done")]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["pause", "7"], "not single jobs"),
        (["pause", "g", "--handler", "shell"], "not both"),
        (["pause", "--handler", "nope"], "there is no handler 'nope'"),
        (["resume"], "nothing is paused"),
        (["resume", "g"], "g is not paused"),
    ],
)
def test_what_cannot_be_paused_is_refused(queue: Queue, words: list[str], says: str) -> None:
    """With a sentence, and without any change."""
    queue.run("submit", "--group", "g", "--mode", "batch", "--", "true")
    refused = queue.run(*words)
    assert refused.returncode in (64, 66)
    assert says in refused.stderr
