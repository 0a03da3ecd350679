"""`status` and its like asked in odd ways: the same job twice, terminals that can do little, widths that are none."""

import re

import pexpect
import pytest

from tests.support.user import HYBRIDQ, Queue

COLOUR = re.compile(r"\x1b\[(?:[0-9;]*;)?(?:[349]\d|10[0-7])(?:;[0-9;]*)?m")


@pytest.fixture(scope="module")
def queue(tmp_path_factory: pytest.TempPathFactory) -> Queue:
    """A group of one job that was done and three that failed, and a job with letters of two cells; all only look."""
    queue = Queue(tmp_path_factory.mktemp("asked"))
    queue.run("submit", "shell", "--lines", "-", "--group", "g", input="true\nfalse\nfalse\nfalse\n")
    queue.run("submit", "--mode", "batch", "--", "echo", "naïve 漢字 ✓")
    queue.run("drain")
    return queue


@pytest.mark.parametrize(
    ("words", "ids"),
    [
        ("4 g", ["4", "1-4", "2", "3"]),
        ("g 4", ["1-4", "4", "2", "3"]),
        ("g g", ["1-4", "2", "3", "4"]),
        ("4 g --state failed", ["4", "2", "3"]),
        ("g 4 --state failed", ["2", "3", "4"]),
    ],
)
def test_a_job_that_is_named_twice_has_one_row(queue: Queue, words: str, ids: list[str]) -> None:
    """By its number and by its group: one row, and nothing is said to be hidden."""
    done = queue.run("status", *words.split())
    assert [line.split("\t")[0] for line in done.stdout.splitlines()[1:]] == ids
    assert done.stderr == ""


def on_terminal(queue: Queue, *args: str, **environ: str) -> str:
    """What a command that ends by itself writes to a terminal with this environment."""
    env = {**queue.environment, "TERM": "xterm-256color", **environ}
    screen = pexpect.spawn(
        HYBRIDQ[0], [*HYBRIDQ[1:], *args], env=env, encoding="utf-8", timeout=30, dimensions=(30, 100)
    )
    screen.expect(pexpect.EOF)
    screen.close()
    return str(screen.before)


@pytest.mark.parametrize("words", ["status", "show 2", "explain 2", "report"])
@pytest.mark.parametrize("environ", [{"NO_COLOR": "1"}, {"TERM": "dumb"}], ids=["NO_COLOR", "dumb"])
def test_no_colour_and_no_escape_where_none_is_wanted(queue: Queue, words: str, environ: dict[str, str]) -> None:
    """NO_COLOR leaves bold and dim, which are no colours; a dumb terminal is sent no escape at all."""
    text = on_terminal(queue, *words.split(), **environ)
    assert "shell" in text
    assert not COLOUR.search(text), text
    assert "TERM" not in environ or "\x1b" not in text


def test_a_terminal_that_can_shows_colours(queue: Queue) -> None:
    """Where nobody asked for less, a failure is red: the test above would find it."""
    assert COLOUR.search(on_terminal(queue, "status"))


@pytest.mark.parametrize("columns", ["x", "0", "-5", "1", "9" * 30])
def test_a_width_that_is_none_is_passed_over(queue: Queue, columns: str) -> None:
    """`show` and `report` into a pipe neither fail nor fall silent for it."""
    for words in (["show", "5"], ["report"]):
        done = queue.run(*words, env={"COLUMNS": columns})
        assert (done.returncode, done.stderr) == (0, "")
        assert "shell" in done.stdout


def test_what_matches_nothing_is_not_called_empty(queue: Queue) -> None:
    """With a condition that no job meets the queue is not said to hold nothing; --watch goes without --json."""
    assert "no matching jobs" in queue.run("status", "--state", "running").stderr
    both = queue.run("status", "--watch", "--json")
    assert both.returncode == 64
    assert "cannot be used together" in both.stderr
