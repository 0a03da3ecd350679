"""`output`, `follow`, `wait`: what jobs have put out, as it comes, and when they have ended.

Rule: standard output holds what the jobs put out and nothing else. On a terminal it is made visible,
unless `--raw`; to a pipe it goes as it is.
"""

import os
import shlex
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated

import typer

from hybridq.errors import HybridqError, NoSuchJob, TryAgain, UsageError
from hybridq.job import State
from hybridq.outlook import Outlook
from hybridq.outputs import Tail
from hybridq.queue.ends import Awaited
from hybridq.queue.reading import Result, chosen, cohorts, result, state_of
from hybridq.queue.rescue import rescue
from hybridq.selection import Group, Ids, Last, Selector, parse_selector
from hybridq.store import Store
from hybridq.submit import connect
from hybridq.views.overview import take
from hybridq.when import clock, parse_span

from .attend import await_all, code_of, fate, follow_job, served
from .printer import Printer, text_of
from .tell import is_tty, leaving, say
from .views import words

app = typer.Typer()

One = Annotated[str, typer.Argument(metavar="SELECTOR", help="7, last, or a group.")]
Raw = Annotated[bool, typer.Option("--raw", help="Bytes as they are, on a terminal too.")]


@app.command()
def output(
    selector: One,
    draft: Annotated[bool, typer.Option("--draft", help="An adaptive job's draft.")] = False,
    stderr: Annotated[bool, typer.Option("--stderr", help="What went to standard error.")] = False,
    raw: Raw = False,
    to: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE", help="Write it there.", dir_okay=False)
    ] = None,
) -> None:
    """Print what a job has put out; of a group, each job's output in order.

    Of one job that failed and put out nothing it says why, and ends with that job's exit code.
    """
    if draft and stderr:
        raise UsageError("--draft and --stderr cannot go together: a draft is a result")
    with connect(dict(os.environ)).store as store:
        jobs = list(chosen(store, [parse_selector(selector)]))
        if to is None:
            printer = Printer(raw=raw)
            code = _print_all(store, jobs, lambda data: printer.piece(1, data), selector, draft=draft, stderr=stderr)
        else:
            with to.open("wb") as file:
                code = _print_all(store, jobs, file.write, selector, draft=draft, stderr=stderr)
    raise typer.Exit(code)


@app.command()
def follow(
    selector: One = "last",
    raw: Raw = False,
    wait_final: Annotated[
        bool, typer.Option("--wait-final", help="Stay for an adaptive job's final, not only its draft.")
    ] = False,
) -> None:
    """Print a job's output as it arrives, and end as the job ends.

    Of an adaptive job it shows the draft and says when the final is due.
    Of a group it shows how far it is, and ends with 1 where a job was not done.
    """
    named = parse_selector(selector)
    outlook = connect(dict(os.environ))
    with outlook.store as store:
        awaited = Awaited(store, [named])
        job = awaited.only
        with leaving(lambda: f"{fate(store, awaited)}. Come back with: hybridq follow {shlex.quote(selector)}"):
            if job is not None:
                _tell_waiting(outlook, job)
                code = follow_job(store, job, Printer(raw=raw), until_draft=not wait_final)
                _tell_final(outlook, job)
            elif (name := _group(store, named)) is not None:
                from .progress import follow_group

                code = follow_group(outlook, name)
            else:
                raise UsageError("follow one job or one group; for several: hybridq status --watch 3,5-8")
    raise typer.Exit(code)


@app.command()
def wait(
    selectors: Annotated[
        list[str] | None, typer.Argument(metavar="SELECTOR...", help="7, 3,5-8, last, all, or a group.")
    ] = None,
    timeout: Annotated[str | None, typer.Option(metavar="TIME", help="Wait no longer: 30s, 2h.")] = None,
) -> None:
    """Wait until jobs have ended.

    Ends with the exit code of the one job; of several with 0, or 1 if one was not done; 75 after --timeout.
    """
    named = [parse_selector(word) for word in selectors or ["all"]]
    seconds = None if timeout is None else parse_span(timeout)
    with connect(dict(os.environ)).store as store:
        awaited = Awaited(store, named)
        with leaving(lambda: fate(store, awaited)):
            code = await_all(store, awaited, shlex.join(selectors or ["all"]), seconds)
    raise typer.Exit(code)


