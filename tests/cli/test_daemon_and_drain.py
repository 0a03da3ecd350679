"""`daemon` and `drain` as commands: what they say, to whom, and how they end."""

import json
import logging
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from queue import Queue as Room

import pytest

from hybridq.job import State
from hybridq_cli.logs import Apart, TextLine
from tests.support.user import HYBRIDQ, Queue, ended, until


@pytest.fixture
def queue(tmp_path: Path) -> Queue:
    return Queue(tmp_path)


def lines(queue: Queue, text: str, *options: str) -> None:
    """One shell job a line, to be run in a batch."""
    queue.run("submit", "shell", "--mode", "batch", "--lines", "-", *options, input=text)


def test_drain_runs_what_is_held(queue: Queue) -> None:
    """A drain runs everything that is held whatever the plan says, sums it up in one line, and ends with 0."""
    lines(queue, "true\n" * 3)
    queue.run("submit", "--audience", "user", "--", "true")
    done = queue.run("drain")
    assert (done.returncode, done.stderr, done.stdout.count("\n")) == (0, "", 1)
    assert done.stdout.startswith("4 done")
    assert queue.run("drain").stdout == "nothing was held\n"


def test_drain_tells_of_failures(queue: Queue) -> None:
    """Where a job failed a drain ends with 1; --quiet prints nothing of it."""
    lines(queue, "false\ntrue\n")
    assert queue.run("drain").stdout.startswith("1 done · 1 failed")
    lines(queue, "false\n")
    quiet = queue.run("drain", "--quiet")
    assert (quiet.returncode, quiet.stdout, quiet.stderr) == (1, "", "")


