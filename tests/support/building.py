"""Builders that tests share: a queue in a folder, jobs in it in any state, the real command, a real daemon.

`queue` makes the queue, `submit_all` and `run_jobs` fill it without any process, `look` is a snapshot of it,
`command` and `typed` are what a user types, `staying` is one that goes on, `daemon` serves the queue while a test
looks. `until` waits for a condition, never for a time.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hybridq.brain.outcome import settle
from hybridq.home import Home
from hybridq.job import Audience, Decision, Failure, Mode, Output, Request
from hybridq.outlook import Outlook
from hybridq.queue.claims import claim_batch
from hybridq.queue.cohorts import cohorts
from hybridq.queue.intake import accept
from hybridq.queue.results import record
from hybridq.queue.runner import Runner, daemon_of
from hybridq.reason import said
from hybridq.selection import parse_selector
from hybridq.status.overview import take
from hybridq.status.snapshot import Row, Snapshot
from hybridq.submit import connect, submit_many
from tests.support import forked

ECHO = """
[handlers.echo]
command = ["cat"]
protocol = "lines"
expected = "20ms"
fixed = "1s"
"""
HYBRIDQ = (sys.executable, "-c", "from hybridq_cli.main import run; run()")


def queue(folder: Path, config: str = ECHO) -> Outlook:
    """A queue in `folder`/home with this config.toml. Close its `store`."""
    home = folder / "home"
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    (home / "config.toml").write_text(config)
    return connect({}, home=home)


def night(now: float, begins: float, lasts: float = 3600.0) -> str:
    """A tariff that is five times as cheap from so many seconds after `now` (epoch seconds) on."""
    start, end = (time.strftime("%H:%M:%S", time.gmtime(now + after)) for after in (begins, begins + lasts))
    return f'[[tariff.window]]\nstart = "{start}"\nend = "{end}"\nfactor = 0.2\nname = "night"\n'


def asking(handler: str = "echo", mode: Mode | None = Mode.BATCH, **more: object) -> Request:
    """A background request; `more` are any fields of a Request."""
    return Request(handler=handler, audience=Audience.BACKGROUND, mode=mode, **more)  # type: ignore[arg-type]


def submit_all(outlook: Outlook, request: Request, inputs: Iterable[bytes]) -> list[int]:
    """Submit these inputs as one; returns their ids."""
    accepted = submit_many(outlook, ((request, data, None) for data in inputs))
    assert accepted is not None
    return list(range(accepted.first, accepted.last + 1))


def groups(outlook: Outlook, number: int) -> None:
    """So many groups `g0`, `g1`, ... of one job each, the later ones due earlier; quick, so without the policy."""
    now, decision = time.time(), Decision(mode=Mode.BATCH, reason=said("test"))
    with outlook.store.tx():
        for n in range(number):
            accept(
                outlook.store,
                asking(group=f"g{n}", deadline=now + 90000 - n),
                b"1",
                lambda *_: (decision, 0.0),
                now=now,
            )


def run_jobs(outlook: Outlook, jobs: int, *, fail: int = 0, hold: int = 0, handler: str = "echo") -> None:
    """Take the next `jobs` of the batch lane: the last `hold` go on running as long as this process lives, the
    `fail` before them fail, the others are done. Each costs 0.25, where streaming would have cost 1."""
    store, now = outlook.store, time.time()
    places = [of.id for of in cohorts(store, "queued > 0 AND lane = 'batch' AND handler = ?", (handler,))]
    runner = Runner(store, "submit")
    claims = claim_batch(store, runner.id, 1, handler, places, jobs, now)
    assert len(claims) == jobs
    over = claims[: jobs - hold]
    done: list[Output | Failure] = [Output(each.id, each.attempt, value=b'"fine"') for each in over[: len(over) - fail]]
    failed = [Failure(each.id, each.attempt, "it went wrong", exit_code=3) for each in over[len(over) - fail :]]
    ends = [
        settle(event, claim, retries=0, now=now, cost=0.25, streamed=1.0)
        for event, claim in zip([*done, *failed], over, strict=True)
    ]
    record(store, ends)
    if not hold:
        runner.close(store)


def command(home: Home | Path, *args: str, stdin: str = "", **environ: str) -> "subprocess.CompletedProcess[str]":
    """Run `hybridq ARGS` for a queue, as a user's shell would, without a terminal."""
    folder = home.folder if isinstance(home, Home) else home
    return run(*args, input=stdin, env=environment(folder, **environ))


