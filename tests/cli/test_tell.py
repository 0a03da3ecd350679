"""What is said beside a result: whole words on a terminal, one line in a pipe, after the result and in one piece."""

import subprocess
import sys
from pathlib import Path

import pexpect
import pytest

from tests.support.building import HYBRIDQ, environment
from tests.support.user import Queue

LONG = "job 7 is held until 22:00: that saves 6.00 against streaming it, 再び, and costs next to nothing"


def on_terminal(width: int, command: str, **environ: str) -> list[str]:
    """The lines that a shell command leaves on a terminal so wide."""
    output, code = pexpect.run(
        f"bash -c '{command}'",
        env={**environment(Path("/nowhere")), "PYTHON": sys.executable, **environ},
        encoding="utf-8",
        withexitstatus=True,
        timeout=30,
        dimensions=(24, width),
    )
    assert code == 0, output
    return list(output.splitlines())


@pytest.mark.parametrize("width", [30, 40, 100])
def test_a_terminal_breaks_no_word(width: int) -> None:
    """A sentence goes on in the next line between two words; it is the same sentence."""
    lines = on_terminal(width, '$PYTHON -c "import hybridq_cli.tell as t; t.say(t.sys.argv[1])" "$SAID"', SAID=LONG)
    assert max(map(len, lines)) <= width
    assert " ".join(lines) == f"hybridq: {LONG}"
    assert len(lines) > 1


def test_a_command_to_copy_is_not_broken() -> None:
    """What somebody is told to type stays in one line, if a line has room for it."""
    said = "job 7 is queued again. Come back with: hybridq follow 7; it goes on meanwhile"
    lines = on_terminal(50, '$PYTHON -c "import hybridq_cli.tell as t; t.say(t.sys.argv[1])" "$SAID"', SAID=said)
    assert lines == ["hybridq: job 7 is queued again. Come back with:", "hybridq follow 7; it goes on meanwhile"]


def test_a_terminal_without_a_width_is_left_alone() -> None:
    """Where nobody says how wide it is, a sentence is one line."""
    said = on_terminal(0, '$PYTHON -c "import hybridq_cli.tell as t; t.say(t.sys.argv[1])" "$SAID"', SAID=LONG)
    assert said == [f"hybridq: {LONG}"]


def test_what_goes_to_head_fits_the_terminal_behind_it() -> None:
    """A pipe has the width of the terminal that its end is read on, at most the usual one; COLUMNS wins."""
    command = '$PYTHON -c "from hybridq_cli.tell import columns; print(columns(140))" | cat'
    assert on_terminal(90, command) == ["90"]
    assert on_terminal(200, command) == ["140"]
    assert on_terminal(90, command, COLUMNS="120") == ["120"]


def test_what_was_left_out_is_said_after_the_rows(tmp_path: Path) -> None:
    """Where both outputs end in one place, the rows come first, and the sentence is a line of its own."""
    queue = Queue(tmp_path)
    for _ in range(3):
        queue.run("submit", "--detach", "--", "true")
    told = subprocess.run(
        [*HYBRIDQ, "status", "--limit", "1"],
        env=queue.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=True,
    )
    title, row, left = told.stdout.splitlines()
    assert title.startswith("ID\t")
    assert row.startswith("1\t")
    assert left == "hybridq: and 2 more jobs: --all"
