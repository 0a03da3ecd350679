"""Terminals that know no escapes, and readers that go away: every command that prints, at any width."""

import os
import re
import subprocess

import pexpect
import pytest

from tests.cli.test_output import WORKERS
from tests.support.building import HYBRIDQ
from tests.support.user import Queue

PRINT = ("status", "status --all", "show 1", "show g", "explain g", "report", "config", "handlers", "submit --help")
EVERY = (
    *PRINT,
    "output g",
    "output g --json",
    "follow g --json",
    "wait g --json --timeout 10s",
    "status --json",
    "show g --json",
    "completions bash",
    "simulate --days 0.01",
    "clean g --dry-run",
    "retry g",
    "drain",
    "cancel 3",
)


@pytest.fixture(scope="module")
def queue(tmp_path_factory: pytest.TempPathFactory) -> Queue:
    """A failed command, and a group of a good and a bad text that was due too early."""
    made = Queue(tmp_path_factory.mktemp("plain"), WORKERS)
    made.run("submit", "--wait", "--", "sh", "-c", "echo 計画任務; exit 3")
    made.run("submit", "echo", "--group", "g", "--lines", "-", "--deadline", "1s", input="計画任務漢字\nbad\n")
    made.run("drain")
    return made


def printed(queue: Queue, command: str, width: int, **environ: str | None) -> str:
    """What a command shows on a terminal so wide, in this environment."""
    env = {**queue.environment, **environ}
    child = pexpect.spawn(
        HYBRIDQ[0],
        [*HYBRIDQ[1:], *command.split()],
        env={k: v for k, v in env.items() if v is not None},
        encoding="utf-8",
        timeout=60,
        dimensions=(24, width),
    )
    child.expect(pexpect.EOF)
    child.close()
    return str(child.before)


@pytest.mark.parametrize("term", [None, "", "dumb", "unknown"])
@pytest.mark.parametrize("command", PRINT)
def test_no_escape_where_the_terminal_knows_none(queue: Queue, command: str, term: str | None) -> None:
    """A terminal that is dumb, or does not say what it is, gets plain text."""
    text = printed(queue, command, 100, TERM=term)
    assert text.strip()
    assert "\x1b" not in text


@pytest.mark.parametrize("command", ["show 1", "explain g", "status"])
def test_a_dumb_terminal_is_as_wide_as_it_is(queue: Queue, command: str) -> None:
    """What is drawn there keeps to its width; `status` is the lines of a pipe."""
    lines = printed(queue, command, 50, TERM="dumb").splitlines()
    assert command == "status" or max(map(len, lines)) <= 50


def test_no_colour_means_none(queue: Queue) -> None:
    """NO_COLOR takes the colours away; what is bold may stay."""
    text = printed(queue, "status", 100, TERM="xterm-256color", NO_COLOR="1")
    assert not re.search(r"\x1b\[[0-9;]*(3[0-7]|38|9[0-7])[;m]", text)


@pytest.mark.parametrize("unbuffered", [False, True])
@pytest.mark.parametrize("command", EVERY)
def test_a_reader_that_goes_away_is_no_error(queue: Queue, command: str, unbuffered: bool) -> None:
    """Where nobody reads any longer, a command ends without a word about that, by 0, its own code or 141."""
    reader, writer = os.pipe()
    os.close(reader)
    env = {**queue.environment, **({"PYTHONUNBUFFERED": "1"} if unbuffered else {})}
    done = subprocess.run(
        [*HYBRIDQ, *command.split()],
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
        check=False,
    )
    os.close(writer)
    assert done.returncode in (0, 1, 66, 75, 141)  # 75: on a busy machine something may be left
    assert "Traceback" not in done.stderr
    assert "pipe" not in done.stderr.lower()
    assert "inside hybridq" not in done.stderr
