"""The head of the queue's views: who runs it, what is in it, the next flush, the tariff and what was saved.

Rule: whole pieces while they fit; what failed is told before what was done.
"""

from collections.abc import Sequence

from rich.cells import cell_len
from rich.style import Style

from hybridq.job import State
from hybridq.status.snapshot import Head, PipeRow
from hybridq.visible import visible_line

from . import words
from .cells import MARGIN, Part
from .palette import ALARM, FAILED, PLAIN, QUIET, STRONG
from .pauses import paused_words, untold_words
from .pipes import pipe_words

LABEL = 9  # cells of a head line's name
LINES = 4
SEPARATOR = tuple((char, QUIET if char.strip() else PLAIN) for char in words.SEPARATOR)


def head_lines(head: Head, now: float, width: int) -> list[list[Part]]:
    """Who runs the queue; what is in it; the next flush; the tariff and what was saved."""
    return [
        _head_line("daemon", _runner(head, now), width, PLAIN if _goes(head) else ALARM),
        _head_line("queue", _tally(head, width - LABEL), width, failed=FAILED),
        _head_line(
            "flush",
            [*words.next_flush(head, now), *words.scheduled(head, now)],
            width,
            STRONG if head.next_flush else PLAIN,
        ),
        _head_line("tariff", [words.tariff(head, now), words.saved_words(head), words.spent_words(head)], width),
    ]


def pipe_lines(pipes: Sequence[PipeRow], now: float, width: int) -> list[list[Part]]:
    """A line for each pipe."""
    return [_head_line("pipe", pipe_words(each, now), width, PLAIN if each.lives else ALARM) for each in pipes]


def _goes(head: Head) -> bool:
    return bool(head.daemon or head.runners) and not head.paused


def _runner(head: Head, now: float) -> list[str]:
    parts = [paused_words(head.paused, now)] if head.paused else []
    if head.untold:
        parts.append(untold_words(head.untold))
    parts.append(head.daemon or "none: hybridq daemon starts one, hybridq service install keeps one")
    if head.runners:
        parts.append(words.other_runners(head.runners))
    return [*parts, f"load {head.load:.2f} a core"]


def _tally(head: Head, width: int) -> list[str]:
    """How many jobs are in each state. Where not all fits, what is done is left out, and what failed comes first."""
    told = words.tally_words(head.counts, head.held)
    if cell_len(words.SEPARATOR.join(told)) > width:
        undone: dict[State, int] = {state: jobs for state, jobs in head.counts.items() if state is not State.DONE}
        told = sorted(words.tally_words(undone, head.held), key=lambda piece: not piece.endswith(State.FAILED))
    return told or ["empty"]


def _head_line(name: str, pieces: Sequence[str], width: int, style: Style = PLAIN, **looks: Style) -> list[Part]:
    """Whole pieces while they fit; the first that does not is cut if a good part of it shows. `looks`: the style of
    a piece that ends with this word."""
    parts: list[Part] = [(" " * MARGIN + name.ljust(LABEL - MARGIN), QUIET)]
    left = width - LABEL
    for number, piece in enumerate(pieces):
        separator = SEPARATOR if number else ()
        room_left = left - cell_len(words.SEPARATOR) * bool(number)
        shown = visible_line(piece, max(0, room_left))
        if number and room_left < min(16, cell_len(piece)):
            break
        parts += [*separator, (shown, looks.get(piece.rpartition(" ")[2], PLAIN if number else style))]
        left = room_left - cell_len(shown)
    return parts


def head_height(height: int) -> int:
    """How many of the head's lines a terminal of this height can spare."""
    return max(1, min(LINES, height - 6))


def rows_that_fit(height: int, *, chosen: bool = False) -> int:
    """How many rows fit: the head, a blank line, the titles and the last line are not for rows, nor is the reason
    of the chosen one."""
    return max(1, height - head_height(height) - 3 - chosen)
