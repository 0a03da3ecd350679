"""Retries with a wait: told, kept over a kill, ended by `retry`; time limits by what is usual. Real processes."""

import json
import re
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from hybridq.job import State
from tests.support.building import until
from tests.support.user import ECHO, Queue

LIMITED = """
[handlers.shell]
timeout = "3x"
expected = "500ms"
"""


def shown(queue: Queue, job: int) -> dict[str, Any]:
    """What `show --json` says."""
    found: dict[str, Any] = json.loads(queue.run("show", str(job), "--json").stdout)
    return found


def failing(queue: Queue, *options: str, code: int = 75) -> None:
    """Submit a command that ends so."""
    done = queue.run("submit", "--detach", *options, "--", "sh", "-c", f"echo x >>{queue.folder}/tries; exit {code}")
    assert done.returncode == 0, done.stderr


def tries(queue: Queue) -> int:
    """How often it was tried."""
    file = queue.folder / "tries"
    return len(file.read_text().splitlines()) if file.exists() else 0


@pytest.mark.parametrize("lane", ["stream", "batch"])
def test_a_wait_is_kept_over_a_kill(tmp_path: Path, lane: str) -> None:
    """Told in every view while it lasts, and no shorter for the next daemon."""
    queue = Queue(tmp_path)
    with queue.daemon() as process:
        due = ["--deadline", "1s"] if lane == "batch" else []
        failing(queue, "--mode", lane, *due, "--retries", "3", "--backoff", "1h")
        until(lambda: shown(queue, 1)["not_before"])
        process.send_signal(signal.SIGKILL)
        process.communicate()
    before = shown(queue, 1)
    with queue.daemon():
        time.sleep(1.5)  # more than a turn of the loop
        found = shown(queue, 1)
    assert (found["not_before"], found["attempt"], tries(queue)) == (before["not_before"], 1, 1)
    assert 3500 < found["not_before"] - time.time() < 1.25 * 3600
    for view in (["status"], ["show", "1"], ["explain", "1"]):
        assert "second try of 4, failed with exit code 75" in queue.run(*view).stdout
    assert found["start"] is None or found["start"] >= found["not_before"]


@pytest.mark.parametrize("lane", ["stream", "batch"])
def test_it_is_tried_as_often_as_was_asked(tmp_path: Path, lane: str) -> None:
    """First and two more, each after its wait; then it has failed, and `retry` gives it all of them again."""
    queue = Queue(tmp_path)
    with queue.daemon():
        failing(queue, "--mode", lane, "--deadline", "1s", "--retries", "2", "--backoff", "100ms")
        until(lambda: queue.state(1) is State.FAILED)
        assert tries(queue) == 3
        queue.run("retry", "1")
        until(lambda: queue.state(1) is State.FAILED and tries(queue) == 6)


def test_another_exit_code_is_final(tmp_path: Path) -> None:
    """Without waiting for anything."""
    queue = Queue(tmp_path)
    failing(queue, "--mode", "batch", "--retries", "3", "--backoff", "1h", "--retry-on", "75,101", code=3)
    assert queue.run("drain").returncode == 1
    assert (queue.state(1), tries(queue)) == (State.FAILED, 1)


def test_retry_ends_a_wait(tmp_path: Path) -> None:
    """What waits for its next try starts at once, with all its retries; what waits for its turn is left alone."""
    queue = Queue(tmp_path)
    with queue.daemon():
        failing(queue, "--mode", "stream", "--retries", "1", "--backoff", "1h")
        queue.run("submit", "--detach", "--mode", "batch", "--", "true")
        until(lambda: shown(queue, 1)["not_before"])
        assert json.loads(queue.run("retry", "all", "--json").stdout) == {"queued": 1, "ids": [1]}
        until(lambda: tries(queue) == 2 and shown(queue, 1)["not_before"])
        assert shown(queue, 1)["failures"] == 1


def test_a_wait_costs_no_flushes(tmp_path: Path) -> None:
    """While nothing may begin, nothing is tried, and the log stays silent."""
    queue = Queue(tmp_path)
    with queue.daemon():
        failing(queue, "--mode", "batch", "--deadline", "1s", "--retries", "1", "--backoff", "1h")
        until(lambda: shown(queue, 1)["not_before"])
        time.sleep(2.5)
        assert queue.rows("SELECT count(*) FROM flush") == [(1,)]
    assert queue.run("log", "-n", "100").stdout.count("flush 1") == 2


