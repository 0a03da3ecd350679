"""`status`, `show`, `explain`: the queue, live with `--watch`, one job, and the reasons of either.

Rule of the live view: a ring is answered with the store's own change counter first, because a stream job rings at each
piece of its output, which no row shows. A runner that died changes nothing and rings nowhere, so it is asked for.
"""

import sys
import time
from typing import TYPE_CHECKING, Annotated

import typer

from hybridq.errors import UsageError
from hybridq.job import Mode
from hybridq.selection import ANY, parse_selector
from hybridq.status.overview import take
from hybridq.when import how_many

from .criteria import Failed, InState, OfHandler, Since, Slow, Text, Until, Word, asked_for, check_handlers, states_of
from .reach import look
from .tell import is_tty, print_document, say, spoken

if TYPE_CHECKING:
    from hybridq.status.snapshot import Snapshot


app = typer.Typer()
ROWS = 40  # rows that are shown unasked
EVERYTHING = 2**31  # rows

Json = Annotated[bool, typer.Option("--json", help="Print JSON. Times are epoch seconds (UTC), durations seconds.")]
One = Annotated[str, typer.Argument(metavar="SELECTOR", help="7, last, or a group.", show_default=False)]


@app.command()
def status(
    selectors: Annotated[
        list[str] | None,
        typer.Argument(metavar="[SELECTOR]...", help="7, 3,5-8, last, all, or a group.", show_default=False),
    ] = None,
    watch: Annotated[
        bool, typer.Option("--watch", "-w", help="Stay open and update the view; ? lists the keys.")
    ] = False,
    bell: Annotated[bool, typer.Option("--bell", help="With --watch: ring the bell when a job fails.")] = False,
    json: Json = False,
    all_: Annotated[bool, typer.Option("--all", "-a", help="Also show all finished jobs.")] = False,
    state: InState = None,
    mode: Annotated[list[Mode] | None, typer.Option(help="Only jobs in this mode (repeatable).")] = None,
    since: Since = None,
    until: Until = None,
    handler: OfHandler = None,
    text: Text = None,
    failed: Failed = False,
    slow: Slow = False,
    limit: Annotated[
        int | None,
        typer.Option(min=1, max=EVERYTHING, metavar="N", help=f"Show at most this many rows (default {ROWS})."),
    ] = None,
) -> None:
    """Show the queue: what runs, what is held until when, and why.

    A narrow terminal has fewer columns: without room for IN, the time until ETA, and for PROGRESS, WHY begins with the
    progress. hybridq help words explains the columns and marks.

    Filters combine: a job is shown if all of them match. --text and --slow search the newest 100,000 jobs; with --all,
    every job.
    """
    if watch and json:
        raise UsageError("--watch and --json cannot be used together")
    chosen = [parse_selector(word) for word in selectors or ()]
    now = time.time()
    states, lanes = states_of([*(state or ()), *([Word.FAILED] if failed else ())])
    criteria = asked_for(now, since=since, until=until, handlers=handler, text=text, slow=slow, lanes=lanes)
    if watch:
        from .watching import Watched, watch_queue

        with (outlook := look()).store:
            check_handlers(outlook, criteria)
        watched = Watched(chosen, states, mode or [], all_, limit or EVERYTHING, criteria)
        raise typer.Exit(watch_queue(watched, bell=bell))
    outlook, fits = look(), 0 if json else _fits()
    with outlook.store:
        check_handlers(outlook, criteria)
        snapshot = take(
            outlook,
            now=now,
            limit=limit or (EVERYTHING if all_ else max(ROWS, fits)),
            fill=fits,
            all_=all_,
            states=states,
            modes=mode or (),
            selectors=chosen,
            criteria=criteria,
        )
    print_document(snapshot) if json else _print(snapshot, narrowed=bool(chosen or states or mode or criteria != ANY))


@app.command()
def show(selector: One, json: Json = False) -> None:
    """Show everything about one job."""
    from hybridq.status.detail import detail

    now = time.time()
    outlook = look()
    with outlook.store:
        found = detail(outlook, parse_selector(selector), now=now)
    if json:
        print_document(spoken(found, now, found.currency))
        return
    from .story import tell_detail

    tell_detail(found, now)


@app.command()
def explain(selector: One, json: Json = False) -> None:
    """Explain why a job runs the way it does, with the numbers compared."""
    from hybridq.status.detail import explanation

    now = time.time()
    outlook = look()
    with outlook.store:
        found = explanation(outlook, parse_selector(selector), now=now)
    if json:
        print_document(spoken(found, now, found.currency))
        return
    from .story import tell_explanation

    tell_explanation(found, now)


def _fits() -> int:
    """How many rows a terminal shows beside the head and the next prompt; 0: it is none."""
    if not is_tty(sys.stdout):
        return 0
    from .draw.head import rows_that_fit
    from .draw.terminal import screen

    console = screen()
    return 0 if console.is_dumb_terminal else rows_that_fit(console.size.height - 1)


def _print(snapshot: "Snapshot", *, narrowed: bool) -> None:
    """The head and the rows on a terminal; elsewhere the rows alone, a line each, and the rest on standard error."""
    now = snapshot.head.now
    if is_tty(sys.stdout):
        from .draw.queue import QueueView
        from .draw.terminal import screen

        console = screen()
        if not console.is_dumb_terminal:  # it has no cursor to put into a column
            console.print(QueueView(snapshot, now))
            _tell_unsearched(snapshot)
            return
    from .draw.plain import lines

    for line in lines(snapshot, now):
        print(line)
    sys.stdout.flush()  # what is said comes after the rows, not between them; nor at all once their reader has gone
    if snapshot.hidden:
        say(f"and {how_many(snapshot.hidden, 'more job')}: --all")
    elif snapshot.more:
        say("and more: --all")
    elif not (snapshot.rows or snapshot.pipes):
        say(
            "no matching jobs. To see every job: hybridq status --all"
            if narrowed
            else "nothing here yet: hybridq submit -- CMD"
        )
    _tell_unsearched(snapshot)


def _tell_unsearched(snapshot: "Snapshot") -> None:
    """Say which jobs nobody looked at."""
    if snapshot.searched_from is not None:
        say(f"jobs before {snapshot.searched_from} were not searched. To search every job: --all")
