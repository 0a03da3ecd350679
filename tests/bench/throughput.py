"""Jobs a second: the batch lane, bulk submission, shell jobs, each beside its baseline in the same run."""

import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from itertools import islice
from pathlib import Path

from hybridq.brain.plan import plan
from hybridq.job import Audience, Mode, Request
from hybridq.outlook import Outlook
from hybridq.queue.buckets import buckets
from hybridq.runner.drain import DrainLimits, run_drain
from hybridq.submit import submit_many
from tests.bench.measure import HYBRIDQ, environment, queue, row, timed
from tests.support.building import night
from tests.support.crowd import HOUR, crowd

RAW = (
    "CREATE TABLE job (id INTEGER PRIMARY KEY, state TEXT NOT NULL DEFAULT 'queued',"
    " attempt INTEGER NOT NULL DEFAULT 0, started REAL, finished REAL, output TEXT, input TEXT NOT NULL)",
    "CREATE INDEX queued ON job (id) WHERE state = 'queued'",
)
PRICED = '[handlers.priced]\ncommand = "cat"\nprotocol = "lines"\nexpected = "1ms"\nprice = 0.02\n'


def raw_database(folder: str) -> sqlite3.Connection:
    """The smallest table that keeps what a queue must, as durable as ours."""
    connection = sqlite3.connect(f"{folder}/raw.db", isolation_level=None)
    for statement in ("PRAGMA journal_mode = WAL", "PRAGMA synchronous = FULL", *RAW):
        connection.execute(statement)
    return connection


def raw_insert(connection: sqlite3.Connection, jobs: int) -> float:
    """Rows a second of executemany in transactions of 20,000."""
    lines = (f"line {number}" for number in range(jobs))

    def insert() -> None:
        while part := [(line,) for line in islice(lines, 20_000)]:
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany("INSERT INTO job (input) VALUES (?)", part)
            connection.execute("COMMIT")

    return jobs / timed(insert)


def raw_claim_finish(connection: sqlite3.Connection, jobs: int) -> float:
    """Jobs a second of claiming 256 and finishing 256, two transactions: state, attempt, times, input and output."""

    def loop() -> None:
        for _ in range(jobs // 256):
            connection.execute("BEGIN IMMEDIATE")
            taken = connection.execute(
                "UPDATE job SET state = 'running', attempt = attempt + 1, started = ? WHERE id IN"
                " (SELECT id FROM job WHERE state = 'queued' ORDER BY id LIMIT 256) RETURNING id, attempt, input",
                (time.time(),),
            ).fetchall()
            connection.execute("COMMIT")
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany(
                "UPDATE job SET state = 'done', output = ?, finished = ? WHERE id = ? AND attempt = ?",
                [(b"0", time.time(), number, attempt) for number, attempt, _ in taken],
            )
            connection.execute("COMMIT")

    return jobs / timed(loop)


def batch_lane(jobs: int = 300_000) -> None:
    """No-op jobs through a JSON Lines worker, from submitted to stored."""
    with tempfile.TemporaryDirectory() as folder, queue() as outlook:
        raw = raw_database(folder)
        raw_insert(raw, 100_000)
        before = raw_claim_finish(raw, 50_000)
        request = Request(handler="noop", audience=Audience.BACKGROUND, mode=Mode.BATCH)
        submit_many(outlook, ((request, b"0", None) for _ in range(jobs)))
        took = timed(lambda: run_drain(outlook.store.home, outlook.config, DrainLimits()))
        after = raw_claim_finish(raw, 50_000)
        done = outlook.store.row("SELECT count(*) FROM result")
        if done != (jobs,):
            raise RuntimeError(f"only {done} results")
        ceiling = (before + after) / 2
        row(
            "batch lane, no-op",
            f"{jobs / took:,.0f}/s",
            f"raw SQLite {ceiling:,.0f}/s",
            jobs / took / ceiling,
            ">= 0.40",
        )
        if peer := huey():
            row("batch lane, no-op", f"{jobs / took:,.0f}/s", f"huey {peer:,.0f}/s", jobs / took / peer, ">= 10")


HUEY = """
from huey import SqliteHuey
huey = SqliteHuey(filename={file!r}, fsync=False)
@huey.task()
def noop(x): return x
"""


def huey(jobs: int = 10_000) -> float | None:
    """Jobs a second of huey on SQLite with two threads, once it is up; None where it is not installed."""
    consumer = Path(sys.executable).with_name("huey_consumer")
    if not consumer.exists():
        print("huey is not installed: pip install huey")
        return None
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "huey_app.py").write_text(HUEY.format(file=f"{folder}/huey.db"))
        fill = f"import sys; sys.path.insert(0, {folder!r}); import huey_app; [huey_app.noop(i) for i in range({jobs})]"
        subprocess.run([sys.executable, "-c", fill], check=True)
        with subprocess.Popen(
            [consumer, "huey_app.huey", "-w", "2", "-k", "thread", "-d", "0.005", "-b", "1", "-m", "0.02", "-q"],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": folder},
            stderr=subprocess.DEVNULL,
        ) as process:
            try:
                return _drained(f"{folder}/huey.db", jobs)
            finally:
                process.terminate()