def _tell_waiting(outlook: Outlook, job: int) -> None:
    """Say what a queued job waits for: a runner, or on a terminal until when it is held, and why."""
    store = outlook.store
    rescue(store, time.time())
    if state_of(store, job)[0] is not State.QUEUED:
        return
    if not served(store):
        say(f"no daemon runs, so job {job} waits for hybridq daemon or hybridq drain")
    elif is_tty(sys.stderr):
        now = time.time()
        row = take(outlook, now=now, limit=1, selectors=[Ids(((job, job),))]).rows[0]
        starts = "" if row.start is None else f"starts {clock(row.start, now)}{words.SEPARATOR}"
        say(f"job {job}: {starts}{words.standing(row, now)}")


def _tell_final(outlook: Outlook, job: int) -> None:
    """Of a job that goes on after its draft: when the final is due, and how to stay for it."""
    if state_of(outlook.store, job)[0] in (State.QUEUED, State.RUNNING):
        now = time.time()
        row = take(outlook, now=now, limit=1, selectors=[Ids(((job, job),))]).rows[0]
        say(f"the final: {words.standing(row, now)}. Stay for it: hybridq follow {job} --wait-final")


def _group(store: Store, named: Selector) -> str | None:
    """The group's name, where a group is meant."""
    match named:
        case Group(name=name):
            return name
        case Last():
            return cohorts(store, "accepted IS NOT NULL ORDER BY id DESC LIMIT 1")[0].name
    return None


def _print_all(
    store: Store, jobs: list[int], put: Callable[[bytes], object], named: str, *, draft: bool, stderr: bool
) -> int:
    """Put out each job's output; what has none is told of. Returns the exit code; raises where the only job waits."""
    missing = failed = 0
    for job in jobs:
        found = result(store, job, draft=draft)
        empty = True
        for data in _pieces(store, job, found, stderr=stderr):
            put(data)
            empty = False
        if found is not None and found.dropped:
            say(f"{found.dropped:,} bytes of job {job}'s output are lost: over the limit, or refused by the disk")
        if empty and state_of(store, job)[0] is State.FAILED and found is not None and not (draft or stderr):
            if len(jobs) == 1:
                say(f"job {job} put out nothing; it failed: {found.error}")
                return code_of(State.FAILED, found)
            missing, failed = missing + 1, failed + 1
        elif empty and (why := _missing(store, job, found, draft=draft)) is not None:
            if len(jobs) == 1:
                raise why
            missing += 1
    if missing:
        state = " --state failed" if failed else ""
        say(f"{missing:,} of {len(jobs):,} jobs have no output: hybridq status {shlex.quote(named)}{state} says why")
    return 0


def _pieces(store: Store, job: int, found: Result | None, *, stderr: bool) -> Iterator[bytes]:
    if found is not None and found.value is not None and not stderr:
        yield text_of(found.value)
        return
    attempt = state_of(store, job)[1] if found is None else found.attempt
    tail = Tail(store.home, job, attempt, 2 if stderr else 1)
    try:
        yield from tail.more()
    finally:
        tail.close()


def _missing(store: Store, job: int, found: Result | None, *, draft: bool) -> HybridqError | None:
    """Why a job has no output yet, or no draft; None where it ended and put out nothing."""
    state, _ = state_of(store, job)
    if draft and found is None:
        return NoSuchJob(f"job {job} has no draft")
    if state in (State.QUEUED, State.RUNNING):
        return TryAgain(f"job {job} has put out nothing yet. Stay with it: hybridq follow {job}")
    return None
