"""A daemon whose surroundings are changed under it: its files, its configuration, its disk, the clock, the lock."""

import asyncio
import json
import os
import resource
import signal
import sqlite3
import stat
import threading
import time
from pathlib import Path

import pytest

from hybridq.config.read import load_config
from hybridq.job import Mode, Partial, State
from hybridq.queue import store as store_module
from hybridq.queue.cancel_retry import hasten
from hybridq.queue.claims import claim_stream
from hybridq.queue.doorbell import RUNNER, Doorbell
from hybridq.queue.outputs import Sink, output_path
from hybridq.queue.runner import Runner
from hybridq.queue.store import Store, checkpoint_apart, log_size, probe_disk
from hybridq.runner import engine as engine_module
from hybridq.runner.engine import Engine
from hybridq.runner.steps import StepDetector
from tests.support.building import until
from tests.support.served import Queue

ECHO = '[handlers.echo]\ncommand = ["cat"]\nprotocol = "lines"\n'
BIG = "head -c 600000 /dev/zero"


def test_a_handler_that_the_configuration_gained_is_served(tmp_path: Path) -> None:
    """Who adds a handler and submits to it need not think of the daemon that runs already."""
    queue = Queue(tmp_path)
    with queue.daemon():
        queue.home.config_file.write_text(ECHO)
        stream = queue.run("submit", "echo", "hello", "--wait")
        batch = queue.run("submit", "echo", "hello", "--mode", "batch", "--deadline", "1s", "--wait")
    assert (stream.returncode, batch.returncode) == (0, 0), stream.stderr + batch.stderr


def test_a_configuration_that_broke_leaves_the_daemon_with_what_it_knew(tmp_path: Path) -> None:
    """A file that cannot be read any more is told of, and every other job runs on."""
    queue = Queue(tmp_path, ECHO)
    lost = queue.call("echo", b'"x"', mode=Mode.STREAM)
    queue.home.config_file.write_text("")
    with queue.daemon() as daemon:
        queue.home.config_file.write_text("[[[")
        until(lambda: "not valid TOML" in queue.log())
        assert queue.wait(queue.submit("true")) == [State.DONE]
        assert daemon.poll() is None
    assert queue.state(lost) is State.QUEUED


def test_a_configuration_that_changes_while_the_daemon_starts_is_taken_up(tmp_path: Path) -> None:
    """What was written after the file was read, and before anybody watched it, counts like any later change."""
    queue = Queue(tmp_path, "[policy]\n")
    before = load_config(queue.home, {})
    queue.home.config_file.write_text(ECHO)
    engine = Engine(queue.home, before, "drain")
    engine.reload()
    assert "echo" in engine.config.handlers


@pytest.mark.parametrize("taken", ["runners/*.lock", "daemon.lock", "queue.db*"])
def test_a_daemon_without_its_proof_ends_loudly(tmp_path: Path, taken: str) -> None:
    """Without its lock nobody rescues its jobs, without its database it serves nobody: 70, with the reason."""
    queue = Queue(tmp_path)
    with queue.daemon() as daemon:
        number = queue.submit("sleep", "600")
        until(lambda: queue.state(number) is State.RUNNING)
        for path in queue.home.folder.glob(taken):
            path.unlink()
        assert daemon.wait(20) == 70
    assert "was removed" in queue.log()
    assert "Traceback" not in queue.log()
    assert queue.state(number) is State.QUEUED  # in the connection that was there before, too


def test_output_that_the_disk_refused_is_counted(tmp_path: Path) -> None:
    """What could not be written of a job's output is counted in its result, in both lanes, and the daemon goes on."""
    queue = Queue(tmp_path, "[policy]\nbackground_delay_cost = 1e6\n")
    with queue.daemon() as daemon:
        queue.wait(queue.submit("true"))
        resource.prlimit(daemon.pid, resource.RLIMIT_FSIZE, (500_000, resource.RLIM_INFINITY))
        stream = queue.submit("sh", "-c", BIG, mode=Mode.STREAM)
        batch = queue.submit("sh", "-c", BIG, mode=Mode.BATCH, deadline=time.time())
        assert queue.wait(stream, batch) == [State.DONE, State.DONE]
        assert daemon.poll() is None
    assert [queue.result(number).dropped for number in (stream, batch)] == [100_000, 100_000]
    assert queue.log().count("output is lost") == 2, "told once a job"


def test_jobs_that_wait_for_their_next_try_block_nobody(tmp_path: Path) -> None:
    """However many jobs of an earlier deadline wait for another try, the lane takes what is ready."""
    queue = Queue(tmp_path)
    for _ in range(200):
        queue.submit("true", mode=Mode.STREAM, priority=5)
    now = time.time()
    with queue.store.tx() as connection:
        connection.execute("UPDATE job SET ready = ?", (now + 300,))
    number = queue.submit("true", mode=Mode.STREAM)
    runner = Runner(queue.store, "submit")
    assert [claim.id for claim in claim_stream(queue.store, runner.id, "shell", 4, now)] == [number]
    runner.close(queue.store)


def test_a_clock_that_is_set_back_delays_no_retry(tmp_path: Path) -> None:
    """What waits for its next try waits as long as it would have without the step."""
    steps = StepDetector(wall=1000.0, steady=50.0)
    assert steps.set_back(wall=1001.0, steady=51.0) == 0
    assert steps.set_back(wall=4602.0, steady=52.0) == 0, "forward: everything is due earlier"
    assert steps.set_back(wall=1003.0, steady=53.0) == 3600
    queue = Queue(tmp_path)
    soon, asked = queue.submit("true"), queue.submit("true")
    with queue.store.tx() as connection:
        connection.execute("UPDATE job SET ready = 4610 WHERE id = ?", (soon,))
        connection.execute("UPDATE job SET ready = 2000 WHERE id = ?", (asked,))
    hasten(queue.store, 3600.0, now=1003.0)
    hasten(queue.store, 3600.0, now=1003.0)  # another runner saw the same step
    assert queue.store.rows("SELECT ready FROM job ORDER BY id") == [(1010.0,), (2000.0,)]


