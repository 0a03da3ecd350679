"""What a handler's instances are at now: the stream jobs that run and come, and the rest of the running flush.

Rule: a few rows each, by an index or by the last ids. Reads only.
"""

from ..brain.commands import kind_in
from ..brain.lanes import Streaming
from .store import Store

LAST = 64  # submissions to a handler's stream lane, by which it is told how often they come
AT_ONCE = 0.1  # seconds within which a stream job begins that finds a free slot
LATEST = 8  # stream jobs that came last, of which one has ended last
MOST = 32  # stream jobs that run, and cohorts of those that wait, of which it is told what they are


def stream_rate(store: Store, handler: str, now: float, within: float) -> float:
    """Stream jobs a second, by those of the last submissions that came within so many seconds; 0: too few did."""
    rows = store.rows(
        "SELECT accepted, jobs FROM cohort INDEXED BY cohort_streamed WHERE handler = ? AND lane = 'stream'"
        " AND accepted > ? ORDER BY accepted DESC LIMIT ?",
        (handler, now - within, LAST),
    )
    return float(sum(jobs for _, jobs in rows[:-1]) / max(1.0, now - rows[-1][0])) if len(rows) >= 3 else 0.0


def streams_of(store: Store, handler: str) -> list[Streaming]:
    """Stream jobs that run, but for those of groups, and then some that wait, in their order."""
    running = store.rows(
        "SELECT started, size, jobs, request, started - accepted FROM cohort INDEXED BY cohort_running"
        " WHERE running > 0 AND handler = ? AND lane = 'stream' AND jobs = 1 AND started IS NOT NULL LIMIT ?",
        (handler, MOST),
    )
    waiting = store.rows(
        "SELECT NULL, size * queued / jobs, queued, request, 0 FROM cohort WHERE lane = 'stream' AND handler = ?"
        " AND queued > 0 ORDER BY due, rank, id LIMIT ?",
        (handler, MOST),
    )
    return [
        Streaming(began, size / jobs, jobs, kind_in(request), waited > AT_ONCE)
        for began, size, jobs, request, waited in (*running, *waiting)
    ]


def last_end(store: Store, handler: str) -> float:
    """When a job of the flush that runs, or one of the last stream jobs, last ended (epoch seconds); 0: none has."""
    batch = store.rows(
        "SELECT max(finished) FROM cohort INDEXED BY cohort_running WHERE running > 0 AND handler = ?"
        " AND lane = 'batch'",
        (handler,),
    )
    streams = store.rows(
        "SELECT finished FROM cohort INDEXED BY cohort_streamed WHERE handler = ? AND lane = 'stream'"
        " AND accepted IS NOT NULL ORDER BY accepted DESC LIMIT ?",
        (handler, LATEST),
    )
    return max((float(at) for (at,) in (*batch, *streams) if at is not None), default=0.0)


def open_flush_of(store: Store, handler: str) -> tuple[float, int, bool] | None:
    """When the flush that runs now began, how many of its jobs have not ended, and whether a drain runs it; None: none
    runs."""
    row = store.row(
        "SELECT max(started), total(jobs - done - failed), max(rule = 'drain') FROM flush"
        " WHERE handler = ? AND ended IS NULL",
        (handler,),
    )
    return None if row is None or row[0] is None else (float(row[0]), max(0, int(row[1])), bool(row[2]))


def begun_of(store: Store, handler: str) -> frozenset[int]:
    """The cohorts of which something runs in a batch."""
    sql = "SELECT id FROM cohort INDEXED BY cohort_running WHERE running > 0 AND lane = 'batch' AND handler = ?"
    return frozenset(number for (number,) in store.rows(sql, (handler,)))
