"""What is asked of jobs, as conditions of SQL: on cohorts, groups and single jobs.

Rule: values are bound; a condition that nobody asked for costs nothing. What has not ended is in the queue still.
"""

from ..job import Lane
from ..selection import Criteria

Condition = tuple[str, tuple[str | float, ...]]
"""What follows ` WHERE ...`, and what is bound there."""
_GOES_ON = "queued + running > 0"


def of_cohorts(criteria: Criteria, *, over: bool = False) -> Condition:
    """Of rows of `cohort`; `over`: all of them have ended, which an index knows by its order."""
    ended = "finished >= ?" if over else f"({_GOES_ON} OR finished >= ?)"
    return _condition(criteria, "handler", ended, criteria.lanes)


def of_jobs(criteria: Criteria) -> Condition:
    """Of rows of `job` beside their `cohort`."""
    ended = "(state IN ('queued', 'running') OR job.finished >= ?)"
    return _condition(criteria, "cohort.handler", ended, criteria.lanes)


def of_groups(criteria: Criteria) -> Condition:
    """Of rows of `groups`: those of which a part is of the handler, in whichever lane."""
    parts = "(SELECT handler FROM cohort WHERE cohort.id = groups.cohort)"
    return _condition(criteria, parts, f"({_GOES_ON} OR finished >= ?)")


def _condition(criteria: Criteria, handler: str, ended: str, lanes: tuple[Lane, ...] = ()) -> Condition:
    found: list[str] = []
    bound: list[str | float] = []
    if criteria.handlers:
        found.append(f"{handler} IN ({', '.join('?' * len(criteria.handlers))})")
        bound += criteria.handlers
    if lanes:
        found.append(f"lane IN ({', '.join('?' * len(lanes))})")
        bound += lanes
    if criteria.until is not None:
        found.append("accepted <= ?")
        bound.append(criteria.until)
    if criteria.since is not None:
        found.append(ended)
        bound.append(criteria.since)
    return "".join(f" AND {each}" for each in found), tuple(bound)
