"""Reviewing decisions: stream jobs that wait longer than foreseen, held jobs that a batch would deliver late.

Rule: the policy decides again with the numbers of now; what changes lane is only what is still queued,
and each change is kept with its reason, for `explain`.
"""

import logging
import time

from ..brain.conditions import Conditions
from ..brain.policy import promote, reclassify
from ..job import LANES, Decision, Happening, Lane
from ..queue.cohorts import Cohort, next_of
from ..queue.doorbell import RUNNER, ring
from ..queue.lanes import move_cohort
from ..queue.pauses import pauses
from ..sentences import sentence
from ..when import how_many
from .engine import Engine

log = logging.getLogger("hybridq")
EVERY = 5.0  # seconds between two reviews
MOST = 100  # cohorts of a handler and lane that one review looks at, the nearest deadline first


class Review:
    """Looks at what waits, now and then."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._next = time.monotonic() + EVERY

    def turn(self, now: float) -> int:
        """Review if it is time to; returns how many jobs changed lanes."""
        if time.monotonic() < self._next:
            return 0
        self._next = time.monotonic() + EVERY
        moved = sum(self._lane(lane, now) for lane in LANES)
        if moved:
            ring(self._engine.home, RUNNER)
        return moved

    def _lane(self, lane: Lane, now: float) -> int:
        moved = 0
        for name in self._engine.waiting(lane):
            conditions = self._engine.outlook.conditions(name, now, [] if lane is Lane.BATCH else None)
            in_force = pauses(self._engine.store, now)
            for of in next_of(self._engine.store, lane, name, MOST):
                if in_force.of(name, of.name):
                    continue
                decision = _again(of, conditions)
                if decision is not None:
                    moved += self._move(of, decision, now)
        return moved

    def _move(self, cohort: Cohort, decision: Decision, now: float) -> int:
        promoted = cohort.lane is Lane.BATCH
        there = Lane.STREAM if promoted else Lane.BATCH
        kind = Happening.PROMOTED if promoted else Happening.RECLASSIFIED
        moved = move_cohort(self._engine.store, cohort.id, there, kind, decision.reason, now)
        why = sentence(decision.reason, now, self._engine.outlook.config.policy.currency)
        log.info("moved %s of %s to the %s lane: %s", how_many(moved), cohort.name or f"job {cohort.first}", there, why)
        return moved


def _again(cohort: Cohort, conditions: Conditions) -> Decision | None:
    """The new decision for what is queued of a cohort; None: as it was."""
    jobs = cohort.queued
    if cohort.lane is Lane.BATCH:
        return promote(cohort.request, jobs, cohort.size, conditions)
    foreseen = cohort.decision.forecast.start
    if foreseen is None:
        return None
    waited = conditions.now - cohort.accepted
    return reclassify(cohort.request, jobs, cohort.size, conditions, waited=waited, foreseen=foreseen - cohort.accepted)
