"""A queue that cannot be written: on a full disk, or without the right to; what only reads goes on."""

import os
import resource
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.user import HYBRIDQ, Queue, until

LOOKS = [["status"], ["show", "1"], ["explain", "1"], ["output", "1"], ["report"]]
CHANGES = [["submit", "--", "true"], ["retry", "all"], ["daemon"]]


@pytest.fixture
def queue(tmp_path: Path) -> Queue:
    """A queue with a job that was done, one that failed and one that waits, which nobody has open."""
    queue = Queue(tmp_path)
    queue.run("submit", "--", "echo", "hello")
    queue.run("submit", "--", "false")
    queue.run("drain")
    queue.run("submit", "--", "true")
    forget_log(queue)
    return queue


def forget_log(queue: Queue) -> None:
    """Copy SQLite's log back and take its files away, as the last one to close does."""
    queue.outlook.store.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    queue.outlook.store.close()
    for path in queue.folder.glob("queue.db-*"):
        path.unlink()


def full_disk() -> None:
    """No file may grow: what a disk without room does, and SQLite hears it at the same places."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (1024, 1024))


def bound(*args: str) -> list[str]:
    """A command line for somebody whom the rights of files bind, which they do not bind root."""
    drop = ["setpriv", "--bounding-set=-dac_override,-dac_read_search,-fowner", "--inh-caps=-all"]
    return [*(drop if os.geteuid() == 0 else []), *HYBRIDQ, *args]


def run(
    queue: Queue, command: list[str], begin: Callable[[], None] | None = None
) -> "subprocess.CompletedProcess[str]":
    """The command to its end."""
    return subprocess.run(
        command,
        env=queue.environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        preexec_fn=begin,
        check=False,
    )


def test_a_full_disk_stops_no_look(queue: Queue) -> None:
    """On a full disk everything can be seen; what would be written is refused with 74, and nothing is accepted."""
    for words in LOOKS:
        done = run(queue, [*HYBRIDQ, *words], full_disk)
        assert (done.returncode, done.stderr) == (0, ""), words
    for words in CHANGES:
        done = run(queue, [*HYBRIDQ, *words], full_disk)
        assert (done.returncode, done.stderr.count("\n")) == (74, 1), words
    assert len(queue.run("status", "--all").stdout.splitlines()) == 4


def test_a_full_disk_with_a_log_shows_what_is_in_it(queue: Queue) -> None:
    """What a process that was killed had committed is seen, though only SQLite's log holds it."""
    kill = (
        "import os, sqlite3, sys; db = sqlite3.connect(sys.argv[1], isolation_level=None);"
        "db.execute('PRAGMA wal_autocheckpoint = 0');"
        "db.execute(\"UPDATE job SET state = 'cancelled' WHERE id = 3\"); os._exit(0)"
    )
    subprocess.run([HYBRIDQ[0], "-c", kill, str(queue.folder / "queue.db")], check=True, timeout=30)
    (queue.folder / "queue.db-shm").unlink()
    done = run(queue, [*HYBRIDQ, "show", "3"], full_disk)
    assert (done.returncode, done.stderr) == (0, "")
    assert "cancelled" in done.stdout


@pytest.mark.parametrize("what", ["", "queue.db"], ids=["folder", "file"])
def test_what_may_only_be_read_is_read(queue: Queue, what: str) -> None:
    """Without the right to write everything can be seen; what would be written is 77, and says what to do."""
    place = queue.folder / what
    place.chmod(0o500)
    try:
        for words in LOOKS:
            done = run(queue, bound(*words))
            assert (done.returncode, done.stderr) == (0, ""), words
        for words in CHANGES:
            done = run(queue, bound(*words))
            assert (done.returncode, done.stderr.count("\n")) == (77, 1), words
            assert "cannot write" in done.stderr
            assert "HYBRIDQ_HOME" in done.stderr
    finally:
        place.chmod(0o700)


def test_a_log_that_cannot_be_locked_is_not_passed_over(queue: Queue) -> None:
    """Where the log beside the file holds more and may not be used, an old state is not shown for the new: 77."""
    (queue.folder / "queue.db-wal").write_bytes(b"x" * 5000)
    queue.folder.chmod(0o500)
    try:
        done = run(queue, bound("status"))
    finally:
        queue.folder.chmod(0o700)
    assert done.returncode == 77
    assert "without closing it" in done.stderr


def test_a_dead_daemon_is_no_obstacle_on_a_full_disk(tmp_path: Path) -> None:
    """What a killed daemon left cannot be queued again without room; it is shown all the same."""
    queue = Queue(tmp_path)
    with queue.daemon() as daemon:
        queue.run("submit", "--mode", "stream", "--", "sleep", "60")
        until(lambda: queue.state(1) == "running")
        daemon.kill()
        daemon.wait()
    done = run(queue, [*HYBRIDQ, "status"], full_disk)
    assert (done.returncode, done.stderr) == (0, "")
    assert "sleep 60" in done.stdout
