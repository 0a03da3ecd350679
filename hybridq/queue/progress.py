"""How far some jobs are: what is left of them, what became of the rest, and waiting until all have ended.

Rule: kept counters are summed, never jobs counted, and no transaction stays open while somebody waits. Changes nothing
but what died: a dead runner's jobs are queued again by whoever waits for them.
"""

import json
import time
from collections.abc import Collection, Iterator
from typing import NamedTuple

from ..job import Lane
from ..reason import Reason
from ..selection import Selector
from .doorbell import VIEWER, Doorbell
from .holds import withheld
from .later import known
from .paused_work import why_kept
from .pauses import why_paused
from .rescue import rescue
from .select import ranges
from .store import Store

_AMONG = "id IN (SELECT value FROM json_each(?))"
_LOOP = "CASE WHEN lane <> 'none' THEN lane WHEN mode = 'batch' THEN 'batch' ELSE 'stream' END"  # that will have it


def unfinished(store: Store, handler: str | None, group: str | None, *, stream: bool) -> list[tuple[int, str]]:
    """(cohort, handler) of all that waits or runs in the batch lane, with `stream` in both; None: of whatever name."""
    return store.rows(
        "SELECT id, handler FROM cohort WHERE queued + running > 0 AND accepted IS NOT NULL"
        " AND (?1 OR lane = 'batch' OR (lane = 'none' AND mode = 'batch')) AND handler = coalesce(?2, handler)"
        " AND (?3 IS NULL OR name = ?3)",
        (stream, handler, group),
    )


def moved_from(store: Store, cohorts: Collection[int]) -> set[int]:
    """The cohorts that jobs of these were moved into, however often."""
    return {
        number
        for (number,) in store.rows(
            "WITH RECURSIVE line (id) AS (SELECT value FROM json_each(?)"
            " UNION SELECT cohort.id FROM line JOIN cohort ON cohort.origin = line.id) SELECT id FROM line",
            (_array(cohorts),),
        )
    }


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
    return [
        (handler, known(Lane, lane), left, size)
        for handler, lane, left, size in store.rows(
            f"SELECT handler, {_LOOP} AS loop, sum(queued + running), sum(size) / sum(jobs) FROM cohort"
            f" WHERE queued + running > 0 AND {_AMONG} GROUP BY handler, loop",
            (_array(cohorts),),
        )
    ]


class Left(NamedTuple):
    """What is left of a cohort: how many jobs wait and run; `size` is their mean input in bytes. `waits`: for other
    jobs, or for its time; `group`: its name."""

    cohort: int
    handler: str
    lane: Lane
    queued: int
    running: int
    size: float
    waits: bool
    group: str | None


def left_of(store: Store, cohorts: Collection[int]) -> list[Left]:
    """Those of which something is left."""
    return [
        Left(cohort, handler, known(Lane, lane), queued, running, size, bool(waits), group)
        for cohort, handler, lane, queued, running, size, waits, group in store.rows(
            f"SELECT id, handler, {_LOOP}, queued, running, size / max(1, jobs), lane = 'none', name FROM cohort"
            f" WHERE queued + running > 0 AND {_AMONG}",
            (_array(cohorts),),
        )
    ]


def ran_longer(store: Store, cohorts: Collection[int], seconds: float) -> int:
    """How many jobs of these wait that ran for longer before and were not done."""
    return int(
        store.rows(
            "SELECT count(*) FROM cohort CROSS JOIN job ON job.cohort = cohort.id AND job.state = 'queued'"
            f" CROSS JOIN result ON result.id = job.id WHERE cohort.{_AMONG} AND queued > 0 AND busy > ?",
            (_array(cohorts), seconds),
        )[0][0]
    )


def _array(cohorts: Collection[int]) -> str:
    return json.dumps(sorted(cohorts))


PATIENCE = 1.0  # seconds between two looks when nobody rings
PARTS = 64  # of a group, that are asked whether something holds them

