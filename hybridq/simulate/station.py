"""One handler's instances on the virtual clock, serving both lanes as the loops do.

Rule: an instance takes a stream job first and a chunk of the running flush otherwise; a chunk that has begun
is finished. Whatever meets no warm instance pays a start, in either lane; a chunk is as large as a runner would make
it. Nothing here decides a mode or a flush, and nothing reads a clock.
"""

import heapq
import math
from collections import deque
from collections.abc import Sequence

from msgspec import Struct

from ..brain.calls import NONE, ChunkSize, Overhead
from ..brain.lanes import Streaming
from ..brain.tariff import Tariff
from ..config.values import HandlerConfig
from ..job import Audience, Forecast, Held, Lane, Mode, State
from ..reason import Reason

LARGEST_CHUNK = 4096  # jobs
PARTS = 8  # by which the rest of the running flushes is told


class Times(Struct, frozen=True, kw_only=True):
    """How long a simulated handler takes, in seconds; sizes are in the trace's own unit."""

    start: float = 20.0  # a start (the process, the model) of an instance
    job: float = 0.05  # each job, whatever its size
    input: float = 0.0002  # each unit of input; then the first of a stream job's output is there
    output: float = 0.015  # each unit of output
    batch: float = 0.25  # what a job takes of that in a large batch; in one of n: batch + (1 - batch) / n
    call: float = 0.0  # of what a job takes alone, the part that is its call's: those that share one share that
    spread: float = 0.15  # how far jobs stray from it: the standard deviation of the logarithm


class Task(Struct, kw_only=True, gc=False):
    """One job on its way. `busy` is what it takes alone, `call` of it is its call's; `share` is what it takes of the
    rest in a large batch; `paid` is its money at factor 1 by lane, where that is not its time's; `mode` was asked
    for."""

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
    call: float = 0.0  # seconds
    mode: Mode | None = None
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
    flush: "SimulatedFlush | None" = None
    cost: float = 0.0


class SimulatedFlush(Struct, kw_only=True):
    """One flush that was run."""

    at: float
    rule: str
    reason: Reason
    jobs: int
    end: float = math.nan
    left: int = 0  # jobs that are not claimed yet
    unended: int = 0


class Spell(Struct, frozen=True):
    """What one instance does without a pause: a stream job, or a chunk of a flush."""

    begin: float
    end: float
    lane: Lane
    tasks: tuple[Task, ...]
    startup: float  # seconds; 0: the instance was warm


