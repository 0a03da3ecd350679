"""One frame of the live view: the head, the rows, the reason of the chosen one and the keys; or an opened row.

Rule: as many lines as the terminal has. The last one asks, tells, or names the keys that do something now.
"""

import time
from collections.abc import Iterator

from rich.console import Console, ConsoleOptions, RenderResult
from rich.segment import Segment

from hybridq.job import State
from hybridq.status.snapshot import Row, Snapshot
from hybridq.visible import visible_line

from . import words
from .board import Board
from .cells import MARGIN, Part, line
from .foot import foot
from .head import head_height, head_lines, pipe_lines, rows_that_fit
from .palette import LATE, PLAIN
from .queue import queue_table

Line = list[Segment]


class Frame:
    """A board, drawn."""

    def __init__(self, board: Board) -> None:
        self._board = board

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """The lines of the view, as segments."""
        board, room = self._board, (options.height or options.size.height) - 1
        if board.page is not None:
            body = board.page.shown(room)
        else:
            body = [] if board.snapshot is None else list(_body(board, board.snapshot, room + 1, options))
        for number in range(room):
            yield from body[number] if number < len(body) else ()
            yield Segment.line()
        yield from line(foot(board, options.max_width), options)


def _body(board: Board, snapshot: Snapshot, height: int, options: ConsoleOptions) -> Iterator[Line]:
    now = time.time()
    fits = rows_that_fit(height, chosen=board.row is not None)
    rows, place = board.window(fits)
    for parts in head_lines(snapshot.head, now, options.max_width)[: head_height(height)]:
        yield line(parts, options)
    pipe = pipe_lines(snapshot.pipes[:1], now, options.max_width)  # the latest, in the place of the blank line
    yield line(pipe[0], options) if pipe else []
    yield from Segment.split_lines(queue_table(rows, now, options, place))
    if board.row is not None:
        yield from [[]] * (fits - len(rows))
        yield line(_reason(board.row, now, options.max_width), options)


def _reason(row: Row, now: float, width: int) -> list[Part]:
    """How far the chosen row is and its whole reason, for which a narrow table has no room."""
    far = ", ".join(filter(None, [words.progress(row, now), _time_left(row, now)]))
    told = f"{words.short_ids(row)}  {words.SEPARATOR.join(filter(None, [far, words.why(row, now)]))}"
    return [(" " * MARGIN, PLAIN), (visible_line(told, max(0, width - MARGIN)), LATE if row.late else PLAIN)]


def _time_left(row: Row, now: float) -> str:
    if row.state is not State.RUNNING:
        return ""
    left = words.countdown(row, now)
    return f"{left} left" if left and left != words.NOW else ""
