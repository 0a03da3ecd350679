"""Days of work in seconds: a workload run through the real decisions on a virtual clock.

Rule: the decisions are those of `policy`, `plan`, `forecast` and `estimate`, called as the loops call them; only
the hands and the clock are made up. The same workload, configuration and seed give the same figures.
"""

import heapq
import math
from collections.abc import Callable, Sequence
from typing import Protocol

from msgspec import Struct

from ..brain.gather import SAME_AT_ALL_HOURS
from ..brain.tariff import Tariff
from ..config.values import HandlerConfig
from .jobs import Ended, Jobs
from .jobs import World as World
from .station import SimulatedFlush, Spell, Station, Task


class Contender(Protocol):
    """One way to run one handler's jobs."""

    def accept(self, task: Task, now: float) -> float | None:
        """Take a job in; returns when to look, or None."""
        ...

    def look(self, now: float) -> float | None:
        """Begin what is due; returns when to look again though nothing happens, or None."""
        ...

    def heard(self, spell: Spell) -> None:
        """Learn from what has ended."""
        ...


Make = Callable[[str, Station, World], Contender]
"""(handler, its instances, the world) -> who decides for it."""


class SimulatedRun(Struct, frozen=True):
    """What became of every job, in the order of arrival, and every flush; money that starts have cost."""

    tasks: Sequence[Task]
    flushes: list[SimulatedFlush]
    starts: float


def simulate(world: World, make: Make, jobs: Jobs | None = None) -> SimulatedRun:
    """All jobs of the workload, from the first arrival to the last end; `jobs` where they are drawn already."""
    return _Clock(world, make, jobs or Jobs(world)).go()


class _Clock:
    """One contender's run: the clock, and who is woken when."""

    def __init__(self, world: World, make: Make, jobs: Jobs) -> None:
        tariff = Tariff(world.config.tariff)
        self._jobs, self._ended = jobs, Ended(jobs)
        self._stations: dict[str, Station] = {}
        self._contenders: dict[str, Contender] = {}
        self._looks: dict[str, float] = {}
        self._events: list[tuple[float, int, str, Spell | None]] = []
        self._count = 0
        for name, busiest in jobs.busiest().items():
            handler = world.config.handlers.get(name, HandlerConfig())
            times = world.times[name]
            slots = world.slots.get(name, busiest)
            # A provider has prices of its own at all hours; time that is not paid for costs nothing.
            by_time = handler.price is None and not handler.traits.remote
            station = Station(
                slots,
                times,
                handler,
                SAME_AT_ALL_HOURS if handler.traits.remote else tariff,
                target=world.config.runner.stream_target,
                rate=world.config.policy.machine_cost / 3600 if by_time else 0.0,
                streams=world.streams.get(name, 0),
            )
            self._stations[name] = station
            self._contenders[name] = make(name, station, world)

    def go(self) -> SimulatedRun:
        """Turn the clock from event to event."""
        coming = iter(self._jobs)
        task = next(coming, None)
        while task is not None or self._events:
            if task is not None and (not self._events or task.at <= self._events[0][0]):
                self._arrive(task)
                task = next(coming, None)
                continue
            now, _, name, spell = heapq.heappop(self._events)
            if spell is not None:
                self._end(name, spell, now)
            elif self._looks.get(name) == now:
                self._look(name, now)
        flushes = sorted((f for s in self._stations.values() for f in s.flushes), key=lambda f: f.at)
        return SimulatedRun(self._ended, flushes, sum(s.starts for s in self._stations.values()))

    def _arrive(self, task: Task) -> None:
        name = task.handler
        self._wake(name, self._contenders[name].accept(task, task.at), task.at)
        self._serve(name, task.at)

    def _end(self, name: str, spell: Spell, now: float) -> None:
        ended = self._stations[name].release(spell)
        self._contenders[name].heard(spell)
        for task in spell.tasks:
            self._ended.end(task)
        if ended:
            self._look(name, now)
        self._serve(name, now)

    def _look(self, name: str, now: float) -> None:
        self._looks.pop(name, None)
        self._wake(name, self._contenders[name].look(now), now)
        self._serve(name, now)

    def _wake(self, name: str, at: float | None, now: float) -> None:
        """Look at `at`, unless that is done earlier anyway."""
        if at is None or at >= self._looks.get(name, math.inf):
            return
        self._looks[name] = max(at, now)
        self._push(max(at, now), name, None)

    def _serve(self, name: str, now: float) -> None:
        for spell in self._stations[name].serve(now):
            self._push(spell.end, name, spell)

    def _push(self, at: float, name: str, spell: Spell | None) -> None:
        self._count += 1
        heapq.heappush(self._events, (at, self._count, name, spell))
