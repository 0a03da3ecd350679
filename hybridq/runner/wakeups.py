"""What wakes a daemon's loops: APScheduler, when a plan may change, a price does or a schedule is due.

Rule: it only wakes. What is due is the plan's to say, or the store's, so a wake-up that is late, lost or doubled
changes nothing; each loop has its own tick.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Self

from apscheduler.schedulers.asyncio import AsyncIOScheduler  # type: ignore[import-untyped]  # it ships no types

from .engine import Engine


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
