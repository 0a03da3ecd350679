"""What is left of some cohorts, and what became of the rest: what a drain asks again and again.

Rule: kept counters are summed, never jobs counted. Reads only.
"""

import json
from collections.abc import Collection

from ..job import Lane
from ..store import Store

_AMONG = "id IN (SELECT value FROM json_each(?))"


def unfinished(store: Store, handler: str | None, group: str | None, *, stream: bool) -> list[tuple[int, str]]:
    """(cohort, handler) of all that waits or runs in the batch lane, with `stream` in both; None: of whatever name."""
    return store.rows(
        "SELECT id, handler FROM cohort WHERE queued + running > 0 AND accepted IS NOT NULL"
        " AND (?1 OR lane = 'batch') AND handler = coalesce(?2, handler) AND (?3 IS NULL OR name = ?3)",
        (stream, handler, group),
    )


def moved_from(store: Store, cohorts: Collection[int]) -> set[int]:
    """The cohorts that jobs of these were moved into."""
    return {number for (number,) in store.rows(
        "SELECT id FROM cohort WHERE origin IN (SELECT value FROM json_each(?))", (_array(cohorts),))}  # fmt: skip


def sums(store: Store, cohorts: Collection[int]) -> tuple[int, int, int, int, float]:
    """Of all jobs of these: how many are (left, done, failed, cancelled), and what they have cost (money)."""
    ((*counts, cost),) = store.rows(
        "SELECT total(queued + running), total(done), total(failed), total(cancelled), total(cost) FROM cohort"
        f" WHERE {_AMONG}",
        (_array(cohorts),),
    )
    left, done, failed, cancelled = map(int, counts)
    return left, done, failed, cancelled, cost


def by_lane(store: Store, cohorts: Collection[int]) -> list[tuple[str, Lane, int, float]]:
    """(handler, lane, jobs left, mean bytes of input) of what is left of these."""
    return [(handler, Lane(lane), left, size) for handler, lane, left, size in store.rows(
        "SELECT handler, lane, sum(queued + running), sum(size) / sum(jobs) FROM cohort"
        f" WHERE queued + running > 0 AND {_AMONG} GROUP BY handler, lane", (_array(cohorts),))]  # fmt: skip


def left_of(store: Store, cohorts: Collection[int]) -> list[tuple[int, str, Lane, int]]:
    """(cohort, handler, lane, jobs that run) of those of which something is left."""
    return [(number, handler, Lane(lane), running) for number, handler, lane, running in store.rows(
        f"SELECT id, handler, lane, running FROM cohort WHERE queued + running > 0 AND {_AMONG}",
        (_array(cohorts),))]  # fmt: skip


def _array(cohorts: Collection[int]) -> str:
    return json.dumps(sorted(cohorts))
