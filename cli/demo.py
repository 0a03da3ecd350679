"""`demo`: the whole product on Python's own library, seen live, and what was measured of it.

Rule: what it shows is what runs; every figure says how it was counted. However it ends, its daemon is gone,
its home removed, and the terminal as it was.
"""

import sys
import time
from typing import TYPE_CHECKING, Annotated

import typer

from hybridq.demo.measured import Measured
from hybridq.demo.play import Run, library
from hybridq.demo.stage import Stage
from hybridq.queue.doorbell import VIEWER, Doorbell

from .exit_codes import INTERRUPTED
from .tell import leaving, print_document, say, spoken

if TYPE_CHECKING:
    from hybridq.status.snapshot import Snapshot

    from .draw.filter import Filter

app = typer.Typer()

_DAEMON = (sys.executable, "-c", f"from {__package__}.main import run; run()", "daemon")


class _Over(Exception):
    """There is nothing more to see."""


@app.command()
def demo(
    seconds: Annotated[float, typer.Option(metavar="N", min=1, max=3600, help="Seconds until the price falls.")] = 15,
    keep: Annotated[bool, typer.Option("--keep", help="Keep the demo's queue, and print its folder.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the results as JSON; show no live view.")] = False,
    plain: Annotated[bool, typer.Option("--plain", help="Print lines instead of the live view.")] = False,
) -> None:
    """Watch hybridq work on Python's own library, and see the measured results.

    Takes about half a minute. Needs no network and no configuration, and uses a queue of its own.
    """
    with leaving("demo stopped"):
        documents = library()
        with Stage(_DAEMON, dear=seconds, keep=keep) as stage:
            if keep:
                say(f"keeping the demo's queue: HYBRIDQ_HOME={stage.home.folder}")
            with Run(stage, documents) as run:
                if not json:
                    _watch(stage, run, plain)
                measured = run.measured(lambda text: None if json else say(text))
    if json:
        print_document(spoken(measured, time.time(), ""), one_line=True)
    else:
        _closing(measured)


def _watch(stage: Stage, run: Run, plain: bool) -> None:
    """The live view until the run is over; `q` leaves it, and the run goes on. Control-C ends both."""
    from .draw.live import watch
    from .draw.terminal import Terminal
    from .watching import QueueDesk

    outlook = stage.connect()

    class Shown(QueueDesk):
        """The queue, until the run is over."""

        def take(self, rows: int, filter_: "Filter", all_: bool) -> "Snapshot":
            if run.over:
                raise _Over
            return super().take(rows, filter_, all_)

    with outlook.store, Doorbell(stage.home, VIEWER) as bell:
        try:
            code = watch(Shown(outlook), bell, Terminal(force_terminal=False) if plain else None)
        except _Over:
            return
    if code:
        raise KeyboardInterrupt if code == INTERRUPTED else typer.Exit(code)
    say("the demo continues; Control-C stops it")


def _closing(measured: Measured) -> None:
    from .draw.measured import draw_measured
    from .draw.terminal import Terminal

    draw_measured(measured, Terminal())
