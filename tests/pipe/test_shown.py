"""What views tell of pipes: `status`, `report`, `doctor`."""

import json
import signal
import subprocess

from tests.pipe.test_death import fed, first
from tests.support.building import until
from tests.support.user import Queue


def test_status_shows_a_pipe_as_one_row(queue: Queue) -> None:
    """With its rates, its lag and what was shed; `--json` has the same as numbers, until it ends."""
    with queue.start("pipe", "upper", stdin=subprocess.PIPE) as process:
        assert process.stdin is not None
        process.stdin.write("a\nb\n")
        process.stdin.flush()
        until(lambda: queue.rows("SELECT 1 FROM pipe WHERE answered = 2"))
        row = queue.run("status").stdout.splitlines()[1].split("\t")
        told = json.loads(queue.run("status", "--json").stdout)["pipes"][0]
        process.stdin.close()
        process.wait(30)
    assert row[:4] == ["pipe 1", "upper", "pipe", "running"]
    assert "2 taken" in row[-1]
    assert "lag p50" in row[-1]
    assert (told["handler"], told["taken"], told["answered"], told["shed"]) == ("upper", 2, 2, 0)
    assert 0 < told["lag50"] <= told["lag99"]
    assert json.loads(queue.run("status", "--json").stdout)["pipes"] == []


def test_what_died_is_told_until_its_items_are_jobs(queue: Queue) -> None:
    """By `status` and `doctor`, which change nothing; a drain makes jobs of them."""
    process, _ = fed(queue, "slow")
    first(queue, process)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=30)
    assert "died" in queue.run("status").stdout
    assert "a pipe died and left items: slow-pipe-1" in queue.run("doctor").stdout
    queue.run("drain", "--quiet")
    assert "pipe died" not in queue.run("doctor").stdout


def test_report_sums_up_items_and_cost(queue: Queue) -> None:
    """By handler, apart from jobs; the money is that of the daily budget."""
    queue.run("pipe", "dear", "-q", input="a\n" * 3)
    (told,) = json.loads(queue.run("report", "--json").stdout)["piped"]
    assert (told["handler"], told["taken"], told["answered"], told["cost"]) == ("dear", 3, 3, 3.0)
    assert "Pipes" in queue.run("report").stdout
