"""What happened to jobs, as one line of their story; the reasons in it are told by `sentences`.

Rule: pure functions of what the queue kept; text of somebody else is not yet safe for a terminal.
"""

from .job import Happening
from .reason import SAID, Reason
from .sentences import sentence
from .when import count


def happened(kind: Happening, jobs: int, reason: Reason, now: float, currency: str = "") -> str:
    """One line of a story: what happened to so many jobs, and why."""
    why = sentence(reason, now, currency)
    if reason.kind == SAID and reason.text:
        return why
    if kind in _EVENTS:
        one, several = _EVENTS[kind]
        return one if jobs == 1 else several.format(count(jobs))
    if kind in _MOVES:
        return f"{_MOVES[kind]}: {why}"
    return why


_EVENTS = {
    Happening.CANCELLED: ("cancelled", "{} jobs cancelled"),
    Happening.RETRIED: ("queued again by retry", "{} jobs queued again by retry"),
    Happening.DRAFTED: ("the draft ended; the final follows in a batch",) * 2,
    Happening.RESCUED: ("the runner died; queued again at once", "{} jobs: the runner died; queued again at once"),
    Happening.BROKE: ("the runner broke; queued again at once", "{} jobs: the runner broke; queued again at once"),
    Happening.GIVEN_BACK: (
        "the runner stopped before it was done; queued again",
        "{} jobs: the runner stopped before it was done; queued again",
    ),
}
_MOVES = {Happening.PROMOTED: "promoted", Happening.RECLASSIFIED: "moved to the batch lane"}