_AWAITED = (
    # What was in the cohort when it was named, wherever it has moved meanwhile, and however often.
    " FROM job WHERE id BETWEEN ?1 AND ?2 AND (?3 IS NULL OR cohort IN (WITH RECURSIVE line (id) AS (SELECT ?3"
    " UNION SELECT cohort.id FROM line JOIN cohort ON cohort.origin = line.id) SELECT id FROM line)) AND EXISTS"
    " (SELECT 1 FROM cohort WHERE cohort.id = job.cohort AND accepted IS NOT NULL)"
)
_OPEN = "state IN ('queued', 'running')"
_DRAFTED = "EXISTS (SELECT 1 FROM draft WHERE draft.id = job.id)"


Span = tuple[int, int, int | None]
"""The first and the last id, and the cohort that the jobs were in at first; None: any."""


class Awaited:
    """The jobs that some selectors name now; what is submitted later is not among them. Raises NoSuchJob.

    `final`: of adaptive jobs their final is awaited, not only their draft.
    """

    def __init__(self, store: Store, selectors: list[Selector], *, final: bool = False) -> None:
        self._store = store
        self._wanted = _OPEN if final else f"{_OPEN} AND NOT {_DRAFTED}"
        newest = store.row("SELECT max(id) FROM job")
        top = newest[0] if newest and newest[0] else 0
        self._spans = [
            (first, min(last, top), cohort)
            for selector in selectors
            for first, last, cohort in _whole(store, ranges(store, selector))
        ]
        self._left = list(self._spans)

    @property
    def only(self) -> int | None:
        """The one job's id, where it is one."""
        first, last, _ = self._spans[0] if len(self._spans) == 1 else (0, -1, None)
        return first if first == last else None

    def ended(self) -> bool:
        """Whether nothing of them is queued or running, but for adaptive jobs whose draft is enough."""
        while self._left:
            first, last, cohort = self._left[0]
            waiting = self._store.row(
                f"SELECT id{_AWAITED} AND {self._wanted} ORDER BY id LIMIT 1", (first, last, cohort)
            )
            if waiting is not None:
                self._left[0] = waiting[0], last, cohort
                return False
            del self._left[0]
        return True

    def kept(self) -> Reason | None:
        """Why these may not begin, as a runner has said of a job or of part of a group; None: nothing holds them."""
        if self.only is not None:
            return why_kept(self._store, self.only)
        parts = [cohort for _, _, cohort in self._left[:PARTS] if cohort is not None]
        if not parts:
            return None
        return why_paused(self._store, parts, time.time()) or next(iter(withheld(self._store, parts).values()), None)

    def drafts(self) -> tuple[int, int]:
        """How many of them have a draft and not yet a final; and of how many the draft failed."""
        both = [
            self._store.rows(
                f"SELECT count(*), total(error IS NOT NULL) FROM draft WHERE id IN (SELECT id{_AWAITED} AND {_OPEN})",
                span,
            )[0]
            for span in self._spans
        ]
        failed = sum(int(bad) for _, bad in both)
        return sum(found for found, _ in both) - failed, failed

    def first(self, state: str) -> int | None:
        """The first of them in this state, by id."""
        found = (self._store.row(f"SELECT min(id){_AWAITED} AND state = ?", (*span, state)) for span in self._spans)
        return min((row[0] for row in found if row and row[0] is not None), default=None)

    def count(self, *states: str) -> int:
        """How many of them are in one of these states."""
        marks = ", ".join("?" * len(states))
        return sum(
            self._store.rows(f"SELECT count(*){_AWAITED} AND state IN ({marks})", (*span, *states))[0][0]
            for span in self._spans
        )


def _whole(store: Store, parts: list[Span]) -> list[Span]:
    """These parts of one selector without those that were moved out of others of them: they are found with these."""
    numbers = {cohort for _, _, cohort in parts}
    if len(parts) < 2 or None in numbers:
        return parts
    moved = dict(
        store.rows(
            "SELECT id, origin FROM cohort WHERE origin IN (SELECT value FROM json_each(?))",
            (json.dumps(list(numbers)),),
        )
    )
    return [part for part in parts if part[2] not in moved]


def looks(store: Store, until: float | None = None) -> Iterator[None]:
    """Yields whenever it is worth looking again, at once for the first time; ends at `until` (monotonic seconds)."""
    with Doorbell(store.home, VIEWER) as bell:
        while True:
            bell.clear()
            yield
            rest = PATIENCE if until is None else min(PATIENCE, until - time.monotonic())
            if rest <= 0:
                return
            if not bell.wait(rest):
                rescue(store, time.time())
