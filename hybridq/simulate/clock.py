"""Days of work in seconds: a workload run through the real decisions on a virtual clock.

Rule: the decisions are those of `policy`, `plan`, `forecast` and `estimate`, called as the loops call them; only
the hands and the clock are made up. The same workload, configuration and seed give the same figures.
"""

import heapq
import math
import random
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Protocol

from msgspec import Struct

from ..brain.gather import SAME_AT_ALL_HOURS
from ..brain.tariff import Tariff
from ..config.values import Config, HandlerConfig
from ..job import Audience, Lane
from .station import SimulatedFlush, Spell, Station, Task, Times
from .workload import Arrival, Workload

HEADROOM = 0.7  # how busy the instances of a trace's handler would be if everything streamed
PEAK = 600.0  # seconds over which that is looked at


class World(Struct, frozen=True, kw_only=True):
    """What every contender meets: prices, handlers and the jobs that come."""

    config: Config
    times: dict[str, Times]
    workload: Workload
    seed: int
    slots: dict[str, int] = {}  # jobs of a handler that run at once; of any other, enough to stream everything
    streams: dict[str, int] = {}  # the same of its stream lane, where that has slots of its own


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

    tasks: list[Task]
    flushes: list[SimulatedFlush]
    starts: float


def simulate(world: World, make: Make) -> SimulatedRun:
    """All jobs of the workload, from the first arrival to the last end."""
    return _Clock(world, make).go()


class _Clock:
    """One contender's run: the clock, and who is woken when."""

    def __init__(self, world: World, make: Make) -> None:
        self.world = world
        tariff = Tariff(world.config.tariff)
        self._tasks = tasks(world)
        self._stations: dict[str, Station] = {}
        self._contenders: dict[str, Contender] = {}
        self._looks: dict[str, float] = {}
        self._events: list[tuple[float, int, str, Spell | None]] = []
        self._count = 0
        for name, busiest in _busiest(world, self._tasks).items():
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
        coming = iter(zip(self.world.workload.arrivals, self._tasks, strict=True))
        following = next(coming, None)
        while following is not None or self._events:
            if following is not None and (not self._events or following[0].at <= self._events[0][0]):
                arrival, task = following
                self._arrive(arrival, task)
                following = next(coming, None)
                continue
            now, _, name, spell = heapq.heappop(self._events)
            if spell is not None:
                self._end(name, spell, now)
            elif self._looks.get(name) == now:
                self._look(name, now)
        flushes = sorted((f for s in self._stations.values() for f in s.flushes), key=lambda f: f.at)
        return SimulatedRun(self._tasks, flushes, sum(s.starts for s in self._stations.values()))

    def _arrive(self, arrival: Arrival, task: Task) -> None:
        name = arrival.handler
        self._wake(name, self._contenders[name].accept(task, arrival.at), arrival.at)
        self._serve(name, arrival.at)

    def _end(self, name: str, spell: Spell, now: float) -> None:
        ended = self._stations[name].release(spell)
        self._contenders[name].heard(spell)
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


def tasks(world: World) -> list[Task]:
    """The jobs as they are run: how long each takes is drawn once, and is the same for every contender."""
    chance = random.Random(world.seed)  # noqa: S311 - a draw, no secret
    found, sizes = [], Counter((a.handler, a.group) for a in world.workload.arrivals if a.group)
    for number, arrival in enumerate(world.workload.arrivals):
        times, stray = world.times[arrival.handler], chance.gauss(0.0, 1.0)
        price = world.config.handlers.get(arrival.handler, HandlerConfig()).price
        lead = times.job + times.input * arrival.size
        plain = lead + times.output * arrival.output + times.call
        usual = lead / plain if plain > 0 else 1.0
        factor = math.exp(times.spread * stray)
        busy = plain * factor if arrival.busy is None else arrival.busy
        found.append(
            Task(
                number=number,
                at=arrival.at,
                size=arrival.size,
                lead=usual if arrival.lead is None else arrival.lead,
                busy=busy,
                share=times.batch,
                call=min(times.call, busy),
                mode=arrival.mode,
                audience=arrival.audience or Audience.BACKGROUND,
                due=math.inf if arrival.deadline is None else arrival.deadline,
                group=arrival.group,
                part=1 / sizes.get((arrival.handler, arrival.group), 1),
                luck=chance.random(),
                handler=arrival.handler,
                paid=arrival.paid if arrival.paid or price is None else dict.fromkeys(Lane, price),
            )
        )
    return found


def _busiest(world: World, work: Sequence[Task]) -> dict[str, int]:
    """Instances a handler that keep up, HEADROOM busy, if everything streams at its busiest time."""
    seconds: dict[tuple[str, int], float] = {}
    for arrival, task in zip(world.workload.arrivals, work, strict=True):
        key = arrival.handler, int(arrival.at // PEAK)
        seconds[key] = seconds.get(key, 0.0) + task.busy
    most: dict[str, int] = {}
    for (name, _), busy in seconds.items():
        most[name] = max(most.get(name, 1), math.ceil(busy / PEAK / HEADROOM))
    return most
