"""Claiming jobs: which ones a runner takes next, and what it holds.

Rule: a claim is atomic: a job is in one runner's hands, or in nobody's; none is claimed that is paused. `results`
stores how it ended.
"""

import json
import sqlite3
from collections.abc import Callable, Collection, Sequence
from typing import Protocol

from msgspec import Struct

from ..config.resources import Given
from ..job import State
from ..seam import reached
from .counters import shift
from .pauses import anything_paused, is_paused
from .store import Store

CLAIM_BYTES = 16 * 1024 * 1024  # of inputs that are claimed at once, if it is more than one


class Room(Protocol):
    """What limits on money let begin (`money.limits`). It is asked inside the transaction of the claim, and told."""

    def __call__(self, cohort: int) -> int:
        """How many jobs of a cohort may begin now."""

    def took(self, cohort: int, jobs: int) -> None:
        """So many of them do."""


class Beside(Protocol):
    """What may begin beside what runs (`allotment`); as a Room, but that it gives what jobs need."""

    def __call__(self, cohort: int) -> int:
        """How many jobs of a cohort may begin now."""

    def took(self, cohort: int, claims: "Sequence[Claim]") -> "list[Claim]":
        """These do; each with what it was given."""


Allot = Callable[[sqlite3.Connection], Beside | None]
"""Makes one for a transaction; None: nothing bounds what may begin."""


class Claim(Struct, frozen=True, gc=False):
    """One job in this runner's hands. `given`: by counted resource how much, and which, where they have names."""

    id: int
    attempt: int
    tries: int
    cohort: int
    input: bytes
    unbegun: int = 0
    given: Given | None = None


UNSUSPECTED = "id NOT IN (SELECT job FROM suspect)"  # suspects run last, and apart: see `suspects`
# What the inputs come to is asked first: their number alone would let a few thousand bytes become gigabytes.
_ASKED = "SELECT id, length(input) FROM job WHERE cohort = ? AND state = 'queued' AND ready <= ?"
_READY = f"{_ASKED} AND {UNSUSPECTED} ORDER BY ready, id LIMIT ?"
_SHORT = (
    f"{_ASKED} AND {UNSUSPECTED} AND NOT EXISTS (SELECT 1 FROM result WHERE result.id = job.id AND busy > ?)"
    " ORDER BY ready, id LIMIT ?"
)
_TAKE = (
    "UPDATE job SET state = 'running', attempt = attempt + 1, runner = ?, flush = ?, started = ?"
    " WHERE id IN (SELECT value FROM json_each(?)) RETURNING id, attempt, tries, cohort, input, unbegun"
)

_WAITING = (
    "lane = 'stream' AND handler = ?1 AND queued > 0 AND (?3 IS NULL OR id IN (SELECT value FROM json_each(?3)))"
    # Not those that hold only jobs that wait for their next try: any number of them may come first.
    f" AND EXISTS (SELECT 1 FROM job WHERE cohort = cohort.id AND state = 'queued' AND ready <= ?4 AND {UNSUSPECTED})"
    " AND (name IS NULL OR name NOT IN (SELECT name FROM pause WHERE until > ?4"
    " UNION ALL SELECT name FROM job_limit CROSS JOIN groups USING (name) WHERE running >= job_limit.jobs))"
    " AND (needs IS NULL OR needs NOT IN (SELECT value FROM json_each(?5)))"
)
_FREE = f"SELECT id, due, rank FROM cohort WHERE {_WAITING} AND id NOT IN (SELECT cohort FROM withheld)"
_HELD = f"SELECT id, due, rank FROM withheld CROSS JOIN cohort ON cohort.id = withheld.cohort WHERE {_WAITING}"
# Of those that a limit on money holds any number may come first, too. So only some are asked for again: the first
# ones, whose order holds when the limit is gone, and by chance some others.
_NEXT = (
    f"SELECT id FROM (SELECT * FROM ({_FREE} ORDER BY due, rank, id LIMIT ?2)"
    f" UNION SELECT * FROM ({_HELD} ORDER BY due, rank, id LIMIT 32)"
    f" UNION SELECT * FROM ({_HELD} ORDER BY random() LIMIT 32)) ORDER BY due, rank, id"
)


def claim_stream(
    store: Store,
    runner: int,
    handler: str,
    limit: int,
    now: float,
    *,
    only: Collection[int] | None = None,
    room: Room | None = None,
    longest: float | None = None,
    allot: Allot | None = None,
    lacking: Collection[str] = (),
) -> list[Claim]:
    """Up to `limit` stream jobs of this handler (of the cohorts `only`), of CLAIM_BYTES at most: by deadline, then
    priority, then age. Not those that ran for more than `longest` seconds before and were not done, nor those of which
    it is known that what they need is `lacking`."""
    # More than the slots: some may have no room.
    these = None if only is None else json.dumps(list(only))
    waiting = store.rows(_NEXT, (handler, limit + 64, these, now, json.dumps(list(lacking))))
    if not waiting:
        return []
    return _claim(store, runner, None, [cohort for (cohort,) in waiting], limit, now, room, longest, allot)


