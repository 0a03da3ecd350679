"""`hooks`: who is told of what, what could not be told, and a try of one.

Rule: URLs are shown by their scheme alone. A try tells the hook at once, of nothing that is in the queue.
"""

import os
import time
from typing import Annotated

import typer

from hybridq.config.values import HooksConfig
from hybridq.errors import ConfigError, UsageError
from hybridq.job import HookEvent, Way
from hybridq.outlook import Outlook
from hybridq.queue.outbox import Untold, tell_again, untold
from hybridq.submit import connect
from hybridq.when import how_many

from .configuration import _print_columns
from .documents import Hook, Tried
from .tell import print_document, say

app = typer.Typer()


@app.command()
def hooks(
    test: Annotated[HookEvent | None, typer.Option("--test", help="Tell the hooks of this event, as a test.")] = None,
    again: Annotated[bool, typer.Option("--again", help="Try again to tell what was given up.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show who is told when jobs end, and try it.

    Without options, lists the hooks of config.toml, with what could not be told. How to write them: hybridq help hooks.
    --test exits with 1 if a hook fails.
    """
    outlook = connect(dict(os.environ))
    with outlook.store:
        if test is not None:
            _try(outlook, test, json)
            return
        if again:
            told = tell_again(outlook.store, time.time())
            say(f"{how_many(told, 'event')} will be told again by the next runner")
        listed = _listed(outlook)
    if json:
        print_document(listed)
    elif listed:
        _print_columns([(of.event, of.way, of.tells, _lost(of)) for of in listed])
    else:
        say("no hooks are configured. See: hybridq help hooks")
    _check(outlook)


def _check(outlook: Outlook) -> None:
    from hybridq.hooks.urls import missing_client

    if missing := missing_client(outlook.config.hooks):
        raise ConfigError(missing)


def _listed(outlook: Outlook) -> list[Hook]:
    lost = {(each.event, each.way): each for each in untold(outlook.store)}
    found = outlook.config.hooks
    return [_hook(event, way, found, lost.get((event, way))) for event, way in sorted(found.heard)]


def _lost(of: Hook) -> str:
    told = Untold(event=of.event, way=of.way, waiting=of.waiting, given_up=of.given_up, error=of.error)
    return told.lost if of.error else ""


def _hook(event: HookEvent, way: Way, config: HooksConfig, lost: Untold | None) -> Hook:
    return Hook(
        event=event,
        way=way,
        tells=config.command(event) if way is Way.COMMAND else ", ".join(config.shown),
        waiting=lost.waiting if lost else 0,
        given_up=lost.given_up if lost else 0,
        error=lost.error if lost else None,
    )


def _try(outlook: Outlook, event: HookEvent, json: bool) -> None:
    import asyncio

    from hybridq.hooks.trying import tried

    found = asyncio.run(tried(outlook, event))
    if not found:
        raise UsageError(f"no hook hears of {event}: set it in [hooks] of config.toml. See: hybridq help hooks")
    if json:
        print_document([Tried(way=of.way, ok=not of.error, error=of.error or None, told=of.told) for of in found])
    for of in () if json else found:
        say(f"{event} ({of.way}): {of.error or 'ok'}")
    if any(each.error for each in found):
        raise typer.Exit(1)
