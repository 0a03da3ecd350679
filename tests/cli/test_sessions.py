"""`pipe --session`: one job whose input keeps arriving, as its user sees it."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import pytest

from hybridq.queue.kept import kept_path, kept_size
from tests.support.building import HYBRIDQ, until
from tests.support.handling import WORKERS
from tests.support.user import Queue

FUNCTIONS = ("heard", "collected", "told", "mortal", "stuck", "marathon")
CONFIG = "".join(
    f'[handlers.{name}]\ncall = "functions:{name}"\nsession = true\ncwd = "{WORKERS}"\n' for name in FUNCTIONS
)
CONFIG += f"""
[handlers.better]
call = "functions:collected"
session = true
draft = "told"
cwd = "{WORKERS}"

[handlers.reader]
command = ["{sys.executable}", "-u", "-c", '''
import json, sys
for line in sys.stdin:
    for call in json.loads(line):
        print(json.dumps({{"id": call["id"], "output": "read " + open(call["input"]).read()}}))
''']
modes = ["batch"]
draft = "told"

[handlers.whole]
call = "functions:double"
cwd = "{WORKERS}"
"""


@pytest.fixture
def mine(tmp_path) -> Queue:
    """A queue whose handlers take sessions."""
    return Queue(tmp_path, CONFIG)


@contextmanager
def session(queue: Queue, *args: str) -> "Iterator[subprocess.Popen[bytes]]":
    """A session that is spoken to through its `stdin`; ended at the end."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen([*HYBRIDQ, "pipe", "--session", *args], env=queue.environment, bufsize=0, **pipes) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()


def speak(process, data: bytes) -> None:
    """Say something."""
    process.stdin.write(data)


def hears(process, expected: bytes) -> None:
    """The next thing that is printed is this."""
    assert process.stdout.read(len(expected)) == expected


def ends(process, last: bytes | None = None) -> tuple[int, bytes, str]:
    """End the input after this; the exit code, and what was still printed."""
    out, err = process.communicate(last, timeout=30)
    return process.returncode, out, err.decode()


def test_output_comes_while_the_input_goes_on(mine):
    """Each line is answered before the next is said; the output stands at the end."""
    with session(mine, "heard") as process:
        speak(process, b"one\n")
        hears(process, b"'one' ")
        speak(process, b"two\r\nthr")
        hears(process, b"'two' ")
        speak(process, b"ee")
        assert ends(process) == (0, b"'three' \n3\n", "")
    assert mine.run("output", "1").stdout == "3\n"


def test_raw_bytes_come_as_they_are(mine):
    """NULs and broken UTF-8 are bytes, and what comes at once is one piece."""
    with session(mine, "heard", "--raw", "100ms") as process:
        speak(process, b"\0\xff\n")
        hears(process, b"b'\\x00\\xff\\n' ")
        assert ends(process) == (0, b"\n1\n", "")


def test_session_without_any_input_has_an_output(mine):
    """An empty input is an input."""
    with session(mine, "heard") as process:
        assert ends(process) == (0, b"0\n", "")


def test_session_is_a_job_that_runs(mine):
    """It stands in status while it goes on."""
    with session(mine, "heard") as process:
        speak(process, b"one\n")
        hears(process, b"'one' ")
        (row,) = json.loads(mine.run("status", "--json").stdout)["rows"]
        assert (row["what"], row["mode"], row["state"]) == ("heard session", "stream", "running")


def test_nobody_promises_when_a_session_ends(mine):
    """However many were seen: it ends when its input does."""
    for _ in range(3):
        mine.run("pipe", "--session", "heard", input="one\n")
    with session(mine, "heard") as process:
        speak(process, b"one\n")
        hears(process, b"'one' ")
        (row, *_) = json.loads(mine.run("status", "--json").stdout)["rows"]
        assert (row["state"], row["eta"]) == ("running", None)
        assert mine.rows("SELECT count(*) FROM promise") == [(0,)]


