"""The end of a pipe, gentle or not: what it accepted was answered, or is a job."""

import os
import signal
import subprocess
import time
from pathlib import Path

from tests.support.building import HYBRIDQ, until
from tests.support.user import Queue, inputs


def started(queue: Queue, *args: str) -> "subprocess.Popen[bytes]":
    """A pipe that goes on, fed and read by the test."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "bufsize": 0}
    return subprocess.Popen([*HYBRIDQ, "pipe", *args], env=queue.environment, **pipes)  # type: ignore[call-overload, no-any-return]


def fed(queue: Queue, *args: str, count: int = 300) -> "tuple[subprocess.Popen[bytes], list[str]]":
    """A pipe that was given so many lines, and has begun to answer; the lines."""
    process, lines = started(queue, *args), [f"a{number}" for number in range(count)]
    assert process.stdin is not None
    process.stdin.write("".join(f"{line}\n" for line in lines).encode())
    process.stdin.flush()
    return process, lines


def first(queue: Queue, process: "subprocess.Popen[bytes]") -> bytes:
    """The first line of its results, once it is there and known to be; no byte more is read."""
    assert process.stdout is not None
    line = process.stdout.readline()
    until(lambda: any(int.from_bytes(mark.read_bytes(), "little") for mark in (queue.folder / "pipes").glob("*.done")))
    return line


def once(answered: list[str], jobs: list[str], lines: list[str]) -> None:
    """No line is lost, and none is both an answer and a job but what was being written when it was killed."""
    twice = set(answered) & set(jobs)
    assert sorted({*answered, *jobs}) == sorted(lines)
    assert len(answered) + len(jobs) - len(twice) == len(lines)
    assert twice == set(answered[len(answered) - len(twice) :])


def answers(process: "subprocess.Popen[bytes]", before: bytes) -> list[str]:
    """What was answered, from its first line on."""
    out, _ = process.communicate(timeout=30)
    return [line.lower() for line in (before + out).decode().splitlines() if line]


def test_kill_loses_nothing_that_was_accepted(queue: Queue) -> None:
    """SIGKILL: the next drain finds the journal; what had no answer is a job, and nothing is both."""
    process, lines = fed(queue, "slow")
    begun = first(queue, process)
    process.kill()
    answered = answers(process, begun)
    assert queue.run("drain", "--quiet").returncode == 0
    jobs = [str(each) for each in inputs(queue)]
    assert sorted(answered + jobs) == sorted(lines)
    assert queue.rows("SELECT taken, answered, shed, ended > 0 FROM pipe") == [(300, len(answered), len(jobs), 1)]
    assert not list((queue.folder / "pipes").iterdir())


def test_kill_in_the_midst_of_a_burst_loses_nothing(queue: Queue) -> None:
    """Nor of what was shed and handed in, or not yet."""
    process, lines = fed(queue, "burst", "--within", "50ms", count=5000)
    until(lambda: inputs(queue))
    process.kill()
    answered = answers(process, b"")
    queue.run("pipe", "upper", input="")  # whoever looks next
    once(answered, [str(each) for each in inputs(queue)], lines)


def test_kill_of_one_that_answers_in_any_order_loses_nothing(queue: Queue) -> None:
    """What went out is known item by item."""
    process, lines = fed(queue, "many", "--unordered", count=3000)
    assert process.stdout is not None
    begun = process.stdout.readline()
    process.kill()
    answered = answers(process, begun)
    queue.run("pipe", "upper", input="")
    once(answered, [str(each) for each in inputs(queue)], lines)


def test_a_daemon_finds_what_a_dead_pipe_left(queue: Queue) -> None:
    """Beside it, within seconds, and runs it."""
    with queue.daemon():
        process, lines = fed(queue, "slow", "--group", "g")
        begun = first(queue, process)
        process.kill()
        answered = answers(process, begun)
        until(lambda: inputs(queue))
        assert len(answered) + len(inputs(queue)) == len(lines)


def test_by_its_key_it_goes_on_where_it_stopped(queue: Queue, tmp_path: Path) -> None:
    """Killed or not: each line of a file that grows is accepted once."""
    file = tmp_path / "log"
    file.write_text("".join(f"a{number}\n" for number in range(300)))
    process = started(queue, "slow", str(file), "--key", "k")
    begun = first(queue, process)
    process.kill()
    answered = answers(process, begun)
    with file.open("a") as more:
        more.write("b0\nb1\n")
    again = queue.run("pipe", "upper", str(file), "--key", "k")
    answered += again.stdout.lower().split()
    assert queue.run("pipe", "upper", str(file), "--key", "k").stdout == ""
    assert sorted(answered + [str(each) for each in inputs(queue)]) == sorted(file.read_text().split())


def test_two_of_one_key_are_refused(queue: Queue, tmp_path: Path) -> None:
    """One at a time."""
    file = tmp_path / "log"
    file.write_text("a\n")
    with queue.start("pipe", "upper", "--follow", "--key", "k", str(file)) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "A\n"
        second = queue.run("pipe", "upper", "--key", "k", str(file))
        assert (second.returncode, second.stdout) == (69, "")


def test_control_c_ends_it_gently(queue: Queue) -> None:
    """130: what was read is answered, and the end is told."""
    process, _ = fed(queue, "burst", count=100)
    begun = first(queue, process)
    process.send_signal(signal.SIGINT)
    out, told = process.communicate(timeout=30)
    assert process.returncode == 130
    assert len((begun + out).splitlines()) == 100
    assert b"stopping" in told
    assert b"100 in \xc2\xb7 100 answered" in told


def test_a_second_control_c_hands_in_the_rest(queue: Queue) -> None:
    """At once: what had no answer is jobs."""
    process, lines = fed(queue, "slow", count=400)
    begun = first(queue, process)
    process.send_signal(signal.SIGINT)
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    answered = answers(process, begun)
    assert process.returncode == 130
    assert sorted(answered + [str(each) for each in inputs(queue)]) == sorted(lines)
    assert len(inputs(queue)) > 100


def test_a_reader_that_is_slow_stops_the_writer(queue: Queue) -> None:
    """Memory is bounded: of a hundred megabytes that nobody reads most is never read."""
    process = started(queue, "upper", "-q")
    assert process.stdin is not None
    os.set_blocking(process.stdin.fileno(), False)
    line, written, until_ = b"x" * 99_999 + b"\n", 0, time.monotonic() + 5
    while time.monotonic() < until_ and written < 100_000_000:
        try:
            written += os.write(process.stdin.fileno(), line) or 0
        except BlockingIOError:
            time.sleep(0.05)
    process.kill()
    process.communicate(timeout=30)
    assert written < 60_000_000


def test_answers_behind_one_that_never_comes_go_out_at_the_end(queue: Queue) -> None:
    """Two instances: what one has answered waits in order for the other, which hangs. Stopped, each line has its place,
    and the one without an answer is a job."""
    (queue.folder / "hang.py").write_text(HANGS)
    (queue.folder / "config.toml").write_text(
        '[runner]\nstop_grace = "1s"\n[handlers.hang]\ncommand = "python3 hang.py"\ninstances = 2\n'
    )
    process = started(queue, "hang")
    assert process.stdin is not None
    process.stdin.write(b"hang\n")
    until((queue.folder / "hangs").exists)
    process.stdin.write(b"".join(b"%d\n" % number for number in range(20)))
    until((queue.folder / "19").exists)
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert out.decode().splitlines() == ["", *map(str, range(20))]
    assert b"21 in \xc2\xb7 20 answered \xc2\xb7 1 shed" in err
    assert inputs(queue) == ["hang"]


HANGS = """
import json, pathlib, sys, time
for line in sys.stdin:
    calls = json.loads(line)
    for call in calls if isinstance(calls, list) else [calls]:
        if call["input"] == "hang":
            pathlib.Path("hangs").touch()
            time.sleep(60)
        print(json.dumps({"id": call["id"], "output": call["input"]}), flush=True)
        pathlib.Path(call["input"]).touch()
"""
