"""Kill -9 of a runner at random instants while it runs batches: what every round must leave.

`python -m tests.crash.runner 200` runs as many rounds and prints its figures; the suite runs fewer.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable
from itertools import takewhile
from pathlib import Path

from hybridq.brain.occurrence import Missed
from hybridq.job import Audience, Mode, Request, Waits
from hybridq.queue.rescue import rescue
from hybridq.runner.occurrences import key_of, make_all_due
from hybridq.submit import connect, submit, submit_many
from tests.support.recurring import recurring

WORKER = """
import json, os, sys, time
log = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
for line in sys.stdin:
    calls = json.loads(line)
    for call in calls if isinstance(calls, list) else [calls]:
        os.write(log, b"%d %d\\n" % (call["id"], call["attempt"]))
        time.sleep(0.0002)
        os.write(log, b"%d ends\\n" % call["id"])
        print(json.dumps({"id": call["id"], "output": "result of " + call["input"]}), flush=True)
"""
RUNNER = """
import os, sys
from hybridq.config.read import load_config
from hybridq.runner.daemon import run_daemon
from hybridq.runner.drain import DrainLimits, run_drain
from hybridq.home import Home
home = Home.find(os.environ)
print("up", flush=True)
config = load_config(home, os.environ)
run_daemon(home, config) if sys.argv[1] == "daemon" else run_drain(home, config, DrainLimits())
"""
CONFIG = """
[policy]
background_delay_cost = 1e6
load_weight = 0
[handlers.echo]
expected = 0.001
command = ["{python}", "{worker}", "{log}"]
retries = 0
"""


class Doomed:
    """A queue in a home of its own, whose runners die."""

    def __init__(self, folder: Path, config: str, seed: int, **environment: str) -> None:
        self.random = random.Random(seed)
        self.home = folder / "home"
        self.home.mkdir(mode=0o700, parents=True)
        (self.home / "config.toml").write_text(config)
        self.environment = {**os.environ, "HYBRIDQ_HOME": str(self.home), **environment}
        self.outlook = connect(self.environment)
        self.jobs = 0

    def runner(self, kind: str = "drain", **environment: str) -> subprocess.Popen[bytes]:
        """A drain or a daemon, up."""
        process = subprocess.Popen(
            [sys.executable, "-c", RUNNER, kind],
            env={**self.environment, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        assert process.stdout is not None
        process.stdout.readline()
        return process

    def left(self) -> int:
        """Jobs that have not ended."""
        row = self.outlook.store.row("SELECT sum(queued + running) FROM cohort")
        return int(row[0] or 0) if row else 0

    def drain(self) -> None:
        """Let drains run in peace until everything has ended."""
        while self.left():
            command = [sys.executable, "-c", RUNNER, "drain"]
            subprocess.run(command, env=self.environment, check=True, timeout=60, stdout=subprocess.DEVNULL)

    def check(self, answer: str) -> None:
        """Each job is done and has one result: `answer`, a blank and its input."""
        store = self.outlook.store
        states = dict(store.rows("SELECT state, count(*) FROM job GROUP BY state"))
        assert states == {"done": self.jobs}, (
            states,
            store.rows("SELECT id, error FROM result WHERE error IS NOT NULL"),
        )
        results = store.rows("SELECT input, value FROM job LEFT JOIN result ON result.id = job.id")
        wrong = [row for row in results if row[1] != b'"%s ' % answer.encode() + row[0][1:]]
        assert not wrong, wrong[:5]
        assert store.rows("PRAGMA integrity_check") == [("ok",)]


class Crash(Doomed):
    """One queue that runners are killed on, again and again."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.log, worker = folder / "log", folder / "worker.py"
        worker.write_text(WORKER)
        super().__init__(folder, CONFIG.format(python=sys.executable, worker=worker, log=self.log), seed)
        self.kills = 0
        self.nights: list[str] = []  # the keys of the occurrences that have come

    def recur(self, nights: int = 20) -> None:
        """Schedules that are due: by now, and so many nights of one of them."""
        now = time.time()
        number = len(self.nights)
        new = recurring(
            self.outlook,
            f"s{number}",
            "every 1h",
            since=now - 3600 * nights - 1,
            missed=Missed.ALL,
            data=b'"%d"' % number,
        )
        instants = takewhile(lambda at: at <= now, new.recurrence.all_after(new.reached))
        self.nights += [key_of(new, at) for at in instants]

    def submit(self, jobs: int) -> None:
        """A batch of so many jobs, where it is needed, with some that wait for them, and two stream jobs."""
        if self.left() < jobs:
            asked = Request(handler="echo", audience=Audience.BACKGROUND, mode=Mode.BATCH)
            first = self._many(jobs, ((asked, None) for _ in range(jobs)))
            second = self._many(jobs // 4, ((asked, Waits(done=((n, n),))) for n in range(first, first + jobs // 4)))
            streamed = Request(handler="echo", audience=Audience.BACKGROUND, mode=Mode.STREAM)
            both = (first + jobs // 2, first + jobs - 1), (second, second + jobs // 4 - 1)
            self._many(3, ((streamed, Waits(done=both)) for _ in range(3)))
        for _ in range(2):
            submit(self.outlook, Request(handler="echo", audience=Audience.USER, mode=Mode.STREAM), b'"%d"' % self.jobs)
            self.jobs += 1

    def _many(self, jobs: int, asked: Iterable[tuple[Request, Waits | None]]) -> int:
        """The first id of a submission of so many jobs, which wait for these."""
        numbers = range(self.jobs, self.jobs + jobs)
        lines = ((request, b'"%d"' % n, None, waits) for n, (request, waits) in zip(numbers, asked, strict=True))
        accepted = submit_many(self.outlook, lines)
        assert accepted is not None
        self.jobs += jobs
        return accepted.first

    def round(self, jobs: int) -> None:
        """Start a runner on fresh work and kill it somewhere in the middle."""
        self.submit(jobs)
        self.recur()
        with self.runner(self.random.choice(["daemon", "drain"])) as process:
            time.sleep(self.random.uniform(0.0, 0.6))
            process.send_signal(signal.SIGKILL)
        self.kills += 1

    def finish(self) -> None:
        """Let whoever looks next make what is due and rescue, and a drain run in peace to the end."""
        make_all_due(self.outlook, time.time())
        rescue(self.outlook.store, time.time())
        self.drain()

    def verdict(self) -> dict[str, int]:
        """Check that each job has exactly one result, the right one; returns the figures."""
        keys = [key for (key,) in self.outlook.store.rows("SELECT name FROM key")]
        assert sorted(keys) == sorted(self.nights)
        assert self.outlook.store.row("SELECT count(*), count(DISTINCT job) FROM occurrence") == (len(keys), len(keys))
        self.jobs += len(self.nights)
        self.check("result of")
        lines = [line.split() for line in self.log.read_text().splitlines()]
        ran = Counter(job for job, what in lines if what != "ends")
        waited = self._check_order([(int(job), what) for job, what in lines])
        again = sum(ran.values()) - len(ran)
        return {
            "jobs": self.jobs,
            "occurrences": len(self.nights),
            "waited": waited,
            "kills": self.kills,
            "run again": again,
            "per kill": again // max(1, self.kills),
        }

    def _check_order(self, lines: list[tuple[int, str]]) -> int:
        """Nobody ran before what they wait for, by the worker's log and by the queue; returns how many waited."""
        store = self.outlook.store
        ends: dict[int, int] = {}
        begins: dict[int, int] = {}
        for place, (job, what) in enumerate(lines):
            (ends if what == "ends" else begins).setdefault(job, place)
        times = {job: (began, over) for job, began, over in store.rows("SELECT id, started, finished FROM job")}
        behind = store.rows("SELECT job.id, done FROM job JOIN gate ON gate.id = job.gate")
        pairs = [(job, n) for job, done in behind for first, last in json.loads(done) for n in range(first, last + 1)]
        assert [pair for pair in pairs if begins[pair[0]] < ends[pair[1]]] == []
        assert [pair for pair in pairs if times[pair[0]][0] < times[pair[1]][1]] == []
        assert store.rows("SELECT 1 FROM dependency") == []
        return len(behind)


def main(rounds: int, jobs: int = 1000, seed: int = 7) -> None:
    """Run the rounds and print what came of them."""
    with tempfile.TemporaryDirectory() as folder:
        crash = Crash(Path(folder), seed)
        began = time.monotonic()
        for number in range(rounds):
            crash.round(jobs)
            if number % 20 == 19:
                print(f"{number + 1} kills, {crash.jobs} jobs, {crash.left()} left, {time.monotonic() - began:.0f} s")
        crash.finish()
        print(f"seed {seed}:", crash.verdict())


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("rounds", type=int, nargs="?", default=200)
    parser.add_argument("--seed", type=int, default=7)
    asked = parser.parse_args()
    main(asked.rounds, seed=asked.seed)
