"""What is wrong with a group, as its jobs would tell it: why some failed, what is too late, what is tried again.

Rule: each look is bounded, however many jobs and parts the group has. Reads only.
"""

import math
from collections import Counter

from ..job import Audience
from .account import Late
from .later import known
from .lists import SCAN
from .store import Store

LOOKED_AT = 10_000  # jobs of one part of a group that are looked through for failed ones
FAILED = 200  # failed jobs of a group that are told apart


def failures(store: Store, name: str) -> list[tuple[str, int | None, int]]:
    """(reason, exit code, jobs) of the first FAILED failed jobs of a group, the most frequent first.

    A part is looked through no further than to its job LOOKED_AT.
    """
    found = Counter(
        store.rows(
            "SELECT coalesce(error, 'failed'), exit_code FROM"
            " (SELECT id, first_id, last_id FROM cohort"
            " WHERE name = ?1 AND failed > 0 AND accepted IS NOT NULL LIMIT ?2) AS part"
            " CROSS JOIN job ON job.id BETWEEN first_id AND min(last_id, first_id + ?3) AND job.cohort = part.id"
            " LEFT JOIN result ON result.id = job.id WHERE job.state = 'failed' LIMIT ?4",
            (name, SCAN, LOOKED_AT, FAILED),
        )
    )
    return [(reason, code, jobs) for (reason, code), jobs in found.most_common()]


def overdue(store: Store, name: str, now: float) -> tuple[float | None, float]:
    """By how many seconds the latest job of a group is behind its deadline at `now`, None where none is; and the last
    deadline of what has not ended (infinity: there is none). What was cancelled is never late."""
    by, last = store.rows(
        "SELECT max(CASE WHEN queued + running > 0 THEN ?2 - due WHEN cancelled = 0 THEN finished - due"
        " WHEN finished > due THEN (SELECT max(job.finished) FROM job WHERE job.id BETWEEN first_id AND last_id"
        " AND job.cohort = part.id AND state IN ('done', 'failed')) - due END),"
        " max(CASE WHEN queued + running > 0 THEN due END)"
        " FROM (SELECT id, due, queued, running, cancelled, finished, first_id, last_id FROM cohort"
        " WHERE name = ?1 AND jobs > 0 AND accepted IS NOT NULL LIMIT ?3) AS part",
        (name, now, SCAN),
    )[0]
    return (by if by is not None and by > 0 else None), math.inf if last is None else last


_LATE = (
    "SELECT audience, sum(jobs), max(seconds) FROM ("
    "SELECT audience, queued + running AS jobs, ?2 - due AS seconds FROM cohort"
    " WHERE accepted >= ?1 AND due < ?2 AND queued + running > 0"
    " UNION ALL SELECT audience, count(*), max(job.finished - due) FROM cohort CROSS JOIN job"
    " ON job.cohort = cohort.id AND job.id BETWEEN first_id AND last_id"
    " WHERE accepted >= ?1 AND cohort.finished > due AND state IN ('done', 'failed') AND job.finished > due"
    " GROUP BY audience) GROUP BY audience"
)


def late_since(store: Store, since: float, now: float) -> tuple[Late, ...]:
    """Of the jobs submitted since an instant those that ended after their deadline, or are open although it passed.

    Looks at each job of a group that ended late: for a report.
    """
    rows = store.rows(_LATE, (since, now))
    return tuple(Late(audience=known(Audience, audience), jobs=jobs, by=seconds) for audience, jobs, seconds in rows)


def again(store: Store, name: str, now: float) -> tuple[int, float, float, str] | None:
    """How many queued jobs of a group are not tried again yet (SCAN at most), when the first of them is and when the
    last, and why; None: none waits for that."""
    found = store.rows(
        "SELECT job.id, ready FROM (SELECT id FROM cohort WHERE name = ?1 AND queued > 0 LIMIT ?3) AS part"
        " CROSS JOIN job ON job.cohort = part.id AND state = 'queued' AND ready > ?2 LIMIT ?3",
        (name, now, SCAN),
    )
    if not found:
        return None
    number, at = min(found, key=lambda each: each[1])
    error = store.row("SELECT error FROM result WHERE id = ?", (number,))
    return len(found), at, max(ready for _, ready in found), (error[0] if error else None) or "failed"
