"""Standard input of `submit -- CMD`: it is the command's where it was meant for it; else it stays, and that is told."""

import os
import subprocess
import time
from pathlib import Path

import pytest

from tests.support.building import HYBRIDQ
from tests.support.user import Queue


@pytest.fixture
def queue(tmp_path: Path) -> Queue:
    return Queue(tmp_path)


def shell(queue: Queue, script: str) -> "subprocess.CompletedProcess[bytes]":
    """A line of the shell in which `hq` is hybridq."""
    python, *words = HYBRIDQ
    hq = f'hq() {{ {python} {words[0]} "{words[1]}" "$@"; }}; '
    return subprocess.run(
        ["/bin/bash", "-c", hq + script],
        env=queue.environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    "data", [b"some data\n", b"\xff\0\x01" * 1000, "ü\n".encode() * 50_000], ids=["text", "bytes", "long"]
)
@pytest.mark.parametrize("how", [("--", "cat"), ("--shell", "cat"), ("shell", "cat")], ids=" ".join)
def test_what_is_piped_in_reaches_the_command(queue: Queue, data: bytes, how: tuple[str, ...]) -> None:
    """`data | hybridq submit -- CMD`: the command gets these bytes and their end."""
    done = queue.run("submit", "--follow", *how, input=data, text=False)
    assert (done.returncode, done.stdout) == (0, data)


def test_file_that_is_given_reaches_the_command(queue: Queue, tmp_path: Path) -> None:
    """`hybridq submit -- CMD < FILE` gives the file's content, which is not read again when it runs."""
    (tmp_path / "in").write_bytes(b"from a file\n")
    with (tmp_path / "in").open("rb") as file:
        queue.run("submit", "--detach", "--mode", "batch", "--", "cat", stdin=file)
    (tmp_path / "in").unlink()
    assert queue.run("drain", "--quiet").returncode == 0
    assert queue.run("output", "1").stdout == "from a file\n"


def test_each_try_gets_it_whole(queue: Queue) -> None:
    """A job that is tried again gets its standard input again from the beginning."""
    once = 'read -r line; echo "$line"; [ "$HYBRIDQ_ATTEMPT" = 2 ]'
    done = queue.run("submit", "--follow", "--retries", "1", "--", "sh", "-c", once, input="first\nsecond\n")
    assert (done.returncode, done.stdout) == (0, "first\nfirst\n")
    assert queue.run("output", "1").stdout == "first\n"


@pytest.mark.parametrize("feed", ["done < lines", "done < <(cat lines)"], ids=["file", "pipe"])
def test_lines_of_a_loop_are_left_to_it(queue: Queue, tmp_path: Path, feed: str) -> None:
    """A loop that reads lines and submits a job for each gets each of its lines, and is told why they are no input."""
    (tmp_path / "lines").write_text("1\n2\n3\n")
    script = f'cd {tmp_path}; while read -r x; do echo "line $x"; hq submit --detach -- cat; {feed}'
    done = shell(queue, script.replace("hq submit", f"'{HYBRIDQ[0]}' -c '{HYBRIDQ[2]}' submit"))
    assert [line for line in done.stdout.decode().splitlines() if "line" in line] == ["line 1", "line 2", "line 3"]
    assert done.stderr.count(b"--stdin passes it") == 2


def test_pipe_in_which_nothing_comes_holds_up_nobody(queue: Queue) -> None:
    """With an open pipe for standard input that never ends, a submit is accepted all the same."""
    read, write = os.pipe()
    try:
        done = queue.run("submit", "--detach", "--", "true", stdin=read)
    finally:
        os.close(read)
        os.close(write)
    assert (done.returncode, done.stdout) == (0, "1\n")


def test_pipe_that_begins_and_does_not_end_is_refused(queue: Queue, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half an input is none: what does not go on is refused with the two ways to go on, and nothing is submitted."""
    from hybridq.errors import UsageError
    from hybridq_cli.submitting import piped

    monkeypatch.setattr(piped, "NEXT", 0.05)
    read, write = os.pipe()
    before = os.dup(0)
    try:
        os.write(write, b"half")
        os.dup2(read, 0)
        with pytest.raises(UsageError, match="To ignore it: --no-stdin"):
            piped.Piped(None)
    finally:
        os.dup2(before, 0)
        for each in (read, write, before):
            os.close(each)


def test_input_without_an_end_is_refused(queue: Queue) -> None:
    """What is larger than an input may be is refused with 65 and a way out, in bounded memory."""
    with Path("/dev/zero").open("rb") as zero:
        done = queue.run("submit", "--stdin", "--", "true", stdin=zero)
    assert (done.returncode, queue.rows("SELECT 1 FROM job")) == (65, [])
    assert "33,554,432 bytes" in done.stderr


def test_without_stdin_nothing_is_read_or_said(queue: Queue) -> None:
    """--no-stdin: the command's standard input is empty."""
    done = queue.run("submit", "--no-stdin", "--follow", "--", "cat", input="data")
    assert (done.returncode, done.stdout) == (0, "")
    assert "input" not in done.stderr


def test_command_with_much_input_is_shown_as_typed(queue: Queue) -> None:
    """Lists show the command, not what it reads."""
    queue.run("submit", "--detach", "--", "wc", "-c", input="x" * 100_000)
    assert "shell wc -c\t" in queue.run("status").stdout


def test_command_that_reads_none_of_it_leaves_its_children(queue: Queue) -> None:
    """A command with an input may leave a process behind, as one without may."""
    done = queue.run("submit", "--follow", "--", "sh", "-c", "sleep 60 >/dev/null 2>&1 & echo $!", input="data")
    child = int(done.stdout)
    os.kill(child, 0)
    os.kill(child, 9)
    deadline = time.monotonic() + 10
    while Path(f"/proc/{child}").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
