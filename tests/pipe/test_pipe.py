"""`hybridq pipe`: a line of output for a line of input, whatever comes in and whatever the worker does."""

import json
import os
import subprocess
from pathlib import Path

from tests.support.access_log import log
from tests.support.user import Queue


def test_each_line_is_answered_in_order(queue: Queue) -> None:
    """The results are the lines of the input, upper-cased; CRLF and a missing end are no part of them."""
    found = queue.run("pipe", "upper", input="one\r\ntwo\n\nthree")
    assert (found.returncode, found.stdout) == (0, "ONE\nTWO\n\nTHREE\n")
    assert "4 in · 4 answered" in found.stderr


def test_known_anomalies_are_found_exactly(queue: Queue) -> None:
    """A worker that keeps state names just the anomalies that are in the log, each in the line that is its own."""
    lines, odd = log(5000)
    found = queue.run("pipe", "detect", "-q", input="\n".join(lines) + "\n")
    said = dict(enumerate(found.stdout.splitlines()))
    assert len(said) == 5000
    assert {number: text for number, text in said.items() if text} == odd


def test_three_instances_that_answer_backwards_and_twice_keep_the_order(queue: Queue) -> None:
    """Line N of the output belongs to line N of the input."""
    lines = [str(number) for number in range(1000)]
    found = queue.run("pipe", "many", "-q", input="\n".join(lines))
    assert found.stdout.splitlines() == lines


def test_unordered_prints_each_once(queue: Queue) -> None:
    """In any order, each result is there once."""
    lines = [str(number) for number in range(1000)]
    found = queue.run("pipe", "many", "-q", "--unordered", input="\n".join(lines))
    assert sorted(found.stdout.splitlines(), key=int) == lines


def test_a_failed_item_leaves_an_empty_line(queue: Queue) -> None:
    """It is told and counted, the lines after it keep their place, and the exit code says so."""
    found = queue.run("pipe", "upper", input="a\nbad\nc\n")
    assert (found.returncode, found.stdout) == (1, "A\n\nC\n")
    assert "item 2: BAD" in found.stderr
    assert "3 in · 2 answered · 1 failed" in found.stderr


def test_a_pipe_takes_nothing_that_is_counted(queue: Queue) -> None:
    """Its own workers would hold what others were given: a handler with `needs` is refused, and nothing is read."""
    config = queue.folder / "config.toml"
    config.write_text("[resources]\ngpu = 1\n" + config.read_text() + "needs = { gpu = 1 }\n")
    name = config.read_text().rpartition("[handlers.")[2].partition("]")[0]
    found = queue.run("pipe", name, input="one\n")
    assert (found.returncode, found.stdout) == (64, "")
    assert f"{name} needs gpu, which a pipe cannot hold" in found.stderr


def test_what_is_no_text_fails_alone(queue: Queue) -> None:
    """Broken UTF-8 is refused as submit refuses it; a NUL is a letter like others."""
    found = queue.run("pipe", "upper", input=b"a\n\xff\nb\0c\n", text=False)
    assert found.stdout == b"A\n\nB\0C\n"
    assert b"item 2: not UTF-8 text (byte 1)" in found.stderr


def test_json_tells_of_each_item(queue: Queue) -> None:
    """With its id, its input and its output or error; blank lines are none, and what is no JSON fails."""
    found = queue.run("pipe", "upper", "--json", input='"a"\n\n"bad"\nx\n')
    told = [json.loads(line) for line in found.stdout.splitlines()]
    assert [(each["id"], each["input"]) for each in told] == [(1, "a"), (2, "bad"), (3, "x")]
    assert [each["output"] or each["error"] for each in told] == ["A", "BAD", "not a JSON value"]
    assert all(each["times"]["out"] >= each["times"]["in"] for each in told)


def test_null_ends_items_and_results(queue: Queue) -> None:
    """Then an item may have several lines."""
    found = queue.run("pipe", "upper", "--null", "-q", input="a\nb\0c\0")
    assert found.stdout == "A\nB\0C\0"


def test_a_text_of_several_lines_stays_one_line(queue: Queue) -> None:
    """It is printed as JSON."""
    found = queue.run("pipe", "upper", "--json", "-q", input='"a\\nb"\n')
    assert json.loads(found.stdout)["output"] == "A\nB"


def test_a_worker_that_never_answers_fails_its_item_alone(queue: Queue) -> None:
    """By its timeout; the next item is answered by another."""
    found = queue.run("pipe", "silent", input="a\nhang\nb\n")
    assert (found.returncode, found.stdout) == (1, "A\n\nB\n")


def test_a_line_over_the_limit_is_refused_and_the_next_is_right(queue: Queue, tmp_path: Path) -> None:
    """64 MiB and a byte; memory does not hold it."""
    big = tmp_path / "big"
    with big.open("wb") as file:
        file.write(b"a\n")
        for _ in range(65):
            file.write(b"x" * (1 << 20))
        file.write(b"\nb\n")
    found = queue.run("pipe", "upper", str(big))
    assert (found.returncode, found.stdout) == (1, "A\n\nB\n")
    assert "item 2: longer than 67,108,864 bytes" in found.stderr


def test_a_reader_that_goes_away_ends_it_quietly(queue: Queue) -> None:
    """As `| head` does: 141, and what was read and had no answer became jobs, so that all adds up."""
    with queue.start("pipe", "slow") as process:
        pass  # ended by the context: started without input it ends by itself
    read, write = os.pipe()
    lines = "\n".join(map(str, range(200))) + "\n"
    child = subprocess.Popen(
        [*process.args, "-q"],  # type: ignore[misc]
        env=queue.environment,
        stdin=subprocess.PIPE,
        stdout=write,
        stderr=subprocess.PIPE,
    )
    os.close(write)
    os.close(read)
    _, told = child.communicate(lines.encode(), timeout=30)
    ((taken, answered, shed),) = queue.rows("SELECT taken, answered, shed FROM pipe ORDER BY id DESC LIMIT 1")
    assert (child.returncode, told) == (141, b"")
    assert taken == answered + shed
    assert shed == queue.rows("SELECT count(*) FROM job")[0][0] > 0


def test_ack_tells_what_survives_a_power_cut(queue: Queue) -> None:
    """Items and bytes, on a descriptor of the caller's."""
    read, write = os.pipe()
    found = queue.run("pipe", "upper", "-q", "--ack", str(write), input="one\ntwo\n", pass_fds=[write])
    os.close(write)
    with open(read) as acknowledged:
        assert acknowledged.read().splitlines()[-1] == "2 8"
    assert found.returncode == 0


def test_what_cannot_go_together_is_said(queue: Queue) -> None:
    """Each in a sentence, with 64."""
    for line in ("--key k", "--follow", "--json --null", "--shed oldest", "f f", "--volatile --key k f", "--ack 77"):
        found = queue.run("pipe", "upper", *line.split())
        assert found.returncode == 64, line
        assert found.stderr.count("\n") == 1, line


def test_commands_are_no_items(queue: Queue) -> None:
    """A pipe to the shell is refused with what to type."""
    found = queue.run("pipe", "shell", input="ls\n")
    assert found.returncode == 64
    assert "submit --lines" in found.stderr