def test_settings_of_a_handler(tmp_path: Path) -> None:
    """What config.toml says counts where the command line is silent."""
    queue = Queue(tmp_path, '[handlers.shell]\nretries = 2\nbackoff = "30s"\nretry_on = [75]\n')
    queue.run("submit", "--detach", "--mode", "batch", "--", "true")
    queue.run("submit", "--detach", "--mode", "batch", "--retry-on", "101,75", "--backoff", "1m", "--", "true")
    found = [shown(queue, job) for job in (1, 2)]
    assert [(f["retries"], f["backoff"], f["retry_on"]) for f in found] == [(2, 30.0, [75]), (2, 60.0, [75, 101])]
    assert "2, after 30s, then twice as long each time; only after exit code 75" in queue.run("show", "1").stdout


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (["--backoff", "30s", "--", "true"], "--backoff and --retry-on need --retries"),
        (["--retries", "2", "--retry-on", "x", "--", "true"], "'x' is no list of exit codes: write 75,101"),
        (["--retries", "2", "--retry-on", "0", "--", "true"], "an exit code must be a whole number from 1 to 255"),
        (["--retry-on", "3", "echo", "x"], "--retry-on is only for commands"),
        (["--timeout", "0x", "--", "true"], "is not a number of times above 0"),
    ],
)
def test_what_cannot_be_meant(tmp_path: Path, args: list[str], told: str) -> None:
    """64 and the sentence."""
    done = Queue(tmp_path, ECHO).run("submit", *args)
    assert done.returncode == 64
    assert told in done.stderr


def test_a_schedule_takes_the_same(tmp_path: Path) -> None:
    """What it hands in is tried so, and `edit` changes each alone."""
    queue = Queue(tmp_path)
    options = ["--retries", "3", "--backoff", "30s", "--retry-on", "75", "--timeout", "3x"]
    queue.run("schedule", "add", "nightly", "@nightly", *options, "--", "true")
    queue.run("schedule", "edit", "nightly", "--backoff", "1m")
    found = json.loads(queue.run("schedule", "show", "nightly", "--json").stdout)
    assert (found["retries"], found["backoff"], found["retry_on"], found["timeout_factor"]) == (3, 60.0, [75], 3.0)


def test_a_limit_of_three_times_the_usual(tmp_path: Path) -> None:
    """What takes longer is ended then; `show` and `explain` tell how long that is."""
    queue = Queue(tmp_path, LIMITED)
    done = queue.run("submit", "--wait", "--", "sleep", "30")
    assert "timed out after 1.5s" in queue.run("status", "--all").stdout
    assert done.returncode not in (0, None)
    assert "time limit  1.5s: 3x the usual 0.5s" in queue.run("show", "1").stdout
    assert "time limit  1.5s: 3x the usual 0.5s" in queue.run("explain", "1").stdout
    assert queue.run("submit", "--wait", "--timeout", "10x", "--", "sleep", "1.6").returncode == 0


def test_what_nobody_knows_has_no_limit(tmp_path: Path) -> None:
    """It runs as long as it likes, and that is told."""
    queue = Queue(tmp_path)
    assert queue.run("submit", "--wait", "--timeout", "0.001x", "--", "sleep", "0.3").returncode == 0
    assert "0.001x the usual time: none until that is known" in queue.run("show", "1").stdout


def test_what_was_learned_is_the_measure(tmp_path: Path) -> None:
    """Three runs of a command are known: the next may take three times as long, and a second at least."""
    queue = Queue(tmp_path)
    for _ in range(3):
        queue.run("submit", "--wait", "--", "sh", "-c", f"test -e {tmp_path}/long || exit 0; sleep 30")
    (tmp_path / "long").touch()
    queue.run("submit", "--wait", "--timeout", "3x", "--", "sh", "-c", f"test -e {tmp_path}/long || exit 0; sleep 30")
    found = shown(queue, 4)
    assert (found["state"], found["error"], found["timeout"]) == ("failed", "timed out after 1s", 1.0)
    assert re.search(r"time limit  1s, as 3x the usual \d+ms is less", queue.run("show", "4").stdout)


def test_a_limit_in_the_configuration_is_one(tmp_path: Path) -> None:
    """A word that is none is refused with its place."""
    queue = Queue(tmp_path, '[handlers.shell]\ntimeout = "often"\n')
    done = queue.run("submit", "--", "true")
    assert done.returncode == 78
    assert "handlers.shell.timeout" in done.stderr
    (tmp_path / "home" / "config.toml").write_text("[handlers.shell]\ntimeout = true\n")
    assert "expected a number or text in quotes, not true or false" in queue.run("submit", "--", "true").stderr
