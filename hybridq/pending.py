"""Held jobs gathered into classes that a plan may treat alike, however many jobs there are.

Rule: a class is never told a later deadline than that of any of its jobs. Jobs are alike when they came and are
due within a fortieth of the time they have, are about as large, and cost alike to wait.
"""

import math
from collections import deque
from collections.abc import Sequence

from .job import Held
from .station import Task

GRAIN = 40.0  # of the time that a job has
SIZES = 1.0  # classes a unit of the logarithm of size
Kind = tuple[float, float, int, float]


class _Class:
    """Jobs alike, the oldest first, with their sums."""

    def __init__(self, key: int) -> None:
        self.key, self.tasks = key, deque[Task]()
        self.size = self.since = self.delay = 0.0
        self.due = math.inf
        self.held: Held | None = None

    def add(self, task: Task, delay: float) -> None:
        self.tasks.append(task)
        self.size, self.since, self.delay = self.size + task.size, self.since + task.at, self.delay + delay
        self.due = min(self.due, task.due)
        self.held = None

    def told(self) -> Held:
        if self.held is None:
            jobs = len(self.tasks)
            self.held = Held(
                key=self.key, jobs=jobs, size=self.size / jobs, deadline=self.due, since=self.since / jobs,
                delay_cost=self.delay,
            )  # fmt: skip
        return self.held


class Pending:
    """What one handler holds. `hold`: seconds that a job without a deadline is held at most."""

    def __init__(self, hold: float) -> None:
        self._hold = hold
        self._classes: dict[Kind, _Class] = {}
        self._kinds: dict[int, Kind] = {}
        self._count = 0

    def __len__(self) -> int:
        return sum(len(each.tasks) for each in self._classes.values())

    def kind(self, task: Task, delay: float) -> Kind:
        """What makes a job alike to others; `delay` is money an hour of its waiting."""
        has = min(task.due - task.at, self._hold)
        grain = max(1.0, 2.0 ** math.floor(math.log2(max(1.0, has) / GRAIN)))
        by = math.inf if task.due == math.inf else math.floor(task.due / grain)
        return by, math.floor(task.at / grain), round(math.log1p(task.size) * SIZES), delay

    def add(self, task: Task, delay: float) -> None:
        """Hold a job."""
        kind = self.kind(task, delay)
        if kind not in self._classes:
            self._count += 1
            self._classes[kind] = _Class(self._count)
            self._kinds[self._count] = kind
        self._classes[kind].add(task, delay)

    def told(self) -> tuple[Held, ...]:
        """The classes, as a plan is told them."""
        return tuple(each.told() for each in self._classes.values())

    def of(self, key: int) -> Sequence[Task]:
        """The jobs of one class."""
        return self._classes[self._kinds[key]].tasks

    def take(self, keys: Sequence[int], jobs: int) -> list[Task]:
        """Up to so many jobs of these classes, which are held no longer: the earliest deadlines."""
        found: list[Task] = []
        for key in keys:
            kind = self._kinds.pop(key)
            of = self._classes.pop(kind)
            found.extend(of.tasks)
            
        found.sort(key=lambda task: (task.due, task.at))
        return found
