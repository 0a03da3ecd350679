"""The daemon when things go wrong: bad jobs, handlers that are not there, a full disk, its own death."""

import resource
import sys
import time
from pathlib import Path

import psutil

from hybridq.job import Mode, State
from hybridq.queue.cancel_retry import cancel
from hybridq.queue.cohorts import job as read_job
from hybridq.queue.doorbell import RUNNER, ring
from tests.support.building import until
from tests.support.served import EAGER, SLOW, Queue, slow


def test_processes_of_a_killed_daemon_are_ended(tmp_path: Path) -> None:
    """After kill -9 of a daemon its job is queued again, and the process that ran it is gone before it runs twice."""
    queue = Queue(tmp_path)
    marker = tmp_path / "pid"
    with queue.daemon() as daemon:
        number = queue.submit("sh", "-c", f"echo $$ >> {marker}; sleep 600")
        until(marker.exists)
        until(lambda: marker.read_text().count("\n") == 1)
        daemon.kill()
        daemon.wait()
    orphan = int(marker.read_text())
    assert psutil.pid_exists(orphan)
    with queue.daemon():
        until(lambda: marker.read_text().count("\n") == 2)
        assert not psutil.pid_exists(orphan) or psutil.Process(orphan).status() == psutil.STATUS_ZOMBIE
        assert read_job(queue.store, number).attempt == 2
        cancel(queue.store, [number], time.time())
        ring(queue.home, RUNNER)


def test_retries_count_and_then_it_failed(tmp_path: Path) -> None:
    """Two retries are three attempts."""
    queue = Queue(tmp_path)
    marker = tmp_path / "tries"
    with queue.daemon():
        number = queue.submit("sh", "-c", f"echo x >> {marker}; false", retries=2)
        assert queue.wait(number) == [State.FAILED]
    assert marker.read_text() == "x\n" * 3
    assert read_job(queue.store, number).attempt == 3


def test_a_timeout_ends_the_job_with_that_reason(tmp_path: Path) -> None:
    """A job that runs too long is ended and says so."""
    queue = Queue(tmp_path)
    with queue.daemon():
        number = queue.submit("sleep", "600", timeout=0.3)
        assert queue.wait(number) == [State.FAILED]
    assert "timed out" in (queue.result(number).error or "")


def test_one_bad_item_fails_alone(tmp_path: Path) -> None:
    """A worker that dies on one of 200 items: 199 are done, one failed with the reason."""
    queue = slow(tmp_path)
    with queue.daemon():
        numbers = queue.call_many("slow", [b'"die"' if n == 77 else b'"0"' for n in range(200)], mode=Mode.BATCH)
        states = queue.wait(*numbers)
    assert [n for n, state in zip(numbers, states, strict=True) if state is State.FAILED] == [numbers[77]]
    assert states.count(State.DONE) == 199
    assert "exit" in (queue.result(numbers[77]).error or "")
    (flush,) = queue.store.rows("SELECT jobs, done, failed FROM flush")
    assert flush == (200, 199, 1)


def test_a_handler_that_cannot_start_fails_its_jobs_with_the_reason(tmp_path: Path) -> None:
    """No such command: failed in both lanes, not tried for ever."""
    queue = Queue(tmp_path, EAGER + '[handlers.gone]\ncommand = ["/no/such/program"]\nexpected = 0.01\n')
    with queue.daemon():
        person = queue.call("gone", b'"x"')
        batch = queue.call_many("gone", [b'"x"'] * 3, mode=Mode.BATCH)
        assert set(queue.wait(person, *batch)) == {State.FAILED}
    for number in (person, *batch):
        assert "/no/such/program" in (queue.result(number).error or "")


def test_a_full_disk_pauses_and_then_goes_on(tmp_path: Path) -> None:
    """While results cannot be stored nothing is run again; with room they are stored, each once."""
    (tmp_path / "log.py").write_text(
        SLOW.replace("time.sleep(float", "open(sys.argv[1], 'a').write('x'); time.sleep(float")
    )
    ran = tmp_path / "ran"
    queue = Queue(
        tmp_path,
        f'{EAGER}[handlers.log]\ncommand = ["{sys.executable}", "{tmp_path / "log.py"}", "{ran}"]\nexpected = 0.01\n',
    )
    with queue.daemon() as daemon:
        queue.wait(queue.call("log", b'"0"'))
        numbers = queue.call_many("log", [b'"0.001"'] * 1000, mode=Mode.BATCH)
        until(lambda: queue.state(numbers[0]) is State.DONE)
        resource.prlimit(daemon.pid, resource.RLIMIT_FSIZE, (65536, resource.RLIM_INFINITY))
        until(lambda: "no jobs start until" in queue.log())
        resource.prlimit(daemon.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        assert set(queue.wait(*numbers)) == {State.DONE}
    assert len(ran.read_text()) == 1001


def test_a_loop_that_raises_ends_the_daemon_loudly(tmp_path: Path) -> None:
    """A bug in a loop: exit 70, one sentence, and the jobs are queued again."""
    queue = Queue(tmp_path)
    with queue.daemon() as daemon:
        number = queue.submit("sleep", "600")
        until(lambda: queue.state(number) is State.RUNNING)
        with queue.store.tx() as connection:
            connection.execute("DROP TABLE stop")
        ring(queue.home, RUNNER)
        assert daemon.wait(20) == 70
    assert "Traceback" not in queue.log()
    assert queue.state(number) is State.QUEUED


def test_a_handler_that_left_the_configuration_holds_its_jobs(tmp_path: Path) -> None:
    """Jobs of a handler that is no longer configured wait, are said to, and disturb nobody."""
    queue = slow(tmp_path)
    person = queue.call("slow", b'"0"')
    batch = queue.call_many("slow", [b'"0"'] * 3, mode=Mode.BATCH)
    queue.home.config_file.write_text("")
    with queue.daemon() as daemon:
        assert queue.wait(queue.submit("true")) == [State.DONE]
        assert daemon.poll() is None
        assert {queue.state(number) for number in (person, *batch)} == {State.QUEUED}
    assert queue.log().count("slow, which is not in config.toml") == 1
