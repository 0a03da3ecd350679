"""Queued jobs that wait for their next try, after a failure that left them some.

Rule: what is asked costs what waits so, however many jobs are queued. Reads only.
"""

from collections.abc import Iterable
from typing import NamedTuple

from ..job import Lane
from .store import Store

_LATER = "job INDEXED BY job_tried_again WHERE job.state = 'queued' AND job.ready > 0 AND job.ready > ?"


class NextTries(NamedTuple):
    """How many jobs of each cohort wait for their next try, and when (epoch seconds) the first of all is due."""

    jobs: dict[int, int]
    first: float | None


def next_tries(store: Store, lane: Lane, handler: str, now: float) -> NextTries:
    """Those of a handler in a lane that may not begin yet."""
    rows = store.rows(
        f"SELECT later.cohort, later.jobs, later.first FROM (SELECT cohort, count(*) AS jobs, min(ready) AS first"
        f" FROM {_LATER} GROUP BY cohort) AS later CROSS JOIN cohort ON cohort.id = later.cohort"
        " WHERE lane = ? AND handler = ?",
        (now, lane, handler),
    )
    return NextTries({cohort: jobs for cohort, jobs, _ in rows}, min((first for *_, first in rows), default=None))


def waiting_among(store: Store, spans: Iterable[tuple[int, int, int | None]], now: float) -> list[int]:
    """The jobs that wait so within these (first id, last id, cohort or None: all), ascending."""
    waiting = store.rows(f"SELECT job.id, job.cohort FROM {_LATER}", (now,))
    found = {
        number
        for first, last, cohort in (spans if waiting else ())
        for number, of in waiting
        if first <= number <= last and cohort in (None, of)
    }
    return sorted(found)
