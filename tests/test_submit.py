"""`submit` as its user types it: what is accepted, what is refused, and what is shown meanwhile."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from hybridq.job import Mode, State
from hybridq.queue.reading import cohort, job
from hybridq_cli.errors import run_guarded
from hybridq_cli.lazy import call
from tests.user import Queue, ended, until

ECHO = f"""
[handlers.echo]
command = ["{sys.executable}", "-u", "-c", '''
import json, sys
for line in sys.stdin:
    calls = json.loads(line)
    for call in calls if isinstance(calls, list) else [calls]:
        print(json.dumps({{"id": call["id"], "output": call["input"]}}))
''']
retries = 2
timeout = 60
"""
TALKER = f"""
[handlers.talker]
command = ["{sys.executable}", "-u", "-c", '''
import json, sys
for line in sys.stdin:
    call = json.loads(line)
    print(json.dumps({{"id": call["id"], "partial": "one\\n"}}))
    print(json.dumps({{"id": call["id"], "partial": "\\u001b[31mtwo"}}))
    print(json.dumps({{"id": call["id"], "output": "one\\n\\u001b[31mtwo"}}))
''']
"""


def inputs(queue: Queue) -> list[object]:
    """What every job in the queue would be given, in order."""
    return [json.loads(data) for (data,) in queue.rows("SELECT input FROM job ORDER BY id")]


def request(queue: Queue, number: int = 1) -> object:
    """What was asked for a job."""
    return cohort(queue.outlook.store, job(queue.outlook.store, number).cohort).request


def count(queue: Queue) -> int:
    """How many jobs the file holds, accepted or not."""
    return int(queue.rows("SELECT count(*) FROM job")[0][0])


@pytest.fixture
def queue(tmp_path: Path) -> Queue:
    return Queue(tmp_path, ECHO)


def test_a_command_prints_its_id_alone(queue: Queue) -> None:
    """Without a terminal, standard output holds the id of the accepted job and nothing else."""
    done = queue.run("submit", "--", "echo", "--shell", "a b", "*")
    assert (done.returncode, done.stdout) == (0, "1\n")
    assert inputs(queue) == [{"argv": ["echo", "--shell", "a b", "*"]}]


def test_without_a_daemon_it_says_so(queue: Queue) -> None:
    """With no daemon running, one line on standard error says what the job waits for."""
    said = queue.run("submit", "--mode", "batch", "--", "true").stderr
    assert said.startswith("hybridq: no daemon runs, so it waits for hybridq daemon or hybridq drain, planned for ")
    assert said.count("\n") == 1


def test_shell_takes_one_string(queue: Queue) -> None:
    """`--shell` keeps the string for /bin/sh as it is."""
    queue.run("submit", "--shell", "echo $HOME | wc")
    assert inputs(queue) == [{"shell": "echo $HOME | wc"}]


def test_a_text_arrives_as_a_json_string(queue: Queue, tmp_path: Path) -> None:
    """INPUT, @FILE, - and what stands after -- are texts, whatever they look like."""
    (tmp_path / "text").write_text('{"a": 1}\n')
    queue.run("submit", "echo", "7")
    queue.run("submit", "echo", f"@{tmp_path / 'text'}")
    queue.run("submit", "echo", "--", "--dry-run")
    queue.run("submit", "echo", "-", input="from\nstdin")
    assert inputs(queue) == ["7", '{"a": 1}\n', "--dry-run", "from\nstdin"]


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


def test_a_command_keeps_its_surroundings(queue: Queue, tmp_path: Path) -> None:
    """A command keeps its folder, the usual variables and those that were named; nothing else."""
    secret = {"MY_TOKEN": "hunter2", "OTHER": "x", "LC_TIME": "C"}
    done = queue.run("submit", "--env", "MY_TOKEN", "--", "true", cwd=tmp_path, env=secret)
    asked = request(queue)
    assert (asked.cwd, asked.env["MY_TOKEN"], asked.env["LC_TIME"]) == (str(tmp_path), "hunter2", "C")
    assert "OTHER" not in asked.env
    assert "MY_TOKEN is stored in the queue's file" in done.stderr
    assert "hunter2" not in done.stderr


def test_the_handlers_own_retries_and_timeout_count(queue: Queue) -> None:
    """Without --retries and --timeout, what the configuration says of the handler is kept with the job."""
    queue.run("submit", "echo", "a")
    queue.run("submit", "echo", "a", "--retries", "0", "--timeout", "5s")
    first, second = request(queue, 1), request(queue, 2)
    assert [(each.retries, each.timeout) for each in (first, second)] == [(2, 60.0), (0, 5.0)]


def test_the_same_key_is_the_same_job(queue: Queue) -> None:
    """The same key again prints the same id; with another input it is refused."""
    assert [queue.run("submit", "echo", "a", "--key", "k").stdout for _ in range(2)] == ["1\n", "1\n"]
    again = queue.run("submit", "echo", "a", "--key", "k", "--json")
    assert json.loads(again.stdout)["existed"] == 1
    assert again.stderr == "hybridq: job 1 was there already, by its key; it is queued\n"
    other = queue.run("submit", "echo", "b", "--key", "k")
    assert (other.returncode, count(queue)) == (65, 1)


def test_dry_run_submits_nothing(queue: Queue, tmp_path: Path) -> None:
    """`--dry-run` says mode and reason, of one job and of many, and leaves the queue empty."""
    (tmp_path / "lines").write_text("a\n" * 30)
    one = queue.run("submit", "--dry-run", "--json", "--deadline", "2h", "echo", "a")
    many = queue.run("submit", "--dry-run", "echo", "--lines", str(tmp_path / "lines"))
    part = json.loads(one.stdout)["parts"][0]
    assert (part["jobs"], part["mode"], [each["mode"] for each in part["considered"]]) == (
        1, "batch", ["stream", "batch"],
    )  # fmt: skip
    assert many.stdout.startswith("30 jobs · batch · ")
    assert "nothing is known of echo yet" in many.stdout
    assert count(queue) == 0


def test_json_tells_all(queue: Queue) -> None:
    """`--json` prints one object with the id, the mode, the reason and what was compared."""
    told = json.loads(queue.run("submit", "--json", "--audience", "user", "echo", "a").stdout)
    assert (told["id"], told["jobs"], told["mode"]) == (1, 1, "stream")
    assert "--audience" in told["reason"]


BAD = [
    (("nosuch", "a"), 64, "there is no handler 'nosuch'"),
    (("echo",), 64, "there is no input for echo: give a text"),
    (("--",), 64, "nothing to submit"),
    (("--", ""), 65, "there is no command"),
    (("echo", "a", "--deadline", "yesterday"), 64, "'yesterday' is no time"),
    (("echo", "a", "--timeout", "0"), 64, "timeout is a duration of more than 0"),
    (("echo", "a", "--mode", "adaptive"), 64, "cannot run in mode adaptive"),
    (("echo", "@/nosuch"), 65, "'/nosuch' cannot be read"),
    (("echo", "--lines", "/nosuch"), 65, "'/nosuch' cannot be read"),
    (("echo", "--each", "/nosuch"), 65, "'/nosuch': there is no such file"),
    (("echo", "--lines", "/dev/null"), 65, "the input is empty"),
    (("echo", "a", "--group", "3-5"), 64, "already means something else"),
    (("echo", "a", "--group", "x\x1b[2J"), 64, "x\\x1b[2J"),
    (("echo", "a", "--cwd", "/"), 64, "only commands have --cwd"),
    (("--cwd", "/nosuch", "--", "ls"), 64, "is no folder"),
    (("--env", "NOSUCH", "--", "ls"), 64, "'NOSUCH' is not set"),
    (("echo", "a", "--wait", "--detach"), 64, "--wait and --detach cannot go together"),
    (("echo", "a", "b"), 64, "echo takes one input, not 2"),
    (("ls", "-d"), 64, "hybridq submit --help"),
    (("ls", "/"), 64, "To run a command, put -- before it: hybridq submit -- ls"),
    (("echo", "a", "--skip-bad"), 64, "--skip-bad goes with"),
    (("echo", "a", "--key", "k" * 501), 64, "a key is text of 1 to 500 characters"),
    (("echo", "a", "--max-cost", "nan"), 64, "max-cost is an amount of money"),
    (("echo", "a", "--priority", "9" * 30), 64, "priority is a whole number"),
]  # fmt: skip


@pytest.mark.parametrize(("args", "code", "sentence"), BAD, ids=lambda value: str(value)[:40])
def test_what_is_wrong_is_said(
    queue: Queue, args: tuple[str, ...], code: int, sentence: str,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """A mistake is one sentence that says what to do, the right code, and nothing is submitted."""
    monkeypatch.setenv("HYBRIDQ_HOME", str(queue.folder))
    with pytest.raises(SystemExit) as end:
        run_guarded(lambda: call(["submit", *args]))
    said = capsys.readouterr()
    assert (end.value.code, said.out) == (code, "")
    assert sentence in said.err
    assert said.err.count("\n") == 1
    assert "\x1b" not in said.err
    assert count(queue) == 0


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
    assert done.stderr.count("is not UTF-8 text") == 20
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
    assert "stands for job 1 already" in skipped.stderr


def test_wait_ends_with_the_jobs_own_code(queue: Queue) -> None:
    """`--wait` without a daemon runs the job itself, prints nothing of it but why it failed, and ends as it ended."""
    done = queue.run("submit", "--wait", "--", "sh", "-c", "echo out; echo err >&2; exit 7")
    assert (done.returncode, done.stdout, done.stderr) == (7, "", "hybridq: job 1 failed: exit code 7\n")


def test_follow_is_the_job(queue: Queue) -> None:
    """`--follow` passes both outputs through, bytes as they are, and ends as the job ends."""
    script = "printf '\\377\\033[1m'; echo err >&2; kill -9 $$"
    done = queue.run("submit", "--follow", "--", "sh", "-c", script, text=False)
    assert (done.returncode, done.stdout) == (137, b"\xff\x1b[1m")
    assert b"err\n" in done.stderr


def test_a_daemon_runs_what_is_waited_for(queue: Queue) -> None:
    """With a daemon, `--wait` leaves the running to it, and says nothing but why it failed."""
    with queue.daemon():
        done = queue.run("submit", "--wait", "--", "sh", "-c", "exit 4")
    assert (done.returncode, done.stderr) == (4, "hybridq: job 1 failed: exit code 4\n")
    assert "submit" not in {kind for (kind,) in queue.rows("SELECT kind FROM runner")}


def test_on_a_terminal_it_is_the_job(queue: Queue) -> None:
    """On a terminal a stream job's raw output comes at once, and its exit code is the command's."""
    with queue.terminal("submit", "--", "sh", "-c", "printf '\\033[31mred\\n'; read x; exit 3") as screen:
        screen.expect_exact("\x1b[31mred")
        assert ended(screen) == 3


def test_output_is_live(queue: Queue, tmp_path: Path) -> None:
    """The first line is on the terminal while the command still waits for something."""
    with queue.terminal("submit", "--", "sh", "-c", "echo first; until test -e go; do sleep 0.01; done; echo last",
                        cwd=str(tmp_path)) as screen:  # fmt: skip
        screen.expect_exact("first")
        assert queue.state(1) is State.RUNNING
        (tmp_path / "go").touch()
        screen.expect_exact("last")
        assert ended(screen) == 0


def test_control_c_gives_the_job_back(queue: Queue) -> None:
    """Control-C without a daemon ends the command, queues the job again whole, and says how it will run."""
    with queue.terminal("submit", "--", "sh", "-c", "echo $$; sleep 60") as screen:
        screen.expect(r"\n(\d+)\r")
        running = int(screen.match[1])
        screen.sendintr()
        screen.expect_exact("job 1 is queued again; hybridq daemon or hybridq drain will run it")
        screen.expect_exact("hybridq follow 1")
        assert ended(screen) == 130
    assert queue.state(1) is State.QUEUED
    assert queue.rows("SELECT count(*) FROM runner") == [(0,)]
    until(lambda: not Path(f"/proc/{running}").exists())


def test_a_closed_terminal_gives_the_job_back(queue: Queue) -> None:
    """When the terminal goes away, the job that this submit ran is queued again, and nothing is left running."""
    with queue.terminal("submit", "--", "sh", "-c", "echo up; sleep 60") as screen:
        screen.expect_exact("up")
        screen.close(force=False)
        until(lambda: queue.state(1) is State.QUEUED)
    assert queue.rows("SELECT count(*) FROM runner") == [(0,)]


def test_control_c_detaches_from_a_daemon(queue: Queue, tmp_path: Path) -> None:
    """Control-C with a daemon leaves the job running, and says how to come back."""
    with queue.daemon():
        wait = f"echo up; until test -e {tmp_path}/go; do sleep 0.01; done"
        with queue.terminal("submit", "--", "sh", "-c", wait) as screen:
            screen.expect_exact("up")
            screen.sendintr()
            screen.expect_exact("job 1 goes on. Come back with: hybridq follow 1")
            assert ended(screen) == 130
        assert queue.state(1) is State.RUNNING
        (tmp_path / "go").touch()
        until(lambda: queue.state(1) is State.DONE)


def test_a_worker_cannot_touch_the_terminal(tmp_path: Path) -> None:
    """What a worker says is made visible on a terminal, and what was shown live is not shown twice."""
    queue = Queue(tmp_path, TALKER)
    with queue.terminal("submit", "talker", "x") as screen:
        screen.expect_exact("one\r\n\\x1b[31mtwo")
        assert ended(screen) == 0
        assert "two" not in screen.before


def test_a_batch_is_promised_not_followed(queue: Queue) -> None:
    """On a terminal a batch job prints its id and, beside it, mode and reason."""
    with queue.terminal("submit", "--mode", "batch", "--", "true") as screen:
        screen.expect_exact("1\r\n")
        screen.expect_exact("job 1 · batch · ")
        screen.expect_exact("mode batch was asked for")
        assert ended(screen) == 0


def test_detach_only_prints_the_id(queue: Queue) -> None:
    """`--detach` on a terminal leaves a stream job to a runner."""
    with queue.terminal("submit", "--detach", "--", "true") as screen:
        screen.expect_exact("1\r\n")
        assert ended(screen) == 0
    assert cohort(queue.outlook.store, 1).mode is Mode.STREAM
    assert queue.state(1) is State.QUEUED


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


def test_one_job_imports_little(queue: Queue) -> None:
    """Submitting one job imports nothing that it does not need: that is what keeps it quick."""
    (queue.folder / "config.toml").write_text("")
    queue.run("submit", "--", "true")
    program = (
        "import sys; from hybridq_cli.lazy import call\n"
        "try: call(['submit', '--', 'true'])\nexcept BaseException: pass\nprint(*sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], env=queue.environment, capture_output=True, text=True, check=True,
        stdin=subprocess.DEVNULL, timeout=60,
    )  # fmt: skip
    dear = "rich asyncio psutil apscheduler platformdirs hashlib zoneinfo statistics logging sqlite_utils json"
    assert "hybridq.queue.intake" in done.stdout.split()
    assert not set(dear.split()) & set(done.stdout.split())


def test_a_promise_that_cannot_be_kept_is_said_at_once(queue: Queue) -> None:
    """A deadline that no mode makes, and a limit below every forecast, are told on standard error."""
    for _ in range(3):
        queue.run("submit", "--wait", "--", "sleep", "0.3")
    late = queue.run("submit", "--deadline", "0.05s", "--", "sleep", "0.3")
    dear = queue.run("submit", "--max-cost", "0.0000001", "--", "sleep", "0.3")
    assert late.stderr.startswith("hybridq: job 4: the deadline ")
    assert dear.stderr.startswith("hybridq: job 5: costs about ")


def test_the_reason_names_the_option_that_was_given(queue: Queue) -> None:
    """`--follow` is told as `--follow`."""
    said = queue.run("submit", "--follow", "--", "true")
    assert said.returncode == 0
    assert "(--follow)" in queue.run("explain", "1").stdout
