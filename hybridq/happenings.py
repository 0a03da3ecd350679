"""What happened to jobs, as one line of their story; the reasons in it are told by `sentences`.

Rule: pure functions of what the queue kept; text of somebody else is not yet safe for a terminal.
"""

from collections.abc import Callable

from .job import Happening
from .reason import SAID, Reason
from .sentences import sentence
from .when import clock, count


def happened(kind: Happening, jobs: int, reason: Reason, now: float, currency: str = "") -> str:
    """One line of a story: what happened to so many jobs, and why."""
    why = sentence(reason, now, currency)
    if reason.kind == SAID and reason.text:
        return why
    if kind is Happening.RECURRED and reason.kind in _RECURRED:
        return f"schedule {reason.text}: {_RECURRED[reason.kind](reason, now)}"
    if kind in _EVENTS:
        one, several = _EVENTS[kind]
        return one if jobs == 1 else several.format(count(jobs))
    if kind in _MOVES:
        return f"{_MOVES[kind]}: {why}"
    return why


def _missed(reason: Reason, now: float) -> str:
    late = "" if reason.due is None else f"nothing ran at {clock(reason.due, now)}, so this comes late"
    earlier = (reason.jobs or 0) - (reason.due is not None)
    were = "instant was" if earlier == 1 else "instants were"
    then = "" if reason.of else f", {'it is' if earlier == 1 else 'they are'} made up for"
    others = f"{count(earlier)} earlier {were} missed{then}" if earlier else ""
    return "; ".join(filter(None, [late, others]))


def _left_out(reason: Reason, now: float) -> str:
    jobs = reason.jobs or 1
    which = f"the occurrence of {_at(reason, now)}" if jobs == 1 else f"{count(jobs)} occurrences"
    return f"{which} left out, for this had not ended (--overlap skip)"


def _beside(reason: Reason, now: float) -> str:
    jobs = reason.jobs or 1
    which = f"job {reason.of} has" if jobs == 1 else f"{count(jobs)} earlier ones have"
    return f"{which} not ended yet, and this does not wait (--overlap queue)"


def _at(reason: Reason, now: float) -> str:
    return "a time that nobody knows" if reason.due is None else clock(reason.due, now)


_RECURRED: dict[str, Callable[[Reason, float], str]] = {  # what a schedule tells of its occurrences
    "missed": _missed,
    "left out": _left_out,
    "replaced": lambda r, now: f"replaced by its occurrence of {_at(r, now)} (--overlap cancel)",
    "beside": _beside,
}
_EVENTS = {
    Happening.CANCELLED: ("cancelled", "{} jobs cancelled"),
    Happening.RELEASED: (
        "what it waited for is there; it may begin",
        "{} jobs: what they waited for is there; they may begin",
    ),
    Happening.REVIVED: (
        "queued again, for what it waits for was retried",
        "{} jobs queued again, for what they wait for was retried",
    ),
    Happening.RETRIED: ("queued again by retry", "{} jobs queued again by retry"),
    Happening.DRAFTED: ("the draft ended; the final follows in a batch",) * 2,
    Happening.RESCUED: ("the runner died; queued again at once", "{} jobs: the runner died; queued again at once"),
    Happening.STOPPED: ("stopped by a pause; queued again", "{} jobs stopped by a pause; queued again"),
    Happening.BROKE: ("the runner broke; queued again at once", "{} jobs: the runner broke; queued again at once"),
    Happening.GIVEN_BACK: (
        "the runner stopped before it was done; queued again",
        "{} jobs: the runner stopped before it was done; queued again",
    ),
}
_MOVES = {Happening.PROMOTED: "promoted", Happening.RECLASSIFIED: "moved to the batch lane"}
