"""The options that say which jobs are to be shown: the same for `status` and `export`.

Rule: an option is declared once, with its help; they combine: a job is shown that all of them let through.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated

import typer

from hybridq.errors import UsageError
from hybridq.job import Lane, State
from hybridq.outlook import Outlook
from hybridq.queue.cohorts import tally
from hybridq.selection import Criteria
from hybridq.when import parse_since


class Word(StrEnum):
    """A state as the table says it: `held`, `waiting` and `streaming` are of one lane."""

    QUEUED = "queued"
    HELD = "held"
    WAITING = "waiting"
    RUNNING = "running"
    STREAMING = "streaming"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


_OF_LANE = {
    Word.HELD: (State.QUEUED, Lane.BATCH),
    Word.WAITING: (State.QUEUED, Lane.NONE),
    Word.STREAMING: (State.RUNNING, Lane.STREAM),
}
InState = Annotated[list[Word] | None, typer.Option("--state", help="Only jobs in this state (repeatable).")]
Since = Annotated[
    str | None,
    typer.Option(metavar="TIME", help="Only jobs that had not ended by then: 2h (ago), 06:00, 2026-12-01."),
]
Until = Annotated[
    str | None, typer.Option(metavar="TIME", help="Only jobs submitted by then: 2h (ago), 06:00, 2026-12-01.")
]
OfHandler = Annotated[
    list[str] | None, typer.Option("--handler", metavar="HANDLER", help="Only jobs of this handler (repeatable).")
]
Text = Annotated[
    str | None,
    typer.Option(
        metavar="WORDS", help="Only jobs with all these words in their group, handler or input (its first 4 kB)."
    ),
]
Failed = Annotated[bool, typer.Option("--failed", help="Only failed jobs: as --state failed.")]
Slow = Annotated[
    bool,
    typer.Option(
        "--slow",
        help="Only jobs that ran over 3 times as long as usual for their handler, size and command, and at least 1s.",
    ),
]


def asked_for(
    now: float,
    *,
    since: str | None = None,
    until: str | None = None,
    handlers: list[str] | None = None,
    text: str | None = None,
    slow: bool = False,
    lanes: tuple[Lane, ...] = (),
) -> Criteria:
    """What these options ask for at `now`. Raises UsageError."""
    first = None if since is None else parse_since(since, now)
    last = None if until is None else parse_since(until, now)
    if first is not None and last is not None and last < first:
        raise UsageError(f"--until {until} is before --since {since}")
    if text is not None and not text.strip():
        raise UsageError("--text needs at least one word")
    words = tuple((text or "").casefold().split())
    return Criteria(handlers=tuple(handlers or ()), lanes=lanes, since=first, until=last, words=words, slow=slow)


def states_of(words: Sequence[Word]) -> tuple[list[State], tuple[Lane, ...]]:
    """The states that these words mean, and the lanes that they are of; none: of any. Raises UsageError."""
    states = list(dict.fromkeys(_state(word) for word in words))
    lanes = tuple(_OF_LANE[word][1] for word in words if word in _OF_LANE)
    if lanes and len(states) > 1:
        one = next(word for word in words if word in _OF_LANE)
        other = next(word for word in words if word is not one and _state(word) is not _state(one))
        raise UsageError(
            f"--state {one} and {other} cannot be used together: ask for {_state(one)} and {_state(other)}"
        )
    return states, lanes if len(lanes) == len(words) else ()


def _state(word: Word) -> State:
    return _OF_LANE[word][0] if word in _OF_LANE else State(word)


def check_handlers(outlook: Outlook, criteria: Criteria) -> None:
    """Raise UsageError for a handler that is not configured, and of which there is no job either."""
    for name in criteria.handlers:
        if not tally(outlook.store, name):
            outlook.handler(name)
