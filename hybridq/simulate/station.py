"""One handler's instances on the virtual clock, serving both lanes as the loops do.

Rule: an instance takes a stream job first and a chunk of the running flush otherwise; a chunk that has begun
is finished. Each flush pays one start, and so does a stream job that meets no warm instance. Nothing here
decides a mode or a flush, and nothing reads a clock.
"""

import heapq
import math
from collections import deque
from collections.abc import Callable, Sequence

from msgspec import Struct

from ..brain.calls import ChunkSize
from ..job import Audience, Forecast, Lane
from ..reason import Reason

LARGEST_CHUNK = 4096  # jobs


class Times(Struct, frozen=True, kw_only=True):
    """How long a simulated handler takes, in seconds; sizes are in the trace's own unit."""

    start: float = 20.0  # a start (the process, the model): of each flush, and of each cold instance
    job: float = 0.05  # each job, whatever its size
    input: float = 0.0002  # each unit of input; then the first of a stream job's output is there
    output: float = 0.015  # each unit of output
    batch: float = 0.25  # what a job takes of that in a large batch; in one of n: batch + (1 - batch) / n
    spread: float = 0.15  # how far jobs stray from it: the standard deviation of the logarithm


class Task(Struct, kw_only=True):
    """One job on its way. `busy` is what it takes alone; `share` is what it takes of that in a large batch; `paid` is
    its money at factor 1 by lane, where that is not its time's."""

    number: int
    at: float
    size: float
    lead: float  # share of its time after which a stream job's first output is there
    busy: float  # seconds
    share: float
    audience: Audience
    due: float
    group: str
    part: float  # which part of its submission it is: 1 / jobs
    luck: float  # between 0 and 1, drawn once
    handler: str = ""
    paid: dict[Lane, float] | None = None
    lane: Lane = Lane.STREAM
    promise: Forecast | None = None
    asks: float = math.inf  # an instant at which somebody looks when it will start
    foreseen: float | None = None  # what is said then
    begun: float = math.nan  # when its flush was begun, or it itself where it streamed
    start: float = math.nan
    first: float = math.nan
    finish: float = math.nan
    took: float = 0.0  # seconds that it kept an instance busy
    cost: float = 0.0


class SimulatedFlush(Struct, kw_only=True):
    """One flush that was run."""

    at: float
    rule: str
    reason: Reason
    jobs: int
    end: float = math.nan


class Spell(Struct, frozen=True):
    """What one instance does without a pause: a stream job, or a chunk of a flush; no job: a flush starts."""

    end: float
    lane: Lane
    tasks: tuple[Task, ...]
    startup: float  # seconds; 0: the instance was warm


Factor = Callable[[float], float]
"""An instant -> the price factor then."""


class Station:
    """One handler: `slots` instances shared by both lanes."""

    def __init__(self, slots: int, start: float, idle: float, target: float, rate: float, factor: Factor) -> None:
        """`start` and `idle` in seconds; `target`: seconds that a stream job may wait for a chunk; `rate`: money that a
        busy second costs at factor 1."""
        self.slots = slots
        self.flush: SimulatedFlush | None = None  # the one that runs
        self.flushes: list[SimulatedFlush] = []
        self.ended: list[Task] = []
        self.starts = 0.0  # money that starts have cost
        self.work = dict.fromkeys(Lane, 0.0)  # seconds of jobs queued or running, by lane
        self.jobs = dict.fromkeys(Lane, 0)  # how many those are
        self._start, self._idle, self._target = start, idle, target
        self._rate, self._factor = rate, factor
        self._streaming: list[tuple[float, float, int, Task]] = []
        self._flushing: deque[Task] = deque()
        self._chunk = ChunkSize(target, LARGEST_CHUNK)
        self._chunks = 0  # that run now
        self._ready = False  # whether the flush has started
        self._busy = 0
        self._resting: list[float] = []  # when each idle instance was last used, the latest at the end

    def used(self, now: float) -> float | None:
        """When an instance that is still up was last used; None: none is up."""
        if self._busy:
            return now
        return self._resting[-1] if self._resting and now - self._resting[-1] <= self._idle else None

    def stream(self, task: Task) -> None:
        """Queue a job in the stream lane: the earliest deadline first, then the oldest."""
        self._enter(task, Lane.STREAM, task.busy)
        heapq.heappush(self._streaming, (task.due, task.at, task.number, task))

    def begin(self, flush: SimulatedFlush, tasks: Sequence[Task]) -> None:
        """Begin a flush; there must be none running. The earliest deadline goes first."""
        self.flush, self._ready = flush, False
        self.flushes.append(flush)
        for task in tasks:
            task.begun = flush.at
            self._enter(task, Lane.BATCH, task.busy * (task.share + (1 - task.share) / len(tasks)))
        self._flushing.extend(sorted(tasks, key=lambda task: task.due))
        self._chunk = ChunkSize(self._target, LARGEST_CHUNK)

    def serve(self, now: float) -> list[Spell]:
        """Give work to each instance that is free; returns what they begin."""
        found = []
        while self._streaming and self._busy < self.slots:
            found.append(self._run([heapq.heappop(self._streaming)[3]], now, Lane.STREAM))
        if self._flushing and not self._ready and not self._chunks:
            self.starts += self._start * self._rate * self._factor(now)
            self._chunks = 1
            return [*found, Spell(now + self._start, Lane.BATCH, (), self._start)]
        while self._ready and self._flushing and self._busy < self.slots:
            size = min(self._chunk.size, math.ceil(len(self._flushing) / self.slots))
            chunk = [self._flushing.popleft() for _ in range(size)]
            spell = self._run(chunk, now, Lane.BATCH)
            self._chunk.took(spell.end - now, len(chunk))
            self._chunks += 1
            found.append(spell)
        return found

    def release(self, spell: Spell) -> bool:
        """A spell is over and its instance free; returns whether that was the end of the flush."""
        if not spell.tasks:
            self._ready, self._chunks = True, 0
            return False
        self._busy -= 1
        self._resting.append(spell.end)
        self.jobs[spell.lane] -= len(spell.tasks)
        self.work[spell.lane] -= sum(task.took for task in spell.tasks)
        self.ended += spell.tasks
        if spell.lane is Lane.STREAM:
            return False
        self._chunks -= 1
        if self.flush is None or self._chunks or self._flushing:
            return False
        self.flush.end, self.flush = spell.end, None
        return True

    def _enter(self, task: Task, lane: Lane, seconds: float) -> None:
        task.lane, task.took = lane, seconds
        self.work[lane] += seconds
        self.jobs[lane] += 1

    def _run(self, tasks: list[Task], now: float, lane: Lane) -> Spell:
        """Run these one after another on a free instance."""
        startup = self._instance(now, lane)
        at, factor = now + startup, self._factor(now)
        for task in tasks:
            task.begun = now if lane is Lane.STREAM else task.begun
            task.start, task.first = at, at + task.took * (task.lead if lane is Lane.STREAM else 1.0)
            at += task.took
            task.finish = at
            task.cost = factor * (task.took * self._rate if task.paid is None else task.paid[lane])
        self._busy += 1
        return Spell(at, lane, tuple(tasks), startup)

    def _instance(self, now: float, lane: Lane) -> float:
        """Take an instance; returns the seconds until it is up. A flush has started those that it takes."""
        if self._resting and now - self._resting[-1] <= self._idle:
            self._resting.pop()
            return 0.0
        self._resting.clear()  # the latest has gone, so they all have
        if lane is Lane.BATCH:
            return 0.0
        self.starts += self._start * self._rate * self._factor(now)
        return self._start
