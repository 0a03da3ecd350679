"""What people do without hybridq, run on the same jobs and the same instances to compare with.

Rule: they know nothing of prices and learn nothing; each is one sentence, which the reader sees.
"""

import heapq
import math
from collections.abc import Callable
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from msgspec import Struct

from ..job import Lane
from ..reason import said
from .clock import World
from .station import SimulatedFlush, Spell, Station, Task

HOUR = 3600.0
NIGHT = 2  # o'clock, in the tariff's zone
GUARD = 0.25  # of a job's time to its deadline is left when it is streamed after all
GUARD_LEAST = 60.0  # seconds


class Stream:
    """Every job streams as it comes."""

    def __init__(self, name: str, station: Station, world: World) -> None:
        self.station = station

    def accept(self, task: Task, now: float) -> float | None:
        """Stream it."""
        self.station.stream(task)
        return None

    def look(self, now: float) -> float | None:
        """There is nothing to look after."""
        return None

    def heard(self, spell: Spell) -> None:
        """Learn nothing."""


class Gather(Stream):
    """Every job is gathered; `due` says when what is gathered is run."""

    rule = "at once"

    def __init__(self, name: str, station: Station, world: World) -> None:
        super().__init__(name, station, world)
        self.held: list[Task] = []
        self._reason = said(self.rule)

    def due(self, now: float) -> float:
        """The first instant from `now` at which a flush may begin."""
        return now

    def accept(self, task: Task, now: float) -> float | None:
        """Hold it until then."""
        task.lane = Lane.BATCH
        self.held.append(task)
        return self.due(now)

    def look(self, now: float) -> float | None:
        """Run all that is held, if it is time and no flush runs."""
        if self.station.flush is not None or not self.held:
            return None
        if (at := self.due(now)) > now:
            return at
        flush = SimulatedFlush(at=now, rule=self.rule, reason=self._reason, jobs=len(self.held))
        self.station.begin(flush, self.held)
        self.held = []
        return None


class Hourly(Gather):
    """Gathered and run at every full hour."""

    rule = "hourly"

    def due(self, now: float) -> float:
        """The next full hour."""
        return math.ceil(now / HOUR) * HOUR


class Nightly(Gather):
    """Gathered and run at two o'clock at night."""

    rule = "nightly"

    def __init__(self, name: str, station: Station, world: World) -> None:
        super().__init__(name, station, world)
        self._zone = ZoneInfo(world.config.tariff.zone)
        self._from = self._next = -math.inf

    def due(self, now: float) -> float:
        """The next time that it is two o'clock."""
        if not self._from <= now <= self._next:
            self._from, self._next = now, self._night(now)
        return self._next

    def _night(self, now: float) -> float:
        local = datetime.fromtimestamp(now, self._zone)
        night = local.replace(hour=NIGHT, minute=0, second=0, microsecond=0, fold=0)
        found = (night + timedelta(days=day) for day in range(3))
        return min(at for each in found if (at := each.timestamp()) >= now)


class Guarded(Gather):
    """Gathered and run at once; what has not begun shortly before its deadline is streamed after all."""

    rule = "at once"

    def __init__(self, name: str, station: Station, world: World) -> None:
        super().__init__(name, station, world)
        self._short: list[tuple[float, int]] = []  # of the held that have a deadline: when their time is short

    def accept(self, task: Task, now: float) -> float | None:
        """Hold it; look when its time gets short."""
        super().accept(task, now)
        if task.due < math.inf:
            short = task.due - max(GUARD_LEAST, GUARD * (task.due - task.at))
            heapq.heappush(self._short, (short, task.number))
        return now

    def look(self, now: float) -> float | None:
        """Run what is held if no flush runs; stream what is short of time."""
        if self._short and self._short[0][0] <= now:
            self._stream(now)
        super().look(now)
        if not self.held:
            self._short = []
        return self._short[0][0] if self._short else None

    def _stream(self, now: float) -> None:
        short = set()
        while self._short and self._short[0][0] <= now:
            short.add(heapq.heappop(self._short)[1])
        for task in self.held:
            if task.number in short:
                self.station.stream(task)
        self.held = [task for task in self.held if task.number not in short]


class Baseline(Struct, frozen=True):
    """One of them, by the name and the sentence that a reader sees."""

    name: str
    make: Callable[[str, Station, World], Stream]
    says: str


BASELINES = (
    Baseline("all stream", Stream, "each job runs alone as soon as it arrives"),
    Baseline("batch at once", Gather, "all waiting jobs run together as soon as the last batch ends"),
    Baseline("every hour", Hourly, "jobs wait and run together at every full hour"),
    Baseline("nightly", Nightly, "jobs wait and run together at 02:00"),
    Baseline(
        "guarded batch",
        Guarded,
        "batch at once, but a job that has not started with a quarter of its time left streams",
    ),
)
