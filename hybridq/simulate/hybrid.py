"""hybridq itself on the virtual clock: the real decisions, told what the loops would tell them.

Rule: no policy of its own. It gathers the conditions, asks `classify`, `plan` and `forecast`, and does what they
say. Jobs of one kind that come shortly one after another share a decision, so that days take seconds.
"""

import math
from bisect import bisect_right
from collections import deque
from collections.abc import Sequence
from operator import itemgetter

from msgspec.structs import replace

from ..brain.arrivals import ARRIVALS, KNOWN, RECENT, coming
from ..brain.conditions import Conditions
from ..brain.forecast import held_etas, stream_eta
from ..brain.gather import Came, Facts, gather
from ..brain.modes import delay_cost
from ..brain.plan import NOW, Plan, plan
from ..brain.policy import classify, promote
from ..brain.tariff import Tariff
from ..config.values import HandlerConfig
from ..job import Audience, Flush, Forecast, Held, Lane, Mode, Request
from .clock import World
from .memory import Memory
from .pending import Pending
from .station import SimulatedFlush, Spell, Station, Task

ASKED = 0.15  # share of held jobs of which somebody asks, at some instant, when they will start
REVIEW = 5.0  # seconds between two looks at what is held while a flush runs
REUSE = 30.0  # seconds that a decision serves jobs of the same kind at most,
REMEMBER = 2.0  # and until what was learned is known at most;
TICK = 1.0  # seconds between two looks at what is held, at least;
MANY = 4096  # submissions after which what is too old to matter is forgotten
GRAIN = 1 / 3000  # all of them of the time in which jobs come: a minute is not simulated by half minutes, nor a month
ROWS = 50_000  # jobs, beyond which a decision serves that long, and what was learned is known OFTEN as often
OFTEN = 4