def run(*args: str, env: dict[str, str], **options: Any) -> "subprocess.CompletedProcess[Any]":
    """Run `hybridq ARGS` to its end without a terminal; `options` are those of `subprocess.run`."""
    if "input" not in options:
        options.setdefault("stdin", subprocess.DEVNULL)
    options = {"text": True, "timeout": 60, **options}
    if not options.keys() <= {"input", "stdin", "cwd", "text", "timeout"} or not forked.alike(env):
        return subprocess.run([*HYBRIDQ, *args], env=env, capture_output=True, check=False, **options)
    text = options.pop("text")
    given = options.pop("input", None)
    given = given.encode() if isinstance(given, str) else given
    done = forked.run(
        args,
        env=env,
        given=given,
        stdin=stdin.fileno() if hasattr(stdin := options.get("stdin"), "fileno") else stdin,
        cwd=options.get("cwd"),
        timeout=options["timeout"],
    )
    if not text:
        return done
    told = [data.decode().replace("\r\n", "\n").replace("\r", "\n") for data in (done.stdout, done.stderr)]
    return subprocess.CompletedProcess(done.args, done.returncode, *told)


def environment(folder: Path, **more: str) -> dict[str, str]:
    """This process's environment, for the queue in `folder`."""
    plain = {name: value for name, value in os.environ.items() if name != "COLUMNS"}  # a test runner's own width
    return {**plain, "HYBRIDQ_HOME": str(folder), **more}


@contextmanager
def staying(outlook: Outlook, *args: str) -> Iterator["subprocess.Popen[str]"]:
    """`hybridq ARGS` as somebody else's command; it is ended at the end."""
    process = subprocess.Popen(
        [*HYBRIDQ, *args],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(outlook.store.home.folder),
    )
    try:
        yield process
    finally:
        process.terminate()
        process.communicate(timeout=20)


@contextmanager
def daemon(outlook: Outlook) -> "Iterator[subprocess.Popen[bytes]]":
    """A real daemon that serves the queue; it is told to stop at the end, by its pid."""
    home = outlook.store.home
    log = home.folder / "daemon.log"
    with log.open("ab") as file:
        process = subprocess.Popen(
            [*HYBRIDQ, "daemon"],
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            env=environment(home.folder),
        )
    try:
        until(lambda: daemon_of(outlook.store) is not None or process.poll() is not None)
        assert process.poll() is None, log.read_text()
        yield process
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def until(condition: Callable[[], object], seconds: float = 30.0) -> None:
    """Wait until the condition holds; fails after so many seconds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"it did not come true within {seconds:.0f} s"
        time.sleep(0.01)


def look(outlook: Outlook, *words: str, limit: int = 40, **more: object) -> Snapshot:
    """A snapshot now."""
    selectors = [parse_selector(word) for word in words]
    return take(outlook, now=time.time(), limit=limit, selectors=selectors, **more)  # type: ignore[arg-type]


def names(rows: tuple[Row, ...]) -> list[str | int]:
    """Each row's group, or the id of its job."""
    return [row.group or row.id for row in rows]


def typed(outlook: Outlook, *args: str, hint: str = "") -> str:
    """What the command prints; it must end well and say nothing else but the hint."""
    done = command(outlook.store.home, *args)
    assert (done.returncode, done.stderr) == (0, hint), done.stderr
    return done.stdout


def document(outlook: Outlook, *args: str) -> Any:
    """The one JSON document that it prints."""
    return json.loads(typed(outlook, *args, "--json"))