def test_drain_from_a_cron_job(queue: Queue) -> None:
    """With cron's bare environment a drain finds the queue and runs it."""
    lines(queue, "true\n")
    bare = {"HYBRIDQ_HOME": str(queue.folder), "HOME": os.environ["HOME"], "PATH": "/usr/bin:/bin"}
    done = subprocess.run([*HYBRIDQ, "drain"], env=bare, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_drain_keeps_to_its_group(queue: Queue) -> None:
    """`--group` runs that group alone, its stream jobs too, and ends."""
    lines(queue, "true\n", "--group", "mine")
    queue.run("submit", "--detach", "--mode", "stream", "--group", "mine", "--", "true")
    lines(queue, "true\n", "--group", "other")
    assert queue.run("drain", "--group", "mine").stdout.startswith("2 done")
    assert [queue.state(number) for number in (1, 2, 3)] == [State.DONE, State.DONE, State.QUEUED]


def test_a_limit_leaves_the_rest(queue: Queue, tmp_path: Path) -> None:
    """At --until a drain lets go of what is left, says how many, and ends with 75."""
    lines(queue, "sleep 60\n" * 3)
    (queue.folder / "config.toml").write_text("[runner]\nstop_grace = 0\n")
    done = queue.run("drain", "--until", "0.2s")
    assert done.returncode == 75
    assert "3 jobs are left" in done.stderr
    assert {queue.state(number) for number in (1, 2, 3)} == {State.QUEUED}


def test_max_cost_ends_a_drain(tmp_path: Path) -> None:
    """At --max-cost a drain claims nothing more and ends with 75."""
    queue = Queue(tmp_path, "[runner]\nbatch_slots = 1\n[handlers.shell]\nprice = 1.0\n")
    lines(queue, "sleep 0.25\n" * 400)
    done = queue.run("drain", "--max-cost", "0.5")
    assert done.returncode == 75
    assert done.stdout.split()[0] < "400"


def test_a_terminal_sees_a_bar(queue: Queue, tmp_path: Path) -> None:
    """On a terminal a drain shows how far it is, then the sum."""
    lines(queue, f"true\nsh -c 'until test -e {tmp_path}/go; do sleep 0.01; done'\n")
    with queue.terminal("drain") as screen:
        screen.expect_exact("1 of 2")
        (tmp_path / "go").touch()
        screen.expect_exact("2 done")
        assert ended(screen) == 0


def test_a_bad_limit_is_refused(queue: Queue) -> None:
    """An unknown handler and a time that is none are said before anything runs."""
    lines(queue, "true\n")
    handler, until_when = queue.run("drain", "--handler", "nosuch"), queue.run("drain", "--until", "never")
    assert (handler.returncode, until_when.returncode) == (64, 64)
    assert "hybridq handlers" in handler.stderr
    assert queue.state(1) is State.QUEUED


def test_a_daemons_log_is_one_line_an_event(queue: Queue) -> None:
    """A daemon logs its own doings alone, a time stamp and a level before each, and stops gently on SIGTERM."""
    with queue.daemon() as daemon:
        until(lambda: queue.run("submit", "--wait", "--", "true").returncode == 0)
        daemon.send_signal(signal.SIGTERM)
        out, log = daemon.communicate(timeout=30)
    assert (daemon.returncode, out) == (0, "")
    words = [line.split(" ", 3) for line in log.splitlines()]
    assert {level for _, _, level, _ in words} == {"INFO"}
    assert words[0][3].startswith("daemon ")
    assert "scheduler" not in log.lower()


def test_json_logs(queue: Queue) -> None:
    """With --json-logs each line of the log is an object with a time, a level and a message."""
    with queue.start("daemon", "--json-logs") as daemon:
        assert daemon.stderr is not None
        first = daemon.stderr.readline()
        daemon.send_signal(signal.SIGTERM)
        _, log = daemon.communicate(timeout=30)
    events = [json.loads(line) for line in [first, *log.splitlines()]]
    assert events[0]["message"].startswith("daemon ")
    assert all({"at", "level", "logger", "message"} == set(event) for event in events)


def test_a_log_that_nobody_reads_holds_up_nothing(tmp_path: Path) -> None:
    """With standard error stopped, jobs run and the daemon ends; what is read again later has its log."""
    queue = Queue(tmp_path)
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with suppress(BlockingIOError):
        while os.write(writing, b"x" * 4096):
            pass
    os.set_blocking(writing, True)
    command = [*HYBRIDQ, "daemon"]
    with subprocess.Popen(command, env=queue.environment, stdin=subprocess.DEVNULL, stderr=writing) as daemon:
        os.close(writing)
        done = queue.run("submit", "--wait", "--", "true")
        with os.fdopen(reading, "rb") as log:
            heard = iter(lambda: log.readline().strip(b"x"), b"")
            assert b"daemon" in next(heard)
            daemon.send_signal(signal.SIGTERM)
            assert daemon.wait(30) == 0
            assert b"stopped" in b"".join(heard)
    assert done.returncode == 0


def test_lines_that_the_log_had_no_room_for_are_counted() -> None:
    """Of what nobody read in time, how much it was is said as soon as there is room."""
    log, kept = logging.getLogger("hybridq"), Apart(Room(2))
    kept.setFormatter(TextLine())
    log.addHandler(kept)
    try:
        for number in range(5):
            log.warning("line %d", number)
        kept.room.get_nowait(), kept.room.get_nowait()
        log.warning("line 5")
    finally:
        log.removeHandler(kept)
    assert [kept.room.get_nowait().msg.split(" ", 3)[3] for _ in range(2)] == [
        "line 5",
        "dropped 3 lines of this log: nothing read them in time",
    ]


def test_a_log_line_cannot_move_a_cursor(tmp_path: Path) -> None:
    """What a worker says to its log is one harmless line of the daemon's."""
    script = "import sys; sys.stderr.write('evil \\\\033[2J\\\\rline\\\\n'); sys.stdin.readline()"
    queue = Queue(tmp_path, f"[handlers.evil]\ncommand = ['{sys.executable}', '-c', \"{script}\"]\n")
    with queue.daemon() as daemon:
        queue.run("submit", "evil", "x", "--audience", "user")
        until(lambda: queue.state(1) is State.FAILED)
        daemon.send_signal(signal.SIGTERM)
        _, log = daemon.communicate(timeout=30)
    assert "evil \\x1b[2J" in log
    assert "\x1b" not in log


def test_a_second_daemon_is_refused(queue: Queue) -> None:
    """A second daemon on the same queue ends with 69 and says who holds it."""
    with queue.daemon() as daemon:
        second = queue.run("daemon")
    assert second.returncode == 69
    assert f"pid {daemon.pid}" in second.stderr


def test_a_drain_of_a_group_that_is_not_there_is_66(tmp_path: Path) -> None:
    """A group's name that names nothing is told, not taken for an empty queue."""
    done = Queue(tmp_path).run("drain", "--group", "nope")
    assert (done.returncode, done.stdout) == (66, "")
    assert "no group 'nope'" in done.stderr


def heeding_hangups() -> None:
    """Before a program starts: SIGHUP is as usual, also where these tests themselves run under nohup."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def test_a_closed_terminal_ends_a_daemon_gently(queue: Queue) -> None:
    """SIGHUP is heeded as SIGTERM is, however often it comes: what runs may end, and nothing is left running."""
    with queue.start("daemon", preexec_fn=heeding_hangups) as daemon:
        until(lambda: queue.rows("SELECT 1 FROM runner WHERE kind = 'daemon'"))
        queue.run("submit", "--mode", "stream", "--", "sleep", "0.7")
        until(lambda: queue.state(1) is State.RUNNING)
        for _ in range(2):  # the kernel sends it, and so does the shell
            daemon.send_signal(signal.SIGHUP)
        _, log = daemon.communicate(timeout=30)
    assert (daemon.returncode, queue.state(1)) == (0, State.DONE)
    assert "SIGHUP: stopping" in log


def test_a_daemon_under_nohup_outlives_its_terminal(queue: Queue) -> None:
    """Where SIGHUP was ignored when it was started, it stays so."""
    with queue.start("daemon", preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN)) as daemon:
        until(lambda: queue.rows("SELECT 1 FROM runner WHERE kind = 'daemon'"))
        daemon.send_signal(signal.SIGHUP)
        assert queue.run("submit", "--wait", "--", "true").returncode == 0
        assert daemon.poll() is None


def test_a_closed_terminal_ends_a_drain_gently(queue: Queue) -> None:
    """SIGHUP lets what runs end; the rest stays queued, 75."""
    (queue.folder / "config.toml").write_text("[runner]\nbatch_slots = 1\n")
    lines(queue, "sleep 0.7\n" * 30)
    with queue.start("drain", preexec_fn=heeding_hangups) as drain:
        until(lambda: queue.rows("SELECT 1 FROM job WHERE state = 'running' AND started IS NOT NULL"))
        drain.send_signal(signal.SIGHUP)
        drain.communicate(timeout=30)
    assert drain.returncode == 75
    assert {state for (state,) in queue.rows("SELECT DISTINCT state FROM job")} <= {"done", "queued"}
    assert queue.state(30) is State.QUEUED
