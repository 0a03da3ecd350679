"""What is measured of a queue again and again, by whoever watches it from outside.

Rule: kept sums and the newest rows alone, so that a look takes milliseconds among millions of jobs. What is said to be
a total never falls: a job that is retried, moved or cleaned away takes nothing from it, but from the jobs that there
are.
"""

from typing import Any

from msgspec import Struct

from ..job import Audience, Lane, State
from .account import SUBMISSION, TOLD
from .cleaning import cleaned
from .group_sums import counts_of
from .later import known
from .store import Store

NEWEST = 1000  # jobs that ended, and promises: of a steady queue the last minutes or hours


class HandlerSums(Struct, frozen=True, kw_only=True):
    """What the jobs of one handler have come to: by lane and state, and their money of all times."""

    handler: str
    counts: dict[tuple[Lane, State], int]
    cost: float
    streamed: float


class RuleTotal(Struct, frozen=True, kw_only=True):
    """The flushes of one rule that have ended, the jobs that ended in them, and how long they ran (seconds)."""

    rule: str
    flushes: int
    jobs: int
    seconds: float


def by_handler(store: Store) -> list[HandlerSums]:
    """The sums of each handler; of "" the money of what was cleaned away by an early release."""
    found: dict[str, list[tuple[Any, ...]]] = {}
    for handler, *row in store.rows(
        "SELECT handler, lane, sum(queued), sum(running), sum(done), sum(failed), sum(cancelled), sum(cost),"
        " sum(streamed) FROM tally GROUP BY handler, lane"
    ):
        found.setdefault(handler, []).append(tuple(row))
    return [
        HandlerSums(
            handler=handler,
            counts={
                (known(Lane, lane), state): jobs
                for lane, *counts, _, _ in rows
                for state, jobs in {**dict.fromkeys(State, 0), **counts_of(counts)}.items()
            },
            cost=sum(row[-2] for row in rows),
            streamed=sum(row[-1] for row in rows),
        )
        for handler, rows in found.items()
    ]


def accepted(store: Store) -> int:
    """How many jobs were ever accepted, with those that were cleaned away."""
    ((jobs,),) = store.rows("SELECT total(queued + running + done + failed + cancelled) FROM tally")
    return int(jobs) + cleaned(store).jobs


def by_rule(store: Store) -> list[RuleTotal]:
    """The flushes that have ended, by rule: one that goes on may find nothing, and is forgotten then."""
    return [
        RuleTotal(rule=rule, flushes=flushes, jobs=jobs, seconds=seconds)
        for rule, flushes, jobs, seconds in store.rows(
            "SELECT rule, count(*), sum(done + failed), sum(ended - started) FROM flush WHERE ended IS NOT NULL"
            " GROUP BY rule"
        )
    ]


def newest_waits(store: Store) -> dict[Audience, list[float]]:
    """Seconds from submission to the first byte, of the newest jobs that ended."""
    found: dict[Audience, list[float]] = {}
    for audience, seconds in store.rows(
        "SELECT audience, coalesce(draft.first, newest.first, job.finished) - accepted"
        " FROM (SELECT id, first FROM result ORDER BY id DESC LIMIT ?) AS newest CROSS JOIN job ON job.id = newest.id"
        " CROSS JOIN cohort ON cohort.id = job.cohort LEFT JOIN draft ON draft.id = job.id"
        " WHERE accepted IS NOT NULL AND job.state = 'done'",
        (NEWEST,),
    ):
        found.setdefault(known(Audience, audience), []).append(max(0.0, seconds))
    return found


def newest_errors(store: Store) -> tuple[list[float], int]:
    """By how many seconds the newest promises at submission were off whose jobs are done, and how many of these ended
    after the 90th percentile that was told."""
    rows = store.rows(
        "SELECT abs(cohort.finished - newest.finish), cohort.finished >= newest.finish90 + ?"
        " FROM (SELECT cohort, finish, finish90 FROM promise WHERE said = ? ORDER BY id DESC LIMIT ?) AS newest"
        " CROSS JOIN cohort ON cohort.id = newest.cohort"
        " WHERE queued = 0 AND running = 0 AND done > 0 AND failed + cancelled = 0 AND newest.finish IS NOT NULL",
        (TOLD, SUBMISSION, NEWEST),
    )
    return [float(seconds) for seconds, _ in rows], sum(bool(late) for _, late in rows)


def oldest_waiting(store: Store) -> dict[tuple[str, Lane], float]:
    """When the oldest submission was accepted (epoch seconds) that has queued jobs, by handler and lane."""
    return {
        (handler, known(Lane, lane)): float(since)
        for handler, lane, since in store.rows(
            "SELECT handler, lane, min(accepted) FROM cohort WHERE queued > 0 AND accepted IS NOT NULL"
            " GROUP BY lane, handler"
        )
    }
