"""Making due occurrences into jobs: the one door of daemon, drain and `schedule run`.

Rule: what is due is the store's to say, so that a wake-up which is late, lost or doubled changes nothing. How each one
runs is decided when it is made; the schedule's progress and the job come in one transaction.
"""

import asyncio
import logging
import time

from msgspec.structs import replace

from ..brain.modes import delay_cost
from ..brain.occurrence import Overlap, Turn, deadline, is_over, turn
from ..brain.recurrence import FOLD, written
from ..errors import BadData, HybridqError, TryAgain
from ..job import Decision, Happening, Mode, Request
from ..outlook import Outlook
from ..queue import schedules
from ..queue.acceptance import show_for_dead
from ..queue.cancel_retry import cancel_within
from ..queue.doorbell import RUNNER, VIEWER, ring
from ..queue.history import note_of
from ..queue.intake import Accepted, Decide, accept
from ..queue.schedules import Schedule
from ..reason import Reason, said
from ..submit import deciding
from ..when import how_many
from .engine import Engine
from .loop import TICK

log = logging.getLogger("hybridq.runner.occurrences")
TOGETHER = 50  # schedules that are read at once
STEP = 0.02  # seconds that the stream lane waits for us at most
SCHEDULES = ""  # what the wake-ups of schedules are called; no handler is


class OccurrenceLoop:
    """Makes what is due, and wakes for the next instant."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.wake = asyncio.Event()
        self._asked: float | None = None

    def turn(self, now: float) -> float:
        """Make what has come by `now`; returns the seconds until the next look."""
        if make_due(self.engine.outlook, now, time.monotonic() + STEP):
            return 0.0
        due = schedules.next_due(self.engine.store)
        if due is not None and due != self._asked:
            self.engine.wake_at(SCHEDULES, due)
        self._asked = due
        return TICK


def make_all_due(outlook: Outlook, now: float) -> None:
    """Make all that has come by `now`, and set right what a clock that was ahead has left."""
    set_right(outlook, now)
    while make_due(outlook, now):
        pass


def make_due(outlook: Outlook, now: float, until: float = 0.0) -> int:
    """Make occurrences that have come by `now`, some at once, and no more after the monotonic instant `until`; returns
    how many schedules were dealt with."""
    come = schedules.come(outlook.store, now, TOGETHER)
    if not come:
        return 0
    show_for_dead(outlook.store)
    decide, dealt, made = deciding(outlook, now), 0, 0
    for schedule in come:
        made += len(_deal_with(outlook, schedule, decide, now))
        dealt += 1
        if until and time.monotonic() > until:
            break
    if made:
        ring(outlook.store.home, RUNNER)
        ring(outlook.store.home, VIEWER)
    return dealt


def set_right(outlook: Outlook, now: float) -> None:
    """Schedules that have reached instants which are hours away, because the clock was ahead, go on from now."""
    for schedule in schedules.ahead(outlook.store, now + FOLD):
        due = None if schedule.due is None else schedule.recurrence.after(now)
        with outlook.store.tx():
            if schedules.go_on(outlook.store, schedule, now, due):
                log.warning("schedule %s goes on from now: the clock was ahead", schedule.name)


def make_now(outlook: Outlook, schedule: Schedule, now: float) -> Accepted:
    """One more occurrence, at `now`, whatever the schedule's own instants are."""
    asked = _request(outlook, schedule, now, now)
    decided = _decide(outlook, deciding(outlook, now), asked, schedule)
    with outlook.store.tx():
        accepted = accept(outlook.store, asked, schedule.input, lambda *_: decided, now=now, key=key_of(schedule, now))
        schedules.made(outlook.store, schedule, now, accepted.first, now)
    ring(outlook.store.home, RUNNER)
    ring(outlook.store.home, VIEWER)
    return accepted


def key_of(schedule: Schedule, instant: float) -> str:
    """The key of the job that is the occurrence of an instant: `nightly@2026-12-01T02:00:00+01:00`."""
    return f"{schedule.name}@{written(instant, schedule.zone)}"