def test_worker_that_dies_gets_a_successor_that_hears_all_again(mine, tmp_path):
    """What was kept is replayed to a new worker, and whoever looks on is told that it begins anew."""
    with session(mine, "mortal") as process:
        speak(process, f"a\ndie {tmp_path / 'died'}\n".encode())
        until((tmp_path / "died").exists)
        speak(process, b"b\n")
        code, out, err = ends(process)
    assert code == 0
    assert out.decode().endswith(f"adie {tmp_path / 'died'}b\n")
    assert "tries again" in err
    assert "this is attempt 2 of job 1" in err


def test_killed_pipe_leaves_a_job_that_is_run_as_a_whole(mine):
    """SIGKILL in the middle: a drain finds the job and runs what was kept."""
    with session(mine, "collected") as process:
        speak(process, b"one\ntwo\n")
        until(lambda: kept_size(mine.outlook.store.home, 1) == 8)
        process.kill()
        process.wait()
    assert mine.run("drain").returncode == 0
    assert mine.run("output", "1").stdout == "onetwo\n"


def test_daemon_runs_a_session_with_its_own_workers(mine):
    """Beside a daemon the pipe only keeps what comes."""
    with mine.daemon(), session(mine, "heard") as process:
        speak(process, b"one\n")
        hears(process, b"'one' ")
        assert mine.rows("SELECT kind FROM runner JOIN job ON job.runner = runner.id") == [("daemon",)]
        assert ends(process)[:2] == (0, b"\n1\n")


def test_daemon_that_is_killed_is_replaced_by_the_pipe(mine):
    """The pipe goes on by itself, from the beginning."""
    with mine.daemon() as daemon, session(mine, "collected") as process:
        speak(process, b"one\n")
        until(lambda: mine.rows("SELECT 1 FROM job WHERE state = 'running'"))
        daemon.kill()
        speak(process, b"two\n")
        code, out, err = ends(process)
    assert (code, out) == (0, b"onetwo\n")
    assert "the daemon has stopped" in err


def test_control_c_ends_the_input(mine):
    """The session goes on to its end, and says so."""
    with session(mine, "heard") as process:
        speak(process, b"one\n")
        hears(process, b"'one' ")
        process.send_signal(signal.SIGINT)
        out, err = process.stdout.read(), process.stderr.read().decode()
        assert (process.wait(30), out) == (0, b"\n1\n")
    assert err == "hybridq: the input ends here; the session goes on to its end. Control-C again cancels it\n"


def test_second_control_c_cancels(mine):
    """Nothing is left running."""
    with session(mine, "stuck") as process:
        speak(process, b"one\n")
        until(lambda: mine.rows("SELECT 1 FROM job WHERE state = 'running'"))
        process.send_signal(signal.SIGINT)
        assert b"Control-C again" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 130
    assert mine.rows("SELECT state FROM job") == [("cancelled",)]


def test_draft_is_live_and_the_final_comes_by_a_drain(mine):
    """The better handler gets the same input at night."""
    with session(mine, "better") as process:
        speak(process, b"one\n")
        hears(process, b"one")
        code, out, err = ends(process)
    assert (code, out) == (0, b"\n")
    assert "this is the draft" in err
    assert "the final: adaptive" in err
    assert mine.run("drain").returncode == 0
    assert mine.run("output", "1").stdout == "one\n"


def test_what_the_final_will_cost_is_told_once_it_is_known(mine):
    """Three finals teach what one takes; the fourth session ends with its ETA and its cost."""
    for _ in range(3):
        mine.run("pipe", "--session", "better", input="one\n")
        assert mine.run("drain").returncode == 0
    with mine.daemon():
        told = mine.run("pipe", "--session", "better", input="two\n")
    assert re.search(r"the final: adaptive · (held · done \S+|running) ", told.stderr)
    assert re.search(r"cost of the final, as forecast: \S+", told.stderr)


