"""`status`, `show`, `explain`: the queue, live with `--watch`, one job, and the reasons of either.

Rule of the live view: a ring is answered with the store's own change counter first, because a stream job rings at each
piece of its output, which no row shows. A runner that died changes nothing and rings nowhere, so it is asked for.
"""

import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from hybridq.errors import UsageError
from hybridq.job import Mode, State
from hybridq.queue.doorbell import VIEWER, Doorbell
from hybridq.queue.runner import dead
from hybridq.queue.store import Store
from hybridq.selection import parse_selector
from hybridq.status.overview import take
from hybridq.status.snapshot import Snapshot

from .draw.live import STALE, watch
from .reach import look, reach, renew
from .tell import is_tty, print_document, say

if TYPE_CHECKING:
    from hybridq.status.snapshot import Snapshot


Look = Callable[[int], Snapshot]


def watch_queue(store: Store, look: Look, limit: int) -> int:
    """Show the queue until somebody ends it; returns the exit code. `limit` is the rows at most."""
    with Doorbell(store.home, VIEWER) as bell:
        return watch(Unchanged(store, look, limit), bell)


class Unchanged:
    """`look`, but the last snapshot again while nobody has written, no runner has died and it is not yet stale."""

    def __init__(self, store: Store, look: Look, limit: int) -> None:
        self._store = store
        self._look = look
        self._limit = limit
        self._last: tuple[int, int, float, Snapshot] | None = None

    def __call__(self, rows: int) -> Snapshot:
        """A snapshot with at most so many rows."""
        rows, change = min(rows, self._limit), self._store.changes()
        if self._last is not None:
            known_rows, known_change, taken, snapshot = self._last
            if (
                (rows, change) == (known_rows, known_change)
                and time.monotonic() - taken < STALE
                and not dead(self._store)
            ):
                return snapshot
        snapshot = self._look(rows)
        self._last = rows, change, time.monotonic(), snapshot
        return snapshot


app = typer.Typer()
ROWS = 40  # rows that are shown unasked
EVERYTHING = 2**31  # rows

Json = Annotated[
    bool, typer.Option("--json", help="One JSON document. Times are epoch seconds (UTC), durations seconds.")
]
One = Annotated[str, typer.Argument(metavar="SELECTOR", help="7, last, or a group.", show_default=False)]


@app.command()
def status(
    selectors: Annotated[
        list[str] | None,
        typer.Argument(metavar="[SELECTOR]...", help="7, 3,5-8, last, all, or a group.", show_default=False),
    ] = None,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Stay, and show each change.")] = False,
    json: Json = False,
    all_: Annotated[bool, typer.Option("--all", "-a", help="All that ended, too.")] = False,
    state: Annotated[list[State] | None, typer.Option(help="Only jobs in this state; may be repeated.")] = None,
    mode: Annotated[list[Mode] | None, typer.Option(help="Only jobs of this mode; may be repeated.")] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, max=EVERYTHING, metavar="N", help=f"Rows at most; {ROWS} by default.")
    ] = None,
) -> None:
    """Show the queue: what runs, what is held until when, and why."""
    if watch and json:
        raise UsageError("--watch and --json cannot be used together")
    chosen = [parse_selector(word) for word in selectors or ()]
    outlook = reach() if watch else look()

    def taken(rows: int) -> "Snapshot":
        if watch:
            renew(outlook)
        return take(
            outlook, now=time.time(), limit=rows, all_=all_, states=state or (), modes=mode or (), selectors=chosen
        )

    with outlook.store:
        if watch:
            raise typer.Exit(watch_queue(outlook.store, taken, limit or EVERYTHING))
        snapshot = taken(limit or (EVERYTHING if all_ else ROWS))
    print_document(snapshot) if json else _print(snapshot, narrowed=bool(chosen or state or mode))


@app.command()
def show(selector: One, json: Json = False) -> None:
    """Show everything about one job."""
    from hybridq.status.detail import detail

    now = time.time()
    outlook = look()
    with outlook.store:
        found = detail(outlook, parse_selector(selector), now=now)
    if json:
        print_document(found)
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
        print_document(found)
        return
    from .story import tell_explanation

    tell_explanation(found, now)


def _print(snapshot: "Snapshot", *, narrowed: bool) -> None:
    """The head and the rows on a terminal; elsewhere the rows alone, a line each, and the rest on standard error."""
    now = snapshot.head.now
    if is_tty(sys.stdout):
        from .draw.queue import QueueView
        from .draw.terminal import screen

        console = screen()
        if not console.is_dumb_terminal:  # it has no cursor to put into a column
            console.print(QueueView(snapshot, now))
            return
    from .draw.plain import lines

    for line in lines(snapshot, now):
        print(line)
    sys.stdout.flush()  # what is said comes after the rows, not between them; nor at all once their reader has gone
    if snapshot.hidden:
        say(f"and {snapshot.hidden:,} more: --all")
    elif not snapshot.rows:
        say("no such job is there: hybridq status --all" if narrowed else "nothing here yet: hybridq submit -- CMD")
