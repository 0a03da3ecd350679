"""Inputs of a submission that nobody writes on purpose: half characters, blank lines, marks, names that are no text."""

import os
import signal
import subprocess
from pathlib import Path

import pytest

from hybridq.job import State
from tests.support.user import HYBRIDQ, Queue, until

ECHO = '[handlers.echo]\ncommand = ["cat"]\nprotocol = "lines"\n'


@pytest.fixture
def queue(tmp_path: Path) -> Queue:
    return Queue(tmp_path, ECHO)


def jobs(queue: Queue) -> int:
    """How many jobs there are, accepted or not."""
    return int(queue.rows("SELECT count(*) FROM job")[0][0])


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (r'{"input": "\ud800"}', r"byte 12 is \ud800, half of a character"),
        (r'{"input": "\ud83d\ude00 \ud800x"}', r"byte 25 is \ud800, half of a character"),
        (r'{"input": "\udc00"}', r"byte 12 is \udc00, half of a character"),
        ('{"input": "a"', "incomplete JSON: it ends in the middle"),
        ('{"input": 1, "priority": "x"}', "expected a whole number, got a text for 'priority'"),
    ],
)
def test_a_bad_line_says_what_is_wrong_with_it(queue: Queue, line: str, says: str) -> None:
    """The line's number, and what its writer has to change; nothing of the submission is kept."""
    done = queue.run("submit", "echo", "--jsonl", "-", input=f'{{"input": 1}}\n{line}\n')
    assert (done.returncode, done.stdout, jobs(queue)) == (65, "", 0)
    assert f"line 2: {says}" in done.stderr


def test_a_whole_pair_is_a_character(queue: Queue) -> None:
    """Both halves of a character, written as escapes, are it."""
    assert queue.run("submit", "echo", "--jsonl", "-", input='{"input": "\\ud83d\\ude00"}\n').returncode == 0
    queue.run("drain")
    assert queue.run("output", "1").stdout == "😀\n"


def test_blank_lines_and_a_mark_of_the_encoding_are_no_input(queue: Queue) -> None:
    """What editors and Windows leave in a file is not taken for a job, nor for a part of one."""
    done = queue.run("submit", "echo", "--jsonl", "-", input='\ufeff{"input": "a"}\r\n\r\n{"input": "b"}\r\n\n')
    lines = queue.run("submit", "echo", "--lines", "-", input="\ufeffc\r\n")
    assert (done.returncode, lines.returncode, jobs(queue)) == (0, 0, 3)
    queue.run("drain")
    assert [queue.run("output", str(number)).stdout for number in (1, 2, 3)] == ["a\n", "b\n", "c\n"]


def test_a_command_whose_name_is_no_text_fails_alone(queue: Queue) -> None:
    """A runner that cannot start such a command fails that job with its reason, and runs the others."""
    odd = os.fsdecode(b"/no\xff\xfe")
    for command in (odd, "true"):
        queue.run("submit", "--mode", "batch", "--", command)
    drained = queue.run("drain")
    assert (drained.returncode, queue.state(1), queue.state(2)) == (1, State.FAILED, State.DONE)
    assert "no such command: /no\\udcff\\udcfe" in queue.run("show", "1").stdout


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["", "x"], 64, "the handler name is empty"),
        (["--shell", " "], 64, "--shell needs a command"),
        (["echo", "x", "--key", os.fsdecode(b"\xff")], 64, "is not UTF-8"),
        (["echo", "--lines", "/proc/self/mem"], 65, "cannot read '/proc/self/mem'"),
        (["echo", "--each", "/none", "--skip-bad"], 65, "every input was bad"),
    ],
)
def test_what_makes_no_job_is_refused(queue: Queue, words: list[str], code: int, says: str) -> None:
    """A sentence that says what to change, the right code, and no job."""
    done = queue.run("submit", *words)
    assert (done.returncode, done.stdout, jobs(queue)) == (code, "", 0)
    assert says in done.stderr


def test_a_submission_without_anything_new_is_json_too(queue: Queue) -> None:
    """With --json a program always reads one object."""
    for count in (1, 0):
        done = queue.run("submit", "echo", "--jsonl", "-", "--json", input='{"input": 1, "key": "k"}\n')
        assert (done.returncode, done.stdout[0], f'"jobs":{count}' in done.stdout) == (0, "{", True)


def test_a_submission_that_is_left_leaves_nothing(queue: Queue) -> None:
    """Control-C while lines are still read: none of them is accepted."""
    pipe = endless(queue)
    with queue.start("submit", "echo", "--lines", str(pipe)) as submitting:
        until(lambda: str(pipe) in opened(submitting.pid))
        submitting.send_signal(signal.SIGINT)
        out, said = submitting.communicate(timeout=30)
    assert (submitting.returncode, out, said) == (130, "", "hybridq: nothing was submitted\n")
    assert queue.run("status", "--all").stdout.count("\n") == 1


def opened(pid: int) -> set[str]:
    """The files that a process has open."""
    return {os.readlink(file) for file in Path(f"/proc/{pid}/fd").iterdir() if file.is_symlink()}


def endless(queue: Queue) -> Path:
    """A pipe that somebody keeps open, so that its end never comes."""
    pipe = queue.folder / "pipe"
    os.mkfifo(pipe)
    os.open(pipe, os.O_RDWR)
    return pipe


def test_a_key_that_comes_twice_in_one_submission(queue: Queue) -> None:
    """The same key with the same input is one job, here as anywhere; with another input it is refused by its name."""
    same, other = '{"input": 1, "key": "k"}\n', '{"input": 2, "key": "k"}\n'
    refused = queue.run("submit", "echo", "--jsonl", "-", input=same + other)
    assert (refused.returncode, jobs(queue)) == (65, 0)
    assert "the key 'k' is given twice, for different inputs" in refused.stderr
    assert queue.run("submit", "echo", "--jsonl", "-", input=same + same).returncode == 0
    assert jobs(queue) == 1


def test_a_mode_that_is_not_offered_is_a_bad_line(queue: Queue) -> None:
    """It is named by its line, and --skip-bad leaves it out."""
    text = '{"input": 1}\n{"input": 2, "mode": "adaptive"}\n'
    refused = queue.run("submit", "echo", "--jsonl", "-", input=text)
    assert (refused.returncode, "line 2: echo cannot run in mode adaptive" in refused.stderr) == (65, True)
    assert queue.run("submit", "echo", "--jsonl", "-", "--skip-bad", input=text).returncode == 0
    assert jobs(queue) == 1


def test_a_full_standard_error_changes_no_exit_code(queue: Queue) -> None:
    """What can only be told there is lost, but the job is run and its code is kept."""
    with open("/dev/full", "w") as full:
        command = [*HYBRIDQ, "submit", "--wait", "--mode", "stream", "--", "sh", "-c", "exit 9"]
        done = subprocess.run(command, env=queue.environment, stderr=full, timeout=60, check=False)
    assert done.returncode == 9
