"""The daemon as its user meets it: both lanes, stopping, cancelling, and others beside it."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from hybridq.job import Audience, Happening, Mode, State
from hybridq.queue.cancel_retry import cancel
from hybridq.queue.cohorts import job as read_job
from hybridq.queue.doorbell import RUNNER, ring
from hybridq.queue.history import history
from hybridq.queue.outputs import output_path
from tests.support.building import until
from tests.support.served import EAGER, SLOW, Queue, slow


def test_a_job_runs_at_once_and_leaves_its_bytes(tmp_path: Path) -> None:
    """Standard output and error are kept apart, as bytes, with the exit code."""
    queue = Queue(tmp_path)
    with queue.daemon():
        number = queue.submit("sh", "-c", r"printf 'out\377'; printf err >&2; exit 7")
        assert queue.wait(number) == [State.FAILED]
    home = queue.home
    assert output_path(home, number, 1, 1).read_bytes() == b"out\xff"
    assert output_path(home, number, 1, 2).read_bytes() == b"err"
    assert queue.result(number).exit_code == 7


def test_stopping_lets_work_end_and_leaves_nothing_running(tmp_path: Path) -> None:
    """SIGTERM: the job that runs ends well, what was not begun stays queued, exit 0."""
    queue = Queue(tmp_path, "[runner]\nstream_slots = 1\n")
    with queue.daemon() as daemon:
        first, second = queue.submit("sleep", "0.7"), queue.submit("true")
        until(lambda: queue.state(first) is State.RUNNING)
        daemon.send_signal(signal.SIGTERM)
        assert daemon.wait(20) == 0
    assert [queue.state(first), queue.state(second)] == [State.DONE, State.QUEUED]
    assert queue.store.rows("SELECT * FROM runner") == []


@pytest.mark.parametrize(("number", "again"), [(signal.SIGTERM, "SIGTERM"), (signal.SIGINT, "Control-C")])
def test_a_second_signal_stops_at_once_and_gives_back(tmp_path: Path, number: signal.Signals, again: str) -> None:
    """Twice the same: a long job is ended and queued again, whatever time it would have had; the log foretells it."""
    queue = Queue(tmp_path, '[runner]\nstop_grace = "10m"\n')
    with queue.daemon() as daemon:
        job = queue.submit("sleep", "600")
        until(lambda: queue.state(job) is State.RUNNING)
        until(lambda: f"daemon pid {daemon.pid} serves {tmp_path}" in queue.log())
        daemon.send_signal(number)
        until(lambda: f"{number.name}: stopping; a second {again} stops at once" in queue.log())
        daemon.send_signal(number)
        assert daemon.wait(20) == 0
    assert queue.state(job) is State.QUEUED
    assert f"{number.name}: stopping at once" in queue.log()
    assert "returned 1 job" in queue.log()


def test_two_daemons_one_runs(tmp_path: Path) -> None:
    """The second says who holds the queue and ends with 69."""
    queue = Queue(tmp_path)
    with queue.daemon() as daemon:
        second = queue.run("daemon")
        assert second.returncode == 69
        assert str(daemon.pid) in second.stderr
        assert "Traceback" not in second.stderr


def test_cancelling_ends_the_process(tmp_path: Path) -> None:
    """A cancelled job's process is gone, and its late end changes nothing."""
    queue = Queue(tmp_path)
    with queue.daemon():
        number = queue.submit("sh", "-c", "echo $$; exec sleep 600")
        path = output_path(queue.home, number, 1)
        until(lambda: path.exists() and path.read_text().endswith("\n"))
        pid = int(path.read_text())
        assert cancel(queue.store, [number], time.time()) == 1
        ring(queue.home, RUNNER)
        until(lambda: not psutil.pid_exists(pid))
        assert queue.state(number) is State.CANCELLED


def test_cancelling_ends_a_command_of_a_batch_and_spares_the_others(tmp_path: Path) -> None:
    """In a batch of commands the cancelled ones end, running or not yet begun, and the others are done."""
    queue = Queue(tmp_path, EAGER + "[runner]\nbatch_slots = 1\n")
    marker = tmp_path / "ran"
    commands = [["sleep", "600"], ["touch", str(marker)], ["true"]]
    with queue.daemon():
        queue.wait(*queue.call_many("shell", [b'{"argv": ["true"]}'] * 60, mode=Mode.BATCH))
        numbers = queue.call_many("shell", [json.dumps({"argv": argv}).encode() for argv in commands], mode=Mode.BATCH)
        until(lambda: queue.state(numbers[0]) is State.RUNNING)
        cancel(queue.store, numbers[:2], time.time())
        ring(queue.home, RUNNER)
        assert queue.wait(*numbers) == [State.CANCELLED, State.CANCELLED, State.DONE]
    assert not marker.exists()


def test_a_person_overtakes_a_batch_on_the_same_instance(tmp_path: Path) -> None:
    """One instance, a long batch: a waiting person's job is served between two chunks."""
    queue = slow(tmp_path)
    with queue.daemon():
        numbers = queue.call_many("slow", [b'"0.05"'] * 200, mode=Mode.BATCH)
        until(lambda: queue.state(numbers[0]) is State.DONE)
        person = queue.call("slow", b'"0"')
        assert queue.wait(person) == [State.DONE]
        assert queue.state(numbers[-1]) in (State.QUEUED, State.RUNNING)
        cancel(queue.store, numbers, time.time())


