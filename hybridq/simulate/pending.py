"""Held jobs gathered into classes that a plan may treat alike, however many jobs there are.

Rule: a class is never told a later deadline than that of any of its jobs. Jobs are alike when they came and are
due within a fortieth of the time that they have, are about as large, and cost alike to wait. Sizes are told
to a tenth of a logarithm, as a plan of many classes sees them anyway.
"""

import heapq
import math
from collections.abc import Mapping, Sequence

from ..job import Held
from .station import Task

GRAIN = 40.0  # of the time that a job has
Kind = tuple[float, float, int, float]


class _Class:
    """Jobs alike, with their sums."""

    def __init__(self, key: int) -> None:
        self.key = key
        self.tasks: list[Task] = []
        self._size = self._since = self._delay = self._parts = 0.0
        self._due = math.inf
        self._told: Held | None = None

    def add(self, task: Task, delay: float) -> None:
        self.tasks.append(task)
        self._size, self._since, self._delay = self._size + task.size, self._since + task.at, self._delay + delay
        self._due, self._parts = min(self._due, task.due), self._parts + task.part
        self._told = None

    def told(self) -> Held:
        if self._told is None:
            jobs = len(self.tasks)
            size = math.expm1(round(math.log1p(self._size / jobs), 1))
            self._told = Held(
                key=self.key,
                jobs=jobs,
                size=size,
                deadline=self._due,
                since=self._since / jobs,
                delay_cost=self._delay,
                cohorts=max(1, round(self._parts)),
            )
        return self._told


class Pending:
    """What one handler holds. `hold`: seconds that a job without a deadline is held at most."""

    def __init__(self, hold: float) -> None:
        self._hold = hold
        self._classes: dict[Kind, _Class] = {}
        self._kinds: dict[int, Kind] = {}
        self.jobs = 0  # that are held
        self._count = 0
        self._asks: list[tuple[float, int]] = []

    @property
    def asked(self) -> float:
        """The next instant at which somebody asks; infinity: nobody will."""
        return self._asks[0][0] if self._asks else math.inf

    def add(self, task: Task, delay: float) -> None:
        """Hold a job; `delay` is money an hour of its waiting."""
        kind = self._kind(task, delay)
        if kind not in self._classes:
            self._count += 1
            self._classes[kind] = _Class(self._count)
            self._kinds[self._count] = kind
        self._classes[kind].add(task, delay)
        self.jobs += 1
        if task.foreseen is None and task.asks < math.inf:
            heapq.heappush(self._asks, (task.asks, task.number))

    def told(self) -> tuple[Held, ...]:
        """The classes, as a plan is told them."""
        return tuple(each.told() for each in self._classes.values())

    def show(self, starts: Mapping[int, float | None], now: float) -> None:
        """Each class, by its key, is said to start then to whoever asks by now."""
        while self.asked <= now:
            heapq.heappop(self._asks)
        for key, start in starts.items():
            for task in self._classes[self._kinds[key]].tasks:
                if task.foreseen is None and task.asks <= now:
                    task.foreseen = start

    def take(self, keys: Sequence[int], jobs: int) -> list[Task]:
        """Up to so many jobs of these classes, those with the earliest deadlines; they are held no longer."""
        found: list[tuple[float, float, int, Task, float]] = []
        for key in keys:
            kind = self._kinds.pop(key)
            of = self._classes.pop(kind)
            self.jobs -= len(of.tasks)
            found += [(task.due, task.at, task.number, task, kind[-1]) for task in of.tasks]
        found.sort()
        for *_, task, delay in found[jobs:]:
            self.add(task, delay)
        return [task for *_, task, _ in found[:jobs]]

    def _kind(self, task: Task, delay: float) -> Kind:
        has = min(task.due - task.at, self._hold)
        grain = 2.0 ** math.floor(math.log2(max(GRAIN, has) / GRAIN))
        due = math.inf if task.due == math.inf else math.floor(task.due / grain)
        if not self._classes:
            due = -float(task.number)  # a class of its own: what is held first says when all are run
        return due, math.floor(task.at / grain), round(math.log1p(task.size)), delay
