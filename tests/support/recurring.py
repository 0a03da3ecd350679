"""Schedules in a queue of the tests, made due by an instant and not by waiting."""

from msgspec.structs import replace

from hybridq.brain.occurrence import Missed, Overlap
from hybridq.job import Mode
from hybridq.outlook import Outlook
from hybridq.queue import schedules
from hybridq.queue.schedules import Schedule
from tests.support.building import asking

HOUR = 3600.0
NIGHT = 1_780_000_000.0 // 86400 * 86400 + 2 * HOUR  # 02:00 UTC of a day, epoch seconds


def recurring(
    outlook: Outlook,
    name: str = "nightly",
    timing: str = "0 2 * * *",
    *,
    since: float = NIGHT - HOUR,
    zone: str = "UTC",
    within: float | None = None,
    missed: Missed = Missed.ONCE,
    overlap: Overlap = Overlap.QUEUE,
    mode: Mode | None = Mode.BATCH,
    handler: str = "echo",
    data: bytes = b'"report"',
) -> Schedule:
    """A schedule that was added at the epoch second `since`, as the queue keeps it."""
    new = Schedule(
        name=name,
        timing=timing,
        zone=zone,
        since=since,
        within=within,
        missed=missed,
        overlap=overlap,
        request=asking(handler, mode, signal=f"schedule {name}"),
        input=data,
        reached=since,
        due=None,
    )
    schedules.add(outlook.store, replace(new, due=new.recurrence.after(since)))
    return schedules.named(outlook.store, name)


def keys(outlook: Outlook) -> list[str]:
    """The keys of all jobs, in the order in which they were made."""
    return [name for (name,) in outlook.store.rows("SELECT name FROM key ORDER BY job")]
