"""The saving that is told, beside that of a second, really streamed run of the same jobs.

Kinds of real workers, each in a queue of its own with the default policy: people's jobs one by one, then groups that
nobody waits for, drained at the end. Beside it, so that both meet the same load, the same jobs at the same times in
another queue, each asked to stream. `cost` and `streamed` are what `report` tells of the first, `really` is what the
second cost; `told` and `true` are the savings that follow, `off` their distance in points, `simulated` what `simulate
--history` tells of the first. A saving that is not known yet is a dash.

Run: python -m tests.bench.told [KIND...] [--runs N]. Quiet machine, please.
"""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from msgspec import Struct

from hybridq.job import Audience, Lane, Mode, Request
from hybridq.outlook import Outlook
from hybridq.queue import ledger
from hybridq.report.report import Saved, report
from hybridq.simulate.baselines import Stream
from hybridq.simulate.clock import SimulatedRun, simulate
from hybridq.simulate.hybrid import Hybrid
from hybridq.simulate.past import past
from hybridq.submit import submit, submit_many
from tests.support.building import command, daemon, queue, until

WORKERS = """
import math, random, time

chance = random.Random(7)


def short(inputs):
    for each in inputs:
        time.sleep(0.002)
        yield len(each)


def shared(inputs):
    time.sleep(0.25 + 0.005 * len(inputs))
    return [len(each) for each in inputs]


def linear(inputs):
    for each in inputs:
        time.sleep(len(each) / 4000)
        yield len(each)


def noisy(inputs):
    for each in inputs:
        time.sleep(0.02 * math.exp(chance.gauss(0, 0.8)))
        yield len(each)


def steady(inputs):
    for each in inputs:
        time.sleep(0.04)
        yield len(each)


def counting(inputs):
    for each in inputs:
        until = time.process_time() + 0.01
        while time.process_time() < until:
            pass
        yield len(each)


time.sleep(1)
"""
SHELL = b'{"argv": ["sleep", "0.05"]}'
FILTER = """
import sys, time
time.sleep(0.2)
for line in sys.stdin:
    time.sleep(0.005)
    print(line, end="", flush=True)
"""


class Kind(Struct, frozen=True):
    """`config` of its handler `it`; `people` jobs one by one, then `groups` of so many. `others`: processes that keep
    the machine busy while people's jobs run. `call`: a function of WORKERS."""

    people: int
    groups: tuple[int, ...]
    call: str = ""
    config: str = ""
    others: int = 0
    together: bool = False  # the groups come at once with the first of people's jobs


KINDS = {
    "start": Kind(40, (400, 3000), "short"),
    "busy at first": Kind(120, (3000,), "short", together=True),
    "calls": Kind(8, (30, 60), "shared"),
    "by size": Kind(20, (50, 350), "linear"),
    "noisy": Kind(30, (60, 400), "noisy"),
    "steady": Kind(15, (40, 250), "steady"),
    "commands": Kind(20, (60, 100)),
    "per job": Kind(20, (100,), "steady", "price = 0.001"),
    "filter": Kind(8, (30, 50), config='command = ["{python}", "filter.py"]\nprotocol = "lines"'),
    "others' load": Kind(60, (100, 300), "counting", others=2),
    "two at once": Kind(20, (60, 120), "steady", "instances = 2"),
    "streamed": Kind(120, (), "short"),
}
HEAD = "kind            jobs batched     cost streamed   really     told     true      off  simulated   load"


def prepared(folder: Path, kind: Kind) -> tuple[Outlook, str]:
    """A queue with this kind of handler, and the handler's name."""
    folder.mkdir()
    (folder / "kinds.py").write_text(WORKERS)
    (folder / "filter.py").write_text(FILTER)
    lines = kind.config.format(python=sys.executable) + (f'\ncall = "kinds:{kind.call}"' if kind.call else "")
    handler = f'[handlers.it]\n{lines}\ncwd = "{folder}"\n' if lines else ""
    return queue(folder, handler), "it" if lines else "shell"


