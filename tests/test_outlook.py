"""What the brain is told of the world: who is warm, and what real workers taught."""

import sys
import time
from pathlib import Path

import pytest

from hybridq.estimate import Model, Observation, learn_many
from hybridq.job import Lane
from hybridq.outlook import Outlook
from hybridq.queue.knowledge import remember
from hybridq.queue.runner import Runner
from tests.building import ECHO, asking, command, queue, submit_all

WORKER = ECHO.replace('protocol = "lines"\n', "")
LOADS = """
import json, sys, time
for number, line in enumerate(sys.stdin):
    time.sleep(0 if number else 0.6)
    calls = json.loads(line)
    for call in calls if isinstance(calls, list) else [calls]:
        print(json.dumps({"id": call["id"], "output": 1}), flush=True)
"""


def ran(outlook: Outlook, at: float) -> None:
    """The handler ran jobs, and that was written down at this instant."""
    model = learn_many(Model(), [Observation(size=1, busy=0.003)] * 4)
    remember(outlook.store, "echo", Lane.STREAM, model, at)


@pytest.mark.parametrize(("config", "stays"), [(WORKER, True), (ECHO, False)], ids=["worker", "filter"])
def test_warm_is_what_a_living_runner_keeps(tmp_path: Path, config: str, stays: bool) -> None:
    """A worker is warm while the runner that used it lives; a filter, which each chunk starts anew, never is."""
    outlook = queue(tmp_path, config)
    runner = Runner(outlook.store, "daemon")
    ran(outlook, time.time())
    assert outlook.conditions("echo", time.time()).warm is stays
    runner.close(outlook.store)
    assert not outlook.conditions("echo", time.time()).warm
    outlook.store.close()


def test_runner_that_came_later_keeps_nothing_warm(tmp_path: Path) -> None:
    """After a restart the daemon has no worker yet, though jobs ran a moment ago; with its first job it has one."""
    outlook = queue(tmp_path, WORKER)
    ran(outlook, time.time())
    restarted = Runner(outlook.store, "daemon")
    assert not outlook.conditions("echo", time.time()).warm
    ran(outlook, time.time())
    assert outlook.conditions("echo", time.time()).warm
    restarted.close(outlook.store)
    outlook.store.close()


def test_warm_ends_with_the_idle_time(tmp_path: Path) -> None:
    """A worker that had nothing to do for its idle time is gone."""
    outlook = queue(tmp_path, WORKER + 'idle = "1m"\n')
    runner = Runner(outlook.store, "daemon")
    ran(outlook, time.time())
    assert not outlook.conditions("echo", time.time() + 61).warm
    runner.close(outlook.store)
    outlook.store.close()


def test_loading_at_the_first_call_is_learned_as_start(tmp_path: Path) -> None:
    """A real worker that loads when it is first asked: a flush of 200 teaches its start, and jobs that take no time."""
    (tmp_path / "loads.py").write_text(LOADS)
    program = f'[handlers.loads]\ncommand = ["{sys.executable}", "-S", "{tmp_path}/loads.py"]\n'
    outlook = queue(tmp_path, program)
    submit_all(outlook, asking("loads"), [b"1"] * 200)
    done = command(outlook.store.home, "drain", "--quiet")
    assert done.returncode == 0, done.stderr
    estimate = outlook.estimate("loads")
    assert 0.6 <= (estimate.startup() or 0) < 6
    assert (estimate.run_time(Lane.BATCH, 1) or 9) < 0.1
    outlook.store.close()
