"""The queue without a terminal: a table for a pipe, and lines that say what changed.

Rule: one row is one line and nothing is cut to a width; fields are separated by single tabs, for `cut` and its
like. What comes from jobs cannot break a line.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from hybridq.status.snapshot import PipeRow, Row, Snapshot
from hybridq.visible import visible_line
from hybridq.when import clock

from . import words
from .pauses import paused_words, untold_words
from .pipes import pipe_words

if TYPE_CHECKING:
    from rich.console import RenderableType

TITLES = ("ID", "WHAT", "MODE", "STATE", "PROGRESS", "ETA", "IN", "WHY")
FIELD = 400  # cells: more than anybody reads; a name of a megabyte stays one line

Said = dict[int | str, str]


def lines(snapshot: Snapshot, now: float) -> Iterator[str]:
    """The titles and each row; what was left out is the caller's to say, elsewhere."""
    pipes = (_pipe(each, now) for each in snapshot.pipes)
    for row in (TITLES, *pipes, *(_fields(row, now) for row in snapshot.rows)):
        yield "\t".join(row)


def unpadded(what: "RenderableType", width: int) -> str:
    """What a terminal of so many cells would show, without colours, and without the spaces at the ends of lines."""
    from rich.console import Console

    console = Console(width=width, no_color=True, color_system=None)
    with console.capture() as captured:
        console.print(what)
    return "\n".join(line.rstrip() for line in captured.get().splitlines())


def _pipe(pipe: PipeRow, now: float) -> tuple[str, ...]:
    what, *told = pipe_words(pipe, now)
    state = "running" if pipe.lives else "died"
    return (f"pipe {pipe.id}", what, "pipe", state, "", "", "", visible_line(words.SEPARATOR.join(told), FIELD))


def _fields(row: Row, now: float) -> tuple[str, ...]:
    fields = (
        words.id_range(row),
        words.what(row),
        words.mode(row),
        words.state(row),
        words.progress(row, now),
        words.done_at(row, now),
        words.countdown(row, now),
        words.why(row, now),
    )
    return tuple(visible_line(field, FIELD) for field in fields)


def changes(snapshot: Snapshot, said: Said, now: float) -> tuple[list[str], Said]:
    """The lines for what is new since `said`, and what has been said now.

    A passing second changes nothing; a state, a mode, a reason, a whole percent or the next flush does.
    """
    facts: Said = {"daemon": snapshot.head.daemon or "no daemon", "flush": words.planned_flush(snapshot.head, now)}
    if (paused := paused_words(snapshot.head.paused, now)) or "pause" in said:
        facts["pause"] = paused or "nothing is paused"
    if snapshot.head.untold:
        facts["hooks"] = untold_words(snapshot.head.untold)
    news: Said = {**facts, **{row.id: _key(row, now) for row in snapshot.rows}}
    stamp = clock(now, now)
    told = [f"{stamp}  {name}  {visible_line(text, FIELD)}" for name, text in facts.items() if said.get(name) != text]
    told += [f"{stamp}  {_told(row, now)}" for row in snapshot.rows if said.get(row.id) != news[row.id]]
    return told, news


def _key(row: Row, now: float) -> str:
    return f"{row.mode} {words.state(row)} {words.percent(row)} {words.why(row, now)}"


def _told(row: Row, now: float) -> str:
    return f"{words.id_range(row)}  {visible_line(words.what(row), FIELD)}  {words.standing(row, now)}"
