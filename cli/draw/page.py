"""One row opened: all that is known of it, its output, or why it runs so; more lines than fit are scrolled.

Rule: whoever stands at the end of an output stays there as it grows.
"""

from rich.console import Console, RenderableType
from rich.segment import Segment

from hybridq.status.snapshot import Row

OUTPUT = "output"
DETAILS = "details"
WHY = "explain"
KEYS = "keys"


class Page:
    """What was opened, and which lines of it are seen. `row` is None where it is about none."""

    def __init__(self, kind: str, row: Row | None = None) -> None:
        self.kind = kind
        self.row = row
        self._lines: list[list[Segment]] = []
        self._top = 0
        self._height = 1
        self._at_end = kind == OUTPUT

    def take(self, content: RenderableType, console: Console) -> None:
        """This is what there is to see now."""
        self._lines = console.render_lines(content, console.options.update(height=None), pad=False)

    def shown(self, height: int) -> list[list[Segment]]:
        """The lines that are seen where so many fit."""
        self._height = max(1, height)
        end = max(0, len(self._lines) - self._height)
        self._top = end if self._at_end else max(0, min(self._top, end))
        return self._lines[self._top : self._top + self._height]

    def scroll(self, lines: int) -> None:
        """Down by so many lines, or up."""
        end = max(0, len(self._lines) - self._height)
        self._top = max(0, min(self._top + lines, end))
        self._at_end = self.kind == OUTPUT and self._top == end

    @property
    def step(self) -> int:
        """Lines of a step that leaves one in sight."""
        return max(1, self._height - 1)

    @property
    def place(self) -> str:
        """Which lines these are; empty where all are seen."""
        if len(self._lines) <= self._height:
            return ""
        return f"{self._top + 1}-{min(self._top + self._height, len(self._lines))} of {len(self._lines)} lines"
