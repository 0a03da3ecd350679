"""`output`, `follow`, `wait`: what a user gets of jobs that run, that ended, and that did neither."""

import signal
import sys
from pathlib import Path

import pytest

from hybridq.job import State
from hybridq.queue.runner import Runner
from tests.support.user import Queue, ended, until

WORKERS = f"""
[policy]
background_delay_cost = 1e6
user_delay_cost = 1e6
load_weight = 0
[handlers.echo]
command = ["{sys.executable}", "-u", "-c", '''
import json, sys
for line in sys.stdin:
    calls = json.loads(line)
    for call in calls if isinstance(calls, list) else [calls]:
        kind = "error" if call["input"] == "bad" else "output"
        print(json.dumps({{"id": call["id"], kind: call["input"]}}))
''']
draft = "upper"
[handlers.upper]
command = ["tr", "a-z", "A-Z"]
protocol = "lines"
"""


@pytest.fixture
def queue(tmp_path: Path) -> Queue:
    return Queue(tmp_path, WORKERS)


def gated(tmp_path: Path, script: str) -> tuple[str, ...]:
    """A command that says `up`, waits until the file `go` is there, then does this."""
    return ("sh", "-c", f"echo up; until test -e {tmp_path}/go; do sleep 0.01; done; {script}")


def test_a_commands_bytes_are_its_own(queue: Queue) -> None:
    """To a pipe a command's outputs go as they are, each apart."""
    queue.run("submit", "--wait", "--", "sh", "-c", "printf '\\377\\033[1m'; printf err >&2; exit 3")
    assert queue.run("output", "1", text=False).stdout == b"\xff\x1b[1m"
    assert queue.run("output", "1", "--stderr").stdout == "err"


def test_a_text_prints_as_text(queue: Queue) -> None:
    """A worker's text is printed as text, any other value as JSON; a group's in the order of its jobs."""
    queue.run("submit", "echo", "--group", "g", "--jsonl", "-", input='{"input": "a\\nb"}\n{"input": {"c": [1]}}\n')
    queue.run("drain")
    assert queue.run("output", "g").stdout == 'a\nb\n{"c": [1]}\n'


def test_output_goes_to_a_file(queue: Queue, tmp_path: Path) -> None:
    """`-o FILE` writes the bytes there and prints nothing."""
    queue.run("submit", "--wait", "--", "printf", "\\377")
    done = queue.run("output", "1", "-o", str(tmp_path / "out"))
    assert (done.stdout, (tmp_path / "out").read_bytes()) == ("", b"\xff")


def test_a_terminal_sees_no_escapes(queue: Queue) -> None:
    """On a terminal output is made visible; `--raw` is how to ask for the bytes."""
    queue.run("submit", "--wait", "--", "printf", "\\033]0;title\\007f\\303\\266\\377")
    with queue.terminal("output", "1") as screen:
        screen.expect_exact("\\x1b]0;title\\x07fö\\xff")
        assert ended(screen) == 0
    with queue.terminal("output", "1", "--raw", codec_errors="replace") as screen:
        screen.expect_exact("\x1b]0;title\x07")
        assert ended(screen) == 0


def test_no_output_has_a_reason(queue: Queue) -> None:
    """What has no output says why: not yet (75), failed with its reason, no draft, no such job (66)."""
    queue.run("submit", "--", "true")
    queue.run("submit", "echo", "bad", "--wait")
    waiting, failed, draft, none = (queue.run("output", *args) for args in (["1"], ["2"], ["1", "--draft"], ["9"]))
    assert [done.returncode for done in (waiting, failed, draft, none)] == [75, 1, 66, 66]
    assert "hybridq follow 1" in waiting.stderr
    assert "failed without output: bad" in failed.stderr


def test_failures_in_a_group_name_the_command_that_shows_them(queue: Queue) -> None:
    """`output` and `follow` of a group with failures say how many, and how to see each with its error; `wait` says of
    one alone which and why."""
    queue.run("submit", "echo", "--group", "g", "--lines", "-", input="good\nbad\n")
    queue.run("drain")
    says = "hybridq status g --state failed"
    assert f"1 of 2 jobs have no output. See why: {says}" in queue.run("output", "g").stderr
    for name, told in (("wait", "job 2 failed: bad"), ("follow", f"1 failed: {says}")):
        done = queue.run(name, "g")
        assert (done.returncode, done.stderr.splitlines()[-1]) == (1, f"hybridq: {told}")
    rows = queue.run(*says.split()[1:]).stdout.splitlines()[1:]
    assert [row.split("\t")[::7] for row in rows] == [["2", "bad"]]


