"""A report's curves in the letters of a terminal, side by side where there is room.

Rule: without plotext, which draws them, one line says how to get it, and nothing fails.
"""

import math
from collections.abc import Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from hybridq.installed import install_command
from hybridq.job import Audience
from hybridq.queue.account import Ledger
from hybridq.report.series import cost_series, extent, wait_curves
from hybridq.when import clock, span
from hybridq.when import money as amount

from .palette import DONE, QUIET, STREAMED

HEIGHT = 13
NARROW = 80  # columns; below that one plot stands under the other
COLOURS = {Audience.USER: "red", Audience.BACKGROUND: "magenta"}
TICKS = (0.001, 0.01, 0.1, 1.0, 10.0, 60.0, 600.0, 3600.0, 6 * 3600.0, 86400.0, 7 * 86400.0)  # seconds


def plots(ledger: Ledger, width: int, currency: str = "") -> RenderableType:
    """Money over time, and how many waited how long."""
    try:
        import plotext  # type: ignore[import-untyped]  # it ships no types
    except ImportError:
        return Text(f"curves need plotext: {install_command('report')}", style=QUIET)
    beside = width >= NARROW
    each = width // 2 if beside else width
    drawn = [_money(plotext, ledger, each, currency), _waits(plotext, ledger, each)]
    lines = (
        ["".join(pair) for pair in zip(*drawn, strict=True)] if beside else [line for plot in drawn for line in plot]
    )
    return Group(Text(""), *(Text.from_ansi(line, no_wrap=True) for line in lines))


def _money(plotext: Any, ledger: Ledger, width: int, currency: str) -> list[str]:
    found = cost_series(ledger)
    begin, end = extent(ledger)
    figure = _figure(plotext, "cost so far", width)
    _line(plotext, figure, found.at, found.streamed, "streamed at once", STREAMED)
    _line(plotext, figure, found.at, found.cost, "actual", DONE)
    places = (begin, (begin + end) / 2, end)
    figure.ruler("x").ticks(places, [clock(at, end) for at in places])
    top = max(found.streamed[-1], found.cost[-1])
    figure.ruler("y").ticks([0, top / 2, top], ["0", *(amount(each, currency, fine=True) for each in (top / 2, top))])
    return _lines(figure)


def _waits(plotext: Any, ledger: Ledger, width: int) -> list[str]:
    figure = _figure(plotext, "share of jobs with a first byte after", width)
    longest = 0.0
    for audience in Audience:
        curve = wait_curves([each for each in ledger.ran if each.audience is audience])
        if curve.seconds:
            _line(
                plotext, figure, [math.log10(s) for s in curve.seconds], curve.share, audience.value, COLOURS[audience]
            )
            longest = max(longest, curve.seconds[-1])
    ticks = [seconds for seconds in TICKS if seconds <= longest]
    figure.ruler("x").ticks([math.log10(seconds) for seconds in ticks], [span(seconds) for seconds in ticks])
    figure.ruler("y").ticks([0, 0.5, 1], ["0", "50 %", "all"])
    figure.ruler("y").lim(0, 1)
    return _lines(figure)


def _figure(plotext: Any, title: str, width: int) -> Any:
    figure = plotext.figure
    figure.clear()
    figure.theme("colorless")
    figure.plot_size(width, HEIGHT)
    figure.title(title)
    return figure


def _line(plotext: Any, figure: Any, x: Sequence[float], y: Sequence[float], name: str, colour: str) -> None:
    figure.draw(figure.signal(list(x), list(y), marker=plotext.marker("hd", colour)).lines().label(name))


def _lines(figure: Any) -> list[str]:
    return str(figure.build().string()).splitlines()
