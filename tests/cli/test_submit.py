"""`submit` as its user types it: what is accepted, what is refused, and what is shown meanwhile."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from hybridq.queue.cohorts import cohort, job
from hybridq_cli.commands import call
from hybridq_cli.errors import run_guarded
from tests.support import building
from tests.support.user import ECHO, Queue, count, inputs


def request(queue: Queue, number: int = 1) -> object:
    """What was asked for a job."""
    return cohort(queue.outlook.store, job(queue.outlook.store, number).cohort).request


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
    assert said.startswith("hybridq: no daemon runs: it starts when you run hybridq daemon (then at ")
    assert said.endswith(") or hybridq drain (at once); hybridq service install keeps a daemon running\n")
    assert said.count("\n") == 1


def test_nothing_is_promised_where_nobody_runs_the_queue(tmp_path: Path) -> None:
    """Without a daemon `--json` and `--dry-run` name no instant, and none is kept; with one, or where the submit
    itself runs the job, they do."""
    queue = Queue(tmp_path, building.ECHO)

    def promised(*words: str) -> tuple[bool, bool]:
        found = json.loads(queue.run("submit", "echo", "x", "--mode", "stream", "--json", *words).stdout)
        return found["served"], any(found[name] is not None for name in ("start", "finish", "finish90"))

    assert promised() == (False, False)
    assert "waits for a daemon or a drain" in queue.run("submit", "echo", "x", "--dry-run").stdout
    assert queue.rows("SELECT * FROM promise") == []
    assert promised("--wait") == (True, True)
    with queue.daemon():
        assert promised() == (True, True)


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
    assert again.stderr == "hybridq: job 1 already has this key; it is queued\n"
    other = queue.run("submit", "echo", "b", "--key", "k")
    assert (other.returncode, count(queue)) == (65, 1)


def test_dry_run_submits_nothing(queue: Queue, tmp_path: Path) -> None:
    """`--dry-run` says mode and reason, of one job and of many, and leaves the queue empty."""
    (tmp_path / "lines").write_text("a\n" * 30)
    one = queue.run("submit", "--dry-run", "--json", "--deadline", "2h", "echo", "a")
    many = queue.run("submit", "--dry-run", "echo", "--lines", str(tmp_path / "lines"))
    due = queue.run("submit", "--dry-run", "--deadline", "2h", "echo", "a").stdout
    assert re.search(r" · deadline (tomorrow )?\d\d:\d\d · cost: unknown\nnothing was submitted$", due.rstrip())
    part = json.loads(one.stdout)["parts"][0]
    assert (part["jobs"], part["mode"], [each["mode"] for each in part["considered"]]) == (
        1,
        "batch",
        ["stream", "batch"],
    )
    assert many.stdout.startswith("30 jobs · batch · ")
    assert "no run times of echo yet" in many.stdout
    assert count(queue) == 0


def test_json_tells_all(queue: Queue) -> None:
    """`--json` prints one object with the id, the mode, the reason and what was compared."""
    told = json.loads(queue.run("submit", "--json", "--audience", "user", "echo", "a").stdout)
    assert (told["id"], told["jobs"], told["mode"]) == (1, 1, "stream")
    assert "--audience" in told["reason"]


def test_who_waits_may_be_said_for_one_submission(queue: Queue) -> None:
    """`--audience` counts more than HYBRIDQ_AUDIENCE, which counts where nothing is said."""
    for said, mode, signal in (((), "batch", "HYBRIDQ_AUDIENCE"), (("--audience", "user"), "stream", "--audience")):
        done = queue.run("submit", "--json", *said, "echo", "a", env={"HYBRIDQ_AUDIENCE": "background"})
        told = json.loads(done.stdout)
        assert (told["mode"], f"({signal})" in told["reason"]) == (mode, True)


BAD = [
    (("nosuch", "a"), 64, "there is no handler 'nosuch'"),
    (("echo",), 64, "no input for echo: give text"),
    (("--",), 64, "nothing to submit"),
    (("--", ""), 65, "no command given"),
    (("echo", "a", "--deadline", "yesterday"), 64, "'yesterday' is not a time"),
    (("echo", "a", "--timeout", "0"), 64, "timeout must be longer than 0"),
    (("echo", "a", "--mode", "adaptive"), 64, "cannot run in mode adaptive"),
    (("echo", "@/nosuch"), 65, "cannot read '/nosuch'"),
    (("echo", "--lines", "/nosuch"), 65, "cannot read '/nosuch'"),
    (("echo", "--each", "/nosuch"), 65, "'/nosuch': no such file"),
    (("echo", "--lines", "/dev/null"), 65, "the input is empty"),
    (("echo", "a", "--group", "3-5"), 64, "that means something else"),
    (("echo", "a", "--group", "x\x1b[2J"), 64, "x\\x1b[2J"),
    (("echo", "a", "--cwd", "/"), 64, "--cwd and --env are only for commands"),
    (("--cwd", "/nosuch", "--", "ls"), 64, "is not a folder"),
    (("--env", "NOSUCH", "--", "ls"), 64, "'NOSUCH' is not set"),
    (("echo", "a", "--wait", "--detach"), 64, "--wait and --detach cannot be used together"),
    (("echo", "a", "b"), 64, "echo takes one input, not 2"),
    (("ls", "-d"), 64, "hybridq submit --help"),
    (("ls", "-d"), 64, "put -- before it: hybridq submit -- ls"),
    (("ls | wc",), 64, "hybridq submit --shell 'ls | wc'"),
    (("ls", "/"), 64, "To run a command, put -- before it: hybridq submit -- ls"),
    (("echo", "a", "--skip-bad"), 64, "--skip-bad needs"),
    (("echo", "a", "--key", "k" * 501), 64, "a key has 1 to 500 characters"),
    (("echo", "a", "--max-cost", "nan"), 64, "max-cost must be at least 0"),
    (("echo", "a", "--priority", "9" * 30), 64, "priority must be a whole number"),
]


@pytest.mark.parametrize(("args", "code", "sentence"), BAD, ids=lambda value: str(value)[:40])
def test_what_is_wrong_is_said(
    queue: Queue,
    args: tuple[str, ...],
    code: int,
    sentence: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
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


def test_one_job_imports_little(queue: Queue) -> None:
    """Submitting one job imports nothing that it does not need: that is what keeps it quick."""
    (queue.folder / "config.toml").write_text("")
    queue.run("submit", "--", "true")
    program = (
        "import sys; from hybridq_cli.commands import call\n"
        "try: call(['submit', '--', 'true'])\nexcept BaseException: pass\nprint(*sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=queue.environment,
        capture_output=True,
        text=True,
        check=True,
        stdin=subprocess.DEVNULL,
        timeout=60,
    )
    dear = "rich asyncio psutil apscheduler platformdirs hashlib zoneinfo statistics logging sqlite_utils json"
    assert "hybridq.queue.intake" in done.stdout.split()
    assert not set(dear.split()) & set(done.stdout.split())


def test_whoever_follows_a_job_imports_no_runner(queue: Queue) -> None:
    """Beside a daemon `submit --follow` imports nothing that only runs jobs or plans: the first byte waits for it."""
    program = (
        "import sys; from hybridq_cli.commands import call\n"
        "try: call(['submit', '--follow', '--', 'true'])\nexcept BaseException: pass\nprint(*sys.modules)"
    )
    with queue.daemon():
        done = subprocess.run(
            [sys.executable, "-c", program],
            env=queue.environment,
            capture_output=True,
            text=True,
            check=True,
            stdin=subprocess.DEVNULL,
            timeout=60,
        )
    dear = "rich asyncio psutil apscheduler hashlib zoneinfo sqlite_utils hybridq.runner.engine hybridq.status.overview"
    assert "hybridq.queue.follow" in done.stdout.split()
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


def test_a_dry_run_knows_a_command_as_its_submission_does(queue: Queue) -> None:
    """Four runs of one command foretell it, and no other of its program."""
    for _ in range(4):
        queue.run("submit", "--wait", "--mode", "stream", "--", "sleep", "0.3")
    for seconds, known in (("0.3", True), ("60", False)):
        told = json.loads(queue.run("submit", "--dry-run", "--json", "--", "sleep", seconds).stdout)
        assert all((each["finish"] is not None) == known for each in told["parts"][0]["considered"])
