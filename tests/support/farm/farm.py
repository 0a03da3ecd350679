"""A plug-in with two kinds: `farm`, which lets processes of its own count letters that go on without any runner, and
`box`, which runs commands that see which box they are in.

A farm's folder is its provider: a batch is a file in it, and is counted once the gate is open.
"""

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path
from uuid import uuid4

from msgspec.structs import replace

from hybridq.config.kinds import Traits
from hybridq.config.values import HandlerConfig, RunnerConfig
from hybridq.handlers.shell import Shell
from hybridq.job import Call, Detached, Event, Lane, Output

STREAMED, BATCHED = 0.5, 0.25  # money a job


class Farm:
    """See `hybridq.handlers.protocol.Handler`."""

    traits = Traits(remote=True, starts="never", key="FARM_KEY", defaults={"instances": 3})
    chunk_limit, shared = 1000, False

    def __init__(self, name: str, config: HandlerConfig, *, runner: RunnerConfig) -> None:
        self._folder = Path(str(config.options["folder"]))

    async def run(self, calls: Sequence[Call], lane: Lane) -> AsyncGenerator[Sequence[Event], None]:
        """A single text is counted here; a batch is left with the farm."""
        if lane is Lane.STREAM:
            yield [Output(call.id, call.attempt, value=counted(call.input), cost=STREAMED) for call in calls]
            return
        key = uuid4().hex
        batch = self._folder / f"{key}.batch"
        batch.write_text(json.dumps({call.id: call.input.decode() for call in calls}))
        subprocess.Popen([sys.executable, __file__, str(batch)], start_new_session=True, stdin=subprocess.DEVNULL)
        yield [Detached(tuple((call.id, call.attempt) for call in calls), {"key": key})]

    async def resume(self, work: Detached) -> AsyncGenerator[Sequence[Event], None]:
        """Wait for what the farm has counted, however often hybridq was started meanwhile."""
        done = self._folder / f"{work.reference['key']}.done"
        if work.reference.get("over"):
            done.unlink(missing_ok=True)
            return
        while not done.exists():
            await asyncio.sleep(0.05)
        counts = json.loads(done.read_text())
        yield [
            Output(job, attempt, value=counts[str(job)].encode(), cost=BATCHED, streamed=STREAMED)
            for job, attempt in work.ids
        ]

    def cancel(self, job: int) -> None:
        """A farm takes nothing back."""

    async def check(self) -> str:
        """It is there as long as its folder is."""
        return f"a farm in {self._folder}"

    async def tend(self, now: float) -> float | None:
        """Nothing to look after."""
        return None

    async def close(self) -> None:
        """Nothing to end."""


class Box(Shell):
    """A command of `shell` that sees in BOX where it runs."""

    traits = Traits(commands=True, starts="never", slots="runner")

    def run(self, calls: Sequence[Call], lane: Lane) -> AsyncGenerator[Sequence[Event], None]:
        """See `Handler.run`."""
        return super().run([replace(call, env={**call.env, "BOX": self.name}) for call in calls], lane)


def counted(data: bytes) -> bytes:
    """How many letters a text has, as JSON."""
    return str(len(json.loads(data))).encode()


def farm_out(batch: Path) -> None:
    """Count a batch once the gate is open, with nobody's help."""
    while not (batch.parent / "open").exists() and os.path.exists(batch):
        time.sleep(0.05)
    counts = {job: counted(data.encode()).decode() for job, data in json.loads(batch.read_text()).items()}
    made = batch.with_suffix(".making")
    made.write_text(json.dumps(counts))
    made.rename(batch.with_suffix(".done"))


if __name__ == "__main__":
    farm_out(Path(sys.argv[1]))