def _drained(database: str, jobs: int) -> float:
    """Jobs a second from the first that left huey's table to the last."""
    connection = sqlite3.connect(database, isolation_level=None, timeout=30)
    began, left = 0.0, jobs
    while left:
        (left,) = connection.execute("SELECT count(*) FROM task").fetchone()
        if left < jobs and not began:
            began, first = time.perf_counter(), left
        time.sleep(0.01)
    return first / (time.perf_counter() - began)


LAUNCH = """
import resource, subprocess, sys, time
began = time.perf_counter()
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
print(time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024)
"""


def bulk_submit(jobs: int = 1_000_000) -> None:
    """`submit --lines` on an empty queue and behind as many, in seconds and in megabytes."""
    with tempfile.TemporaryDirectory() as folder, queue() as outlook:
        lines = Path(folder) / "lines"
        lines.write_text("".join(f"line {number}\n" for number in range(jobs)))
        ceiling = raw_insert(raw_database(folder), jobs)
        for when in ("empty queue", "behind as many"):
            # A small process starts it: a child's peak counts from its parent's.
            command = [
                sys.executable,
                "-c",
                LAUNCH,
                *HYBRIDQ,
                "submit",
                "noop",
                "--lines",
                str(lines),
                "--mode",
                "batch",
            ]
            done = subprocess.run(command, env=environment(outlook), check=True, capture_output=True, text=True)
            seconds, resident = map(float, done.stdout.split())
            rate = jobs / seconds
            row(f"submit --lines, {when}", f"{rate:,.0f}/s", f"executemany {ceiling:,.0f}/s", rate / ceiling, ">= 0.40")
            row("  its memory", f"{resident:.0f} MB", "150 MB", resident / 150, "<= 1")


def many_submissions(number: int = 100_000) -> None:
    """What one look at so many separate submissions takes, each with a deadline or none: reading, then planning."""
    with queue(night(time.time(), 5 * HOUR) + PRICED) as outlook:
        now = crowd(outlook, number, handler="priced")
        took = min(timed(lambda: _look(outlook, now)) for _ in range(5)) * 1000
        classes = len(buckets(outlook.store, "priced", now).held)
        row(f"planning {number:,} submissions", f"{took:.1f} ms", f"{classes:,} classes, 50 ms", took / 50, "<= 1")


def _look(outlook: Outlook, now: float) -> None:
    work = buckets(outlook.store, "priced", now).held
    plan(work, outlook.conditions("priced", now, work))


def shell_jobs(jobs: int = 1000) -> None:
    """`true`, as often, two at a time, beside task-spooler."""
    with queue("[runner]\nbatch_slots = 2\nstream_slots = 2\n") as outlook:
        request = Request(
            handler="shell", audience=Audience.BACKGROUND, mode=Mode.BATCH, env={"PATH": os.environ["PATH"]}
        )
        took = timed(
            lambda: (
                submit_many(outlook, ((request, b'{"argv": ["true"]}', None) for _ in range(jobs))),
                run_drain(outlook.store.home, outlook.config, DrainLimits()),
            )
        )
    spooler = shutil.which("tsp")
    if not spooler:
        print(f"shell jobs: {jobs / took:,.0f}/s; task-spooler is not installed (package task-spooler)")
        return
    with tempfile.TemporaryDirectory() as folder:
        env = {**os.environ, "TS_SOCKET": f"{folder}/socket", "TMPDIR": folder, "TS_SAVELIST": f"{folder}/save"}
        subprocess.run([spooler, "-S", "2"], env=env, check=True)

        def spool() -> None:
            for _ in range(jobs):
                subprocess.run([spooler, "true"], env=env, stdout=subprocess.DEVNULL, check=True)
            subprocess.run([spooler, "-w"], env=env, stdout=subprocess.DEVNULL, check=True)

        peer = jobs / timed(spool)
        subprocess.run([spooler, "-K"], env=env, check=True)
    row("shell jobs, 2 slots", f"{jobs / took:,.0f}/s", f"task-spooler {peer:,.0f}/s", jobs / took / peer, ">= 1")
