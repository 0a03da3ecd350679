"""APScheduler wakes the batch loop: when a plan may change, when a price does.

Rule: it only wakes. What is due is the plan's to say, so a wake-up that is late, lost or doubled
changes nothing; the loop has its own tick.
"""

from collections.abc import Callable
from datetime import UTC, datetime

from apscheduler.schedulers.asyncio import AsyncIOScheduler  # type: ignore[import-untyped]  # it ships no types

from .engine import Engine


class Clockwork:
    """Wakes an engine's batch loop at the instants that its plans named. A context manager."""

    def __init__(self, engine: Engine, wake: Callable[[], None]) -> None:
        """`wake` wakes the batch loop."""
        self._engine, self._wake = engine, wake
        # One-shot jobs that fell due while the machine slept still run, once.
        self._scheduler = AsyncIOScheduler(
            timezone=UTC, job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1}
        )

    def __enter__(self) -> "Clockwork":
        self._engine.wake_at = self._set
        self._scheduler.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._scheduler.shutdown(wait=False)

    def _set(self, handler: str, at: float) -> None:
        when = datetime.fromtimestamp(at, UTC)
        self._scheduler.add_job(self._wake, "date", run_date=when, id=handler, replace_existing=True)
