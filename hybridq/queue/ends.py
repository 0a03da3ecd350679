"""Waiting until jobs have ended, whoever runs them.

Rule: counts nothing twice and holds no transaction while it sleeps, so a million jobs may be waited
for. Changes nothing but what died: a dead runner's jobs are queued again by whoever waits for them.
"""

import time
from collections.abc import Iterator

from ..doorbell import VIEWER, Doorbell
from ..selection import Selector
from ..store import Store
from .names import ranges
from .rescue import rescue

PATIENCE = 1.0  # seconds between two looks when nobody rings

_AMONG = (
    " FROM job WHERE id BETWEEN ?1 AND ?2 AND (?3 IS NULL OR cohort IN"
    " (SELECT id FROM cohort WHERE id = ?3 OR origin = ?3)) AND EXISTS"
    " (SELECT 1 FROM cohort WHERE cohort.id = job.cohort AND accepted IS NOT NULL)"
)


class Awaited:
    """The jobs that some selectors name now; what is submitted later is not among them. Raises NoSuchJob."""

    def __init__(self, store: Store, selectors: list[Selector]) -> None:
        self._store = store
        newest = store.row("SELECT max(id) FROM job")
        top = newest[0] if newest and newest[0] else 0
        self._spans = [
            (first, min(last, top), cohort) for selector in selectors for first, last, cohort in ranges(store, selector)
        ]
        self._left = list(self._spans)

    @property
    def only(self) -> int | None:
        """The one job's id, where it is one."""
        first, last, _ = self._spans[0] if len(self._spans) == 1 else (0, -1, None)
        return first if first == last else None

    def ended(self) -> bool:
        """Whether nothing of them is queued or running."""
        while self._left:
            first, last, cohort = self._left[0]
            waiting = self._store.row(
                f"SELECT id{_AMONG} AND state IN ('queued', 'running') ORDER BY id LIMIT 1", (first, last, cohort)
            )
            if waiting is not None:
                self._left[0] = waiting[0], last, cohort
                return False
            del self._left[0]
        return True

    def count(self, *states: str) -> int:
        """How many of them are in one of these states."""
        marks = ", ".join("?" * len(states))
        return sum(
            self._store.rows(f"SELECT count(*){_AMONG} AND state IN ({marks})", (*span, *states))[0][0]
            for span in self._spans
        )


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