def test_a_follow_says_that_nobody_runs_it(queue: Queue) -> None:
    """Without a runner a follow says so, and leaving it does not promise that the job goes on."""
    queue.run("submit", "--", "true")
    with queue.start("follow") as follower:
        assert follower.stderr is not None
        assert "no daemon runs, so job 1 waits for" in follower.stderr.readline()
        follower.send_signal(signal.SIGINT)
        _, said = follower.communicate(timeout=30)
    start = "Start one: hybridq daemon, or for good: hybridq service install. Come back with: "
    assert said.startswith(f"hybridq: it stays queued, but no daemon runs. {start}")


def test_a_follow_of_what_is_held_says_until_when(queue: Queue) -> None:
    """On a terminal a held job's follow begins with its state and the reason, in the words of `status`."""
    queue.run("submit", "echo", "x", "--mode", "batch")
    runner = Runner(queue.outlook.store, "daemon")
    with queue.terminal("follow") as screen:
        screen.expect_exact("hybridq: job 1: ")
        screen.expect_exact("batch · held · ")
        screen.sendintr()
        screen.expect_exact("it stays held")
        screen.expect_exact("hybridq follow 1")
    runner.close(queue.outlook.store)


def test_a_draft_comes_first(queue: Queue) -> None:
    """Following an adaptive job prints the draft, says that it is one, then the final; both can be printed again."""
    with queue.daemon():
        done = queue.run("submit", "echo", "text", "--mode", "adaptive", "--follow", "--wait-final")
    assert (done.returncode, done.stdout) == (0, "TEXT\ntext\n")
    assert "this is the draft; the final result will come in a batch: hybridq output 1" in done.stderr
    assert queue.run("output", "1", "--draft").stdout == "TEXT\n"
    assert queue.run("output", "1").stdout == "text\n"


def test_follow_shows_the_draft_and_stays_for_the_final_when_asked(queue: Queue) -> None:
    """`follow` ends with the draft and says how the final comes; with `--wait-final` it prints that too."""
    with queue.terminal("submit", "echo", "text", "--mode", "adaptive") as screen:
        assert ended(screen) == 0
    early = queue.run("follow", "1")
    assert (early.returncode, early.stdout) == (0, "TEXT\n")
    assert "the final: " in early.stderr
    assert "hybridq follow 1 --wait-final" in early.stderr
    with queue.daemon():
        late = queue.run("follow", "1", "--wait-final")
    assert late.returncode == 0
    assert late.stdout in ("TEXT\ntext\n", "text\n")  # the latter where the final was there first
    assert queue.run("follow", "1").stdout == "text\n"


def test_on_a_terminal_the_draft_is_enough(queue: Queue) -> None:
    """On a terminal, submit ends with the draft, also when nobody is there to make the final."""
    with queue.terminal("submit", "echo", "text", "--mode", "adaptive") as screen:
        screen.expect_exact("TEXT")
        screen.expect_exact("this is the draft")
        assert ended(screen) == 0
    assert queue.state(1) is State.QUEUED


def test_follow_comes_and_goes(queue: Queue, tmp_path: Path) -> None:
    """Control-C ends a follow and not the job; the next one prints all of it and ends as the job ends."""
    with queue.daemon():
        queue.run("submit", "--audience", "user", "--", *gated(tmp_path, "echo done; exit 5"))
        with queue.start("follow", "1") as first:
            assert first.stdout is not None
            assert first.stdout.readline() == "up\n"
            first.send_signal(signal.SIGINT)
            _, said = first.communicate(timeout=30)
        with queue.start("follow", "1") as second:
            assert second.stdout is not None
            assert second.stdout.readline() == "up\n"
            (tmp_path / "go").touch()
            rest, _ = second.communicate(timeout=30)
    assert (first.returncode, said) == (130, "hybridq: it goes on. Come back with: hybridq follow 1\n")
    assert (second.returncode, rest) == (5, "done\n")


def test_following_a_group_shows_how_far_it_is(queue: Queue) -> None:
    """A group is followed to its end in the words of `status`, and ends with 1 where one was not done."""
    queue.run("submit", "echo", "--group", "g", "--lines", "-", input="good\nbad\n")
    with queue.daemon():
        done = queue.run("follow", "g")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("hybridq: g: batch · ")
    assert "1 failed" in done.stderr


