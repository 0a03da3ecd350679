"""The drawing blocks of the views: cells of an exact width, columns that fold away, lines of segments.

Rule: a cell takes exactly the width it was given, whatever it holds, and holds no control character.
Rich's own tables measure each cell several times; these lines are made once, six times as fast.
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple

from rich.cells import cell_len, set_cell_size
from rich.console import ConsoleOptions
from rich.segment import ControlType, Segment
from rich.style import Style

from hybridq.visible import visible_line

from .palette import PLAIN, QUIET

GAP = 2
MARGIN = 1
BAR = 8
TIME = 6  # cells of a time beside a bar

_ASCII = str.maketrans("━─╸·…±●○‖»✓✗", "#--|~~*o=>+x")

_SURE = frozenset(map(chr, (*range(0x20, 0x7F), *range(0xA1, 0x100), 0x2026)))

Part = tuple[str, Style]


class Cell(NamedTuple):
    """One text in one style; `wide` is drawn in its place where there is room for all of it."""

    text: str
    style: Style = PLAIN
    wide: tuple[Part, ...] = ()

    @property
    def widest(self) -> int:
        """Cells that it fills where there is room."""
        return max(cell_len(self.text), sum(cell_len(text) for text, _ in self.wide))

    def drawn(self, width: int) -> tuple[Part, ...]:
        """The parts that take exactly so many cells."""
        left = width - sum(cell_len(text) for text, _ in self.wide)
        if self.wide and left >= 0:
            return *self.wide, (" " * left, PLAIN)
        return ((fit(self.text, width), self.style),)


class Column(NamedTuple):
    """All cells of one column. It shows at `least` cells or not at all, and never grows over `most`."""

    title: str
    cells: Sequence[Cell]
    least: int
    most: int


@lru_cache(maxsize=4096)
def fit(text: str, width: int) -> str:
    """The text made harmless, cut or filled to exactly `width` cells."""
    shown = visible_line(text, width)
    return shown.ljust(width) if shown.isascii() else set_cell_size(shown, width)


def bar(done: int, jobs: int, style: Style) -> Cell:
    """How much of many is done: `━━━╸────  45%`, or the figure alone. A bar is full only when all is done."""
    jobs = max(1, jobs)
    figure = f"{100 * done // jobs}%"
    return Cell(figure, PLAIN, (*_gauge(2 * BAR * done // jobs, BAR, style), (f"{figure:>5}", PLAIN)))


def clock_bar(spent: float, whole: float, told: str, style: Style) -> Cell:
    """How much of its time a job has had, and how long that is: `━━╸─── 1m 12s`, or the time alone. Never full: it has
    not ended."""
    cells = BAR + 5 - 1 - TIME
    halves = min(int(2 * cells * spent / max(whole, 1e-9)), 2 * cells - 1)
    return Cell(told, QUIET, (*_gauge(max(0, halves), cells, style), (f" {told:>{TIME}}", QUIET)))


def _gauge(halves: int, cells: int, style: Style) -> tuple[Part, Part]:
    full = "━" * (halves // 2) + "╸" * (halves % 2)
    return (full, style), ("─" * (cells - len(full)), QUIET)


def layout(columns: Sequence[Column], steps: Sequence[tuple[str, int]], width: int) -> dict[str, int]:
    """The width of each column that is shown. The first step's always is.

    A step (title, cells) brings a column in, or lets it grow up to so many cells, as far as there is room. Once a
    column has no room no other comes in, and what is left goes to those that are there.
    """
    known = {column.title: column for column in columns}
    widths: dict[str, int] = {}
    left, closed = width, False
    for title, most in steps:
        if title not in widths:
            needed = known[title].least + (GAP if widths else 0)
            closed |= bool(widths) and needed > left
            if closed:
                continue
            widths[title] = known[title].least
            left -= needed
        grown = max(0, min(left, min(most, known[title].most) - widths[title]))
        widths[title] += grown
        left -= grown
    return widths


def line(parts: Iterable[Part], options: ConsoleOptions) -> list[Segment]:
    """These parts as one line of segments, in the letters that the terminal's encoding has."""
    if options.ascii_only:
        return [Segment(text.translate(_ASCII).encode("ascii", "replace").decode(), style) for text, style in parts]
    return [Segment(text, style) for text, style in parts]


def doubtful(text: str) -> bool:
    """Whether terminals may disagree on how wide this is."""
    return not _SURE.issuperset(text)


def erase() -> Segment:
    """Empties the line: a letter narrower than foreseen must not leave an old one beside it."""
    return Segment("\x1b[2K", None, [(ControlType.ERASE_IN_LINE, 2)])


def column_mark(column: int) -> Segment:
    """Puts the cursor into this column (from 0), wherever the terminal believes that it is."""
    return Segment(f"\x1b[{column + 1}G", None, [(ControlType.CURSOR_MOVE_TO_COLUMN, column)])
