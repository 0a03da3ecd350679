"""What a demonstration came to, as aligned text with the way that each figure was counted.

Rule: figures are shown as they are, good or bad. It fits 80 columns, below 71 with each name above its figures, and
down to 40; it is the same text in a pipe.
"""

import textwrap
import time
from collections.abc import Iterator

from rich.console import Console
from rich.style import Style
from rich.text import Text

from hybridq.demo.measured import Cost, Measured, PeopleWaits
from hybridq.visible import visible_line
from hybridq.when import clock, count, eta, money, span

from .palette import PLAIN, QUIET, STRONG

WIDTH = 80  # columns at most: longer lines are hard to read
_FIGURES = (28, 13, 18, 12)  # cells of a table's columns
_NEXT = (
    ("hybridq submit -- sleep 5", "submit a job of your own and follow it"),
    ("hybridq status --watch", "watch your own queue"),
    ("hybridq config --path", "where to set up your own handlers and tariff"),
)

Line = tuple[str, Style]


def draw_measured(measured: Measured, console: Console) -> None:
    """Print all of it."""
    for text, style in _lines(measured, min(WIDTH, console.width)):
        console.print(Text(text, style), soft_wrap=True)


def _lines(measured: Measured, width: int) -> Iterator[Line]:
    yield from _wrapped(_first(measured), width, "", PLAIN)
    yield from _waited(measured, width)
    yield from _wrapped(
        "Time from asking to the first byte of the answer. Held: the same questions, if they had waited"
        " for this batch to end or, if asked before it began, to begin.",
        width,
    )
    yield from _costs(measured, width)
    yield from _wrapped(
        f"Batch: its duration times its {_workers(measured)}, divided by its documents. One process each: start to end,"
        " one after another, after the batch, with documents of all sizes. Money: that time at the machine's"
        " rate and the tariff of that moment.",
        width,
    )
    yield "\nJobs, how, and why", STRONG
    for reason in measured.reasons:
        start = f"{count(reason.jobs):>6}  {reason.mode.value:<8}  "
        yield from _wrapped(visible_line(reason.sentence, 400), width, start, PLAIN)
    yield "\nPromise", STRONG
    yield from _wrapped(_promise(measured), width, "", PLAIN)
    yield "\nNext", STRONG
    for command, what in _NEXT:
        if len(beside := f"{command:<{_FIGURES[0]}}{what}") <= width:
            yield beside, PLAIN
        else:
            yield command, PLAIN
            yield from _wrapped(what, width, style=PLAIN)


def _first(measured: Measured) -> str:
    failed = f", {count(measured.failed)} failed" if measured.failed else ""
    lasted = span(measured.finished - measured.questions[0].asked)
    questions = count(len(measured.questions))
    return f"{count(measured.documents)} documents in one batch{failed}, {questions} questions meanwhile, in {lasted}"


def _waited(measured: Measured, width: int) -> Iterator[Line]:
    def row(name: str, waits: PeopleWaits) -> str:
        return _row(width, name, span(waits.p50), span(waits.worst), count(waits.questions))

    yield _row(width, "\nFirst byte for the person", "median", "worst", "questions"), STRONG
    yield row("streamed (measured)", measured.streamed), PLAIN
    yield row("held until the batch ended", measured.gathered), PLAIN
    if measured.gathered_best is not None:
        yield row("held until it began", measured.gathered_best), PLAIN


def _costs(measured: Measured, width: int) -> Iterator[Line]:
    def row(name: str, cost: Cost) -> str:
        figures = span(cost.seconds), money(1000 * cost.money, fine=True), count(cost.documents)
        return _row(width, f"{name}, at x{cost.factor:g}", *figures)

    batch, alone = measured.batch, measured.alone
    yield _row(width, "\nCost", "time each", "money for 1,000", "documents"), STRONG
    yield row("in the batch", batch), PLAIN
    yield row("one process each", alone), PLAIN
    less = _less(batch.seconds, alone.seconds), _less(batch.money, alone.money)
    yield _row(width, "the batch is cheaper by", *less), PLAIN


def _row(width: int, name: str, *figures: str) -> str:
    """A name and its figures; below it where they have no room beside it."""
    beside = width >= sum(_FIGURES)
    shown = "".join(f"{figure:>{most - (not beside)}}" for figure, most in zip(figures, _FIGURES[1:], strict=False))
    return name.ljust(_FIGURES[0] + name.count("\n")) + shown if beside else f"{name}\n{shown}"


def _wrapped(text: str, width: int, start: str = "  ", style: Style = QUIET) -> Iterator[Line]:
    indent = " " * len(start)
    for line in textwrap.wrap(text, width, initial_indent=start, subsequent_indent=indent):
        yield line, style


def _promise(measured: Measured) -> str:
    promised, now = measured.promised, time.time()
    if promised.finish is None or promised.finish90 is None:
        return "none: hybridq knew nothing about this handler when the batch was submitted"
    late = measured.finished - promised.finish
    off = f"{span(abs(late))} {'later' if late > 0 else 'earlier'} than expected"
    kept = "kept" if measured.kept else "not kept"
    said = eta(promised.finish, promised.finish90, measured.accepted)
    was = clock(measured.finished, now)
    return f"{kept}: at {clock(measured.accepted, now)} hybridq promised {said}; it was done {was}, {off}"


def _less(cost: float, other: float) -> str:
    return f"{100 * (1 - cost / other):.0f} %" if other > 0 else "unknown"


def _workers(measured: Measured) -> str:
    return "one worker" if measured.workers == 1 else f"{count(measured.workers)} workers"
