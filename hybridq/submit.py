"""Submitting: decide the mode, accept durably, wake a runner.

Rule: the decision is the policy's; what is kept is what was decided with. Nothing is submitted by `decide`.
"""

import math
import time
from collections.abc import Callable, Iterable
from functools import cached_property, partial
from pathlib import Path

from msgspec.structs import replace

from .brain.commands import kind_of
from .brain.conditions import later
from .brain.modes import delay_cost
from .brain.policy import Conditions, classify
from .home import Home
from .job import Audience, Decision, Held, Lane, Mode, Request, Waits
from .outlook import Outlook
from .queue.doorbell import RUNNER, VIEWER, ring
from .queue.intake import Accepted, Decide, Refused, accept
from .queue.pauses import pauses
from .queue.runner import daemon_of
from .queue.store import Store
from .reason import Reason

GROWTH = 1.25  # how far a submission of many parts may have grown until those alike are decided anew
MINE = -(1 << 40)  # the key of what is submitted now: no cohort has it, and no class
ALIKE = 0.1  # as logarithms: by how much the sizes and the times to the deadlines of parts that are alike differ

Kind = tuple[object, ...]


def deciding(
    outlook: Outlook, now: float, *, behind: Waits | None = None, stays: bool = False, waits: bool = False
) -> Decide:
    """The decision for each part of a submission at `now`. It raises UsageError for a mode that the handler does not
    offer. `behind`: what all of it waits for. `stays`: whoever submits stays with a job that streams, and runs it where
    no daemon does; `waits`: stays to the end of whatever it is."""
    return _Deciding(outlook, now, behind, stays, waits).decide


class _Deciding:
    """Decides part after part of one submission, each as if those before it were in the queue already.

    The queue is read once a handler. Parts that are alike share a decision until the submission has grown by GROWTH.
    """

    def __init__(self, outlook: Outlook, now: float, behind: Waits | None, stays: bool, waits: bool) -> None:
        self._outlook, self._now = outlook, now
        self._behind, self._begins = behind, _begins(outlook, behind, now)
        self._stays, self._waits = stays, waits
        self._within = _within_budgets(outlook, now)
        self._pauses = pauses(outlook.store, now)
        self._parts = 0
        self._shared: dict[Kind, tuple[int, Decision]] = {}  # how many parts there were, and what was decided
        self._worlds: dict[tuple[str, bool], Conditions] = {}  # by handler, and whether it comes to be gathered
        self._held: dict[str, dict[Kind, Held]] = {}  # what the parts before add to a handler's held work
        self._ahead: dict[str, float] = {}  # seconds of stream work that they add before the next

    def decide(self, request: Request, jobs: int, size: float) -> tuple[Decision, float]:
        """The decision for a part, and what an hour of waiting costs for all of the submission."""
        decision, cost = self._decided(request, jobs, size)
        if self._behind is None and request.not_before is None:
            return decision, cost
        told = decision.reason
        decision = replace(decision, reason=replace(told, runs=None) if told.runs else told)
        return decision if self._begins is not None else decision.timeless, cost

    def _decided(self, request: Request, jobs: int, size: float) -> tuple[Decision, float]:
        self._parts += 1
        kind = _kind(request, jobs, size, self._now)
        before, decision = self._shared.get(kind, (0, None))
        if decision is None or self._parts > GROWTH * before or not _serves(decision, request):
            decision = classify(request, jobs, size, self._world(request))
            if (decision.mode is Mode.BATCH or request.mode) and _serves(decision, request):
                self._shared[kind] = self._parts, decision
        self._add(request, jobs, size, kind, decision.mode)
        if jobs == 1 and decision.mode is not Mode.STREAM and self._nobody_else(request):
            person = request.audience is Audience.USER or None  # else the command waits, whoever that is for
            reason = Reason("no daemon", runs=True, waits=person, signal=request.signal)
            decision = replace(decision, mode=Mode.STREAM, reason=reason)
        paused = self._pauses.of(request.handler, request.group) is not None
        if paused or (not (self._stays and decision.mode is Mode.STREAM) and self._alone):
            told = decision.reason
            decision = replace(decision, served=False, reason=replace(told, runs=None) if told.runs or paused else told)
        cost = delay_cost(self._outlook.config.policy, request.audience)
        return self._within(decision, request.handler, jobs, size), cost

    @cached_property
    def _alone(self) -> bool:
        """Whether no daemon runs this queue."""
        return daemon_of(self._outlook.store) is None

    def _nobody_else(self, request: Request) -> bool:
        """Whether a person, or the command itself, waits for something that only this process will run."""
        streams = request.mode is None and Mode.STREAM in self._outlook.modes(request.handler)
        return streams and (request.audience is Audience.USER or self._waits) and self._alone

    def _world(self, request: Request) -> Conditions:
        name, joins = request.handler, request.audience is Audience.BACKGROUND
        if (name, joins) not in self._worlds:
            self._worlds[name, joins] = self._outlook.conditions(name, self._now, joins=joins)
        world, held, ahead = self._worlds[name, joins], self._held.get(name, {}), self._ahead.get(name, 0.0)
        begins = max(self._begins or self._now, request.not_before or 0.0)
        if begins > self._now:
            return later(world, begins)
        if not held and not ahead:
            return world
        ahead += world.stream_ahead or 0.0
        return replace(
            world, held=(*world.held, *held.values()), stream_ahead=None if world.stream_ahead is None else ahead
        )

    def _add(self, request: Request, jobs: int, size: float, kind: Kind, mode: Mode) -> None:
        name, worlds = request.handler, self._worlds
        world = worlds.get((name, True)) or worlds[name, False]
        if mode is not Mode.BATCH:
            usual = world.estimate.of(request.kind, jobs).usual(Lane.STREAM) or world.estimate.usual(Lane.STREAM)
            each = (usual or 0.0) / max(1, world.stream_slots)
            self._ahead[name] = self._ahead.get(name, 0.0) + jobs * each
            return
        held = self._held.setdefault(name, {})
        due = math.inf if request.deadline is None else request.deadline
        whole = delay_cost(self._outlook.config.policy, request.audience) if not held else 0.0  # waits as one
        new = Held(
            key=MINE - len(held),
            jobs=jobs,
            size=size,
            deadline=due,
            since=self._now,
            delay_cost=whole,
            pinned=request.mode is Mode.BATCH,
            kind=request.kind,
        )
        held[kind] = _joined(held[kind], new) if kind in held else new


