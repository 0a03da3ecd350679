"""Why nothing of a handler begins is told alike by status, show, explain, follow and wait, of a job and a group."""

import json
import time
from pathlib import Path

import pytest

from hybridq.queue.holds import withhold_all
from hybridq.queue.runner import Runner
from tests.support.building import ECHO
from tests.support.user import Queue

WHY = "held: echo is paused until 06:00, its worker cannot start"


@pytest.fixture
def paused(tmp_path: Path) -> Queue:
    """Job 1, and the group `g` of two, of a handler that whoever runs the queue has paused."""
    made = Queue(tmp_path, ECHO)
    made.run("submit", "echo", "x", "--mode", "batch")
    made.run("submit", "echo", "--mode", "batch", "--group", "g", "--lines", "-", input="a\nb\n")
    withhold_all(made.outlook.store, "echo", WHY, time.time())
    return made


@pytest.mark.parametrize("kind", ["daemon", "drain"])
@pytest.mark.parametrize("name", ["1", "g"])
def test_a_paused_handler_is_told_everywhere(paused: Queue, name: str, kind: str) -> None:
    """Each of them says the reason that the runner gave, whatever kind of handler or runner that is."""
    runner = Runner(paused.outlook.store, kind)
    try:
        for view in ("status", "show", "explain"):
            assert WHY in " ".join(paused.run(view, name).stdout.split()), view
        assert WHY in json.dumps(json.loads(paused.run("status", name, "--json").stdout)["rows"])
        assert WHY in paused.run("wait", name, "--timeout", "0.2").stderr
        with paused.start("follow", name) as follower:
            assert follower.stderr is not None
            assert WHY in follower.stderr.readline()
    finally:
        runner.close(paused.outlook.store)
