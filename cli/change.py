"""`cancel` and `retry`: what a user changes about jobs that are there.

Rule: says how many; changes nothing where nothing matches (66), and asks before everything is cancelled.
"""

import sys
import time
from typing import Annotated

import typer

from hybridq.errors import NoSuchJob, UsageError
from hybridq.job import State
from hybridq.queue.cancel_retry import cancel as cancel_jobs
from hybridq.queue.cancel_retry import retry as retry_jobs
from hybridq.queue.select import chosen
from hybridq.selection import All, Selector, parse_selector
from hybridq.submit import wake

from .reach import reach
from .tell import is_tty, print_document

app = typer.Typer()

Selectors = Annotated[
    list[str] | None, typer.Argument(metavar="SELECTOR...", help="7, 3,5-8, last, all, or a group.", show_default=False)
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON: the number of jobs and their ids.")]


@app.command()
def cancel(
    selectors: Selectors = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before cancelling all jobs.")] = False,
    json: Json = False,
) -> None:
    """Cancel jobs that have not finished."""
    named = _named(selectors)
    with reach().store as store:
        jobs = list(dict.fromkeys(chosen(store, named, (State.QUEUED, State.RUNNING))))
        if jobs and All() in named and not yes:
            confirm(f"cancel all unfinished jobs ({how_many(len(jobs))})?")
        changed = cancel_jobs(store, jobs, time.time())
        wake(store)
    if not changed:
        raise NoSuchJob("nothing was cancelled: these jobs have already finished")
    if json:
        print_document({"cancelled": changed, "ids": jobs}, one_line=True)
    else:
        print(f"{how_many(changed)} cancelled")


@app.command()
def retry(
    selectors: Selectors = None,
    failed: Annotated[bool, typer.Option("--failed", help="Only failed jobs, not cancelled ones.")] = False,
    json: Json = False,
) -> None:
    """Queue failed or cancelled jobs again."""
    named = _named(["all"] if failed and not selectors else selectors)
    states = (State.FAILED,) if failed else (State.FAILED, State.CANCELLED)
    with reach().store as store:
        jobs = list(dict.fromkeys(chosen(store, named, states)))
        changed = retry_jobs(store, jobs, time.time())
        wake(store)
    if not changed:
        raise NoSuchJob("nothing was queued again: none of these jobs failed" + ("" if failed else " or was cancelled"))
    if json:
        print_document({"queued": changed, "ids": jobs}, one_line=True)
    else:
        print(f"{how_many(changed)} queued again")


def _named(selectors: list[str] | None) -> list[Selector]:
    if not selectors:
        raise UsageError("name the jobs: 7, 3,5-8, last, all, or a group's name")
    return [parse_selector(word) for word in selectors]


def confirm(question: str) -> None:
    """Ask whoever sits at the terminal; raises Abort for a no, and UsageError where nobody can be asked."""
    if not is_tty(sys.stdin):
        raise UsageError(f"{question} There is no terminal to ask on: confirm with --yes")
    typer.confirm(question, abort=True, err=True)


def how_many(number: int) -> str:
    """So many jobs, in words."""
    return "1 job" if number == 1 else f"{number:,} jobs"
