"""A queue of one's own, used as its user does: real command lines, real terminals, a real daemon.

Every process that is started here is ended here, by its own id.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import pexpect

from hybridq.asking.surroundings import secret
from hybridq.job import State
from hybridq.outlook import Outlook
from hybridq.queue.cohorts import job
from hybridq.submit import connect
from tests.support.building import HYBRIDQ, run, until

ECHO = f"""
[handlers.echo]
command = ["{sys.executable}", "-u", "-c", '''
import json, sys
for line in sys.stdin:
    calls = json.loads(line)
    for call in calls if isinstance(calls, list) else [calls]:
        print(json.dumps({{"id": call["id"], "output": call["input"]}}))
''']
retries = 2
timeout = 60
"""


class Queue:
    """A queue in a folder of its own, with this config.toml."""

    def __init__(self, folder: Path, config: str = "") -> None:
        self.folder = folder / "home"
        self.folder.mkdir(mode=0o700)
        (self.folder / "config.toml").write_text(config)
        foreign = ("HYBRIDQ_", "COV_", "PYTEST", "CI", "COLUMNS")  # the last is a test runner's own width
        # A developer's own secrets, or another test's, would be told of: they are not kept for a job.
        self.environment = {
            name: value for name, value in os.environ.items() if not (name.startswith(foreign) or secret(name))
        }
        self.environment["HYBRIDQ_HOME"] = str(self.folder)

    @cached_property
    def outlook(self) -> Outlook:
        """One connection, with the configuration as it was at its first use."""
        return connect(self.environment)

    def rows(self, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """What is in the file."""
        return self.outlook.store.rows(sql, parameters)

    def state(self, number: int) -> State:
        """Where a job stands."""
        return job(self.outlook.store, number).state

    def run(self, *args: str, env: dict[str, str] | None = None, **options: Any) -> "subprocess.CompletedProcess[str]":
        """One command line to its end, without a terminal."""
        return run(*args, env={**self.environment, **(env or {})}, **options)

    @contextmanager
    def start(self, *args: str, **options: Any) -> "Iterator[subprocess.Popen[str]]":
        """One command line that goes on; ended at the end."""
        with subprocess.Popen(
            [*HYBRIDQ, *args],
            env=self.environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            **{"stdin": subprocess.DEVNULL, **options},
        ) as process:
            try:
                yield process
            finally:
                if process.poll() is None:
                    process.terminate()
                    process.communicate(timeout=30)

    @contextmanager
    def daemon(self) -> "Iterator[subprocess.Popen[str]]":
        """A daemon that serves the queue."""
        with self.start("daemon") as process:
            until(lambda: process.poll() is not None or self.rows("SELECT 1 FROM runner WHERE kind = 'daemon'"))
            assert process.poll() is None, process.communicate()
            yield process

    @contextmanager
    def terminal(self, *args: str, width: int = 100, **options: Any) -> "Iterator[pexpect.spawn[str]]":
        """One command line on a terminal of so many columns; ended at the end."""
        child = pexpect.spawn(
            HYBRIDQ[0],
            [*HYBRIDQ[1:], *args],
            env={**self.environment, "TERM": "xterm-256color"},
            encoding="utf-8",
            timeout=30,
            dimensions=(30, width),
            **options,
        )
        try:
            yield child
        finally:
            child.close(force=True)


def ended(child: "pexpect.spawn[str]") -> int:
    """The exit code of what ran on a terminal, once it has ended; a signal's number is negative."""
    child.expect(pexpect.EOF)
    child.wait()
    return -child.signalstatus if child.signalstatus else int(child.exitstatus or 0)


def inputs(queue: Queue) -> list[object]:
    """What every job in the queue would be given, in order."""
    return [json.loads(data) for (data,) in queue.rows("SELECT input FROM job ORDER BY id")]


def count(queue: Queue) -> int:
    """How many jobs the file holds, accepted or not."""
    return int(queue.rows("SELECT count(*) FROM job")[0][0])