def test_a_queue_that_is_locked_for_long_pauses_and_then_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody who holds the database for longer than writers wait is no reason to end."""
    monkeypatch.setattr(store_module, "BUSY", 0.05)
    queue = Queue(tmp_path)
    engine = Engine(queue.home, load_config(queue.home, {}), "drain")
    other = sqlite3.connect(queue.home.database, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with engine.saver.pausing():
        probe_disk(engine.store)
    other.execute("COMMIT")
    assert engine.saver.paused


def test_a_cancelled_job_that_is_retried_at_once_can_be_cancelled_again(tmp_path: Path) -> None:
    """The end of an attempt, when it takes its time, does not make the runner forget the one after it."""
    alive = tmp_path / "alive"
    alive.mkdir()
    slow_to_end = "touch $0/$$; trap 'sleep 1; rm $0/$$; exit' TERM; read x; while true; do sleep 0.05; done"
    command = json.dumps(["sh", "-c", slow_to_end, str(alive)])
    queue = Queue(tmp_path, f"[handlers.slow]\ncommand = {command}\ninstances = 2\n")
    with queue.daemon():
        number = queue.call("slow", b'"x"', mode=Mode.STREAM)
        until(lambda: len(list(alive.iterdir())) == 1)
        queue.run("cancel", str(number))
        queue.run("retry", str(number))
        until(lambda: len(list(alive.iterdir())) == 2)
        until(lambda: len(list(alive.iterdir())) == 1)
        queue.run("cancel", str(number))
        until(lambda: not list(alive.iterdir()))


def test_a_stopped_and_continued_daemon_goes_on(tmp_path: Path) -> None:
    """SIGSTOP, work that comes in meanwhile, SIGCONT: nobody took its jobs for lost, and all is run once."""
    queue = Queue(tmp_path)
    with queue.daemon() as daemon:
        first = queue.submit("sleep", "0.5")
        until(lambda: queue.state(first) is State.RUNNING)
        daemon.send_signal(signal.SIGSTOP)
        second = queue.submit("true")
        queue.run("wait", "--timeout", "1500ms")
        daemon.send_signal(signal.SIGCONT)
        assert queue.wait(first, second) == [State.DONE, State.DONE]
    assert queue.store.rows("SELECT attempt FROM job") == [(1,), (1,)]


def test_a_log_that_cannot_be_copied_back_stays(tmp_path: Path) -> None:
    """The disk refuses: nothing is raised, nothing is lost, and the next time it is copied."""
    queue = Queue(tmp_path, ECHO)
    number = queue.call("echo", b'"' + b"x" * 20_000_000 + b'"', mode=Mode.BATCH)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, before[1]))
    try:
        checkpoint_apart(queue.home)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert log_size(queue.home) > 20_000_000
    checkpoint_apart(queue.home)
    assert log_size(queue.home) == 0
    assert queue.state(number) is State.QUEUED


def test_a_log_to_which_nothing_is_added_is_copied_back_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However long it is: an idle daemon does not open the queue again and again for it."""
    queue = Queue(tmp_path, ECHO)
    engine = Engine(queue.home, load_config(queue.home, {}), "drain")
    copied: list[Path] = []
    monkeypatch.setattr(engine_module, "checkpoint_apart", lambda home: copied.append(home.folder))

    async def tended() -> None:
        await engine.tend()
        await asyncio.sleep(0)  # what it began is with a thread now, which `run` waits for

    queue.call("echo", b'"' + b"x" * 2_000_000 + b'"', mode=Mode.BATCH)
    for _ in range(2):
        asyncio.run(tended())
    assert len(copied) == 1
    queue.call("echo", b'"y"', mode=Mode.BATCH)
    asyncio.run(tended())
    assert len(copied) == 2


def test_the_log_of_a_busy_queue_is_emptied(tmp_path: Path) -> None:
    """Copying the log back beside somebody who never stops writing ends with an empty log, not with a longer one."""
    queue = Queue(tmp_path)
    stop = threading.Event()

    def write() -> None:
        with Store.open(queue.home, checkpoints=False) as store:
            while not stop.is_set():
                with store.tx() as connection:
                    connection.execute("INSERT OR REPLACE INTO meta VALUES ('x', randomblob(20000))")
                time.sleep(0.0005)

    def emptied() -> bool:
        checkpoint_apart(queue.home)
        return log_size(queue.home) < 10_000_000

    writer = threading.Thread(target=write)
    writer.start()
    try:
        until(lambda: log_size(queue.home) > 20_000_000)
        until(emptied)
    finally:
        stop.set()
        writer.join()


@pytest.mark.parametrize("umask", [0o000, 0o777])
def test_bells_and_outputs_are_private_whatever_the_umask(tmp_path: Path, umask: int) -> None:
    """Their owner can use them, and nobody else."""
    queue = Queue(tmp_path)
    before = os.umask(umask)
    try:
        with Doorbell(queue.home, RUNNER):
            sink = Sink(queue.home, 1, 1)
            sink.write(Partial(1, 1, b"x"))
            sink.close()
            (bell,), output = queue.home.bells.iterdir(), output_path(queue.home, 1, 1)
            modes = [stat.S_IMODE(path.stat().st_mode) for path in (bell, output, output.parent)]
    finally:
        os.umask(before)
    assert modes == [0o600, 0o600, 0o700]
