"""Command lines with what nobody types on purpose: numbers out of any range, foreign encodings, files half written."""

import json
from pathlib import Path

import pytest

from tests.user import Queue

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
    assert "max-cost is an amount of money" in refused.stderr


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
    assert b"line 1: this is not UTF-8 text (byte 12)" in refused.stderr
    assert queue.rows("SELECT count(*) FROM job") == [(0,)]


@pytest.mark.parametrize("data", [{"argv": ["true"], "shell": "false"}, {"argv": ["true"], "cwd": "/"}])
def test_a_command_has_one_meaning(queue: Queue, data: dict[str, object]) -> None:
    """Of a command given as JSON nothing is left out silently."""
    line = json.dumps({"input": data})
    refused = queue.run("submit", "shell", "--jsonl", "-", input=f"{line}\n")
    assert refused.returncode == 65
    assert "a command is text" in refused.stderr
