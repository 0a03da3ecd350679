"""What a person may change about a row in the live view, and what is asked before it is done."""

from hybridq.job import State
from hybridq.status.snapshot import Row
from hybridq.visible import visible_line
from hybridq.when import how_many

CANCEL, RETRY = "cancel", "retry"
DOING = {CANCEL: "cancelling …", RETRY: "queueing again …"}
VERBS = {"c": CANCEL, "r": RETRY}
_STATES = {CANCEL: (State.QUEUED, State.RUNNING), RETRY: (State.FAILED, State.CANCELLED)}
NAME = 60  # cells


def applies(verb: str, row: Row | None) -> bool:
    """Whether there is anything of the row to cancel or to retry."""
    return row is not None and _jobs(verb, row) > 0


def question(verb: str, row: Row) -> str:
    """What is asked: which jobs, how many, and that some of them run."""
    jobs = how_many(_jobs(verb, row))
    if verb == RETRY:
        return f"queue {name(row)} again?" if row.group is None else f"queue {jobs} of {name(row)} again?"
    running = row.counts.get(State.RUNNING, 0)
    if row.group is None:
        return f"cancel {name(row)}, which {'runs' if running else 'waits'}?"
    return f"cancel {jobs} of {name(row)}{f', {running:,} of which run' if running else ''}?"


def refusal(verb: str, row: Row | None) -> str:
    """Why there is nothing to ask."""
    if row is None:
        return f"choose what to {verb} first, with the arrows"
    return f"{name(row)} has ended" if verb == CANCEL else f"nothing of {name(row)} failed or was cancelled"


def name(row: Row) -> str:
    """A job by its number, a group by its name."""
    return visible_line(f"{row.id} ({row.what})" if row.group is None else row.group, NAME)


def _jobs(verb: str, row: Row) -> int:
    return sum(row.counts.get(state, 0) for state in _STATES[verb])
