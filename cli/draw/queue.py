"""The queue as people see it: a head of four lines, then one row a job or group.

Rule: one row is one line, in columns that fold away by priority as the terminal narrows; a row's state
can be told by its sign and word, never by colour alone. It shows a snapshot; it reads and decides nothing.
"""

from collections.abc import Iterator, Sequence

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.segment import Segment
from rich.style import Style

from hybridq.job import ENDED, Lane, State
from hybridq.status.snapshot import Row, Snapshot
from hybridq.visible import visible_line
from hybridq.when import count, how_many

from . import words
from .cells import (
    GAP,
    MARGIN,
    Cell,
    Column,
    Part,
    bar,
    clock_bar,
    column_mark,
    doubtful,
    erase,
    layout,
    line,
)
from .head import head_lines, pipe_lines
from .palette import ALARM, BRIGHT, CHOSEN, LATE, LOOK, PLAIN, QUIET
from .plain import TITLES
from .troubles import may_be_late

WIDEST = 200  # cells of any column; also bounds the work that a name of a megabyte makes
# What comes first as the terminal widens. 40 cells tell what a job is, its state, what of it failed and when it is
# done; 50 its mode. Only then comes why, which holds how far it is until that has a column, and the countdown.
STEPS = (
    ("ID", WIDEST),
    ("WHAT", 8),
    ("ETA", 0),
    ("STATE", WIDEST),
    ("MODE", WIDEST),
    ("ETA", WIDEST),
    ("WHAT", 14),
    ("WHY", 24),
    ("PROGRESS", 8),
    ("IN", WIDEST),
    ("PROGRESS", WIDEST),
    ("WHAT", 18),
    ("WHY", 36),
    ("WHAT", 32),
    ("WHY", WIDEST),
    ("WHAT", 60),
)
NOT_BEGUN = "0%"
MARK = ">"  # before the chosen row


class QueueView:
    """One snapshot, drawn as it is printed once."""

    def __init__(self, snapshot: Snapshot, now: float) -> None:
        self.snapshot = snapshot
        self.now = now

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """The lines of the view, as segments."""
        for parts in head_lines(self.snapshot.head, self.now, options.max_width):
            yield from line(parts, options)
            yield Segment.line()
        for parts in pipe_lines(self.snapshot.pipes, self.now, options.max_width):
            yield from line(parts, options)
            yield Segment.line()
        yield Segment.line()
        yield from queue_table(self.snapshot.rows, self.now, options)
        yield from line([_footer(self.snapshot)], options)
        yield Segment.line()


def _footer(snapshot: Snapshot) -> Part:
    """What was left out, or what to do with an empty queue."""
    if snapshot.hidden:
        return f" and {how_many(snapshot.hidden, 'more job')}: --all", QUIET
    if snapshot.more:
        return " and more: --all", QUIET
    if not snapshot.rows and snapshot.head.counts:
        return " no matching jobs. To see every job: hybridq status --all", QUIET
    if not snapshot.rows:
        return " nothing here yet: hybridq submit -- CMD", QUIET
    return "", PLAIN


def queue_table(
    rows: Sequence[Row], now: float, options: ConsoleOptions, chosen: int | None = None
) -> Iterator[Segment]:
    """The titles and the rows, each one line; `chosen` is the place of the row that stands out."""
    if not rows:
        return
    looks = [LOOK[words.state(row)] for row in rows]
    columns = {column.title: column for column in _columns(rows, now)}
    room = options.max_width - MARGIN - 2
    widths = layout(list(columns.values()), STEPS, room)
    if "PROGRESS" not in widths:
        columns["WHY"] = _with_progress(columns["WHY"], [words.progress(row, now) for row in rows])
        widths = layout(list(columns.values()), STEPS, room)
    shown = [columns[title] for title in TITLES if title in widths]
    titles = [Cell(column.title, QUIET) for column in shown]
    yield from _row(titles, shown, widths, (" ", PLAIN), options)
    for number, look in enumerate(looks):
        cells = [column.cells[number] for column in shown]
        drawn = _row(cells, shown, widths, look, options)
        yield from _standing_out(drawn, options) if number == chosen else drawn


def _standing_out(row: Iterator[Segment], options: ConsoleOptions) -> Iterator[Segment]:
    """The same row marked, in one style from its beginning to its end: a sign, because not every terminal reverses."""
    (marked,) = line([(MARK, CHOSEN)], options)
    for segment in row:
        if segment.control or segment.text == "\n":
            yield segment
            continue
        yield Segment(marked.text + segment.text[len(marked.text) :], CHOSEN)
        marked = Segment("")


