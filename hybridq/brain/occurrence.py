"""Which occurrences of a schedule are made, of those that have come, and by when each has to be done.

Rule: an instant is missed once a later one has come, or its window is over. Of what was missed `once` makes the newest,
`all` as many as MOST, `skip` none. Pure: no clock.
"""

from enum import StrEnum

from msgspec import Struct

from .recurrence import Recurrence, due

MOST = 100  # missed instants that `--missed all` makes up for
LATE = 600.0  # seconds after which an instant without a window is missed


class Missed(StrEnum):
    """What becomes of instants at which nothing ran."""

    ONCE = "once"
    ALL = "all"
    SKIP = "skip"


class Overlap(StrEnum):
    """What becomes of an occurrence whose predecessor has not ended."""

    QUEUE = "queue"
    SKIP = "skip"
    CANCEL = "cancel"


class Turn(Struct, frozen=True):
    """What is to be made now, the earliest first; how many instants were missed (`more`: at least so many), and the
    newest of those that were left out."""

    make: tuple[float, ...] = ()
    missed: int = 0
    more: bool = False
    left: int = 0
    newest_left: float = 0.0
    reached: float = 0.0  # up to this instant all is dealt with


def turn(recurrence: Recurrence, reached: float, now: float, missed: Missed, within: float | None) -> Turn:
    """What to make of what came after the instant `reached`; `within`: seconds of each one's window, None: none."""
    come = due(recurrence, reached, now, MOST if missed is Missed.ALL else 1)
    if not come.instants:
        return Turn(reached=reached)
    newest = come.instants[-1]
    over = is_over(newest, within, now)
    count = len(come.instants) + come.before
    make = () if missed is Missed.SKIP and over else come.instants
    left = count - len(make)
    newest_left = newest if not make else next(recurrence.all_before(make[0] - 1e-3), 0.0) if left else 0.0
    return Turn(make, count - (not over), come.more, left, newest_left, newest)


def is_over(instant: float, within: float | None, now: float) -> bool:
    """Whether the window of an instant has passed."""
    return now > instant + (LATE if within is None else within)


def deadline(instant: float, within: float | None, now: float) -> float | None:
    """By when an occurrence is to be done; of one that was made after its window, a window later. None: no window."""
    if within is None:
        return None
    return (now if is_over(instant, within, now) else instant) + within
