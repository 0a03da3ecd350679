"""What is to come, as views tell it: when held and queued work starts and is done, and why then.

Rule: one plan a handler and instant, over so many classes that it stays cheap however long the queue is;
where the daemon has said when it flushes, that is what counts. When nobody runs the queue nothing is
foreseen. Reads only.
"""

import math
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from ..brain.away import Progress, away_eta
from ..brain.conditions import Conditions, later
from ..brain.costs import mean_size
from ..brain.forecast import Eta, flushing_etas, held_etas, rest_eta, running_eta, stream_eta
from ..brain.plan import Plan, plan
from ..brain.reasons import own
from ..job import Flush, Held, Lane, Mode, Range, State
from ..money.why_held import WhyHeld, has_budget
from ..outlook import Outlook
from ..queue.buckets import buckets, counted_in
from ..queue.cohorts import Cohort, cohort, held, tally
from ..queue.gates import Gate, awaited, gate_of, gates_before, waits_for
from ..queue.group_sums import group_sums, queued_parts
from ..queue.holds import withheld
from ..queue.job_limits import job_limits
from ..queue.learned import intended
from ..queue.lists import ahead, listed, open_flushes, runners, running
from ..queue.paused_work import going, queued_in
from ..queue.pauses import Pauses
from ..queue.remote import Elsewhere, elsewhere
from ..reason import NOBODY, Reason, said

if TYPE_CHECKING:
    from ..money.today import Today

CLASSES = 64  # cohorts of a handler that are planned one by one; of more, those due first, and about as many classes
NOW = 1.0  # seconds; what is to begin sooner would begin now
WORK = 4 * CLASSES  # classes that are planned for one look, over all steps of the forward run
DEEP = 32  # jobs that wait for each other in turn; when those behind more begin is not foreseen
NONE = said("")
UNSERVED = Reason(NOBODY)
Foreseen = tuple[Eta, Reason]
"""When, and why then."""


class NextFlush(NamedTuple):
    """When a flush is (epoch seconds), and why; when it began, of one that runs. None: none is planned.

    `handler`: whose, where several have one; `others`: how many more of these have one at that second.
    """

    at: float | None = None
    handler: str = ""
    why: Reason = NONE
    others: int = 0


class _Batch(Struct):
    """The held work of one handler, planned."""

    name: str
    conditions: Conditions
    planned: Plan
    etas: dict[int, Eta]
    flushes: dict[int, Flush]
    under: dict[int, int]  # cohorts and classes: the key under which each was planned


