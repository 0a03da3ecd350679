"""What wakes the batch loop: APScheduler, when a plan may change or a price does, and a clock that was set back.

Rule: it only wakes. What is due is the plan's to say, so a wake-up that is late, lost or doubled
changes nothing; the loop has its own tick.
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
    """Wakes an engine's batch loop at the instants that its plans named. A context manager."""

    def __init__(self, engine: Engine, wake: Callable[[], None]) -> None:
        """`wake` wakes the batch loop."""
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

    def _set(self, handler: str, at: float) -> None:
        when = datetime.fromtimestamp(at, UTC)
        self._scheduler.add_job(self._wake, "date", run_date=when, id=handler, replace_existing=True)
