"""`submit` of many jobs at once: files, lines, JSON Lines; all of them or none, unless told to skip."""

import json
import os
import signal
import time
from pathlib import Path

import pytest

from tests.support.building import night
from tests.support.user import ECHO, Queue, count, ended, inputs, until

LINES = [
    '{"input": "fine"}',
    '{"input": ',
    '{"inptu": 1}',
    '{"input": 1, "priority": "x"}',
    '{"input": 1, "retries": -1}',
    '{"input": ' + "[" * 100_000,
    '{"input": 1, "group": "' + "x" * 1_000_000 + '"}',
    '{"input": "fine too"}',
]


@pytest.fixture
def queue(tmp_path: Path) -> Queue:
    return Queue(tmp_path, ECHO)


def test_each_file_is_a_job_by_its_absolute_path(queue: Queue, tmp_path: Path) -> None:
    """`--each` submits one job a file; a worker in another folder finds it, UTF-8 name or not."""
    strange = os.fsdecode(b"\xff.txt")
    for name in ("a.txt", strange):
        (tmp_path / name).touch()
    done = queue.run("submit", "echo", "--each", "a.txt", strange, cwd=tmp_path)
    assert done.stdout == "echo-1\n"
    assert inputs(queue) == [str(tmp_path / "a.txt"), str(tmp_path / strange)]


def test_each_line_is_a_job(queue: Queue, tmp_path: Path) -> None:
    """`--lines` submits every line as it is, without its line end, an empty one too."""
    (tmp_path / "lines").write_bytes('one\r\n\n"three"\nföur'.encode())
    assert queue.run("submit", "echo", "--lines", str(tmp_path / "lines"), "--group", "four").stdout == "four\n"
    assert inputs(queue) == ["one", "", '"three"', "föur"]


def test_lines_that_are_alike_share_a_decision_that_makes_each_deadline(tmp_path: Path) -> None:
    """Of many lines, each with its own deadline, few are planned; what is held is held for its own deadline."""
    known = 'expected = "20ms"\nfixed = "1s"\n'
    queue = Queue(tmp_path, ECHO + known + night(time.time(), 7200.0))
    spans = [3600 + 86 * n for n in range(500)]
    (tmp_path / "jobs").write_text("\n".join(f'{{"input": 1, "deadline": "{span}s"}}' for span in spans))
    assert queue.run("submit", "echo", "--jsonl", str(tmp_path / "jobs")).returncode == 0
    found = queue.rows("SELECT decision, due FROM cohort WHERE lane = 'batch'")
    assert len(found) > 400
    assert len({decision for decision, _ in found}) < 250
    for text, due in found:
        assert all(each["finish90"] <= due for each in json.loads(text)["considered"])


def test_json_lines_bring_their_own_options(queue: Queue, tmp_path: Path) -> None:
    """A JSON line's options win over the command line's; lines with the same ones share a cohort."""
    lines = ['{"input": "a"}', '{"input": [1, {"b": 2}], "priority": 5}', '{"input": null, "priority": 5}']
    (tmp_path / "jobs").write_text("\n".join(lines))
    queue.run("submit", "echo", "--jsonl", str(tmp_path / "jobs"), "--priority", "1")
    assert inputs(queue) == ["a", [1, {"b": 2}], None]
    assert queue.rows("SELECT jobs, -rank FROM cohort ORDER BY id") == [(1, 1), (2, 5)]


def test_a_command_a_line(queue: Queue, tmp_path: Path) -> None:
    """For `shell`, a line is split into words as a shell would, and no shell runs."""
    (tmp_path / "lines").write_text("echo 'a b' $HOME\n")
    queue.run("submit", "shell", "--lines", str(tmp_path / "lines"))
    assert inputs(queue) == [{"argv": ["echo", "a b", "$HOME"]}]


def test_many_are_all_or_nothing(queue: Queue, tmp_path: Path) -> None:
    """One bad line refuses the whole submission, and the sentence says which line."""
    (tmp_path / "jobs").write_text("\n".join(LINES))
    done = queue.run("submit", "echo", "--jsonl", str(tmp_path / "jobs"))
    assert done.returncode == 65
    assert done.stderr.startswith("hybridq: line 2: ")
    assert len(done.stderr) < 1000
    assert count(queue) == 0


