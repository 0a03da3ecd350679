"""What a handler's instances are at now: the stream jobs that run and come, and the rest of the running flush.

Rule: a few rows each, by an index or by the last ids. Reads only.
"""

from .cohorts import Cohort
from .store import Store

BEFORE = 1024  # submissions of all handlers, by which it is told whether an instance was up
LAST = 64  # submissions of all handlers, by which it is told how often stream jobs come
MOST = 32  # running stream jobs of which it is told when they began


def stream_rate(store: Store, handler: str, now: float, within: float) -> float:
    """Stream jobs a second, by those of the last submissions that came within so many seconds; 0: too few did."""
    rows = store.rows(
        "SELECT accepted, jobs FROM cohort WHERE id > (SELECT max(id) FROM cohort) - ? AND handler = ?"
        " AND lane = 'stream' AND accepted > ? ORDER BY id",
        (LAST, handler, now - within),
    )
    return float(sum(jobs for _, jobs in rows[1:]) / max(1.0, now - rows[0][0])) if len(rows) >= 3 else 0.0


def streams_begun(store: Store, handler: str) -> list[float]:
    """When the stream jobs that run now began (epoch seconds), but for those of groups."""
    return [
        float(at)
        for (at,) in store.rows(
            "SELECT started FROM cohort INDEXED BY cohort_running WHERE running > 0 AND handler = ? AND lane = 'stream'"
            " AND jobs = 1 AND started IS NOT NULL LIMIT ?",
            (handler, MOST),
        )
    ]


def open_flush_of(store: Store, handler: str) -> tuple[float, int] | None:
    """When the flush that runs now began, and how many of its jobs have not ended; None: none runs."""
    row = store.row(
        "SELECT max(started), total(jobs - done - failed) FROM flush WHERE handler = ? AND ended IS NULL", (handler,)
    )
    return None if row is None or row[0] is None else (float(row[0]), max(0, int(row[1])))


def used_before(store: Store, cohort: Cohort, after: float) -> bool:
    """Whether jobs of this cohort's handler, of those that came shortly before it, ran when it came, or had since
    `after` (epoch seconds)."""
    return bool(
        store.rows(
            "SELECT 1 FROM cohort WHERE id BETWEEN ?1 - ?2 AND ?1 - 1 AND handler = ?3 AND started <= ?4"
            " AND (running > 0 OR finished >= ?5) LIMIT 1",
            (cohort.id, BEFORE, cohort.handler, cohort.accepted, after),
        )
    )
