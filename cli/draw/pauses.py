"""What is paused, in words: for the head of the queue's views, and for what `pause` and `resume` answer."""

from collections.abc import Sequence

from hybridq.status.snapshot import Paused
from hybridq.when import clock, how_many


def paused_words(paused: Sequence[Paused], now: float) -> str:
    """What is paused: `paused: everything until 21:00, nightly by hand`; "": nothing is."""
    return f"paused: {', '.join(paused_how(each, now) for each in paused)}" if paused else ""


def paused_how(of: Paused, now: float) -> str:
    """One pause: `everything until 21:00`, `nightly by hand`."""
    return f"{paused_what(of)} {'by hand' if of.until is None else f'until {clock(of.until, now)}'}"


def paused_what(of: Paused) -> str:
    """What one pause holds: `everything`, `handler shell`, or a group's name."""
    return of.group or (f"handler {of.handler}" if of.handler else "everything")


def untold_words(events: int) -> str:
    """That hooks were not told: `2 events were told to no hook: hybridq hooks`."""
    return f"{how_many(events, 'event')} could not be told: hybridq hooks"
