"""Limits on money: what would exceed one is held, with that reason, until there is room or the limit is raised.

Two limits: `--max-cost` for all jobs of one submission, and a handler's `daily_budget` for all that ends on one
day of the tariff's zone. Jobs that run count with what they will probably cost. Nothing is ever dropped.
"""

import math
from datetime import datetime
from zoneinfo import ZoneInfo

from msgspec import Struct

from ..job import Lane, State
from ..outlook import Outlook
from ..queue.money import cost_limit, kept_reason, let_go, of_submission, spent_since, withhold
from ..queue.reading import tally
from ..store import Store
from ..when import money

UNLIMITED = 1 << 60  # jobs


class Limited(Struct, frozen=True):
    """How many jobs may begin now, and why no more; the reason is "" where nothing limits."""

    jobs: int
    reason: str = ""


def room(what: str, limit: float, spent: float, running: int, each: float | None) -> Limited:
    """How many jobs of `each` money may begin beside `running` others, so that `limit` is kept.

    Of unknown money (None) one at a time may, while anything is left.
    """
    committed = spent + running * (each or 0.0)
    if each is None:
        jobs = 0 if running or committed >= limit else 1
    elif each <= 0.0:
        jobs = UNLIMITED if committed <= limit else 0
    else:
        jobs = max(0, min(UNLIMITED, math.floor((limit - committed) / each * (1 + 1e-9))))
    costs = "of unknown cost" if each is None else f"at about {money(each)}"
    return Limited(jobs, f"held: {what} is {money(limit)}, {money(committed)} is spent or running, the next {costs}")


class Budget:
    """The limits in force for one queue."""

    def __init__(self, outlook: Outlook) -> None:
        self._outlook = outlook
        self._zone = ZoneInfo(outlook.config.tariff.zone)
        self._limits: dict[int, float | None] = {}

    def limits(self, cohort: int, handler: str, lane: Lane, now: float) -> Limited:
        """How many jobs of a cohort may begin now in a lane, by all limits."""
        limit = self._limit(cohort)
        if limit is None:
            return self.of_handler(handler, lane, now)
        found = (self._of_submission(cohort, handler, lane, limit), self.of_handler(handler, lane, now))
        return min(found, key=lambda limited: limited.jobs)

    def of_handler(self, handler: str, lane: Lane, now: float) -> Limited:
        """How many jobs of a handler may begin now by its daily budget."""
        config = self._outlook.config.handlers.get(handler)
        if config is None or config.daily_budget is None:
            return Limited(UNLIMITED)
        midnight = datetime.fromtimestamp(now, self._zone).replace(hour=0, minute=0, second=0, microsecond=0)
        spent = spent_since(self._outlook.store, handler, midnight.timestamp())
        counts = tally(self._outlook.store)
        running = sum(counts.get((handler, lane, State.RUNNING), 0) for lane in Lane)
        each = self._outlook.estimate(handler).cost(lane, 0.0)
        return room(f"the daily budget of {handler}", config.daily_budget, spent, running, each)

    def _of_submission(self, cohort: int, handler: str, lane: Lane, limit: float) -> Limited:
        spent, running, size = of_submission(self._outlook.store, cohort)
        each = self._outlook.estimate(handler).cost(lane, size)
        return room("the cost limit", limit, spent, running, each)

    def _limit(self, cohort: int) -> float | None:
        if cohort not in self._limits:
            self._limits[cohort] = cost_limit(self._outlook.store, cohort)
        return self._limits[cohort]


def hold_back(store: Store, cohort: int, reason: str, now: float) -> None:
    """Keep why a cohort is held, for views and `explain`; "": it no longer is."""
    if reason == kept_reason(store, cohort):
        return
    if reason:
        withhold(store, cohort, reason, now)
    else:
        let_go(store, cohort)