def _row(
    cells: Sequence[Cell], columns: Sequence[Column], widths: dict[str, int], look: Part, options: ConsoleOptions
) -> Iterator[Segment]:
    if any(doubtful(cell.text) for cell in cells):
        yield erase()
    yield from line([(" " * MARGIN, PLAIN), look, (" ", PLAIN)], options)
    place = MARGIN + 2
    for number, (cell, column) in enumerate(zip(cells, columns, strict=True)):
        if number:
            yield Segment(" " * GAP)
            place += GAP
        width = widths[column.title]
        shown = cell.drawn(width)
        yield from line(shown, options)
        place += width
        if any(doubtful(text) for text, _ in shown):
            yield column_mark(place)
    yield Segment.line()


def _columns(rows: Sequence[Row], now: float) -> Iterator[Column]:
    """Each column with its cells. Those of steady width are steady, so that nothing shifts as time goes."""
    ids = [Cell(words.short_ids(row), QUIET) for row in rows]
    whats = [Cell(visible_line(words.what(row), WIDEST), QUIET if row.state in ENDED else PLAIN) for row in rows]
    etas = [_eta(row, now) for row in rows]
    lefts = [Cell(words.countdown(row, now), QUIET) for row in rows]
    whys = [Cell(visible_line(words.why(row, now, beside=True), WIDEST), _why(row)) for row in rows]
    yield _steady("ID", ids, 3)
    yield Column("WHAT", whats, 8, _widest(whats))
    yield Column("MODE", [Cell(words.mode(row), _lane(row)) for row in rows], 8, 8)
    yield _steady("STATE", [_state(row) for row in rows], 9)
    ended = (words.progress(row, now) for row in rows if row.group is None and row.state in ENDED)
    longest = max(map(len, ended), default=0)
    yield Column("PROGRESS", [_progress(row, now, longest) for row in rows], 8, 13)
    yield Column("ETA", etas, _widest_text(etas), max(9, _widest(etas)))
    yield _steady("IN", lefts, 6)
    yield Column("WHY", whys, 12, _widest(whys))


def _steady(title: str, cells: Sequence[Cell], floor: int) -> Column:
    width = max(floor, _widest(cells))
    return Column(title, cells, width, width)


def _widest(cells: Sequence[Cell]) -> int:
    return max(cell.widest for cell in cells)


def _widest_text(cells: Sequence[Cell]) -> int:
    """Where there is no room for what is wide."""
    return max(cell_len(cell.text) for cell in cells)


def _with_progress(why: Column, progress: Sequence[str]) -> Column:
    """The reasons, each after how far its row is, once it has begun."""
    told = zip((far.removeprefix(NOT_BEGUN) for far in progress), why.cells, strict=True)
    cells = [Cell(words.SEPARATOR.join(filter(None, (far, why.text))), why.style) for far, why in told]
    return why._replace(cells=cells, most=_widest(cells))


def _eta(row: Row, now: float) -> Cell:
    """When it is done, with the spread or that this is late; in little room the instant alone, or that alone."""
    told, style = words.short_done_at(row, now), _when(row)
    instant = told.partition(" ±")[0]
    if row.late and instant != words.LATE:
        told = f"{instant} {words.LATE}"
    return Cell(words.LATE if row.late else instant, style, ((told, style),) if told != instant else ())


def _state(row: Row) -> Cell:
    """The state, and how many of a group failed."""
    word = words.state(row)
    sign, alarm = LOOK["failed"]
    failed = row.counts.get(State.FAILED, 0)
    if row.group is None or not failed:
        return Cell(word, LOOK[word][1])
    told = f" {sign}{count(failed)}"
    return Cell(word + told, LOOK[word][1], ((word, LOOK[word][1]), (told, alarm)))


def _lane(row: Row) -> Style:
    if row.state in ENDED:
        return QUIET
    return BRIGHT if row.lane is Lane.STREAM else LOOK["held"][1]


def _when(row: Row) -> Style:
    if row.late:
        return LATE
    return QUIET if row.state in ENDED else PLAIN


def _why(row: Row) -> Style:
    if row.late:
        return LATE
    if may_be_late(row):
        return ALARM
    return QUIET if row.state in (State.DONE, State.CANCELLED) else PLAIN


def _progress(row: Row, now: float, longest: int) -> Cell:
    """A bar for a group; for one job the time it has run, with a bar where it is known how long it will.

    `longest`: cells of the longest `took 2m 05s`. All of them have room for their word, or none is told with it.
    """
    if row.group is None and row.state is State.RUNNING and row.started is not None and row.eta is not None:
        return clock_bar(now - row.started, row.eta - row.started, words.took(row, now), LOOK[words.state(row)][1])
    if row.group is None:
        return Cell(words.took(row, now), QUIET, ((words.progress(row, now).ljust(longest), QUIET),))
    if words.untold(row):
        return Cell("")
    failed = row.counts.get(State.FAILED, 0)
    style = LOOK["failed"][1] if failed == row.jobs else LOOK["running"][1]
    return bar(words.begun_jobs(row), row.jobs, style)
