"""The jobs of a simulated run: what is drawn of each, once for all contenders, and what became of them.

Rule: columns, for of a million jobs only those are held as objects that wait or run.
"""

import math
import random
from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import overload

from msgspec import Struct

from ..config.values import Config
from ..job import Audience, Forecast, Lane, Mode
from .arrivals import Arrival
from .station import Task, Times
from .workload import Workload

HEADROOM = 0.7  # how busy the instances of a trace's handler would be if everything streamed
PEAK = 600.0  # seconds over which that is looked at
LANES, MODES = tuple(Lane), tuple(Mode)


class World(Struct, frozen=True, kw_only=True):
    """What every contender meets: prices, handlers and the jobs that come."""

    config: Config
    times: dict[str, Times]
    workload: Workload
    seed: int
    slots: dict[str, int] = {}  # jobs of a handler that run at once; of any other, enough to stream everything
    streams: dict[str, int] = {}  # the same of its stream lane, where that has slots of its own


class Jobs:
    """The jobs as they come. How long each takes is drawn once, and is the same for every contender."""

    def __init__(self, world: World) -> None:
        self._world, self._arrivals = world, world.workload.arrivals
        self._busy, self._lead, self._luck = array("d"), array("d"), array("d")
        self._sizes = Counter((a.handler, a.group) for a in self._arrivals if a.group)
        self._price = {
            name: dict.fromkeys(Lane, handler.price)
            for name, handler in world.config.handlers.items()
            if handler.price is not None
        }
        self._draw()

    def __len__(self) -> int:
        return len(self._busy)

    def __iter__(self) -> Iterator[Task]:
        return map(self._task, range(len(self)), self._arrivals)

    def task(self, number: int) -> Task:
        """One of them as it comes, by its place."""
        return self._task(number, self._arrivals[number])

    def busiest(self) -> dict[str, int]:
        """Instances a handler that keep up, HEADROOM busy, if everything streams at its busiest time."""
        seconds: dict[tuple[str, int], float] = {}
        for arrival, busy in zip(self._arrivals, self._busy, strict=True):
            key = arrival.handler, int(arrival.at // PEAK)
            seconds[key] = seconds.get(key, 0.0) + busy
        most: dict[str, int] = {}
        for (name, _), busy in seconds.items():
            most[name] = max(most.get(name, 1), math.ceil(busy / PEAK / HEADROOM))
        return most

    def _draw(self) -> None:
        chance = random.Random(self._world.seed)  # noqa: S311 - a draw, no secret
        for arrival in self._arrivals:
            times, stray = self._world.times[arrival.handler], chance.gauss(0.0, 1.0)
            lead = times.job + times.input * arrival.size
            plain = lead + times.output * arrival.output + times.call
            usual = lead / plain if plain > 0 else 1.0
            factor = math.exp(times.spread * stray)
            self._lead.append(usual if arrival.lead is None else arrival.lead)
            self._busy.append(plain * factor if arrival.busy is None else arrival.busy)
            self._luck.append(chance.random())

    def _task(self, number: int, arrival: Arrival) -> Task:
        times, busy = self._world.times[arrival.handler], self._busy[number]
        return Task(
            number=number,
            at=arrival.at,
            size=arrival.size,
            lead=self._lead[number],
            busy=busy,
            share=times.batch,
            call=min(times.call, busy),
            mode=arrival.mode,
            audience=arrival.audience or Audience.BACKGROUND,
            due=math.inf if arrival.deadline is None else arrival.deadline,
            group=arrival.group,
            part=1 / self._sizes[arrival.handler, arrival.group] if arrival.group else 1.0,
            luck=self._luck[number],
            handler=arrival.handler,
            paid=arrival.paid or self._price.get(arrival.handler),
        )


class Ended(Sequence[Task]):
    """Jobs of a run as they ended, in the order of arrival: each is put together when it is asked for."""

    def __init__(self, jobs: Jobs) -> None:
        self._jobs = jobs
        # NaN: there is none.
        names = "begun", "start", "first", "finish", "took", "cost", "foreseen", "asks"
        self._columns = {name: self._column() for name in names}
        self._lane = bytearray(len(jobs))
        self._promised = bytearray(len(jobs))  # 1 + the mode; 0: nothing was
        self._promise: tuple[array[float], ...] = ()  # start, finish and finish90

    def end(self, task: Task) -> None:
        """Keep what became of one."""
        i, columns = task.number, self._columns
        for name in ("begun", "start", "first", "finish", "took", "cost", "asks"):
            columns[name][i] = getattr(task, name)
        if task.foreseen is not None:
            columns["foreseen"][i] = task.foreseen
        self._lane[i] = LANES.index(task.lane)
        if task.promise is not None:
            self._told(i, task.promise)

    def _told(self, i: int, promise: Forecast) -> None:
        if not self._promise:
            self._promise = self._column(), self._column(), self._column()
        self._promised[i] = 1 + MODES.index(promise.mode)
        for column, at in zip(self._promise, (promise.start, promise.finish, promise.finish90), strict=True):
            if at is not None:
                column[i] = at

    def _column(self) -> "array[float]":
        return array("d", (math.nan,)) * len(self._jobs)

    def __len__(self) -> int:
        return len(self._jobs)

    @overload
    def __getitem__(self, index: int) -> Task: ...
    @overload
    def __getitem__(self, index: slice) -> list[Task]: ...
    def __getitem__(self, index: int | slice) -> Task | list[Task]:
        if isinstance(index, slice):
            return [self._fill(self._jobs.task(i)) for i in range(*index.indices(len(self)))]
        return self._fill(self._jobs.task(range(len(self))[index]))

    def __iter__(self) -> Iterator[Task]:
        return map(self._fill, self._jobs)

    def _fill(self, task: Task) -> Task:
        i, columns = task.number, self._columns
        for name in ("begun", "start", "first", "finish", "took", "cost", "asks"):
            setattr(task, name, columns[name][i])
        task.lane, task.foreseen = LANES[self._lane[i]], _some(columns["foreseen"][i])
        if self._promised[i]:
            start, finish, finish90 = (_some(column[i]) for column in self._promise)
            mode = MODES[self._promised[i] - 1]
            task.promise = Forecast(mode=mode, start=start, finish=finish, finish90=finish90)
        return task


def _some(value: float) -> float | None:
    return None if math.isnan(value) else value
