"""hybridq itself on the virtual clock: the real decisions, told what the loops would tell them.

Rule: no policy of its own. It gathers the conditions, asks `classify`, `plan` and `forecast`, and does what they
say. Arrivals of one kind between two looks share a decision, as jobs of one submission do.
"""

import math
from collections import deque

from .conditions import Conditions
from .config import HandlerConfig
from .estimate import SAMPLE, Estimate, Model, Observation, judged, learn_many
from .forecast import Eta, held_etas, stream_eta
from .job import Audience, Decision, Forecast, Lane, Mode, Request
from .modes import delay_cost
from .outlook import ARRIVALS, coming
from .pending import Pending
from .plan import Plan, plan
from .policy import classify
from .simulate import World
from .station import Flushed, Spell, Station, Task
from .tariff import Tariff

REMEMBER = 2.0  # seconds after which what was learned is known to those who submit
REUSE = 30.0  # seconds that a decision serves jobs of the same kind


class Hybrid:
    """Decides for one handler."""

    def __init__(self, name: str, station: Station, world: World) -> None:
        self.station = station
        self._name = name
        self._policy = world.config.policy
        self._handler = world.config.handlers.get(name, HandlerConfig())
        self._tariff = Tariff(world.config.tariff)
        self._held = Pending(self._policy.hold)
        self._models = {lane: Model() for lane in Lane}
        self._unheard: dict[Lane, list[Observation]] = {lane: [] for lane in Lane}
        self._estimate = self._learned()
        self._known = -math.inf  # when the estimate was made
        self._loaded = False
        self._late: dict[Lane, list[bool]] = {lane: [] for lane in Lane}
        self._startup: float | None = None  # of a flush, which no job has told yet
        self._came: deque[float] = deque(maxlen=ARRIVALS)
        self._group = ""  # of the last submission
        self._decisions: dict[tuple[object, ...], tuple[float, Decision]] = {}

    def accept(self, task: Task, now: float) -> float | None:
        """Classify a job and queue or hold it; returns when its flush is planned."""
        self._refresh(now)
        self._note(task, now)
        decision = self._decided(task, now)
        task.promise = decision.forecast
        if decision.mode is Mode.STREAM:
            if not task.group:
                eta = stream_eta(1, task.size, self._conditions(now))
                task.promise = Forecast(mode=Mode.STREAM, start=eta.start, finish=eta.finish, finish90=eta.finish90)
            self.station.stream(task)
            return None
        task.lane = Lane.BATCH
        self._held.add(task, self._delay(task))
        return now if self.station.flush is None and decision.forecast.start is None else decision.forecast.start

    def look(self, now: float) -> float | None:
        """Plan what is held and begin what is due."""
        held = self._held.told()
        if self.station.flush is not None or not held:
            return None
        self._refresh(now)
        decided = plan(held, self._conditions(now))
        self._loaded = decided.loaded
        if decided.due:
            self._begin(decided, now)
            return None
        self._tell(decided, now)
        return decided.look

    def heard(self, spell: Spell) -> None:
        """Learn from what has ended, as the loops do."""
        self._judge(spell)
        startup = spell.startup or self._startup
        self._startup = None if spell.tasks else startup
        step = 1 + len(spell.tasks) // SAMPLE
        for task in spell.tasks[step - 1 :: step]:
            seen = Observation(size=task.size, busy=task.took, startup=startup)
            self._unheard[spell.lane].append(seen)
            startup = None

    def _judge(self, spell: Spell) -> None:
        """See which promises were kept: of a flush all at once, for they stand and fall together."""
        late = self._late[spell.lane]
        late += [
            task.finish > task.promise.finish90
            for task in spell.tasks
            if task.promise is not None and task.promise.finish90 is not None and not task.group
        ]
        if spell.lane is Lane.STREAM or self.station.flush is None:
            self._models[spell.lane] = judged(self._models[spell.lane], late)
            late.clear()

    def _note(self, task: Task, now: float) -> None:
        """Remember when submissions came."""
        if task.audience is Audience.BACKGROUND and (not task.group or task.group != self._group):
            self._came.append(now)
            self._group = task.group

    def _begin(self, decided: Plan, now: float) -> None:
        first = decided.due[0]
        keys = list(dict.fromkeys(key for flush in decided.due for key in flush.keys))
        tasks = self._held.take(keys, sum(flush.jobs for flush in decided.due))
        self.station.begin(Flushed(at=now, rule=first.rule, reason=first.reason, jobs=len(tasks)), tasks)
        self._decisions.clear()

    def _decided(self, task: Task, now: float) -> Decision:
        kind = (
            task.audience, round(math.log1p(task.due - task.at), 1), round(math.log1p(task.size), 0),
            self._tariff.factor(now), round(self._ahead(Lane.STREAM)), task.group,
        )  # fmt: skip
        until, decision = self._decisions.get(kind, (-math.inf, None))
        if decision is None or now > until:
            deadline = None if task.due == math.inf else task.due
            request = Request(handler=self._name, audience=task.audience, deadline=deadline)
            decision = classify(request, round(1 / task.part), task.size, self._conditions(now))
            start = decision.forecast.start if decision.mode is Mode.BATCH else None
            self._decisions[kind] = min(now + REUSE, start or math.inf), decision
        return decision

    def _conditions(self, now: float) -> Conditions:
        modes = frozenset(self._handler.modes) - {Mode.ADAPTIVE}
        return Conditions(
            now=now, tariff=self._tariff, policy=self._policy, estimate=self._estimate, modes=modes,
            loaded=self._loaded, stream_ahead=self._ahead(Lane.STREAM), stream_slots=self.station.slots,
            batch_slots=self.station.slots, warm=self.station.warm(now), max_flush=self._handler.max_flush,
            held=self._held.told(), batch_ahead=self._ahead(Lane.BATCH), coming=coming(self._came, now),
        )  # fmt: skip

    def _ahead(self, lane: Lane) -> float:
        """Seconds of work ahead in a lane, per slot: by the estimate, as it would be asked."""
        jobs, slots = self.station.jobs[lane], self.station.slots
        if jobs < slots:
            return 0.0
        each = self._estimate.run_time(lane, 0.0)
        return 0.0 if each is None else each * jobs / slots

    def _delay(self, task: Task) -> float:
        request = Request(handler=self._name, audience=task.audience)
        return task.part * delay_cost(request, Conditions(now=0.0, tariff=self._tariff, policy=self._policy, estimate=self._estimate))

    def _refresh(self, now: float) -> None:
        if now - self._known < REMEMBER or not any(self._unheard.values()):
            return
        for lane, seen in self._unheard.items():
            self._models[lane] = learn_many(self._models[lane], seen)
            seen.clear()
        self._estimate, self._known = self._learned(), now

    def _learned(self) -> Estimate:
        return Estimate(
            self._models[Lane.STREAM], self._models[Lane.BATCH], self._handler, self._policy.machine_cost
        )

    def _tell(self, decided: Plan, now: float) -> None:
        """Note what would be shown of each held job now, once for each."""
        etas: dict[int, Eta] = held_etas(self._held.told(), self._conditions(now), decided)
        for key, eta in etas.items():
            for task in self._held.of(key):
                if task.foreseen is None:
                    task.foreseen, task.asked = eta.start, now