def _deal_with(outlook: Outlook, schedule: Schedule, decide: Decide, now: float) -> list[int]:
    """The jobs of what has come of one schedule."""
    what = turn(schedule.recurrence, schedule.reached, now, schedule.missed, schedule.within)
    asked = [(at, _request(outlook, schedule, at, now)) for at in what.make]
    decided = [(at, (request, _decide(outlook, decide, request, schedule))) for at, request in asked]
    # No power cut parts the two, and nobody was told: it need not wait for the disk.
    with outlook.store.tx(durable=False):
        reached = max(what.reached, schedule.reached)
        if not schedules.go_on(outlook.store, schedule, reached, schedule.recurrence.after(reached)):
            return []
        return _make(outlook, schedule, what, decided, now)


_Asked = tuple[Request, tuple[Decision, float]]


def _make(
    outlook: Outlook, schedule: Schedule, what: Turn, decided: list[tuple[float, _Asked]], now: float
) -> list[int]:
    store = outlook.store
    if what.left:
        schedules.left_out(store, schedule, what.newest_left, "missed", what.left, now)
        log.warning("schedule %s: %s missed, so left out", schedule.name, how_many(what.left, "instant"))
    before = schedules.unended(store, schedule) if decided else []
    if before and schedule.overlap is Overlap.SKIP:
        schedules.left_out(store, schedule, what.make[-1], "overlap", len(decided), now)
        _tell(outlook, before[-1:], Reason("left out", schedule.name, jobs=len(decided), due=what.make[-1]), now)
        log.info("schedule %s: left out, for job %d has not ended", schedule.name, before[-1])
        return []
    if before and schedule.overlap is Overlap.CANCEL:
        _tell(outlook, before, Reason("replaced", schedule.name, due=what.make[0]), now)
        cancel_within(store, before, now)
    made = [job for at, each in decided if (job := _one(outlook, schedule, at, each, now)) is not None]
    if made and what.missed:
        late = what.make[-1] if is_over(what.make[-1], schedule.within, now) else None
        why = Reason("missed", schedule.name, jobs=what.missed, of=what.left or None, due=late)
        _tell(outlook, made[-1:], why, now)
    if made and before and schedule.overlap is Overlap.QUEUE:
        _tell(outlook, made[:1], Reason("beside", schedule.name, jobs=len(before), of=before[-1]), now)
    return made


def _one(outlook: Outlook, schedule: Schedule, at: float, each: _Asked, now: float) -> int | None:
    """The job of one instant; None: its key is another job's."""
    asked, decided = each
    key, store = key_of(schedule, at), outlook.store
    try:
        accepted = accept(store, asked, schedule.input, lambda *_: decided, now=now, key=key, typed=False)
    except (BadData, TryAgain) as problem:
        schedules.left_out(store, schedule, at, "key", 1, now)
        log.warning("schedule %s: %s", schedule.name, problem)
        return None
    schedules.made(store, schedule, at, accepted.first, now)
    return accepted.first


def _request(outlook: Outlook, schedule: Schedule, instant: float, now: float) -> Request:
    around = schedules.variables(outlook.store, schedule)
    due = deadline(instant, schedule.within, now)
    return replace(schedule.request, deadline=due, env=around.env, left_out=around.left_out)


def _decide(outlook: Outlook, decide: Decide, asked: Request, schedule: Schedule) -> tuple[Decision, float]:
    """How it runs. What the configuration does not offer any more is made all the same, and held until it does."""
    try:
        return decide(asked, 1, len(schedule.input))
    except HybridqError as problem:
        decision = Decision(mode=asked.mode or Mode.BATCH, reason=said(str(problem)), served=False)
        return decision, delay_cost(outlook.config.policy, asked.audience)


def _tell(outlook: Outlook, jobs: list[int], why: Reason, now: float) -> None:
    """Keep this in the story of each of these jobs."""
    for job in jobs:
        note_of(outlook.store.connection, job, Happening.RECURRED, why, now)
