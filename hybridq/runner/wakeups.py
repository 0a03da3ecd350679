"""What wakes the loops: APScheduler, when a plan may change, a price does or a schedule is due; and a clock set back.

Rule: it only wakes. What is due is the plan's to say, or the store's, so a wake-up that is late, lost or doubled
changes nothing; each loop has its own tick.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Self

from apscheduler.schedulers.asyncio import AsyncIOScheduler  # type: ignore[import-untyped]  # it ships no types

from .engine import Engine

SLACK = 2.0  # seconds of a step back that are no more than a clock's own correction


class StepDetector:
    """Compares the wall clock (epoch seconds) with one that never steps (seconds, monotonic)."""

    def __init__(self, wall: float, steady: float) -> None:
        self._gap = wall - steady

    def set_back(self, wall: float, steady: float) -> float:
        """Seconds by which the wall clock was set back since the last call; 0: it was not."""
        before, self._gap = self._gap, wall - steady
        back = before - self._gap
        return back if back > SLACK else 0.0


class Wakeups:
    """Wakes an engine's loops at the instants that they named. A context manager."""

    def __init__(self, engine: Engine, wake: Callable[[str], None]) -> None:
        """`wake` hears for which name an instant has come: a handler's, or that of all schedules."""
        self._engine, self._wake = engine, wake
        # One-shot jobs that fell due while the machine slept still run, once.
        self._scheduler = AsyncIOScheduler(
            timezone=UTC, job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1}
        )

    def __enter__(self) -> Self:
        self._engine.wake_at = self._set
        self._scheduler.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._scheduler.shutdown(wait=False)

    def _set(self, name: str, at: float) -> None:
        when = datetime.fromtimestamp(at, UTC)
        self._scheduler.add_job(self._wake, "date", [name], run_date=when, id=name, replace_existing=True)
