"""`output` of a group: one record a job, at its input's place, whatever became of it."""

import json
from pathlib import Path

import pytest

from tests.cli.test_output import WORKERS
from tests.support.user import Queue


@pytest.fixture
def queue(tmp_path: Path) -> Queue:
    return Queue(tmp_path, WORKERS)


def test_a_failed_job_leaves_an_empty_line(queue: Queue) -> None:
    """The third output stays the third input's; a note and the exit code tell of the failure."""
    queue.run("submit", "echo", "--group", "g", "--lines", "-", input="one\nbad\nthree\n")
    queue.run("drain")
    done = queue.run("output", "g")
    assert (done.stdout, done.returncode) == ("one\n\nthree\n", 1)
    assert "1 of 3 jobs have no output. See why: hybridq status g --state failed" in done.stderr


def test_records_stand_in_the_order_of_their_inputs(queue: Queue) -> None:
    """Lines of different priorities, of which some have not run: 75 where one has not ended, each in its place."""
    lines = "".join(json.dumps({"input": str(n), "priority": n % 3}) + "\n" for n in range(9))
    queue.run("submit", "echo", "--group", "g", "--jsonl", "-", input=lines)
    assert queue.run("output", "g").stdout == "\n" * 9
    assert queue.run("output", "g").returncode == 75
    queue.run("drain")
    done = queue.run("output", "g")
    assert (done.stdout.split(), done.returncode) == ([str(n) for n in range(9)], 0)


def test_an_output_without_a_line_end_is_a_record_too(queue: Queue) -> None:
    """Two commands that print no line end, one that prints nothing: three lines."""
    queue.run("submit", "shell", "--group", "g", "--lines", "-", input="printf a\ntrue\nprintf c\n")
    queue.run("drain")
    assert queue.run("output", "g").stdout == "a\n\nc\n"


def test_as_json_each_job_says_its_state_and_its_error(queue: Queue) -> None:
    """One object a line, in order, with the output as it was, or null and why; the exit code is the same."""
    queue.run("submit", "echo", "--group", "g", "--jsonl", "-", input='{"input": {"c": [1]}}\n{"input": "bad"}\n')
    queue.run("drain")
    queue.run("submit", "echo", "x", "--group", "g", "--mode", "batch")
    done = queue.run("output", "g", "--json")
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(one["id"], one["state"], one["output"] or None, one["error"]) for one in told] == [
        (1, "done", {"c": [1]}, None),
        (2, "failed", None, "bad"),
        (3, "queued", None, None),
    ]
    assert done.returncode == 75  # one has not ended; how each ended stands in its record
    assert queue.run("output", "3", "--json").returncode == 75