def test_skip_bad_counts_and_lists(queue: Queue, tmp_path: Path) -> None:
    """`--skip-bad` submits the good lines, and counts and lists what it left out."""
    (tmp_path / "jobs").write_text("\n".join(LINES))
    done = queue.run("submit", "echo", "--jsonl", str(tmp_path / "jobs"), "--skip-bad")
    assert done.returncode == 0
    assert inputs(queue) == ["fine", "fine too"]
    assert "6 left out:" in done.stderr
    assert [f"line {number}: " in done.stderr for number in range(1, 9)] == [False, *[True] * 6, False]


def test_skip_bad_lists_the_first_twenty(queue: Queue, tmp_path: Path) -> None:
    """Of many bad lines the first twenty are listed, the rest are counted."""
    (tmp_path / "lines").write_bytes(b"\xff\n" * 30 + b"good\n")
    done = queue.run("submit", "echo", "--lines", str(tmp_path / "lines"), "--skip-bad")
    assert done.stderr.count("not UTF-8 text") == 20
    assert "and 10 more" in done.stderr
    assert inputs(queue) == ["good"]


def test_a_key_that_stands_for_something_else_is_skipped(queue: Queue, tmp_path: Path) -> None:
    """A key's conflict is bad input like any other: refused, or left out with `--skip-bad`."""
    queue.run("submit", "echo", "a", "--key", "k")
    (tmp_path / "jobs").write_text('{"input": "b", "key": "k"}\n{"input": "c", "key": "l"}\n')
    args = ("submit", "echo", "--jsonl", str(tmp_path / "jobs"))
    assert queue.run(*args).returncode == 65
    skipped = queue.run(*args, "--skip-bad")
    assert (skipped.returncode, inputs(queue)) == (0, ["a", "c"])
    assert "already belongs to job 1" in skipped.stderr


def test_many_lines_show_a_bar(queue: Queue, tmp_path: Path) -> None:
    """On a terminal the bar counts while lines come in, and goes away at the end."""
    os.mkfifo(tmp_path / "lines")
    fifo = str(tmp_path / "lines")
    with queue.terminal("submit", "echo", "--lines", fifo) as screen, open(fifo, "w") as lines:
        lines.write("line\n" * 50_000)
        lines.flush()
        screen.expect(r"submitting to echo.*\d+,000")
        lines.close()
        screen.expect_exact("echo-1")
        assert ended(screen) == 0
    assert count(queue) == 50_000


def test_an_interrupted_submission_leaves_nothing(queue: Queue, tmp_path: Path) -> None:
    """Control-C in the middle of many lines takes all of them back."""
    os.mkfifo(tmp_path / "lines")
    fifo = str(tmp_path / "lines")
    with queue.start("submit", "echo", "--lines", fifo) as process, open(fifo, "w") as lines:
        lines.write("line\n" * 50_000)
        lines.flush()
        until(lambda: count(queue) > 0)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err) == (130, "", "hybridq: nothing was submitted\n")
    assert count(queue) == 0


def test_what_is_held_unknown_says_how_to_have_it_now(tmp_path: Path) -> None:
    """Of a handler of which nothing is known, a group that is held says on a terminal how to run it at once."""
    queue = Queue(tmp_path, night(time.time(), 3600) + ECHO)
    (tmp_path / "lines").write_text("a\nb\n")
    with queue.daemon():
        with queue.terminal("submit", "echo", "--lines", str(tmp_path / "lines"), "--group", "g") as screen:
            screen.expect_exact("to run them now: hybridq drain --group g. Next time, say that you wait: --wait")
            assert ended(screen) == 0
        with queue.terminal("submit", "--detach", "echo", "alone") as screen:
            screen.expect_exact("to run all 3 held jobs of echo now: hybridq drain --handler echo")
            assert ended(screen) == 0
            assert "--wait" not in (screen.before or "")
        assert queue.run("drain", "--group", "g", "--quiet").returncode == 0
