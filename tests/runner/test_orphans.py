"""Kill -9 of a runner beside processes that left its group: they are gone before their jobs begin again."""

import os
import signal
import sys
from pathlib import Path

import psutil
import pytest

from hybridq.job import State
from tests.support.building import until
from tests.support.user import Queue

LEAVES = {
    "its session": ("sh", "-c", 'setsid sleep 600 & echo $! > "$0"; wait'),
    "its environment, too": ("sh", "-c", 'env -i setsid sleep 600 & echo $! > "$0"; wait'),
    "its files, too": (
        sys.executable,
        "-c",
        "import subprocess, sys; p = subprocess.Popen(['sleep', '600'], start_new_session=True)\n"
        "open(sys.argv[1], 'w').write(str(p.pid)); p.wait()",
    ),
    "its parent, too": ("sh", "-c", '(setsid sh -c "echo \\$\\$ > $0; exec sleep 600" &); sleep 600'),
}


def runs(pid: int) -> bool:
    """Whether that process does anything still."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def child(note: Path) -> int:
    """The process whose number a job noted."""
    until(lambda: note.exists() and note.read_text().strip())
    return int(note.read_text())


@pytest.mark.parametrize("command", LEAVES.values(), ids=LEAVES)
def test_what_left_its_group_is_gone_before_its_job_begins_again(tmp_path: Path, command: tuple[str, ...]) -> None:
    """Whoever finds that a runner was killed ends what it had started, wherever that went; then the job is queued."""
    queue, note = Queue(tmp_path), tmp_path / "note"
    queue.run("submit", "--detach", "--mode", "stream", "--", *command, str(note))
    with queue.daemon() as daemon:
        left = child(note)
        daemon.kill()
        daemon.wait()
        assert runs(left)
        assert "queued" in queue.run("status").stdout
        assert not runs(left)


def test_worker_that_left_its_group_is_gone(tmp_path: Path) -> None:
    """A worker's helper in a session of its own does not outlive a killed runner."""
    note = tmp_path / "note"
    script = f"setsid sleep 600 & echo $! > {note}; cat > /dev/null; sleep 600"
    queue = Queue(tmp_path, f"[handlers.w]\ncommand = ['sh', '-c', '{script}']\n")
    queue.run("submit", "w", "x", "--detach", "--mode", "stream")
    with queue.daemon() as daemon:
        left = child(note)
        daemon.kill()
        daemon.wait()
        queue.run("status")
        assert not runs(left)


def test_what_a_job_left_behind_on_purpose_lives_on(tmp_path: Path) -> None:
    """A command that ended by itself may leave a process: that outlives also a killed runner."""
    queue, note = Queue(tmp_path), tmp_path / "note"
    queue.run("submit", "--detach", "--mode", "stream", "--", "sh", "-c", f"setsid sleep 600 & echo $! > {note}")
    with queue.daemon() as daemon:
        left = child(note)
        until(lambda: queue.state(1) is State.DONE)
        daemon.kill()
        daemon.wait()
        try:
            queue.run("status")
            assert runs(left)
        finally:
            os.kill(left, signal.SIGKILL)


def test_runner_that_stops_leaves_no_lock(tmp_path: Path) -> None:
    """Both locks of a runner go with it, also while a process that a job left behind still has one of them."""
    queue, note = Queue(tmp_path), tmp_path / "note"
    queue.run("submit", "--detach", "--mode", "batch", "--", "sh", "-c", f"setsid sleep 600 & echo $! > {note}")
    queue.run("drain", "--quiet")
    os.kill(child(note), signal.SIGKILL)
    assert list((queue.folder / "runners").iterdir()) == []