def test_wait_ends_as_the_job_ended(queue: Queue) -> None:
    """Waiting for one job ends with its own exit code, 128 and the signal where one ended it."""
    queue.run("submit", "--wait", "--", "sh", "-c", "exit 9")
    queue.run("submit", "--wait", "--", "sh", "-c", "kill -TERM $$")
    assert [queue.run("wait", number).returncode for number in ("1", "2", "last")] == [9, 143, 143]


def test_wait_for_several(queue: Queue) -> None:
    """Waiting for several ends with 0 if all are done, else 1; what selects nothing is 66."""
    queue.run("submit", "echo", "--group", "g", "--lines", "-", input="good\nbad\ngood\n")
    queue.run("drain")
    assert [queue.run("wait", *words).returncode for words in (["1", "3"], ["g"], ["all"], ["7"])] == [0, 1, 1, 66]


def test_wait_has_a_limit(queue: Queue) -> None:
    """After --timeout it says how many are left, and ends with 75."""
    queue.run("submit", "shell", "--lines", "-", input="true\ntrue\n")
    done = queue.run("wait", "--timeout", "0.1")
    assert done.returncode == 75
    assert "2 of these jobs have not finished yet" in done.stderr


def test_wait_is_woken(queue: Queue, tmp_path: Path) -> None:
    """A wait ends with the last of its jobs; Control-C ends it before, with 130."""
    with queue.daemon():
        queue.run("submit", "--audience", "user", "--", *gated(tmp_path, "exit 0"))
        until(lambda: queue.state(1) is State.RUNNING)
        with queue.start("wait") as stays, queue.start("wait", "1") as leaves:
            until(lambda: len(list((queue.folder / "bells").glob("viewer.*"))) >= 2)
            leaves.send_signal(signal.SIGINT)
            assert leaves.wait(30) == 130
            assert stays.poll() is None
            (tmp_path / "go").touch()
            assert stays.wait(30) == 0


def test_a_time_limit_is_told_whatever_the_exit_code(queue: Queue) -> None:
    """A command that ends itself with a code of its own at its time limit is said to have timed out."""
    script = 'trap "exit 5" TERM; while :; do sleep 0.01; done'
    done = queue.run("submit", "--timeout", "0.3", "--follow", "--", "sh", "-c", script)
    assert (done.returncode, done.stderr.splitlines()[-1]) == (5, "hybridq: job 1 failed: timed out after 0.3s")
    failed = queue.run("output", "1")
    assert (failed.returncode, failed.stdout) == (5, "")


def test_a_group_that_its_submit_runs_streams_to_its_end(queue: Queue) -> None:
    """A submit that follows the many that it runs itself is their runner: it never says that they wait for one."""
    inputs = "sleep 0.02\n" * 20
    done = queue.run("submit", "shell", "--lines", "-", "--group", "g", "--mode", "stream", "--follow", input=inputs)
    told = [line for line in done.stderr.splitlines() if line.startswith("hybridq: g: ")]
    assert len(told) > 3
    assert not [line for line in told[1:-1] if "streaming" not in line]
    assert "waits for a daemon" not in done.stderr


def test_output_ends_as_the_job_did(queue: Queue) -> None:
    """Whatever a job has put out, `output` of it ends with its exit code; with 1 where it was cancelled."""
    queue.run("submit", "--mode", "stream", "--wait", "--", "sh", "-c", "echo some; echo more >&2; exit 3")
    queue.run("submit", "--", "true")
    queue.run("cancel", "2")
    printed, errors, cancelled = (
        queue.run("output", "1"),
        queue.run("output", "1", "--stderr"),
        queue.run("output", "2"),
    )
    assert [(done.returncode, done.stdout) for done in (printed, errors)] == [(3, "some\n"), (3, "more\n")]
    assert (cancelled.returncode, cancelled.stderr) == (1, "hybridq: job 2 was cancelled\n")


def test_what_was_written_before_stays_until_there_is_more(queue: Queue, tmp_path: Path) -> None:
    """`-o FILE` empties no file for a job that has put out nothing yet, and makes an empty one for an empty output."""
    file = tmp_path / "kept"
    file.write_text("earlier")
    queue.run("submit", "--mode", "batch", "--", "true")
    assert queue.run("output", "1", "-o", str(file)).returncode == 75
    assert file.read_text() == "earlier"
    queue.run("drain")
    assert queue.run("output", "1", "-o", str(file)).returncode == 0
    assert file.read_text() == ""
