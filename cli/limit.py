"""`limit`: how many jobs of a handler or a group may run at once, until somebody takes it back.

Rule: what runs goes on; each answer names the command that takes it back. Which is meant, a handler or a group of that
name, is never guessed.
"""

import shlex
import time
from typing import Annotated

import typer

from hybridq.errors import NoSuchJob, UsageError
from hybridq.outlook import Outlook
from hybridq.queue.job_limits import (
    JobLimit,
    job_limits,
    limit_jobs,
    running_of_group,
    running_of_handler,
    unlimit_jobs,
)
from hybridq.queue.select import named_so
from hybridq.queue.store import Store
from hybridq.selection import check_group
from hybridq.submit import wake
from hybridq.when import count

from . import documents
from .reach import reach
from .tell import print_document, say

app = typer.Typer()
MOST = 1_000_000


@app.command()
def limit(
    name: Annotated[
        str | None, typer.Argument(metavar="[GROUP]", help="A handler or a group.", show_default=False)
    ] = None,
    jobs: Annotated[
        int | None, typer.Argument(metavar="[N]", help="How many of its jobs may run at once.", show_default=False)
    ] = None,
    none: Annotated[bool, typer.Option("--none", help="Take the limit back.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON: the limits, and how many jobs run.")] = False,
) -> None:
    """Limit how many jobs of a handler or a group run at once.

    Without a name, lists the limits. A limit holds for both lanes and all runners together, across restarts, until
    --none. What runs goes on. A handler's takes the place of its limit in config.toml.
    """
    if none and jobs is not None:
        raise UsageError("give a number or --none, not both")
    if jobs is not None and not 1 <= jobs <= MOST:
        raise UsageError(f"a limit is a whole number from 1 to {MOST:,}, not {jobs}. To run none: hybridq pause")
    outlook = reach()
    with outlook.store as store:
        if name is None:
            _print_all(_limits(outlook), json)
            return
        handler, group = _meant(outlook, name)
        if none:
            told = _taken_back(outlook, handler, group)
        elif jobs is None:
            _print_all([each for each in _limits(outlook) if each.handler == handler and each.group == group], json)
            return
        else:
            told = _told(_document(store, limit_jobs(store, handler, group, jobs, time.time())))
            if group is not None and not named_so(store, group):
                say(f"no group is called {group} yet")
        wake(store)
        if json:
            print_document(documents.LimitsNow(limits=tuple(_limits(outlook))), one_line=True)
            return
    print(told)


def _meant(outlook: Outlook, name: str) -> tuple[str | None, str | None]:
    """The handler or the group of this name; a group that is not there yet may come. Raises UsageError."""
    handler, group = name in outlook.config.handlers, named_so(outlook.store, name)
    said = job_limits(outlook.store.connection)
    if handler and group:
        raise UsageError(f"{name} is a handler and a group: rename one of them")
    if handler or said.of_handler(name) is not None:
        return name, None
    return None, check_group(name)


def _taken_back(outlook: Outlook, handler: str | None, group: str | None) -> str:
    found = unlimit_jobs(outlook.store, handler, group)
    name = handler or group or ""
    if found is None:
        configured = handler is not None and outlook.handler(handler).limit
        raise NoSuchJob(f"{name} has no limit" + (" but that of config.toml: change it there" if configured else ""))
    left = outlook.config.handlers[handler].limit if handler in outlook.config.handlers else 0
    return f"{name} has no limit any more" + (f" but {count(left)}, by config.toml" if left else "")


def _limits(outlook: Outlook) -> list[documents.JobLimitNow]:
    """All that are in force: those that were said, and those of config.toml."""
    store = outlook.store
    said = job_limits(store.connection)
    configured = [
        _document(store, JobLimit(name, None, handler.limit, 0.0), configured=True)
        for name, handler in sorted(outlook.config.handlers.items())
        if handler.limit and said.of_handler(name) is None
    ]
    return [_document(store, each) for each in said.all] + configured


def _document(store: Store, of: JobLimit, *, configured: bool = False) -> documents.JobLimitNow:
    connection = store.connection
    running = running_of_handler(connection, of.handler) if of.handler else running_of_group(connection, of.group or "")
    return documents.JobLimitNow(
        handler=of.handler,
        group=of.group,
        limit=of.jobs,
        running=running,
        since=None if configured else of.since,
        configured=configured,
    )


def _print_all(limits: list[documents.JobLimitNow], json: bool) -> None:
    if json:
        print_document(documents.LimitsNow(limits=tuple(limits)), one_line=True)
        return
    for each in limits:
        print(_told(each))
    if not limits:
        print("no limit")


def _told(of: documents.JobLimitNow) -> str:
    what, name = ("handler", of.handler) if of.handler else ("group", of.group)
    how = f"{what} {name}: {count(of.limit)} at once, {count(of.running)} {'runs' if of.running == 1 else 'run'} now"
    if of.configured:
        return f"{how}; by config.toml"
    return f"{how}. To take it back: hybridq limit {shlex.quote(name or '')} --none"
