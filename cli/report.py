"""`report`: what really ran, what it cost and saved, how soon people saw something, how good the promises were.

Rule: reads and prints; every figure is one that the queue has recorded.
"""

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hybridq.errors import UsageError
from hybridq.queue.account import Ledger
from hybridq.queue.ledger import read
from hybridq.queue.read_only import rescue_if_writable
from hybridq.when import parse_since

from .reach import look
from .tell import columns, is_tty, print_document, say

if TYPE_CHECKING:
    from hybridq.report.report import Report

app = typer.Typer()
PIPE = 140  # cells of a line where no terminal says how wide it is


@app.command()
def report(
    since: Annotated[
        str | None, typer.Option(metavar="TIME", help="Only jobs submitted since then: 2d, 06:00, 2026-12-01.")
    ] = None,
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="Write an HTML page with charts.")] = None,
    json: Annotated[
        bool, typer.Option("--json", help="Print JSON. Times are epoch seconds (UTC), durations seconds.")
    ] = False,
) -> None:
    """Report what really ran: cost, savings, waits, promises, failures."""
    from hybridq.report.report import report as sum_up

    now = time.time()
    begin = 0.0 if since is None else parse_since(since, now)
    outlook = look()
    with outlook.store:
        rescue_if_writable(outlook.store, now)
        with outlook.store.still():
            ledger, unpriced, untold = read(outlook.store, begin, now), outlook.unpriced(), outlook.untold()
    found = sum_up(ledger, now, unpriced, outlook.config.policy.currency, untold)
    if html is not None:
        from hybridq.report.page import report_page

        from .draw.report import headline, numbers, sections

        _write(html, report_page(found, ledger, outlook.tariff, headline(found), numbers(found), sections(found)))
    if json:
        print_document(found)
        return
    if html is not None:
        say(f"wrote {html}")
    _print(found, ledger)


def _print(found: "Report", ledger: Ledger) -> None:
    """The tables; on a terminal the curves, too."""
    from .draw.report import tables

    if not is_tty(sys.stdout):
        from .draw.plain import unpadded

        print(unpadded(tables(found), columns(PIPE)))
        return
    from .draw.terminal import screen

    console = screen()
    console.print(tables(found))
    if found.done:
        from .draw.plots import plots

        console.print(plots(ledger, console.width, found.currency))


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}") from None
