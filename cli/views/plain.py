"""The queue without a terminal: aligned text for a pipe, and lines that say what changed.

Rule: one row is one line and nothing is cut to a width; fields are separated by tabs, filled up with
spaces so that they also stand in columns. What comes from jobs cannot break a line.
"""

from collections.abc import Iterator

from rich.cells import cell_len

from hybridq.snapshot import Row, Snapshot
from hybridq.visible import visible_line
from hybridq.when import clock

from . import words

TITLES = ("ID", "WHAT", "MODE", "STATE", "PROGRESS", "ETA", "IN", "WHY")
FIELD = 400  # cells: more than anybody reads; a name of a megabyte stays one line
ALIGNED = 48  # cells that a column is filled up to, at most

Said = dict[int | str, str]


def lines(snapshot: Snapshot, now: float) -> Iterator[str]:
    """The titles, each row, and what was left out."""
    rows = [TITLES, *(_fields(row, now) for row in snapshot.rows)]
    widths = [min(ALIGNED, max(map(cell_len, column))) for column in zip(*rows, strict=True)]
    for row in rows:
        filled = (f"{field}{' ' * (width - cell_len(field))}" for field, width in zip(row, widths, strict=True))
        yield "\t".join(filled).rstrip()
    if snapshot.hidden:
        yield f"and {snapshot.hidden:,} more: --all"


def _fields(row: Row, now: float) -> tuple[str, ...]:
    progress = words.took(row, now) if row.group is None else f"{words.percent(row)}%"
    fields = (
        words.ids(row),
        words.what(row),
        row.mode.value,
        words.state(row),
        progress,
        words.done_at(row, now),
        words.countdown(row, now),
        words.why(row),
    )
    return tuple(visible_line(field, FIELD) for field in fields)


def changes(snapshot: Snapshot, said: Said, now: float) -> tuple[list[str], Said]:
    """The lines for what is new since `said`, and what has been said now.

    A passing second changes nothing; a state, a mode, a reason, a whole percent or the next flush does.
    """
    facts: Said = {"daemon": snapshot.head.daemon or "no daemon", "flush": words.planned_flush(snapshot.head, now)}
    news: Said = {**facts, **{row.id: _key(row) for row in snapshot.rows}}
    stamp = clock(now, now)
    told = [f"{stamp}  {name}  {visible_line(text, FIELD)}" for name, text in facts.items() if said.get(name) != text]
    told += [f"{stamp}  {_told(row, now)}" for row in snapshot.rows if said.get(row.id) != news[row.id]]
    return told, news


def _key(row: Row) -> str:
    return f"{row.mode} {words.state(row)} {words.percent(row)} {words.why(row)}"


def _told(row: Row, now: float) -> str:
    return f"{words.ids(row)}  {visible_line(words.what(row), FIELD)}  {words.standing(row, now)}"
