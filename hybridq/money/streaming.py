"""Streaming all as it came: when the jobs of a cohort would have begun then, and which starts that would have needed.

Rule: one runner that never ends runs all of a handler's jobs in the order in which they came (see `brain/baseline.py`).
So a start is its own only where no instance would have been up: not those after a crash, nor those of a drain beside a
daemon. One after a worker that died it would have needed as well.
"""

import math
import time
from typing import NamedTuple

from ..brain.baseline import Begun, Came, begins
from ..job import Lane
from ..outlook import Outlook
from ..queue.cohorts import Cohort
from ..queue.runner import served_since
from ..queue.submissions import around

BEGINS = 200_000  # cohorts of which it is remembered when they would have begun
FEW, MANY = 256, 2048  # cohorts that are foreseen at once, after twice as many: for their starts, or for prices as well


class _Starts(NamedTuple):
    """Of a handler's instances, made by this runner: how many, the seconds of the last, and when one was last used
    (monotonic)."""

    made: int = 0
    seconds: float = 0.0
    used: float = -math.inf


NONE = _Starts()


class Streaming:
    """Of all handlers of one runner."""

    def __init__(self, outlook: Outlook) -> None:
        self._outlook = outlook
        self._begun: dict[int, Begun] = {}  # by cohort
        self._starts: dict[str, _Starts] = {}

    def forget(self) -> None:
        """The configuration changed: foresee anew."""
        self._begun.clear()

    def begun(self, cohort: Cohort) -> Begun:
        """How the first of these would have begun."""
        outlook, name = self._outlook, cohort.handler
        if outlook.tariff_of(name).flat and outlook.handler(name).traits.starts != "kept":
            return Begun(cohort.accepted, 0)  # whenever it is, it costs the same
        if cohort.id not in self._begun:
            if len(self._begun) >= BEGINS:
                self._begun.clear()
            self._foresee(cohort)
        return self._begun[cohort.id]

    def own(self, cohort: Cohort, startup: float, place: int) -> float:
        """Seconds of a start that was made for the job at this place of its cohort, which streamed as it came: 0 where
        that would not have needed one."""
        kept = self._outlook.handler(cohort.handler).traits.starts == "kept"
        if self._made(cohort.handler, startup) or not kept:
            return startup
        starts = self.begun(cohort).starts
        # Without a daemon nobody keeps what those before it have started.
        up = place >= starts and (starts or served_since(self._outlook.store) < cohort.accepted)
        return 0.0 if up else startup

    def needed(self, cohort: Cohort, startup: float, place: int) -> float:
        """Seconds of starts that the job at this place of its cohort would have needed streamed; `startup`: those that
        were made for it."""
        if self._outlook.handler(cohort.handler).traits.starts != "kept":
            return startup
        again = startup if startup and self._made(cohort.handler, startup) else 0.0
        if place >= self.begun(cohort).starts:
            return again
        return again + (self._starts.get(cohort.handler, NONE).seconds or self._usual(cohort.handler))

    def used(self, handler: str) -> None:
        """Jobs of this handler have ended now."""
        if handler in self._starts:
            self._starts[handler] = self._starts[handler]._replace(used=time.monotonic())

    def _made(self, handler: str, startup: float) -> bool:
        """Note a start; whether it was made in the place of an instance that died."""
        now, before = time.monotonic(), self._starts.get(handler, NONE)
        made = before.made if now <= before.used + self._outlook.handler(handler).idle else 0
        self._starts[handler] = _Starts(made + 1, startup, now)
        return made >= self._outlook.slots(handler, Lane.STREAM)

    def _usual(self, handler: str) -> float:
        return self._outlook.estimate(handler).startup() or 0.0

    def _foresee(self, cohort: Cohort) -> None:
        """Run those whose numbers are about the same, and what came before them."""
        outlook, name = self._outlook, cohort.handler
        estimate, since = outlook.estimate(name), served_since(outlook.store)
        some = FEW if outlook.tariff_of(name).flat else MANY
        first = cohort.id - cohort.id % some
        rows = around(outlook.store, name, first, first + some - 1, 2 * some)
        each = {size: estimate.mean_time(Lane.STREAM, size) or 0.0 for size in {row.size for row in rows}}
        # What streamed by itself, without a daemon, left no instance behind.
        came = [Came(row.at, row.jobs, each[row.size], row.lane == Lane.BATCH or row.ended > since) for row in rows]
        slots, idle = outlook.slots(name, Lane.STREAM), outlook.handler(name).idle
        found = begins(came, slots, self._usual(name), idle)
        self._begun |= {row.cohort: at for row, at in zip(rows, found, strict=True) if row.cohort >= first}
