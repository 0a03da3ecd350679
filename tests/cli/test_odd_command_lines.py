"""Command lines with what nobody types on purpose: numbers out of any range, foreign encodings, files half written."""

import json
import subprocess
from pathlib import Path

import pytest

from tests.support.user import HYBRIDQ, Queue

ECHO = '[handlers.echo]\ncommand = ["cat"]\nprotocol = "lines"\n'


@pytest.fixture
def queue(tmp_path: Path) -> Queue:
    return Queue(tmp_path, ECHO)


@pytest.mark.parametrize("amount", ["nan", "-1"])
def test_a_drain_is_limited_by_an_amount_of_money_only(queue: Queue, amount: str) -> None:
    """A limit that no cost could ever reach, or that all have passed, is a mistake, and nothing is run."""
    queue.run("submit", "echo", "x", "--mode", "batch")
    refused = queue.run("drain", f"--max-cost={amount}")
    assert (refused.returncode, queue.state(1)) == (64, "queued")
    assert "max-cost must be at least 0" in refused.stderr


def test_more_rows_than_any_queue_has(queue: Queue) -> None:
    """A limit of 10^25 rows is refused in a sentence."""
    refused = queue.run("status", "--limit", "9" * 25)
    assert refused.returncode == 64
    assert "not in the range" in refused.stderr


@pytest.mark.parametrize("command", [["status"], ["show", "1"], ["explain", "1"], ["output", "1"]])
def test_a_terminal_of_another_encoding_sees_escapes(queue: Queue, command: list[str]) -> None:
    """What an encoding does not have is shown as its escape; it ends no command."""
    queue.run("submit", "echo", "naïve ✓", "--mode", "stream", "--detach")
    queue.run("drain")
    done = queue.run(*command, env={"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"})
    assert (done.returncode, done.stderr) == (0, "")


def test_a_home_of_a_user_that_is_none(queue: Queue) -> None:
    """`~nobody` is a mistake in the environment: 78, and which variable."""
    refused = queue.run("status", env={"HYBRIDQ_HOME": "~nosuchuser/queue"})
    assert refused.returncode == 78
    assert "HYBRIDQ_HOME" in refused.stderr
    assert "inside hybridq" not in refused.stderr


def test_json_lines_that_are_no_utf_8_are_refused(queue: Queue) -> None:
    """A job that no worker could be given is not accepted."""
    refused = queue.run("submit", "echo", "--jsonl", "-", input=b'{"input": "\xff"}\n', text=False)
    assert refused.returncode == 65
    assert b"line 1: not UTF-8 text (byte 12)" in refused.stderr
    assert queue.rows("SELECT count(*) FROM job") == [(0,)]


@pytest.mark.parametrize("data", [{"argv": ["true"], "shell": "false"}, {"argv": ["true"], "cwd": "/"}])
def test_a_command_has_one_meaning(queue: Queue, data: dict[str, object]) -> None:
    """Of a command given as JSON nothing is left out silently."""
    line = json.dumps({"input": data})
    refused = queue.run("submit", "shell", "--jsonl", "-", input=f"{line}\n")
    assert refused.returncode == 65
    assert "a command is text" in refused.stderr


@pytest.mark.parametrize("command", ["status", "status --json", "show 1", "output 1", "handlers", "submit -- true"])
def test_a_command_without_standard_streams_goes_on(queue: Queue, command: str) -> None:
    """Started with none of them, as some service managers do, a command does its work and ends with 0."""
    queue.run("submit", "echo", "x", "--mode", "stream", "--detach")
    queue.run("drain")
    closed = ["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", *HYBRIDQ, *command.split()]
    assert subprocess.run(closed, env=queue.environment, check=False, timeout=30).returncode == 0


@pytest.mark.parametrize("others", [True, False])
def test_a_drain_ends_beside_jobs_that_nobody_can_run(queue: Queue, others: bool) -> None:
    """Jobs of a handler that left the configuration are told of, 75; the rest is run, and the drain ends."""
    queue.run("submit", "echo", "x", "--mode", "batch")
    queue.run("submit", "echo", "x", "--mode", "stream", "--detach")
    if others:
        queue.run("submit", "--mode", "batch", "--", "true")
    (queue.folder / "config.toml").write_text("")
    drained = queue.run("drain")
    assert drained.returncode == 75
    assert "config.toml lacks their handlers: echo" in drained.stderr
    assert [queue.state(1), queue.state(2)] == ["queued", "queued"]
    assert not others or queue.state(3) == "done"


def test_a_drain_ends_where_money_holds_the_rest(tmp_path: Path) -> None:
    """What the daily budget does not let begin today is left, 75; a drain from cron never stays for a day."""
    queue = Queue(tmp_path, ECHO + "price = 1.0\ndaily_budget = 2\n")
    queue.run("submit", "echo", "--lines", "-", "--mode", "batch", input="a\nb\nc\n")
    assert queue.run("drain").returncode == 75
    assert queue.rows("SELECT state, count(*) FROM job GROUP BY state") == [("done", 2), ("queued", 1)]