@contextmanager
def beside(processes: int) -> Iterator[None]:
    """Keep the machine busy."""
    loops = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(processes)]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


def run(folder: Path, kind: Kind, mode: Mode | None) -> Outlook:
    """The queue after all jobs are done. Close its `store`."""
    outlook, name = prepared(folder, kind)
    env = {"PATH": os.environ["PATH"]}

    def asked(audience: Audience) -> Request:
        return Request(handler=name, audience=audience, mode=mode, env=env, signal="bench")

    def data(number: int) -> bytes:
        return b'"' + b"x" * (20 + 37 * number % 180) + b'"' if name == "it" else SHELL

    def gathered(jobs: int) -> None:
        submit_many(outlook, [(asked(Audience.BACKGROUND), data(number), None) for number in range(jobs)])

    with daemon(outlook):
        if kind.together:
            for jobs in kind.groups:
                gathered(jobs)
        with beside(kind.others):
            for number in range(kind.people):
                submit(outlook, asked(Audience.USER), data(number))
                time.sleep(0.02)
            until(lambda: not _open(outlook, "user"), 120)
        for jobs in () if kind.together else kind.groups:
            gathered(jobs)
            time.sleep(1)
        command(outlook.store.home, "drain")
        until(lambda: not _open(outlook), 120)
    return outlook


def _open(outlook: Outlook, audience: str = "%") -> bool:
    sql = "SELECT 1 FROM cohort WHERE queued + running > 0 AND audience LIKE ?"
    return bool(outlook.store.rows(sql, (audience,)))


class Figures(Struct, frozen=True):
    """What the report says of the money, how many jobs ran in batches, and the saving by the simulation."""

    money: Saved
    batched: int
    simulated: float


def figures(folder: Path, kind: Kind, mode: Mode | None) -> Figures:
    """Of one run."""
    outlook = run(folder, kind, mode)
    with outlook.store:
        found = ledger.read(outlook.store, 0.0, time.time())
        assert not sum(each.failed for each in found.sums), found.causes
        money = report(found, time.time(), untold=outlook.untold()).total
        world = past(outlook)
        share = 1 - _cost(simulate(world, Hybrid)) / _cost(simulate(world, Stream))
        return Figures(money, sum(each.done for each in found.sums if each.lane is Lane.BATCH), share)


def _cost(done: SimulatedRun) -> float:
    return sum(task.cost for task in done.tasks) + done.starts


def line(name: str, kind: Kind) -> None:
    """Run both, and print what was told beside what is true."""
    with TemporaryDirectory() as folder, ThreadPoolExecutor(2) as both:
        ours = both.submit(figures, Path(folder) / "ours", kind, None)
        theirs = both.submit(figures, Path(folder) / "theirs", kind, Mode.STREAM)
        first, second = ours.result(), theirs.result()
    assert not second.batched, "all were to stream"
    told, really = first.money, second.money.cost
    true = 1 - told.cost / really
    claimed = f"{'-':>8} {true:8.1%} {'-':>8}"
    if told.share is not None:
        claimed = f"{told.share:8.1%} {true:8.1%} {100 * (told.share - true):+8.1f}"
    print(
        f"{name:14} {told.jobs:5,} {first.batched:7,} {told.cost:8.4g} {told.streamed:8.4g} {really:8.4g} {claimed}"
        f" {first.simulated:10.1%} {os.getloadavg()[0]:6.1f}",
        flush=True,
    )


def main() -> None:
    """By the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kinds", nargs="*", choices=[*KINDS, []], metavar="KIND")
    parser.add_argument("--runs", type=int, default=1)
    asked = parser.parse_args()
    print(HEAD)
    for name in asked.kinds or KINDS:
        for _ in range(asked.runs):
            line(name, KINDS[name])


if __name__ == "__main__":
    main()