def _joined(held: Held, new: Held) -> Held:
    """Two of one kind as one, by the earlier deadline."""
    return replace(
        held,
        jobs=held.jobs + new.jobs,
        deadline=min(held.deadline, new.deadline),
        delay_cost=held.delay_cost + new.delay_cost,
        cohorts=held.cohorts + 1,
    )


def _begins(outlook: Outlook, behind: Waits | None, now: float) -> float | None:
    """When what is waited for will have ended (epoch seconds); None: nobody knows."""
    if behind is None:
        return now
    if behind.keys:
        return None
    from .status.foresight import Foresight  # few submissions wait

    return Foresight(outlook, now).over((*behind.done, *behind.ended)).finish


def _within_budgets(outlook: Outlook, now: float) -> Callable[[Decision, str, int, float], Decision]:
    """What says of a decision how far the daily budget of its handler reaches."""
    if all(each.daily_budget is None for each in outlook.config.handlers.values()):
        return lambda decision, *_: decision
    from .money.today import Today  # with it comes zoneinfo: 8 ms that few submissions need

    return Today(outlook, now).within


def _kind(request: Request, jobs: int, size: float, now: float) -> Kind:
    """What parts of one submission have in common that are decided alike."""
    left = -1 if request.deadline is None else round(math.log(max(1.0, request.deadline - now)) / ALIKE)
    asked = (request.handler, request.kind, request.audience, request.signal, request.mode, request.not_before)
    return *asked, jobs, round(math.log1p(size) / ALIKE), left


def _serves(decision: Decision, request: Request) -> bool:
    """Whether nothing in this decision is for a deadline or a limit on money alone, and so all alike may share it."""
    due = math.inf if request.deadline is None else request.deadline
    limit = math.inf if request.max_cost is None else request.max_cost
    return decision.warning is None and all(
        f.makes_deadline and (f.finish90 or 0.0) <= due and (f.cost or 0.0) <= limit for f in decision.considered
    )


def submit(
    outlook: Outlook,
    request: Request,
    data: bytes,
    *,
    key: str | None = None,
    behind: Waits | None = None,
    stays: bool = False,
    waits: bool = False,
    keep_input: Callable[[int], None] = lambda job: None,
) -> Accepted:
    """Submit one job, `behind` others: durable when this returns. Raises BadData, UsageError, StorageError, and
    NoSuchJob where such others are not there. `stays`, `waits`: see `deciding`; `keep_input`: see `accept`."""
    request = replace(request, kind=command_of(outlook, request, data))
    now = time.time()
    decide = deciding(outlook, now, behind=behind, stays=stays, waits=waits)
    accepted = accept(
        outlook.store, request, data, decide, now=now, key=key, waits=behind, durable=False, keep_input=keep_input
    )
    wake(outlook.store)
    outlook.store.sync()
    return accepted


def submit_many(
    outlook: Outlook,
    jobs: Iterable[tuple[Request, bytes, str | None] | tuple[Request, bytes, str | None, Waits | None]],
    *,
    refused: Refused | None = None,
    behind: Waits | None = None,
    stays: bool = False,
    waits: bool = False,
) -> Accepted | None:
    """Submit (request, input, key, what it waits for) each, all or nothing, in constant memory; the last may be left
    out. None: all were there already.

    The same Request object for jobs that share their options; each distinct object is planned apart. `behind`: what all
    of them wait for, where they do.
    `refused` hears of inputs and keys that cannot be taken, and may leave them out; without it BadData is raised.
    """
    from .queue.bulk import Bulk  # a single job needs none of it

    with Bulk(outlook.store, refused, partial(command_of, outlook)) as bulk:
        for job in jobs:
            bulk.add(*job)
        now = time.time()
        accepted = bulk.accept(deciding(outlook, now, behind=behind, stays=stays, waits=waits), now=now)
        wake(outlook.store)
    return accepted


def command_of(outlook: Outlook, request: Request, data: bytes) -> str:
    """What a command is known by; "" for what is none."""
    commands = outlook.handler(request.handler).traits.commands
    return kind_of(data, request.cwd) if commands else ""


def wake(store: Store) -> None:
    """Ring whoever runs or watches this queue."""
    ring(store.home, RUNNER)
    ring(store.home, VIEWER)


def connect(environ: dict[str, str], *, home: Path | None = None) -> Outlook:
    """The queue of this environment (or of the folder `home`), ready to submit to."""
    from .config.read import load_config

    place = Home.find({**environ, "HYBRIDQ_HOME": str(home)} if home else environ)
    return Outlook(Store.open(place), load_config(place, environ))