class Station:
    """One handler: `slots` instances shared by both lanes, or where `streams` are given, these for the stream lane."""

    def __init__(
        self,
        slots: int,
        times: Times,
        handler: HandlerConfig,
        tariff: Tariff,
        *,
        target: float = 0.5,
        rate: float = 1.0,
        streams: int = 0,
    ) -> None:
        """`target`: seconds that a stream job may wait for a chunk; `rate`: money of a busy second at factor 1."""
        self.slots = {Lane.STREAM: streams or slots, Lane.BATCH: slots}
        self.flush: SimulatedFlush | None = None  # the one that runs, which others may overtake
        self.flushes: list[SimulatedFlush] = []
        self.starts = 0.0  # money that starts have cost
        self.jobs = dict.fromkeys(Lane, 0)  # that are queued or run, by lane
        self._start, self._idle, self._starts = times.start, handler.idle, handler.traits.starts
        self._rate, self._tariff, self._apart = rate, tariff, bool(streams)
        self._streaming: list[tuple[float, float, int, Task]] = []
        self._flushing: list[Task] = []  # what flushes have not claimed yet, the next at the end
        self._claimed: deque[list[Task]] = deque()  # chunks; one more than instances, so the next is there in time
        self._chunks = 0  # that are claimed, or run
        self._ahead = 0 if handler.traits.commands else 1
        self._chunk = ChunkSize(target, LARGEST_CHUNK, handler.chunk)
        self._busy = dict.fromkeys(Lane, 0)
        self.begun: list[Streaming] = []  # stream jobs that were claimed: they run, or wait for the call before them
        self.ended: float | None = None  # when what ran last ended
        self._waits = False  # a chunk waits for an instance, ahead of whoever comes to stream
        self._resting: deque[float] = deque()  # when each idle instance was last used, the latest at the end

    @property
    def overhead(self) -> Overhead:
        """What the calls of batches take beside their jobs, as far as it was told apart."""
        return self._chunk.overhead

    def used(self, now: float) -> float | None:
        """When an instance that is still up was last used; None: none is up."""
        if sum(self._busy.values()):
            return now
        return self._resting[-1] if self._resting and now - self._resting[-1] <= self._idle else None

    def tally(self) -> dict[tuple[Lane, State], int]:
        """The jobs of both lanes as the store counts them, but for what is held: a flush has claimed what it runs next,
        and of the rest `left` are queued."""
        running = len(self.begun)
        return {
            (Lane.STREAM, State.QUEUED): self.jobs[Lane.STREAM] - running,
            (Lane.STREAM, State.RUNNING): running,
            (Lane.BATCH, State.RUNNING): self.jobs[Lane.BATCH] - len(self._flushing),
        }

    def rest(self) -> list[Held]:
        """What the running flushes have not claimed yet, in a few parts: the earliest deadline first."""
        tasks, found = self._flushing[::-1], list[Held]()
        step = max(1, math.ceil(len(tasks) / PARTS))
        for first in range(0, len(tasks), step):
            part = tasks[first : first + step]
            size, due = part[len(part) // 2].size, part[-1].due
            found.append(Held(key=0, jobs=len(part), size=size, deadline=due, since=0.0, delay_cost=0.0))
        return found

    def stream(self, task: Task) -> None:
        """Queue a job in the stream lane: the earliest deadline first, then the oldest."""
        task.lane, task.took = Lane.STREAM, task.busy
        self.jobs[Lane.STREAM] += 1
        if len(self.begun) < self.slots[Lane.STREAM]:
            self.begun.append(Streaming(task.at, task.size))
        heapq.heappush(self._streaming, (task.due, task.at, task.number, task))

    def begin(
        self, flush: SimulatedFlush, tasks: Sequence[Task], each: float | None = None, known: Overhead = NONE
    ) -> None:
        """Begin a flush; there must be none running. The earliest deadline goes first. `each` and `known` as far as the
        estimate knows them: seconds of a job, and what calls take beside their jobs."""
        self.flush = flush
        self._chunk.begin(each, self._start if self._starts == "each" else 0.0, known)
        self.overtake(flush, tasks)

    def overtake(self, flush: SimulatedFlush, tasks: Sequence[Task]) -> None:
        """Begin a flush, maybe beside others: the earliest deadline goes first, whichever it is of."""
        flush.left = flush.unended = len(tasks)
        self.flushes.append(flush)
        for task in tasks:
            task.flush, task.begun, task.lane = flush, flush.at, Lane.BATCH
            task.took = (task.busy - task.call) * (task.share + (1 - task.share) / len(tasks))
        self.jobs[Lane.BATCH] += len(tasks)
        self._flushing = sorted((*self._flushing[::-1], *tasks), key=lambda task: task.due)[::-1]
        while self._flushing and self._chunks < self.slots[Lane.BATCH] + self._ahead:
            self._claim()

    def serve(self, now: float) -> list[Spell]:
        """Give work to each instance that is free; returns what they begin."""
        found = []
        while (spell := self._next(now)) is not None:
            found.append(spell)
        return found

    def _next(self, now: float) -> Spell | None:
        """What a free instance begins: a stream job first. Who comes while one runs is behind a chunk that waits for
        the instance already."""
        streams, flushes = self._streaming and self._free(Lane.STREAM), self._claimed and self._free(Lane.BATCH)
        if flushes and (self._waits or not streams):
            self._waits = False
            return self._run(self._claimed.popleft(), now, Lane.BATCH)
        return self._run([heapq.heappop(self._streaming)[3]], now, Lane.STREAM) if streams else None

    def _claim(self) -> None:
        """Take the next chunk, as large as the last ones say."""
        if not self._flushing:
            return
        flush = self._flushing[-1].flush
        size = 0 if flush is None else min(self._chunk.size, math.ceil(flush.left / self.slots[Lane.BATCH]))
        chunk = [self._flushing.pop()]
        while len(chunk) < size and self._flushing and self._flushing[-1].flush is flush:
            chunk.append(self._flushing.pop())
        if flush is not None:
            flush.left -= len(chunk)
        self._chunks += 1
        call = max(task.call for task in chunk)
        for task in chunk:
            task.took += call / len(chunk)
        self._claimed.append(chunk)

    def release(self, spell: Spell) -> bool:
        """A spell is over and its instance free; returns whether that was the end of the flush."""
        self._busy[spell.lane] -= 1
        self.ended = spell.end
        self._waits = spell.lane is Lane.STREAM and not self._apart
        if self._starts == "kept":
            self._resting.append(spell.end)
        self.jobs[spell.lane] -= len(spell.tasks)
        if spell.lane is Lane.STREAM:
            del self.begun[0]
            if self.jobs[Lane.STREAM] > len(self.begun):
                size = self._streaming[0][3].size if self._streaming else 0.0
                self.begun.append(Streaming(spell.end, size, queued=True))
            return False
        took, start = spell.end - spell.begin - spell.startup, spell.startup if self._starts == "each" else 0.0
        self._chunk.took(took, len(spell.tasks), start)
        self._chunks -= 1
        self._claim()
        self._end(spell)
        if self.jobs[Lane.BATCH]:
            return False
        self.flush = None
        return True

    def _end(self, spell: Spell) -> None:
        """Count what ended of a flush; a chunk is of one alone."""
        if (flush := spell.tasks[0].flush) is not None:
            flush.unended -= len(spell.tasks)
            flush.end = flush.end if flush.unended else spell.end

    def _free(self, lane: Lane) -> bool:
        busy = self._busy[lane] if self._apart else sum(self._busy.values())
        return busy < self.slots[lane]

    def _run(self, tasks: list[Task], now: float, lane: Lane) -> Spell:
        """Run these one after another on a free instance; those that share a call are there at its end."""
        startup = self._instance(now)
        at = now + startup
        for task in tasks:
            task.begun = now if lane is Lane.STREAM else task.begun
            task.start, task.finish = at, at + task.took
            task.first = at + task.took * task.lead if lane is Lane.STREAM else task.finish
            mean = self._tariff.mean(at, task.finish)
            task.cost = mean * (task.took * self._rate if task.paid is None else task.paid[lane])
            at = task.finish
        for task in tasks if lane is Lane.BATCH else ():
            if task.call:
                task.first = task.finish = at
        self._busy[lane] += 1
        return Spell(now, at, lane, tuple(tasks), startup)

    def _instance(self, now: float) -> float:
        """Take an instance; returns the seconds until it is up."""
        if self._starts == "never":
            return 0.0
        while self._resting and now - self._resting[0] > self._idle:
            self._resting.popleft()
        if self._resting:
            self._resting.pop()
            return 0.0
        self.starts += self._start * self._rate * self._tariff.mean(now, now + self._start)
        return self._start
