"""How long until somebody sees something: stream jobs idle and beside a full batch, the commands, the idle daemon."""

import subprocess
import sys
import time
from pathlib import Path

import psutil

from hybridq.job import Audience, Mode, Request
from hybridq.outlook import Outlook
from hybridq.queue.doorbell import RUNNER, ring
from hybridq.queue.follow import End, follow
from hybridq.submit import submit, submit_many
from tests.bench.measure import daemon, environment, quantile, queue, row

HELLO = """
import typer
app = typer.Typer(add_completion=False)
@app.command()
def hello(name: str = "world") -> None: print(name)
app()
"""


def submit_to_seen(outlook: Outlook, jobs: int) -> list[float]:
    """Seconds from calling submit to the follower's last event, less the handler's own time, one after another."""
    request = Request(handler="noop", audience=Audience.USER, mode=Mode.STREAM)
    seconds = []
    for _ in range(jobs):
        began = time.perf_counter()
        number = submit(outlook, request, b"0").first
        for event in follow(outlook.store, number, time.time):
            if isinstance(event, End) and event.result is not None:
                seconds.append(time.perf_counter() - began - event.result.busy)
        time.sleep(0.005)
    return seconds


def stream(jobs: int = 400) -> None:
    """The stream lane, idle and with a full batch on the other lane."""
    with queue("[policy]\nbackground_delay_cost = 1e6\n") as outlook, daemon(outlook):
        submit_to_seen(outlook, 20)
        idle = submit_to_seen(outlook, jobs)
        row("stream, idle: p50", f"{quantile(idle, 0.5) * 1e3:.1f} ms", "4 ms", quantile(idle, 0.5) / 0.004, "<= 1")
        row("stream, idle: p99", f"{quantile(idle, 0.99) * 1e3:.1f} ms", "25 ms", quantile(idle, 0.99) / 0.025, "<= 1")
        batch = Request(handler="noop", audience=Audience.BACKGROUND, mode=Mode.BATCH)
        submit_many(outlook, ((batch, b"0", None) for _ in range(400_000)))
        ring(outlook.store.home, RUNNER)
        time.sleep(1)
        busy = submit_to_seen(outlook, jobs)
        left = outlook.store.row("SELECT sum(queued) FROM cohort WHERE lane = 'batch'")
        for q, most in ((0.5, 0.004), (0.99, 0.025)):
            at = quantile(busy, q)
            row(
                f"stream, full batch: p{q * 100:.0f}",
                f"{at * 1e3:.1f} ms",
                f"{most * 1.5e3:g} ms",
                at / most / 1.5,
                "<= 1",
            )
        row("  against idle, p50", "", "", quantile(busy, 0.5) / quantile(idle, 0.5), "<= 1.5")
        if not left or not left[0]:
            print("the batch ended before the measurement did: more jobs are needed")


def interleaved(commands: dict[str, tuple[list[str], dict[str, str] | None]], rounds: int = 21) -> dict[str, float]:
    """Median seconds of each command's whole process, in turns."""
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(rounds):
        for name, (command, env) in commands.items():
            began = time.perf_counter()
            subprocess.run(command, env=env, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            seconds[name].append(time.perf_counter() - began)
    return {name: quantile(each, 0.5) for name, each in seconds.items()}


def commands(jobs: int = 1_000_000) -> None:
    """`submit` beside a typer hello world; `status` with a million queued and a million done beside an empty one."""
    with queue() as empty, queue() as full:
        hello = Path(empty.store.home.folder) / "hello.py"
        hello.write_text(HELLO)
        batch = Request(handler="noop", audience=Audience.BACKGROUND, mode=Mode.BATCH)
        for _ in range(2):
            submit_many(full, ((batch, b"0", None) for _ in range(jobs)))
        with full.store.tx() as connection:
            connection.execute("UPDATE job SET state = 'done', finished = 1 WHERE cohort = 1")
            connection.execute("UPDATE cohort SET queued = 0, done = jobs, finished = 1 WHERE id = 1")
        shell = str(Path(sys.executable).with_name("hybridq"))
        took = interleaved(
            {
                "hello": ([sys.executable, str(hello)], environment(empty)),
                "submit": ([shell, "submit", "--", "true"], environment(empty)),
                "submit full": ([shell, "submit", "noop", "x"], environment(full)),
                "status": ([shell, "status"], environment(empty)),
                "status full": ([shell, "status"], environment(full)),
            }
        )
        compare("submit of one job", took["submit"], "typer hello", took["hello"], "<= 1.4")
        compare("submit, 2,000,000 in the queue", took["submit full"], "empty", took["submit"], "")
        compare("status, 2,000,000 in the queue", took["status full"], "empty", took["status"], "<= 1.5")


def compare(what: str, ours: float, name: str, baseline: float, wanted: str) -> None:
    """One line of seconds against seconds."""
    row(what, f"{ours * 1e3:.0f} ms", f"{name} {baseline * 1e3:.0f} ms", ours / baseline, wanted)


def idle(seconds: float = 20.0) -> None:
    """What a daemon costs that has nothing to do."""
    with queue() as outlook, daemon(outlook) as process:
        submit_to_seen(outlook, 3)
        time.sleep(2)
        watched = psutil.Process(process.pid)
        before = sum(watched.cpu_times()[:2])
        time.sleep(seconds)
        share = (sum(watched.cpu_times()[:2]) - before) / seconds
        resident = watched.memory_info().rss / 1e6
        row("idle daemon: of a core", f"{share:.2%}", "0.30 %", share / 0.003, "<= 1")
        row("idle daemon: resident", f"{resident:.0f} MB", "70 MB", resident / 70, "<= 1")