class Foresight:
    """The queue's near future at `now`. What it has worked out for a handler is kept for the next question."""

    def __init__(self, outlook: Outlook, now: float) -> None:
        self.now = now
        self.runners = runners(outlook.store)
        kinds = {kind for kind, _, _ in self.runners}
        self.served = bool(kinds & {"daemon", "drain"})
        self._submits = {pid for kind, pid, _ in self.runners if kind == "submit"}
        self._flushes = open_flushes(outlook.store)
        self.tally = tally(outlook.store)
        self._drain = "daemon" not in kinds
        self._outlook = outlook
        self._why_held = WhyHeld(outlook, now)
        self._intended = intended(outlook.store)
        self._elsewhere = elsewhere(outlook.store)
        self._batches: dict[str, _Batch] = {}
        self._held: dict[int, Foreseen] = {}
        self._worlds: dict[str, Conditions] = {}
        self._today: Today | None = None
        self._gates: dict[int, Eta] = {}
        self._bounded: dict[tuple[object, ...], Reason | None] = {}
        self._limits = job_limits(outlook.store.connection)

    def held(self, cohort: Cohort) -> Foreseen:
        """For the queued jobs of a cohort in the batch lane, or of its whole group."""
        if (why := self._stuck(cohort, self.served)) is not None:
            return self._resumed(cohort, why), why
        if cohort.id not in self._held:
            self._held[cohort.id] = self._as_bounded(self._as_limited(self._planned(cohort), cohort), cohort)
        return self._held[cohort.id]

    def limited(self, cohort: Cohort, queued: int) -> Reason | None:
        """Why the last of so many queued jobs of a cohort, or of its group, waits for room in a limit; None where
        not."""
        if not queued:
            return None
        store = self._outlook.store
        cohorts = [cohort.id] if cohort.name is None else queued_parts(store, cohort.name, CLASSES)
        if (paused := self.pauses.of(cohort.handler, cohort.name)) is not None:
            return paused.reason
        told = next(iter(withheld(store, cohorts).values()), None) if self.served else None
        return told or self._why_held.handler(cohort.handler, cohort.mode, cohort.size) or self._beyond(cohort, queued)

    def bounded(self, cohort: Cohort) -> Reason | None:
        """Why no more of a cohort begins now: how many run, what they hold, or how many have just begun. None: nothing
        of that keeps it."""
        of = cohort.handler, cohort.name if self._limits.all else None, tuple(cohort.request.needs.items())
        if of not in self._bounded:
            self._bounded[of] = self._outlook.bounded(cohort.handler, cohort.name, cohort.request.needs, self.now)
        return self._bounded[of]

    def _as_bounded(self, foreseen: Foreseen, cohort: Cohort) -> Foreseen:
        """With what keeps from beginning what would begin now."""
        eta, why = foreseen
        if why.withholds or (eta.start is not None and eta.start > self.now + NOW and cohort.lane is Lane.BATCH):
            return foreseen
        bound = self.bounded(cohort)
        if bound is None:
            return foreseen
        return (Eta() if bound.kind == "too much" else self._at_rate(eta, cohort)), bound

    def _at_rate(self, eta: Eta, cohort: Cohort) -> Eta:
        """Not before as many have begun as the handler's rate lets begin."""
        rate = self._outlook.capacity(cohort.handler).rate
        if rate is None or eta.finish is None or eta.finish90 is None:
            return eta
        last = self.now + (max(1, cohort.queued) - 1) // rate.jobs * rate.seconds
        return replace(eta, finish=max(eta.finish, last), finish90=max(eta.finish90, last))

    def _as_limited(self, foreseen: Foreseen, cohort: Cohort) -> Foreseen:
        """Without an end where a daily budget does not let all of a cohort, or of its group, begin today."""
        if not has_budget(self._outlook, cohort.handler):
            return foreseen
        jobs = cohort.queued
        if cohort.name is not None:
            jobs = group_sums(self._outlook.store, [cohort.name])[cohort.name].counts.get(State.QUEUED, 0)
        if (why := self._beyond(cohort, jobs)) is not None:
            return Eta(start=foreseen[0].start), replace(why, then=foreseen[1])
        return foreseen

    def _beyond(self, cohort: Cohort, queued: int) -> Reason | None:
        if not has_budget(self._outlook, cohort.handler):
            return None
        if self._today is None:
            from ..money.today import Today  # with it comes zoneinfo: 8 ms that few views need

            self._today = Today(self._outlook, self.now)
        return self._today.beyond(cohort.handler, cohort.lane, queued, cohort.size)

    def _stuck(self, cohort: Cohort, served: bool) -> Reason | None:
        """Why nobody knows when these begin, the reason that lasts longest first; None: it can be foreseen."""
        if cohort.handler not in self._outlook.config.handlers:
            return Reason("no handler", cohort.handler)
        if held := self._why_held.cohort(cohort):
            return held
        return None if served else UNSERVED

    def _resumed(self, cohort: Cohort, why: Reason) -> Eta:
        """When what is paused until a time begins and is done; nothing where that is not why it waits."""
        if why.kind != "paused" or why.until is None or not self.served:
            return Eta()
        jobs = max(1, cohort.queued)
        if cohort.name is not None:
            jobs = group_sums(self._outlook.store, [cohort.name])[cohort.name].counts.get(State.QUEUED, jobs)
        world = replace(self._apart(self._world(cohort.handler), cohort, jobs), now=why.until)
        return self._rest(cohort.lane, jobs, cohort.size, world)

    def paused(self, cohort: Cohort) -> bool:
        """Whether these jobs are paused."""
        return self.pauses.of(cohort.handler, cohort.name) is not None

    @property
    def pauses(self) -> Pauses:
        """What is paused."""
        return self._why_held.pauses

    def _paused(self, handler: str) -> int:
        """How many jobs of a handler that wait to stream are in paused groups."""
        return queued_in(self._outlook.store, handler, self.pauses.groups).get(Lane.STREAM, 0)

    def _planned(self, cohort: Cohort) -> Foreseen:
        batch = self._batch(cohort.handler)
        store = self._outlook.store
        cohorts = [cohort.id] if cohort.name is None else queued_parts(store, cohort.name, CLASSES)
        classes = counted_in(store, {cohort.id, *cohorts} - batch.under.keys())
        keys = {key: batch.under.get(classes.get(key, key), key) for key in (cohort.id, *cohorts)}
        flush = batch.flushes.get(keys[cohort.id])
        why = NONE if flush is None else self._own(flush, batch, [each for each in cohorts if keys[each] in flush.keys])
        return whole([batch.etas.get(keys[each], Eta()) for each in cohorts]), why

    def _own(self, flush: Flush, batch: _Batch, cohorts: list[int]) -> Reason:
        """Why these are run then, in their own money where it is about money."""
        if flush.reason.kind != "saves":
            return flush.reason
        return own(flush.reason, held(self._outlook.store, batch.name, cohorts), batch.conditions, flush.at)

    def streamed(self, cohort: Cohort, before: int | None = None) -> Foreseen:
        """For the queued jobs of a cohort in the stream lane; `before`: how many jobs go first, where known."""
        if (why := self._stuck(cohort, self.served or self._runs_itself(cohort))) is not None:
            return self._resumed(cohort, why), why
        world = self._world(cohort.handler)
        jobs = ahead(self._outlook.store, cohort) if before is None else before
        queued = cohort.counts.get(State.QUEUED, 1)
        waits = self.tally.get((cohort.handler, Lane.STREAM, State.QUEUED), 0) - self._paused(cohort.handler)
        behind = max(0, waits - jobs)
        seconds = world.stream_ahead  # of one that came now: all that wait go before it
        if seconds is not None:
            seconds = max(0.0, seconds - behind * world.each)
        world = replace(self._apart(world, cohort, queued), stream_ahead=seconds)
        eta = stream_eta(queued, cohort.size, world)
        return self._as_bounded(self._as_limited((eta, cohort.decision.reason), cohort), cohort)

    def waiting(self, cohort: Cohort, jobs: int, gates: Sequence[Gate], deep: int = 0) -> Foreseen:
        """For so many queued jobs of a cohort that wait at these gates: from when all of these have opened."""
        if not gates:
            return Eta(), NONE
        why = waits_for(gates[0], more=len(gates) > 1)
        if self._stuck(cohort, self.served or self._runs_itself(cohort)) is not None or deep > DEEP:
            return Eta(), why
        opens = [self._opens(each, deep) for each in gates]
        start, start90 = (
            None if None in ends else max((e for e in ends if e is not None), default=self.now)
            for ends in ([each.finish for each in opens], [each.finish90 for each in opens])
        )
        if start is None:
            return Eta(), why
        start = max(start, self.now)
        eta = self._from(cohort, jobs, start)
        if eta.finish is None or eta.finish90 is None:
            return eta, why
        wider = math.hypot(eta.finish90 - eta.finish, max(0.0, (start90 or start) - start))
        return replace(eta, finish90=eta.finish + wider), why

    def over(self, ranges: Sequence[Range]) -> Eta:
        """When these jobs will have ended, as far as that is foreseen."""
        ends = [self._end(cohort, one, 1) for cohort, one in awaited(self._outlook.store, ranges)]
        return whole(ends) if ends else Eta(finish=self.now, finish90=self.now)

    def _opens(self, gate: Gate, deep: int) -> Eta:
        """When a gate opens, as the finish of what it waits for."""
        if gate.id not in self._gates:
            ends = [self._end(cohort, one, deep + 1) for cohort, one in awaited(self._outlook.store, gate.ranges)]
            if gate.at is not None:
                ends.append(Eta(finish=gate.at, finish90=gate.at))
            self._gates[gate.id] = whole(ends) if ends else Eta(finish=self.now, finish90=self.now)
        return self._gates[gate.id]

    def _end(self, number: int, one: int | None, deep: int) -> Eta:
        """When what is left of a cohort will be done, or a single job that runs."""
        of = cohort(self._outlook.store, number)
        begun, queued = of.counts.get(State.RUNNING, 0), of.queued
        if of.lane is Lane.NONE:
            gates = (
                gates_before(self._outlook.store, number) if one is None else _one(gate_of(self._outlook.store, one))
            )
            return self.waiting(of, 1 if one is not None else queued, gates, deep)[0]
        if one is not None and begun and (line := listed(self._outlook.store, [one]).get(one)) and line.started:
            return self.running(of, 1, line.started)[0]
        if begun:
            at_once = queued if of.lane is Lane.STREAM or self.flushing(of) else 0
            return self.running(of, begun + at_once, of.started)[0]
        return (self.streamed(of) if of.lane is Lane.STREAM else self.held(of))[0]

    def tried_again(self, cohort: Cohort, jobs: int, ready: float) -> Eta:
        """For so many jobs of a cohort that are tried again then, and no sooner."""
        served = self.served or self._runs_itself(cohort)
        return Eta() if self._stuck(cohort, served) is not None else self._from(cohort, jobs, ready)

    def _from(self, cohort: Cohort, jobs: int, start: float) -> Eta:
        """For so many jobs of a cohort that nothing keeps from beginning from then on."""
        world = later(self._apart(self._world(cohort.handler), cohort, jobs), start)
        if cohort.mode is not Mode.BATCH:
            return stream_eta(jobs, cohort.size, world)
        of = Held(
            key=cohort.id,
            jobs=jobs,
            size=cohort.size,
            deadline=cohort.due,
            since=start,
            delay_cost=cohort.delay_cost * jobs,
            pinned=cohort.pinned,
            kind=cohort.request.kind,
        )
        world = replace(world, held=(of,))
        return held_etas([of], world, plan([of], world, drain=self._drain), WORK)[cohort.id]

    def running(self, cohort: Cohort, jobs: int, started: float | None) -> Foreseen:
        """For `jobs` jobs of a cohort that run now or follow in the same flush; one job: since `started`."""
        there = self._elsewhere.get(cohort.handler) if cohort.lane is Lane.BATCH else None
        here = self._flush_of(cohort)[1] if cohort.lane is Lane.BATCH and cohort.handler in self._flushes else None
        if cohort.handler not in self._outlook.config.handlers:
            return Eta(), here or (there.reason() if there else cohort.decision.reason)
        if there is not None:
            eta, why = self._fetched(cohort, there, started)
            return eta, here or why
        world = self._apart(self._world(cohort.handler), cohort, jobs)
        if jobs == 1:
            if cohort.request.session and cohort.lane is Lane.STREAM:  # it ends when its input does
                return Eta(), cohort.decision.reason
            began = started or cohort.started or self.now
            return running_eta(cohort.lane, cohort.size, began, world), here or cohort.decision.reason
        before = self._overtaking(cohort) if here is not None and cohort.queued else 0
        return self._rest(cohort.lane, jobs + before, cohort.size, world), here or cohort.decision.reason

    def _overtaking(self, cohort: Cohort) -> int:
        """How many jobs that are urgent go before the queued ones of a cohort, which a flush takes."""
        conditions, order = self._batch(cohort.handler).conditions, (cohort.due, -cohort.request.priority)
        urgent = {key for flush in conditions.urgent for key in flush.keys}
        return sum(h.jobs for h in conditions.flushing if h.key in urgent and (h.deadline, h.rank) < order)

    def _flush_of(self, cohort: Cohort) -> tuple[float, Reason]:
        """When the flush of a cohort began that runs, and why: of several that which began last before the cohort."""
        found = self._flushes[cohort.handler]
        begun = [each for each in found if cohort.started is not None and each[0] <= cohort.started]
        return begun[-1] if begun else found[0]

    def _fetched(self, cohort: Cohort, there: Elsewhere, started: float | None) -> Foreseen:
        """For jobs that run at a provider: whoever runs the queue fetches what they give."""
        if not self.served:
            return Eta(), replace(there.reason(), then=UNSERVED)
        world = self._world(cohort.handler)
        half, most = (world.estimate.run_time(Lane.BATCH, cohort.size, q) or 0.0 for q in (0.5, 0.9))
        eta = away_eta(cohort.size, max(there.since, started or cohort.started or 0.0), world, _progress(there))
        return eta, there.reason(half, most)

    def away(self, cohort: Cohort, running: int) -> int | None:
        """How many of so many running jobs a provider has done, by what it tells; 0: none of them runs there."""
        there = self._elsewhere.get(cohort.handler)
        if there is None or cohort.lane is not Lane.BATCH:
            return 0
        return min(running, running * there.finished // max(1, there.jobs)) if there.finished else None

    def _runs_itself(self, cohort: Cohort) -> bool:
        """Whether a submit that stays with these jobs runs them: this very process, or one that has begun."""
        return os.getpid() in self._submits or bool(self._submits and cohort.started)

    def flushing(self, cohort: Cohort) -> bool:
        """Whether the queued jobs of this cohort are being taken by a flush that runs."""
        begun = cohort.counts.get(State.RUNNING, 0) > 0
        return cohort.lane is Lane.BATCH and begun and cohort.handler in self._flushes

    def next_flush(self) -> NextFlush:
        """The next flush of any handler; while one has more to take, that one."""
        found: list[tuple[float, str, Reason]] = []
        names = {name for (name, lane, state), _ in self.tally.items() if (lane, state) == (Lane.BATCH, State.QUEUED)}
        begun = running(self._outlook.store, tuple(Mode), CLASSES)
        taken = {of.handler: self._flush_of(of) for of in begun if of.queued and self.flushing(of)}
        found += [(at, name, why) for name, (at, why) in taken.items()]
        for name in (names - taken.keys()) & self._outlook.config.handlers.keys() if self.served else ():
            planned = self._batch(name).planned
            found += [(flush.at, name, flush.reason) for flush in (*planned.due, *planned.later)]
        if not found:
            return NextFlush()
        at, first, why = min(found, key=lambda each: each[:2])
        others = {name for then, name, _ in found if int(then) == int(at)} - {first}
        return NextFlush(at, first if len({name for _, name, _ in found}) > 1 else "", why, len(others))

    def _world(self, name: str) -> Conditions:
        if name not in self._worlds:
            self._worlds[name] = self._outlook.conditions(name, self.now, [])
        return self._worlds[name]

    def _batch(self, name: str) -> _Batch:
        if name not in self._batches:
            self._batches[name] = self._plan(name)
        return self._batches[name]

    def _plan(self, name: str) -> _Batch:
        store = self._outlook.store
        found = going(store, name, buckets(store, name, self.now, CLASSES, CLASSES), self.now)
        classes = self._affordable(name, found.held)
        conditions = self._outlook.conditions(name, self.now, classes)
        planned = plan(conditions.held, conditions, drain=self._drain)
        told = [(at, reason) for handler, at, _, reason in self._intended if handler == name and at > self.now]
        if not self._drain:
            planned = _as_told(planned, told)
        flushes = {key: flush for flush in (*planned.due, *planned.later, *conditions.urgent) for key in flush.keys}
        etas = flushing_etas(conditions)
        for key, eta in held_etas(conditions.held, conditions, planned, WORK).items():
            etas[key] = replace(eta, start=etas[key].start) if key in etas else eta  # of one that is split
        return _Batch(name, conditions, planned, etas, flushes, found.under())

    def _affordable(self, name: str, classes: list[Held]) -> list[Held]:
        """Without what a limit on money holds: of that no flush is planned."""
        if self._why_held.handler(name, Mode.BATCH, mean_size(classes)):
            return []
        kept = withheld(self._outlook.store, [each.key for each in classes])
        return [each for each in classes if each.key not in kept]

    def _apart(self, world: Conditions, cohort: Cohort, jobs: int) -> Conditions:
        """A handler's world by what is known of the commands of this cohort alone, and how many of them run at once."""
        world = replace(world, estimate=world.estimate.of(cohort.request.kind, jobs))
        most = self._most(cohort)
        if most is None:
            return world
        return replace(world, stream_slots=min(world.stream_slots, most), batch_slots=min(world.batch_slots, most))

    def _most(self, cohort: Cohort) -> int | None:
        """How many of a cohort run at once by what they need and by their group's limit; None: as many as slots."""
        bounds = [self._limits.of_group(cohort.name)]
        if cohort.request.needs:
            bounds.append(self._outlook.at_once(cohort.request.needs))
        return max(1, min((each for each in bounds if each is not None), default=1)) if any(bounds) else None

    def _rest(self, lane: Lane, jobs: int, size: float, world: Conditions) -> Eta:
        slots = world.batch_slots if lane is Lane.BATCH else world.stream_slots
        return rest_eta(lane, jobs, math.ceil(jobs / max(1, slots)), size, world)


def _one(gate: Gate | None) -> list[Gate]:
    return [] if gate is None else [gate]


def _as_told(planned: Plan, told: list[tuple[float, Reason]]) -> Plan:
    """The plan at the instants and for the reasons that the loop has written down. The last flushes are told
    last: what the loop runs at this moment it no longer tells."""
    flushes = [*planned.due, *planned.later]
    mine = max(0, len(flushes) - len(told))
    pairs = zip(flushes[mine:], told[len(told) - len(flushes) + mine :], strict=True)
    as_told = [replace(flush, at=at, reason=reason) for flush, (at, reason) in pairs]
    return Plan(later=(*flushes[:mine], *as_told)) if as_told else planned


def whole(etas: list[Eta]) -> Eta:
    """Several parts as one: it starts with the first, and is done with the last."""
    finishes = [eta.finish for eta in etas]
    finishes90 = [eta.finish90 for eta in etas]
    return Eta(
        start=min((eta.start for eta in etas if eta.start is not None), default=None),
        finish=None if None in finishes else max((f for f in finishes if f is not None), default=None),
        finish90=None if None in finishes90 else max((f for f in finishes90 if f is not None), default=None),
    )


def _progress(there: Elsewhere) -> Progress | None:
    """How far a provider has said to be, where it has."""
    if not there.finished or there.seen is None:
        return None
    return Progress(min(1.0, there.finished / max(1, there.jobs)), there.seen)
