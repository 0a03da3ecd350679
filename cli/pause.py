"""`pause` and `resume`: nothing new of everything, a handler or a group begins until somebody says so, or until a time.

Rule: what runs goes on, unless it is to be given back; each answer names the command that takes it back.
"""

import shlex
import time
from typing import Annotated

import typer
from msgspec.structs import asdict

from hybridq.errors import NoSuchJob, UsageError
from hybridq.queue import paused_work, pauses
from hybridq.queue.pauses import Pause
from hybridq.queue.select import meant, named_so
from hybridq.queue.store import Store
from hybridq.selection import All, Group, parse_selector
from hybridq.status.snapshot import Paused
from hybridq.submit import wake
from hybridq.when import how_many, parse_deadline

from . import documents
from .draw.pauses import paused_how, paused_what
from .reach import reach
from .tell import print_document, say

app = typer.Typer()

Which = Annotated[
    str | None, typer.Argument(metavar="[SELECTOR]", help="A group, or all (the default).", show_default=False)
]
Handler = Annotated[str | None, typer.Option(metavar="HANDLER", help="Only the jobs of this handler.")]


@app.command()
def pause(
    selector: Which = None,
    handler: Handler = None,
    until: Annotated[str | None, typer.Option(metavar="TIME", help="Resume by itself then: 21:00, 2h.")] = None,
    stop: Annotated[bool, typer.Option("--stop", help="Also give what runs back to the queue.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON: what is paused.")] = False,
) -> None:
    """Pause everything, a handler or a group.

    What runs goes on, unless --stop gives it back to the queue; what a provider runs always goes on. New jobs are
    accepted, and wait. A pause lasts until its time, or until hybridq resume, across restarts.
    """
    outlook, now = reach(), time.time()
    with outlook.store as store:
        group = _group(store, selector, handler)
        if handler is not None:
            outlook.handler(handler)
        found = pauses.pause(store, handler, group, None if until is None else parse_deadline(until, now), now)
        stopped = paused_work.give_back_running(store, found, now) if stop else 0
        wake(store)
        running = paused_work.running_in(store, handler, group)
        empty = group is not None and not named_so(store, group)
    if json:
        of = documents.PausedNow(paused=(_document(found),), running=running, stopped=stopped)
        print_document(of, one_line=True)
        return
    print(f"paused {paused_how(_document(found), now)}{_left(running, stopped)}. To go on: {_command(found)}")
    if empty:
        say(f"no group is called {group} yet")


@app.command()
def resume(
    selector: Which = None,
    handler: Handler = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON: what was paused, and what still is.")] = False,
) -> None:
    """Resume what was paused; without a name, all of it."""
    now = time.time()
    with reach().store as store:
        group = _group(store, selector, handler)
        before = pauses.resume(store, handler, group, now)
        wake(store)
        left = pauses.pauses(store, now).all
    if not before:
        named = group or (handler and f"handler {handler}")
        raise NoSuchJob(f"{named or 'nothing'} {'is not' if named else 'is'} paused{_others(left, now)}")
    if json:
        print_document(
            documents.Resumed(resumed=tuple(map(_document, before)), paused=tuple(map(_document, left))), one_line=True
        )
        return
    print(f"resumed {', '.join(paused_what(_document(each)) for each in before)}{_others(left, now)}")


def _group(store: Store, selector: str | None, handler: str | None) -> str | None:
    """The group that is named; None: none is. Raises UsageError for single jobs, NoSuchJob for no group."""
    if selector is None:
        return None
    named = meant(store, parse_selector(selector))
    if handler is not None:
        raise UsageError("name a group or a --handler, not both")
    match named:
        case All():
            return None
        case Group(name=name):
            return name
    raise UsageError("a group, a --handler or all can be paused, not single jobs. To stop these: hybridq cancel")


def _document(of: Pause) -> Paused:
    return Paused(**asdict(of))


def _left(running: int, stopped: int) -> str:
    given = f"; {how_many(stopped)} given back to the queue" if stopped else ""
    return f"{given}; {how_many(running)} {'runs' if running == 1 else 'run'} on" if running else given


def _command(of: Pause) -> str:
    which = f" --handler {shlex.quote(of.handler)}" if of.handler else f" {shlex.quote(of.group)}" if of.group else ""
    return f"hybridq resume{which}"


def _others(left: tuple[Pause, ...], now: float) -> str:
    told = ", ".join(paused_how(_document(each), now) for each in left)
    return f"; still paused: {told}" if told else ""
