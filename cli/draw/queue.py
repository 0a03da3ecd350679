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
from hybridq.status.snapshot import Head, Row, Snapshot
from hybridq.visible import visible_line
from hybridq.when import count

from . import words
from .cells import GAP, PLAIN, QUIET, STRONG, Cell, Column, Part, bar, column_mark, doubtful, erase, layout, line
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
LABEL = 9  # cells of a head line's name
MARGIN = 1
SEPARATOR = tuple((char, QUIET if char.strip() else PLAIN) for char in words.SEPARATOR)

LOOK = {
    "streaming": ("»", Style.parse("bold cyan")),
    "running": ("●", Style.parse("green")),
    "held": ("‖", Style.parse("magenta")),
    "queued": ("○", PLAIN),
    "done": ("✓", QUIET),
    "failed": ("✗", Style.parse("bold red")),
    "cancelled": ("-", QUIET),
}
BRIGHT = Style.parse("cyan")
ALARM = Style.parse("bold yellow")
LATE = Style.parse("bold red")


class QueueView:
    """One snapshot, drawn. With `fitted` it keeps to the height it is given and says what it left out."""

    def __init__(self, snapshot: Snapshot, now: float, *, fitted: bool = False) -> None:
        self.snapshot = snapshot
        self.now = now
        self.fitted = fitted

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """The lines of the view, as segments."""
        height = options.height or options.size.height
        head = head_lines(self.snapshot.head, self.now, options.max_width)
        rows = self.snapshot.rows
        if self.fitted:
            head = head[: head_height(height)]
            rows = rows[: rows_that_fit(height)]
        for parts in head:
            yield from line(parts, options)
            yield Segment.line()
        yield Segment.line()
        yield from queue_table(rows, self.now, options)
        hidden = self.snapshot.hidden + len(self.snapshot.rows) - len(rows)
        yield from line([footer(hidden, self.snapshot)], options)
        yield Segment.line()


def head_height(height: int) -> int:
    """How many of the head's lines a terminal of this height can spare."""
    return max(1, min(4, height - 6))


def rows_that_fit(height: int) -> int:
    """How many rows fit: the head, a blank line, the titles and the last line are not for rows."""
    return max(1, height - head_height(height) - 3)


def footer(hidden: int, snapshot: Snapshot) -> Part:
    """What was left out, or what to do with an empty queue."""
    if hidden:
        return f" and {hidden:,} more: --all", QUIET
    if not snapshot.rows:
        return " nothing here yet: hybridq submit -- CMD", QUIET
    return "", PLAIN


def head_lines(head: Head, now: float, width: int) -> list[list[Part]]:
    """Who runs the queue; what is in it; the next flush; the tariff and what was saved."""
    return [
        _head_line("daemon", _runner(head), width, PLAIN if head.daemon or head.runners else ALARM),
        _head_line("queue", _tally(head, width - LABEL), width),
        _head_line("flush", words.next_flush(head, now), width, STRONG if head.next_flush else PLAIN),
        _head_line("tariff", [words.tariff(head, now), words.saved_words(head), words.spent_words(head)], width),
    ]


def _runner(head: Head) -> list[str]:
    parts = [head.daemon or "none: hybridq daemon starts one"]
    if head.runners:
        parts.append(words.other_runners(head.runners))
    return [*parts, f"load {head.load:.2f} a core"]


def _tally(head: Head, width: int) -> list[str]:
    """How many jobs are in each state; where not all fits, those that are done go first."""
    told = words.tally_words(head.counts, head.held)
    if cell_len(words.SEPARATOR.join(told)) > width:
        told = words.tally_words(
            {state: jobs for state, jobs in head.counts.items() if state is not State.DONE}, head.held
        )
    return told or ["empty"]


def _head_line(name: str, pieces: Sequence[str], width: int, style: Style = PLAIN) -> list[Part]:
    """Whole pieces while they fit; the first that does not is cut if a good part of it shows."""
    parts: list[Part] = [(" " * MARGIN + name.ljust(LABEL - MARGIN), QUIET)]
    left = width - LABEL
    for number, piece in enumerate(pieces):
        separator = SEPARATOR if number else ()
        room_left = left - cell_len(words.SEPARATOR) * bool(number)
        shown = visible_line(piece, max(0, room_left))
        if number and room_left < min(16, cell_len(piece)):
            break
        parts += [*separator, (shown, PLAIN if number else style)]
        left = room_left - cell_len(shown)
    return parts


def queue_table(rows: Sequence[Row], now: float, options: ConsoleOptions) -> Iterator[Segment]:
    """The titles and the rows, each one line."""
    if not rows:
        return
    looks = [LOOK[words.state(row)] for row in rows]
    columns = {column.title: column for column in _columns(rows, now)}
    widths = layout(list(columns.values()), STEPS, options.max_width - MARGIN - 2)
    if "PROGRESS" not in widths and "WHY" in widths:
        columns["WHY"] = _with_progress(columns["WHY"], columns["PROGRESS"])
    shown = [columns[title] for title in TITLES if title in widths]
    titles = [Cell(column.title, QUIET) for column in shown]
    yield from _row(titles, shown, widths, (" ", PLAIN), options)
    for number, look in enumerate(looks):
        yield from _row([column.cells[number] for column in shown], shown, widths, look, options)


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
    whys = [Cell(visible_line(words.why(row, now), WIDEST), _why(row)) for row in rows]
    yield _steady("ID", ids, 3)
    yield Column("WHAT", whats, 8, _widest(whats))
    yield Column("MODE", [Cell(words.mode(row), _lane(row)) for row in rows], 8, 8)
    yield _steady("STATE", [_state(row) for row in rows], 9)
    yield Column("PROGRESS", [_progress(row, now) for row in rows], 8, 13)
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


def _with_progress(why: Column, progress: Column) -> Column:
    """The reasons, each after how far its row is."""
    told = zip(progress.cells, why.cells, strict=True)
    cells = [Cell(words.SEPARATOR.join(filter(None, (far.text, why.text))), why.style) for far, why in told]
    return why._replace(cells=cells)


def _eta(row: Row, now: float) -> Cell:
    """When it is done with the spread, or the instant alone."""
    told, style = words.short_done_at(row, now), _when(row)
    instant, spread, _ = told.partition(" ±")
    return Cell(instant, style, ((told, style),) if spread else ())


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


def _progress(row: Row, now: float) -> Cell:
    """A bar for a group; for one job the time it has run."""
    if row.group is None:
        return Cell(words.took(row, now), QUIET, ((words.progress(row, now), QUIET),))
    if words.untold(row):
        return Cell("")
    failed = row.counts.get(State.FAILED, 0)
    style = LOOK["failed"][1] if failed == row.jobs else LOOK["running"][1]
    return bar(words.begun_jobs(row), row.jobs, style)
