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
from hybridq.queue.gates import broken
from hybridq.queue.select import chosen, ranges
from hybridq.queue.store import Store
from hybridq.queue.tried_again import waiting_among
from hybridq.selection import All, Selector, parse_selector
from hybridq.submit import wake
from hybridq.when import how_many

from . import documents
from .reach import reach
from .tell import is_tty, print_document

app = typer.Typer()
LIVE = (State.QUEUED, State.RUNNING)
ENDED_BADLY = (State.FAILED, State.CANCELLED)

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
    which = named(selectors)
    with reach().store as store:
        jobs = _ids(store, which, LIVE)
        if jobs and All() in which and not yes:
            confirm(f"cancel all unfinished jobs ({how_many(len(jobs))})?")
        changed = cancel_these(store, jobs)
    if json:
        print_document(documents.Cancelled(cancelled=changed, ids=jobs), one_line=True)
    else:
        print(f"{how_many(changed)} cancelled")


@app.command()
def retry(
    selectors: Selectors = None,
    failed: Annotated[bool, typer.Option("--failed", help="Only failed jobs, not cancelled ones.")] = False,
    json: Json = False,
) -> None:
    """Queue failed or cancelled jobs again.

    They get all their retries again. A job that waits for its next retry starts at once.
    """
    which = named(["all"] if failed and not selectors else selectors)
    states = (State.FAILED,) if failed else ENDED_BADLY
    with reach().store as store:
        jobs = _ids(store, which, states) if failed else _to_retry(store, which)
        changed = retry_these(store, jobs, "failed" if failed else "failed or was cancelled")
    if json:
        print_document(documents.Retried(queued=changed, ids=jobs), one_line=True)
    else:
        print(f"{how_many(changed)} queued again")


def change(store: Store, verb: str, selector: Selector) -> str:
    """Cancel or retry what is selected; returns what came of it. Raises NoSuchJob where nothing did."""
    if verb == "cancel":
        return f"{how_many(cancel_these(store, _ids(store, [selector], LIVE)))} cancelled"
    return f"{how_many(retry_these(store, _to_retry(store, [selector])))} queued again"


def cancel_these(store: Store, jobs: list[int]) -> int:
    """Cancel them, and wake whoever runs them; returns how many. Raises NoSuchJob where none was."""
    changed = cancel_jobs(store, jobs, time.time())
    wake(store)
    if not changed:
        raise NoSuchJob("nothing was cancelled: these jobs have already finished")
    return changed


def retry_these(store: Store, jobs: list[int], which: str = "failed or was cancelled") -> int:
    """Queue them again, and wake a runner; returns how many. Raises NoSuchJob where none was."""
    changed = retry_jobs(store, jobs, time.time())
    wake(store)
    if not changed:
        if (found := broken(store, jobs)) is not None:
            job, why = found
            how = {"failed": "failed", "cancelled": "was cancelled"}.get(why.mode, "was not done")
            first = f". Retry the first: hybridq retry {why.other}" if why.other else ". Submit it again"
            raise NoSuchJob(f"nothing was queued again: job {job} waits for {why.text}, which {how}{first}")
        raise NoSuchJob(f"nothing was queued again: none of these jobs {which}")
    return changed


def _ids(store: Store, which: list[Selector], states: tuple[State, ...]) -> list[int]:
    return list(dict.fromkeys(chosen(store, which, states)))


def _to_retry(store: Store, which: list[Selector]) -> list[int]:
    """What ended badly, and what waits for its next try."""
    spans = (span for selector in which for span in ranges(store, selector))
    return list(dict.fromkeys([*_ids(store, which, ENDED_BADLY), *waiting_among(store, spans, time.time())]))


def named(selectors: list[str] | None) -> list[Selector]:
    """What these words select. Raises UsageError where there are none."""
    if not selectors:
        raise UsageError("name the jobs: 7, 3,5-8, last, all, or a group's name")
    return [parse_selector(word) for word in selectors]


def confirm(question: str) -> None:
    """Ask whoever sits at the terminal; raises Abort for a no, and UsageError where nobody can be asked."""
    if not is_tty(sys.stdin):
        raise UsageError(f"{question} There is no terminal to ask on: confirm with --yes")
    typer.confirm(question, abort=True, err=True)