class Hybrid:
    """Decides for one handler."""

    def __init__(self, name: str, station: Station, world: World) -> None:
        self._name, self._station = name, station
        self._policy = world.config.policy
        self._handler = world.config.handlers.get(name, HandlerConfig())
        self._tariff = Tariff(world.config.tariff)
        self._held = Pending(self._policy.hold)
        arrivals = world.workload.arrivals
        span = arrivals[-1].at - arrivals[0].at
        self._grain = span * GRAIN
        many = len(arrivals) > ROWS
        self._reuse = self._grain if many else min(REUSE, self._grain)
        after = max(REMEMBER, self._grain / OFTEN) if many else REMEMBER
        rate = 0.0 if self._handler.traits.remote else self._policy.machine_cost
        self._memory = Memory(self._handler, rate, min(after, self._grain))
        self._came: list[Came] = []
        self._many = MANY
        self._streams: deque[float] = deque(maxlen=ARRIVALS)  # when the last stream jobs came
        self._group = ""  # of the last submission
        self._promised: tuple[str, Forecast | None] = "", None  # and what was promised to all of it
        self._loaded = False
        self._looked = -math.inf
        self._decisions: dict[tuple[object, ...], tuple[float, float, Forecast]] = {}  # made and good until then

    def accept(self, task: Task, now: float) -> float | None:
        """Classify a job and queue or hold it; returns when its flush is planned."""
        self._memory.refresh(now)
        promise = self._decided(task, now)
        self._note(task, promise.mode, now)
        if not task.group or task.group != self._promised[0]:
            self._promised = task.group, promise
        task.promise = self._promised[1]
        again = now if self._held.jobs and now >= self._looked + self._grain else math.inf
        if promise.mode is Mode.STREAM:
            if not task.group:
                eta = stream_eta(1, task.size, self._conditions(now, alone=True))
                task.promise = Forecast(mode=Mode.STREAM, start=eta.start, finish=eta.finish, finish90=eta.finish90)
            self._station.stream(task)
            self._streams.append(now)
            return again
        task.lane, start = Lane.BATCH, promise.start or now
        if task.luck < ASKED:
            task.asks = now + task.luck / ASKED * (start - now)
        self._held.add(task, task.part * self._delay(task))
        if (note := promise.note) is not None and note.then is not None and note.then.kind == "overtakes":
            again = min(again, note.until or now)
        return min(start, task.asks, again)

    def look(self, now: float) -> float | None:
        """Plan what is held and begin what is due; while a flush runs, see whether what is held can wait for it."""
        held = self._held.told()
        if not held:
            return None
        self._looked = now
        self._memory.refresh(now)
        conditions = self._conditions(now)
        if self._station.flush is not None:
            due = [flush for flush in conditions.urgent if flush.at <= now + NOW]
            for flush in due:
                self._station.overtake(*self._taken([flush], now))
            self._promote([each for each in held if all(each.key not in flush.keys for flush in due)], conditions)
            return min([now + REVIEW, *(flush.at for flush in conditions.urgent if flush not in due)])
        decided = plan(held, conditions)
        self._loaded = decided.loaded
        if decided.due:
            self._begin(decided, now)
            return None
        self._held.show({key: eta.start for key, eta in held_etas(held, conditions, decided).items()}, now)
        return min(decided.look or math.inf, self._held.asked, now + max(TICK, self._grain))

    def heard(self, spell: Spell) -> None:
        """Learn from what has ended."""
        over = spell.lane is Lane.STREAM or self._station.flush is None
        self._memory.hear(spell, self._station.overhead, over=over)

    def _begin(self, decided: Plan, now: float) -> None:
        flush, tasks = self._taken(decided.due, now)
        estimate, anew = self._memory.estimate, self._handler.traits.starts == "each"
        each = estimate.usual(Lane.STREAM) if anew else estimate.by_itself()
        self._station.begin(flush, tasks, each, estimate.overhead)

    def _taken(self, due: Sequence[Flush], now: float) -> tuple[SimulatedFlush, list[Task]]:
        """These as one flush, and its jobs."""
        keys = list(dict.fromkeys(key for flush in due for key in flush.keys))
        tasks = self._held.take(keys, sum(flush.jobs for flush in due))
        return SimulatedFlush(at=now, rule=due[0].rule, reason=due[0].reason, jobs=len(tasks)), tasks

    def _promote(self, held: Sequence[Held], conditions: Conditions) -> None:
        """Stream what a batch would deliver after its deadline."""
        for each in held:
            deadline = None if each.deadline == math.inf else each.deadline
            request = Request(handler=self._name, audience=Audience.BACKGROUND, deadline=deadline)
            if promote(request, each.jobs, each.size, conditions):
                for task in self._held.take([each.key], each.jobs):
                    self._station.stream(task)

    def _decided(self, task: Task, now: float) -> Forecast:
        """What is decided for this job, or was just now for one like it: that will be as much later, unless both are
        held for the same instant."""
        kind = (
            task.audience,
            task.group,
            task.mode,
            round(math.log1p(task.due - task.at), 1),
            round(math.log1p(task.size) / 2),
            round(self._ahead()),
            self._tariff.factor(now),
            self._held.jobs.bit_length(),
            self._station.flush is None,
            self._station.used(now) is None,
        )
        made, until, forecast = self._decisions.get(kind, (-math.inf, -math.inf, None))
        if forecast is not None and now <= until:
            held = forecast.mode is Mode.BATCH and (forecast.start or made) > made
            return forecast if held else _later(forecast, now - made)
        world = self._conditions(now, self._joins(task))
        forecast = classify(self._request(task), round(1 / task.part), task.size, world).forecast
        start = forecast.start if forecast.mode is Mode.BATCH else None
        until = now + self._reuse if start is None or start <= now else min(now + self._reuse, start)
        self._decisions[kind] = now, until, forecast
        return forecast

    def _request(self, task: Task) -> Request:
        deadline = None if task.due == math.inf else task.due
        return Request(handler=self._name, audience=task.audience, deadline=deadline, mode=task.mode)

    def _delay(self, task: Task) -> float:
        return delay_cost(self._policy, task.audience)

    def _joins(self, task: Task) -> bool:
        """Whether this is another background submission, and not more of the last one."""
        return task.audience is Audience.BACKGROUND and (not task.group or task.group != self._group)

    def _note(self, task: Task, mode: Mode, now: float) -> None:
        """Remember when background submissions came, and into which lane."""
        if self._joins(task):
            self._group = task.group
            self._came.append((now, Lane.BATCH if mode is Mode.BATCH else Lane.STREAM))
            if len(self._came) >= self._many:
                self._forget(now)

    def _forget(self, now: float) -> None:
        """Let go of what nothing held asks for any more."""
        first = min((each.since for each in self._held.told()), default=now) - self._policy.hold
        del self._came[: max(0, bisect_right(self._came, first, key=itemgetter(0)) - ARRIVALS)]
        self._many = max(MANY, 2 * len(self._came))
        self._decisions = {kind: each for kind, each in self._decisions.items() if each[1] >= now}

    def _conditions(self, now: float, joins: bool = False, *, alone: bool = False) -> Conditions:
        """The world; `alone`: without what is held and who came, of which a stream job's own end tells nothing."""
        station, held = self._station, () if alone else self._held.told()
        return gather(
            Facts(
                now=now,
                handler=self._handler,
                modes=frozenset(self._handler.modes) - {Mode.ADAPTIVE},
                policy=self._policy,
                tariff=self._tariff,
                estimate=self._memory.estimate,
                jobs=station.tally(),
                streams=station.begun,
                ended=station.ended,
                rest=station.rest(),
                rate=self._rate(now),
                slots=station.slots,
                used=station.used(now),
                held=held,
                came=() if alone else self._came[-ARRIVALS:],
                before=self._until(min(each.since for each in held)) if held else (),
                joins=joins,
                loaded=self._loaded,
            )
        )

    def _rate(self, now: float) -> float:
        """Stream jobs a second of late."""
        while self._streams and self._streams[0] < now - RECENT:
            self._streams.popleft()
        return coming(self._streams, now) if len(self._streams) >= KNOWN else 0.0

    def _until(self, until: float) -> list[Came]:
        """The last background submissions until then."""
        last = bisect_right(self._came, until, key=itemgetter(0))
        return self._came[max(0, last - ARRIVALS) : last]

    def _ahead(self) -> float:
        """Seconds of stream work ahead, per slot, as the estimate sees it."""
        jobs, slots = self._station.jobs[Lane.STREAM], self._station.slots[Lane.STREAM]
        return (self._memory.estimate.usual(Lane.STREAM) or 0.0) * jobs / slots if jobs >= slots else 0.0


def _later(forecast: Forecast, seconds: float) -> Forecast:
    """The same, so much later."""
    times = {name: getattr(forecast, name) for name in ("start", "first", "first90", "finish", "finish90")}
    return replace(forecast, **{name: at + seconds for name, at in times.items() if at is not None})