def test_killed_draft_is_made_again_and_the_final_follows(mine):
    """Of an adaptive session, too, what was kept is run as a whole, draft and final."""
    with session(mine, "better") as process:
        speak(process, b"one\n")
        hears(process, b"one")
        process.kill()
        process.wait()
    assert mine.run("drain").returncode == 0
    assert (mine.run("output", "1").stdout, mine.run("output", "1", "--draft").stdout) == ("one\n", "one\n")


def test_final_of_a_handler_without_sessions_gets_the_file(mine):
    """As `submit --each` would give it: by its path."""
    with session(mine, "reader") as process:
        speak(process, b"one\ntwo\n")
        ends(process)
    mine.run("drain")
    assert mine.run("output", "1").stdout == "read one\ntwo\n"


def test_retry_runs_what_was_kept(mine):
    """A session that was cancelled can be run again."""
    test_second_control_c_cancels(mine)
    mine.run("retry", "1")
    (mine.folder / "config.toml").write_text(CONFIG.replace("functions:stuck", "functions:collected"))
    mine.run("drain")
    assert mine.run("output", "1").stdout == "one\n"


def test_clean_takes_the_input_away(mine):
    """What was kept goes with its job."""
    with session(mine, "heard") as process:
        speak(process, b"one\n")
        ends(process)
    assert kept_path(mine.outlook.store.home, 1).exists()
    mine.run("clean", "--older", "0s", "--yes")
    assert not kept_path(mine.outlook.store.home, 1).exists()


def test_show_names_the_file_with_the_input(mine):
    """Where the input is, and how much of it there is."""
    mine.run("pipe", "--session", "heard", input="one\n")
    shown = json.loads(mine.run("show", "1", "--json").stdout)
    assert (shown["input"], shown["input_bytes"]) == (str(kept_path(mine.outlook.store.home, 1)), 4)


def test_events_of_a_session_are_those_of_follow(mine):
    """With `--json` each is an object on a line of its own."""
    lines = mine.run("pipe", "--session", "heard", "--json", input="one\n").stdout.splitlines()
    events = [json.loads(line) for line in lines]
    assert (events[-1]["event"], events[-1]["output"]) == ("end", 1)


def test_options_of_items_are_not_for_sessions(mine):
    """What a session has no use for is refused."""
    told = mine.run("pipe", "--session", "heard", "--within", "50ms")
    assert told.returncode == 64
    assert "--session cannot be used with --within" in told.stderr
    assert "--raw needs --session" in mine.run("pipe", "heard", "--raw", "100ms").stderr


def test_full_disk_ends_the_input_and_says_so(mine):
    """What was kept is answered; the exit code tells that it was not all."""
    with session(mine, "marathon", "--raw", "10ms") as process:
        speak(process, b"a")
        until(lambda: kept_size(mine.outlook.store.home, 1) == 1)
        psutil.Process(process.pid).rlimit(psutil.RLIMIT_FSIZE, (8_000_000, 8_000_000))
        code, out, err = ends(process, b"b" * 9_000_000)
    assert (code, out) == (74, b"8000000\n")
    assert "the input of job 1 ends after 8,000,000 bytes: File too large" in err


def test_handler_without_sessions_says_so(mine):
    """Nothing is accepted, and the setting is named."""
    told = mine.run("pipe", "--session", "whole")
    assert told.returncode == 64
    assert "whole takes no sessions. If its worker reads pieces of input, write session = true" in told.stderr
    assert not mine.rows("SELECT 1 FROM job")
    assert not os.listdir(mine.outlook.store.home.outputs)


def test_silence_costs_nothing(mine):
    """Seconds in which nobody speaks take no processor time worth the name."""
    with session(mine, "heard") as process:
        speak(process, b"one\n")
        hears(process, b"'one' ")
        here = psutil.Process(process.pid)
        before = sum(here.cpu_times()[:2])
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(4)
        assert sum(here.cpu_times()[:2]) - before < 0.4
        assert ends(process)[:2] == (0, b"\n1\n")


def test_kept_input_is_private(mine):
    """Only the owner reads it."""
    with session(mine, "heard") as process:
        ends(process)
    assert kept_path(mine.outlook.store.home, 1).stat().st_mode & 0o777 == 0o600