def test_a_draft_streams_and_the_final_follows(tmp_path: Path) -> None:
    """An adaptive job has its draft at once, from the draft's handler, and its final from a batch."""
    (tmp_path / "big.py").write_text(SLOW.replace('"output": call["input"]', '"output": "final"'))
    big = f'[handlers.big]\ncommand = ["{sys.executable}", "{tmp_path / "big.py"}"]\ndraft = "slow"\nexpected = 0.01\n'
    queue = slow(tmp_path, big)
    with queue.daemon():
        number = queue.call("big", b'"0"', mode=Mode.ADAPTIVE)
        assert queue.wait(number) == [State.DONE]
    assert queue.store.rows("SELECT value FROM draft WHERE id = ?", (number,)) == [(b'"0"',)]
    assert queue.result(number).value == b'"final"'
    story = history(queue.store, read_job(queue.store, number).cohort)
    assert Happening.DRAFTED in [each.kind for each in story]


def test_a_drain_beside_a_daemon_runs_each_job_once(tmp_path: Path) -> None:
    """Claims are atomic: whatever runs beside whatever, each job has one attempt."""
    queue = slow(tmp_path)
    with queue.daemon():
        numbers = queue.call_many("slow", [b'"0.002"'] * 500, mode=Mode.BATCH)
        drained = queue.run("drain")
        assert drained.returncode == 0, drained.stderr
        assert set(queue.wait(*numbers)) == {State.DONE}
    assert queue.store.rows("SELECT count(*), sum(attempt) FROM job") == [(500, 500)]


def test_fifty_submitters_beside_a_busy_daemon(tmp_path: Path) -> None:
    """Nobody sees a locked database."""
    queue = slow(tmp_path)
    code = (
        "import os; from hybridq.submit import connect, submit; from hybridq.job import Audience, Request\n"
        "o = connect(os.environ)\n"
        "for n in range(5): submit(o, Request(handler='slow', audience=Audience.USER), b'\"0\"')"
    )
    with queue.daemon():
        queue.call_many("slow", [b'"0"'] * 5000, mode=Mode.BATCH)
        racers = [
            subprocess.Popen([sys.executable, "-c", code], env=queue.environment, stderr=subprocess.PIPE)
            for _ in range(50)
        ]
        errors = [racer.communicate()[1] for racer in racers]
        assert [racer.returncode for racer in racers] == [0] * 50, errors
        until(lambda: queue.store.rows("SELECT count(*) FROM job WHERE state = 'done'") == [(5250,)])


@pytest.mark.parametrize("audience", list(Audience))
def test_cron_s_environment_is_enough(tmp_path: Path, audience: Audience) -> None:
    """With an empty environment a drain runs what is held."""
    queue = slow(tmp_path)
    queue.call("slow", b'"0"', audience=audience)
    python = [sys.executable, "-c", "from hybridq_cli.main import run; run()", "drain", "--quiet"]
    drained = subprocess.run(python, env={"HYBRIDQ_HOME": str(queue.home.folder)}, capture_output=True, check=False)
    assert (drained.returncode, drained.stdout, drained.stderr) == (0, b"", b"")
    assert queue.store.rows("SELECT state FROM job") == [("done",)]


def test_the_idle_daemon_hears_a_submit_at_once(tmp_path: Path) -> None:
    """A job submitted to a sleeping daemon starts by the doorbell, not by its slow tick."""
    queue = Queue(tmp_path)
    with queue.daemon():
        waits = []
        for _ in range(10):
            began = time.monotonic()
            queue.wait(queue.submit("true"))
            waits.append(time.monotonic() - began)
            time.sleep(0.05)
    assert min(waits) < 0.5, "each of ten jobs waited for a tick"


def test_a_changed_configuration_is_taken_up(tmp_path: Path) -> None:
    """A running daemon serves what config.toml has gained and changed; a mistake in it is told and changes nothing."""
    queue = Queue(tmp_path)
    with queue.daemon():
        config = slow(tmp_path / "other").home.config_file.read_text()
        queue.home.config_file.write_text(config)
        assert queue.run("submit", "slow", "0", "--wait").returncode == 0
        queue.home.config_file.write_text(config.replace("slow.py", "gone.py"))
        until(lambda: queue.log().count("reloaded the configuration") == 2)
        assert queue.run("submit", "slow", "0", "--wait").returncode != 0
        queue.home.config_file.write_text("[[")
        until(lambda: "keeping the old configuration" in queue.log())
        assert queue.wait(queue.submit("true")) == [State.DONE]


def test_a_person_s_job_never_waits_for_a_daemon_that_is_not_there(tmp_path: Path) -> None:
    """With work held and no daemon, a person who waits is served by their own submit."""
    queue = slow(tmp_path)
    queue.call("slow", b'"0"', audience=Audience.BACKGROUND)
    assert queue.run("submit", "slow", "0", "--wait").returncode == 0
