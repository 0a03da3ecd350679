"""How good promises are in real runs: by kind of worker, lane and what else runs on the same instances.

A real daemon and real workers that sleep. Three kinds run side by side for some minutes: people's jobs one by one, and
groups that asked for a batch, both at random. The first third only teaches. `covered`, `error` and `bias` are those of
`tests.bench.lanes`; `best` is the error of somebody who knows when each job begins and what such jobs usually take.

Run: python -m tests.bench.promised [--seconds N]
"""

import argparse
import random
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from hybridq.job import Audience, Lane, Mode, Request
from hybridq.outlook import Outlook
from hybridq.submit import submit, submit_many
from tests.support import building
from tests.support.served import EAGER

WORKER = """
import json, math, random, sys, time
each, spread, call = map(float, sys.argv[1:])
for line in sys.stdin:
    calls = json.loads(line)
    time.sleep(call)
    for one in calls if isinstance(calls, list) else [calls]:
        time.sleep(each * math.exp(random.gauss(0, spread)))
        print(json.dumps({"id": one["id"], "output": 1}), flush=True)
"""
KINDS = {"steady": (0.8, 0.05, 0.0), "wide": (0.6, 0.7, 0.0), "calls": (0.05, 0.2, 1.0)}
HEAD = "kind     lane    beside     promises  covered   error    bias    best"


def drive(outlook: Outlook, seconds: float, seed: int) -> None:
    """Submit at random: each lane keeps each worker busy for a quarter to a third of the time."""
    chance, end = random.Random(seed), time.time() + seconds
    coming: list[tuple[float, str, bool]] = []
    for name, (each, _, call) in KINDS.items():
        alone = each + call
        for batch, rate in ((False, 0.3 / alone), (True, 0.3 / (8 * each + 2 * call))):
            at = time.time() + chance.expovariate(rate)
            while at < end:
                coming.append((at, name, batch))
                at += chance.expovariate(rate)
    for at, name, batch in sorted(coming):
        time.sleep(max(0.0, at - time.time()))
        if batch:
            jobs = 1 + int(chance.expovariate(1 / 8))
            asked = Request(handler=name, audience=Audience.BACKGROUND, signal="bench", mode=Mode.BATCH)
            submit_many(outlook, ((asked, b'"x"', None) for _ in range(jobs)))
        else:
            submit(outlook, Request(handler=name, audience=Audience.USER, signal="bench"), b'"x"')


def table(outlook: Outlook, since: float) -> None:
    """What was promised after `since`, and what came."""
    rows = outlook.store.rows(
        "SELECT handler, lane, accepted, started, cohort.finished, promise.finish, finish90 FROM cohort"
        " JOIN promise ON promise.cohort = cohort.id WHERE queued + running = 0 AND promise.finish IS NOT NULL"
    )
    found: dict[tuple[str, str, str], list[tuple[float, float, bool, float]]] = {}
    usual = {
        key: median(finished - started for h, lane, _, started, finished, *_ in rows if (h, lane) == key)
        for key in {(h, lane) for h, lane, *_ in rows}
    }
    for handler, lane, accepted, started, finished, finish, finish90 in rows:
        if accepted < since:
            continue
        others = [r for r in rows if r[0] == handler and r[2] < accepted < r[4]]
        lanes = {Lane(r[1]) for r in others}
        beside = "both" if len(lanes) == 2 else "a batch" if Lane.BATCH in lanes else "streams" if lanes else "nothing"
        real = max(0.05, finished - accepted)
        best = abs(started + usual[handler, lane] - finished) / real
        found.setdefault((handler, lane, beside), []).append(
            ((finish - finished) / real, best, finished <= finish90 + 0.02, real)
        )
    print(HEAD)
    every = [each for some in found.values() for each in some]
    for (handler, lane, beside), some in [*sorted(found.items()), (("all", "", ""), every)]:
        if some:
            off = [each[0] for each in some]
            covered = sum(each[2] for each in some) / len(some)
            print(
                f"{handler:8} {lane:7} {beside:10} {len(some):8,} {covered:8.1%} {median(map(abs, off)):7.1%}"
                f" {median(off):7.1%} {median(each[1] for each in some):7.1%}"
            )
    people = outlook.store.rows("SELECT count(*), total(lane = 'batch') FROM cohort WHERE audience = 'user'")[0]
    print(f"people's jobs in the batch lane: {int(people[1])} of {people[0]}")


def main() -> None:
    """One run, by the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=150.0)
    seconds = parser.parse_args().seconds
    with tempfile.TemporaryDirectory() as folder:
        worker = Path(folder) / "worker.py"
        worker.write_text(WORKER)
        config = EAGER
        for name, numbers in KINDS.items():
            words = [sys.executable, str(worker), *map(str, numbers)]
            config += f"[handlers.{name}]\ncommand = {words}\n".replace("'", '"')
        outlook = building.queue(Path(folder), config)
        with building.daemon(outlook):
            began = time.time()
            drive(outlook, seconds, 7)
            building.until(lambda: not outlook.store.rows("SELECT 1 FROM cohort WHERE queued + running > 0"), 120)
        table(outlook, began + seconds / 3)


if __name__ == "__main__":
    main()
