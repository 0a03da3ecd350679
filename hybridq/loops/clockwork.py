"""APScheduler wakes the batch loop: when a plan may change, when a price does.

Rule: it only wakes. What is due is the plan's to say, so a wake-up that is late, lost or doubled
changes nothing; the loop has its own tick.
"""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from apscheduler.schedulers.asyncio import AsyncIOScheduler  # type: ignore[import-untyped]  # it ships no types

if TYPE_CHECKING:
    from ..daemon import Service


class Clockwork:
    """Wakes a service's batch loop at the instants that its plans named. A context manager."""

    def __init__(self, service: "Service") -> None:
        self._service = service
        # One-shot jobs that fell due while the machine slept still run, once.
        self._scheduler = AsyncIOScheduler(
            timezone=UTC, job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1}
        )

    def __enter__(self) -> "Clockwork":
        self._service.engine.wake_at = self._set
        self._scheduler.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._scheduler.shutdown(wait=False)

    def _set(self, handler: str, at: float) -> None:
        self._scheduler.add_job(
            self._service.batch.wake.set, "date", run_date=datetime.fromtimestamp(at, UTC),
            id=handler, replace_existing=True,
        )  # fmt: skip
