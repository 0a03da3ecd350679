"""The kinds of worker that promises are tried on: what each takes, how it strays, and who comes to it.

A worker here sleeps as long as each input says, so that what jobs take is drawn by the bench, the same in every run; a
job's size tells of its time only where a kind says so. `usual` of a draw is what somebody could know beforehand.
"""

import random
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
from msgspec import Struct

from hybridq.job import Audience, Mode, Request

WORKER = """
import json, sys, time
start, call = map(float, sys.argv[1:])
time.sleep(start)
for line in sys.stdin:
    calls = json.loads(line)
    time.sleep(call)
    for one in calls if isinstance(calls, list) else [calls]:
        time.sleep(one["input"]["s"])
        print(json.dumps({"id": one["id"], "output": 1}), flush=True)
"""


class Job(Struct, frozen=True):
    """One job's seconds, what somebody who knows its kind and its input would have thought, and bytes of padding."""

    seconds: float
    usual: float
    padding: int = 0


Draw = Callable[[random.Random], Job]


def strayed(each: float, spread: float) -> Draw:
    """Log-normal around `each` seconds."""
    return lambda chance: Job(each * chance.lognormvariate(0.0, spread), each)


def noisy(each: float, share: float) -> Draw:
    """Up to so much more or less, all alike likely."""
    return lambda chance: Job(each * chance.uniform(1 - share, 1 + share), each)


def tailed(least: float) -> Draw:
    """Pareto: most take little more than the least, one in a hundred twenty times as long."""
    return lambda chance: Job(min(20.0, chance.paretovariate(1.5)) * least, least * 2 ** (1 / 1.5))


def linear(chance: random.Random) -> Job:
    """A millisecond a byte."""
    bytes_ = chance.randrange(50, 1500)
    return Job(bytes_ / 1000 * chance.lognormvariate(0.0, 0.05), bytes_ / 1000, bytes_)


def bimodal(chance: random.Random) -> Job:
    """Seven in ten are short and small."""
    each, padding = (0.2, 0) if chance.random() < 0.7 else (1.6, 600)
    return Job(each * chance.lognormvariate(0.0, 0.1), each, padding)


def commands(chance: random.Random) -> Job:
    """One of three commands."""
    each = chance.choice((0.3, 0.9, 2.0))
    return Job(each, each)


class Kind(Struct, frozen=True, kw_only=True):
    """A kind of worker. `people` and `batches` are the share of the time that each lane keeps its instances busy."""

    draw: Draw
    start: float = 0.2  # seconds
    call: float = 0.0  # seconds that each call takes beside its jobs
    people: float = 0.3
    batches: float = 0.3
    group: int = 5  # jobs of a group in the mean
    instances: int = 1
    idle: float = 600.0  # seconds that an instance is kept
    kind: str = "worker"
    draft: bool = False  # people's jobs have one
    handler: str = ""  # more of its table

    def table(self, name: str, worker: Path, url: str) -> str:
        """Its part of config.toml."""
        head = f"[handlers.{name}]\n"
        if self.kind == "openai":
            prices = "price_input = 1\nprice_output = 10\n"
            return f'{head}kind = "openai"\nmodel = "m"\nbase_url = "{url}"\ninstances = 4\npoll = 0.2\n{prices}'
        if self.kind == "shell":
            return f'{head}kind = "shell"\n'
        words = ", ".join(f'"{word}"' for word in (sys.executable, "-S", worker, self.start, self.call))
        draft = 'draft = "sketch"\n' if self.draft else ""
        return f"{head}command = [{words}]\ninstances = {self.instances}\nidle = {self.idle}\n{draft}{self.handler}"

    def mean(self) -> float:
        """Seconds of one of its jobs, in the mean."""
        chance = random.Random(1)
        return sum(self.draw(chance).seconds for _ in range(2000)) / 2000

    def input(self, job: Job) -> bytes:
        """What a job of it is submitted with."""
        if self.kind == "shell":
            return msgspec.json.encode({"argv": ["sleep", f"{job.seconds:g}"]})
        if self.kind == "openai":
            return b'"ask"'
        return msgspec.json.encode({"s": round(job.seconds, 6), "x": "x" * job.padding})


KINDS = {
    "steady": Kind(draw=strayed(0.8, 0.05)),
    "noisy": Kind(draw=noisy(0.6, 0.2)),
    "wide": Kind(draw=strayed(0.6, 0.7)),
    "tailed": Kind(draw=tailed(0.25), people=0.25),
    "linear": Kind(draw=linear),
    "bimodal": Kind(draw=bimodal),
    "calls": Kind(draw=strayed(0.05, 0.2), call=1.0, people=0.25),
    "sharing": Kind(draw=strayed(0.06, 0.2), call=0.6, start=2.0, people=0.1, batches=0.2, group=20, idle=6.0),
    "slow": Kind(draw=strayed(0.5, 0.1), start=3.0, people=0.04, batches=0.1, idle=1.0),
    "mixed": Kind(draw=strayed(0.5, 0.1), start=2.0, people=0.08, batches=0.12, idle=6.0),
    "several": Kind(draw=strayed(1.2, 0.3), people=0.4, batches=0.3, instances=3, group=12),
    "behind": Kind(draw=strayed(0.3, 0.2), people=0.0, batches=0.65),
    "crowded": Kind(draw=strayed(0.5, 0.2), people=0.5, batches=0.3),
    "commands": Kind(draw=commands, kind="shell", people=0.5, batches=0.5),
    "drafted": Kind(draw=strayed(0.8, 0.1), people=0.25, batches=0.2, draft=True),
    "remote": Kind(draw=strayed(0.5, 0.0), kind="openai", people=0.3, batches=0.3),
}
SKETCH = Kind(draw=strayed(0.4, 0.1))  # makes the drafts


class Coming(Struct, frozen=True):
    """One submission: when (seconds after the begin), to which handler, for whom, and what its jobs take."""

    at: float
    name: str
    batch: bool
    jobs: tuple[Job, ...]
    nobody: bool = False  # waits for it, and no mode is asked for

    def request(self) -> Request:
        """What is asked for: a group for nobody that may wait, or one job for a person."""
        if self.nobody:
            return Request(
                handler=self.name, audience=Audience.BACKGROUND, signal="bench", env={"PATH": "/usr/bin:/bin"}
            )
        mode = Mode.BATCH if self.batch else Mode.ADAPTIVE if KINDS[self.name].draft else None
        audience = Audience.BACKGROUND if self.batch else Audience.USER
        env = {"PATH": "/usr/bin:/bin"}
        return Request(handler=self.name, audience=audience, signal="bench", mode=mode, env=env)


def coming(seconds: float, seed: int, only: tuple[str, ...] = ()) -> list[Coming]:
    """All that comes within so many seconds, to all kinds or to some, in the order of time."""
    every = (
        each
        for name in only or KINDS
        for batch in (False, True)
        for each in _coming(name, batch, seconds, random.Random(f"{name} {batch} {seed}"))
    )
    return sorted(every, key=lambda each: each.at)


def _coming(name: str, batch: bool, seconds: float, chance: random.Random) -> Iterator[Coming]:
    kind = KINDS[name]
    busy = kind.batches if batch else kind.people
    work = kind.mean() * kind.group + 2 * kind.call if batch else kind.mean() + kind.call
    rate, at = busy * kind.instances / work, 0.0
    while rate and (at := at + chance.expovariate(rate)) < seconds:
        jobs = 1 + int(chance.expovariate(1 / kind.group)) if batch else 1
        yield Coming(at, name, batch, tuple(kind.draw(chance) for _ in range(jobs)))
