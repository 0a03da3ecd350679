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

from . import asking, words
from .board import KINDS, MOST, Board
from .cells import MARGIN, PLAIN, Part, line
from .foot import Key, keys_line, said_line, typed_line
from .head import head_height, head_lines, rows_that_fit
from .page import Page
from .queue import LATE, queue_table

Line = list[Segment]
LAST: tuple[Key, ...] = (("?", "keys"), ("q", "quit"))


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
        yield from line(_foot(board, options.max_width), options)


def _body(board: Board, snapshot: Snapshot, height: int, options: ConsoleOptions) -> Iterator[Line]:
    now = time.time()
    fits = rows_that_fit(height, chosen=board.row is not None)
    rows, place = board.window(fits)
    for parts in head_lines(snapshot.head, now, options.max_width)[: head_height(height)]:
        yield line(parts, options)
    yield []
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


def _foot(board: Board, width: int) -> list[Part]:
    if board.typing is not None:
        return typed_line("filter", board.typing, width)
    if board.asked is not None:
        return said_line(f"{asking.question(*board.asked)} y/n", width)
    if told := board.told:
        return said_line(told, width)
    if board.page is not None:
        return keys_line(board.page.place, _page_keys(board.page), (("esc", "back"), *LAST), width)
    return keys_line("" if board.snapshot is None else _left_out(board, board.snapshot), _keys(board), LAST, width)


def _left_out(board: Board, snapshot: Snapshot) -> str:
    """What no row shows, or what the filter lets pass; of an empty queue, what to do."""
    if board.filter.text:
        among = f" among the first {MOST:,}" if snapshot.hidden and board.filter.looks_at_text else ""
        return f"/{board.filter.text}: {len(board.rows):,} rows{among}"
    if not board.rows:
        return "nothing of that is here" if snapshot.head.counts else "nothing here yet: hybridq submit -- CMD"
    more = snapshot.hidden + len(board.rows) - min(len(board.rows), board.fits)
    return f"and {more:,} more" if more else ""


def _keys(board: Board) -> list[Key]:
    opened: list[Key] = [("enter", "open")] if board.row is not None else [("arrows", "choose")]
    output: list[Key] = [("o", "output")] if board.row is not None else []
    view = [("/", "filter"), ("a", "fewer" if board.every else "all"), ("b", "silent" if board.bell else "bell")]
    return [*opened, *_changes(board.row), *output, *view]


def _page_keys(page: Page) -> list[Key]:
    others = [(kind[0], kind) for kind in KINDS if kind != page.kind] if page.row is not None else []
    return [*others, *_changes(page.row)]


def _changes(row: Row | None) -> list[Key]:
    """The keys that would change this row."""
    return [(key, verb) for key, verb in asking.VERBS.items() if asking.applies(verb, row)]
