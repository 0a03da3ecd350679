"""Processes that submit at once: a history of what each was told, against what is there. Yes, no, and who knows."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hybridq.queue.rescue import rescue
from tests.support.building import HYBRIDQ, until
from tests.support.user import ECHO, Queue
from tests.support.verbs import check_counters

SINGLES = """
import os, sys
from hybridq.submit import connect, submit
from hybridq.job import Audience, Request
outlook, number = connect(dict(os.environ)), 0
while not os.path.exists(sys.argv[1]):
    request = Request(handler="echo", audience=Audience.BACKGROUND)
    print(number, submit(outlook, request, b"%d" % number).first, flush=True)
    number += 1
"""


def lines(folder: Path, name: str, jobs: int, last: dict[str, object] | None = None) -> str:
    """A JSON Lines file of jobs with keys whose input is `name`, and then perhaps one more."""
    rows = [{"input": name, "key": f"{name} {n}", "priority": n % 3} for n in range(jobs)] + ([last] if last else [])
    (folder / name).write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return str(folder / name)


def there(queue: Queue, name: str) -> int:
    """How many accepted jobs have this input."""
    accepted = "SELECT 1 FROM job JOIN cohort ON cohort.id = cohort WHERE accepted > 0 AND input = ?"
    return len(queue.rows(accepted, json.dumps(name).encode()))


def test_what_others_were_told_holds_beside_submissions_that_fail(tmp_path: Path) -> None:
    """Beside bulk submissions that are refused, interrupted and killed each acknowledged single job is there."""
    queue = Queue(tmp_path, ECHO)
    queue.run("submit", "echo", "other", "--key", "taken")
    refused = lines(tmp_path, "refused", 300, {"input": "mine", "key": "taken"})
    stop = tmp_path / "stop"
    program = [sys.executable, "-c", SINGLES, str(stop)]
    with subprocess.Popen(program, stdout=subprocess.PIPE, text=True, env=queue.environment) as singles:
        until(lambda: queue.rows("SELECT 1 FROM job WHERE id > 3"))
        told = {"refused": queue.run("submit", "echo", "--jsonl", refused).returncode}
        for number, name in ((signal.SIGINT, "interrupted"), (signal.SIGKILL, "killed")):
            told[name] = left_in_the_middle(queue, name, number)
        stop.touch()
        said, _ = singles.communicate(timeout=60)
    rescue(queue.outlook.store, time.time())
    for number, job in (line.split() for line in said.splitlines()):
        assert queue.rows("SELECT input FROM job WHERE id = ?", int(job)) == [(number.encode(),)]
    assert told == {"refused": 65, "interrupted": 130, "killed": -signal.SIGKILL}
    assert [there(queue, name) for name in told] == [0, 0, 0]


def left_in_the_middle(queue: Queue, name: str, number: int) -> int:
    """A bulk submission that has written a part when this signal comes; returns its exit code."""
    program = [*HYBRIDQ, "submit", "echo", "--lines", "-"]
    with subprocess.Popen(program, stdin=subprocess.PIPE, env=queue.environment, stderr=subprocess.DEVNULL) as process:
        assert process.stdin is not None
        process.stdin.write(f"{name}\n".encode() * 25_000)
        process.stdin.flush()
        until(lambda: queue.rows("SELECT 1 FROM job WHERE input = ?", json.dumps(name).encode()))
        process.send_signal(number)
        code = process.wait(60)
        process.stdin.close()
    return code


def test_a_killed_submission_with_keys_is_repeated_at_once(tmp_path: Path) -> None:
    """Whoever repeats it finds out that the writer is dead, with nobody having looked before."""
    queue = Queue(tmp_path, ECHO)
    file = lines(tmp_path, "keyed", 5)
    died = queue.run("submit", "echo", "--jsonl", file, env={"HYBRIDQ_TEST_DIE_AT": "written"})
    assert died.returncode == -signal.SIGKILL
    assert queue.rows("SELECT count(*) FROM key") == [(5,)]
    assert queue.run("submit", "echo", "--jsonl", file).returncode == 0
    assert there(queue, "keyed") == 5


def test_the_known_lines_of_a_set_of_options_are_no_error(tmp_path: Path) -> None:
    """A file whose known lines make up all of one set of options adds what is new, and no more."""
    queue = Queue(tmp_path, ECHO)
    queue.run("submit", "echo", "--jsonl", lines(tmp_path, "old", 1))
    new = lines(tmp_path, "old", 1, {"input": "new", "key": "new", "priority": 9})
    again = queue.run("submit", "echo", "--jsonl", new)
    assert (again.returncode, there(queue, "old"), there(queue, "new")) == (0, 1, 1)
    check_counters(queue.outlook.store)


@pytest.mark.parametrize("time_", [1, 2])
def test_a_submission_of_many_groups_that_dies_while_it_is_shown_is_whole(time_: int, tmp_path: Path) -> None:
    """What was accepted and not shown yet is shown by whoever looks next."""
    queue = Queue(tmp_path, ECHO)
    (tmp_path / "f").write_text("".join(f'{{"input": "x", "group": "g{n}"}}\n' for n in range(1200)))
    arm = {"HYBRIDQ_TEST_DIE_AT": f"showing:{time_}"}
    assert queue.run("submit", "echo", "--jsonl", str(tmp_path / "f"), env=arm).returncode == -signal.SIGKILL
    assert 0 < there(queue, "x") < 1200
    queue.run("status")
    assert there(queue, "x") == 1200
    check_counters(queue.outlook.store)
    assert os.listdir(queue.folder / "runners") == []
