"""A queue of one's own with real runners on it, for tests of what they do. See `building` for what it is made of."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hybridq.job import Audience, Request, State
from hybridq.queue.cohorts import job
from hybridq.queue.results import Result, result
from hybridq.submit import submit, submit_many
from tests.support import building
from tests.support.building import until

SLOW = """
import json, sys, time
for line in sys.stdin:
    calls = json.loads(line)
    for call in calls if isinstance(calls, list) else [calls]:
        if call["input"] == "die":
            sys.exit(9)
        time.sleep(float(call["input"]))
        print(json.dumps({"id": call["id"], "output": call["input"]}), flush=True)
"""
EAGER = "[policy]\nbackground_delay_cost = 1e6\nload_weight = 0\n"


class Queue:
    """A queue in a folder of its own, one connection to it, and shorthands for what tests ask."""

    def __init__(self, folder: Path, config: str = "") -> None:
        self.outlook = building.queue(folder, config)
        self.store = self.outlook.store
        self.home = self.store.home
        self.environment = building.environment(self.home.folder)

    def submit(self, *argv: str, **options: Any) -> int:
        """The id of a shell job of a waiting user."""
        return self.call("shell", json.dumps({"argv": argv}).encode(), **options)

    def call(self, handler: str, data: bytes, *, audience: Audience = Audience.USER, **options: Any) -> int:
        """The id of one job of a handler; its input is what the handler's calls get."""
        request = Request(handler=handler, audience=audience, **{"env": {"PATH": os.environ["PATH"]}, **options})
        return submit(self.outlook, request, data).first

    def call_many(self, handler: str, inputs: Iterable[bytes], **options: Any) -> list[int]:
        """The ids of one submission of many, for nobody who waits."""
        env = {"PATH": os.environ["PATH"]}
        request = Request(handler=handler, audience=Audience.BACKGROUND, env=env, **options)
        accepted = submit_many(self.outlook, ((request, data, None) for data in inputs))
        assert accepted is not None
        return list(range(accepted.first, accepted.last + 1))

    def state(self, number: int) -> State:
        """Where a job stands."""
        return job(self.store, number).state

    def result(self, number: int) -> Result:
        """What a job left."""
        found = result(self.store, number)
        assert found is not None, f"job {number} has no result"
        return found

    def wait(self, *numbers: int, seconds: float = 30.0) -> list[State]:
        """The states of these jobs once all of them ended."""
        until(lambda: not {State.QUEUED, State.RUNNING} & {self.state(number) for number in numbers}, seconds)
        return [self.state(number) for number in numbers]

    def daemon(self) -> Any:
        """A real daemon while a test looks; it may end by itself."""
        return _daemon(self)

    def log(self) -> str:
        """What the daemons said."""
        return (self.home.folder / "daemon.log").read_text(errors="replace")

    def run(self, *args: str, **environ: str) -> "subprocess.CompletedProcess[str]":
        """One real command line to its end."""
        return building.command(self.home, *args, **environ)


@contextmanager
def _daemon(queue: Queue) -> "Iterator[subprocess.Popen[bytes]]":
    with building.daemon(queue.outlook) as process:
        yield process
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            process.wait(25)


def slow(tmp_path: Path, more: str = "") -> Queue:
    """A queue with a worker that sleeps as long as its input says, and a policy that flushes at once."""
    tmp_path.mkdir(exist_ok=True)
    (tmp_path / "slow.py").write_text(SLOW)
    config = (
        f'{EAGER}[handlers.slow]\ncommand = ["{sys.executable}", "{tmp_path / "slow.py"}"]\nexpected = 0.01\n{more}'
    )
    return Queue(tmp_path, config)