def claim_batch(
    store: Store,
    runner: int,
    flush: int,
    handler: str,
    cohorts: list[int],
    limit: int,
    now: float,
    *,
    room: Room | None = None,
    longest: float | None = None,
    allot: Allot | None = None,
) -> list[Claim]:
    """Up to `limit` jobs of these cohorts, in their order, of CLAIM_BYTES at most, but for those that ran for more than
    `longest` seconds before and were not done. Cohorts that have none left, or no more `room`, or are paused leave the
    list."""
    return _claim(store, runner, flush, cohorts, limit, now, room, longest, allot)


def _claim(
    store: Store,
    runner: int,
    flush: int | None,
    cohorts: list[int],
    limit: int,
    now: float,
    room: Room | None,
    longest: float | None,
    allot: Allot | None,
) -> list[Claim]:
    claims: list[Claim] = []
    left = CLAIM_BYTES
    which, short = (_READY, ()) if longest is None else (_SHORT, (longest,))
    # A claim that a power cut takes back leaves the job queued, as its runner's death would: no need to wait for the
    # disk, which is a third of what a short job takes.
    with store.tx(durable=False) as connection:
        emptied = 0
        some_paused = anything_paused(connection, now)
        beside = allot(connection) if allot is not None else None
        for cohort in cohorts:
            wanted = limit - len(claims)
            if wanted <= 0:
                break
            if some_paused and is_paused(connection, cohort, now):
                emptied += 1
                continue
            most = wanted if room is None else min(wanted, room(cohort))
            most = min(most, beside(cohort)) if beside is not None and most else most
            ready = connection.execute(which, (cohort, now, *short, most)).fetchall() if most else []
            fitting, left = _within(ready, left, first=not claims)
            if fitting:
                taken = connection.execute(_TAKE, (runner, flush, now, json.dumps(fitting))).fetchall()
                taken.sort()  # by id: RETURNING promises no order
                shift(connection, {(cohort, State.QUEUED, State.RUNNING): len(taken)}, at=now)
                if room is not None:
                    room.took(cohort, len(taken))
                begun = [Claim(*row) for row in taken]
                claims.extend(begun if beside is None else beside.took(cohort, begun))
            if len(fitting) < len(ready):
                break  # these inputs are large: the rest is for the next claim
            if len(fitting) < wanted:
                emptied += 1
        del cohorts[:emptied]
    if claims:
        reached("claimed")
    return claims


def _within(ready: Sequence[tuple[int, int]], left: int, *, first: bool) -> tuple[list[int], int]:
    """Those of these (job, bytes of input) that come to no more than the bytes `left`, but the very `first` one in any
    case; and what is left then."""
    fitting: list[int] = []
    for number, size in ready:
        if size > left and not (first and not fitting):
            break
        fitting.append(number)
        left -= size
    return fitting, left


def first_due(store: Store, numbers: Collection[int]) -> int | None:
    """Which of these cohorts goes first: by deadline, then priority, then age."""
    found = store.row(
        "SELECT id FROM cohort WHERE id IN (SELECT value FROM json_each(?)) ORDER BY due, rank, id LIMIT 1",
        (json.dumps(list(numbers)),),
    )
    return int(found[0]) if found else None


def ends_of(store: Store, handler: str) -> list[tuple[float, int]]:
    """Deadline and rank of what goes first, and of what goes last, of all that a handler has queued for batches."""
    return [
        (float(due), int(rank))
        for way in ("ASC", "DESC")
        for due, rank in store.rows(
            "SELECT due, rank FROM cohort INDEXED BY cohort_queued WHERE lane = 'batch' AND handler = ? AND queued > 0"
            f" ORDER BY due {way}, rank {way} LIMIT 1",
            (handler,),
        )
    ]


def held_still(store: Store, claims: Sequence[Claim]) -> list[Claim]:
    """Those of these that still run in this attempt."""
    if not claims:
        return []
    ids = json.dumps([claim.id for claim in claims])
    running = dict(
        store.rows(
            "SELECT id, attempt FROM job WHERE state = 'running' AND id IN (SELECT value FROM json_each(?))", (ids,)
        )
    )
    return [claim for claim in claims if running.get(claim.id) == claim.attempt]


def postpone(store: Store, job: int, attempt: int, why: str, until: float) -> None:
    """A job that is held here is not tried again before `until`: for whoever looks at it, as if it were queued."""
    with store.tx(durable=False) as connection:
        held = connection.execute(
            "UPDATE job SET ready = ? WHERE id = ? AND attempt = ? AND state = 'running'", (until, job, attempt)
        )
        if held.rowcount:
            connection.execute(
                "INSERT OR REPLACE INTO result (id, attempt, error, cost, streamed, busy) VALUES (?, ?, ?, 0, 0, 0)",
                (job, attempt, why),
            )
