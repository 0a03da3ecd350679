"""The runner that comes and goes: runs what is held now, then ends. For cron and for tests.

Rule: what was held when it began is run, whatever the plan would say; what comes later is for others.
Beside a daemon it shares the batches, each job once, and leaves the stream lane to it.
"""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress

from msgspec import Struct
from msgspec.structs import replace

from ..config.values import Config
from ..home import Home
from ..job import Held
from ..money.limits import Budget
from ..outlook import Outlook
from ..queue.holds import withheld
from ..queue.progress import by_lane, left_of, moved_from, sums, unfinished
from ..queue.rescue import rescue
from ..queue.runner import daemon_of
from ..queue.store import Store
from .daemon import Service, install_signals
from .engine import Engine

LOOK = 0.2  # seconds between two looks at how far it is


class Progress(Struct, frozen=True, kw_only=True):
    """How far a drain is: jobs by state among those that it began with, and what they have cost since.

    `finish` and `finish90` are when all of it will be done (epoch seconds), 50th and 90th percentile. `unserved`
    are handlers with held jobs that nobody can run, for they are not configured; those jobs are not counted.
    `held` is why something of what is left may not begin, where that is so.
    """

    total: int = 0
    left: int = 0
    done: int = 0
    failed: int = 0
    cancelled: int = 0
    cost: float = 0.0
    finish: float | None = None
    finish90: float | None = None
    unserved: tuple[str, ...] = ()
    held: str = ""


class DrainLimits(Struct, frozen=True, kw_only=True):
    """What a drain is asked to keep to. `until` is an epoch second, `max_cost` money."""

    handler: str | None = None
    group: str | None = None
    until: float | None = None
    max_cost: float | None = None


Told = Callable[[Progress], None]


def run_drain(home: Home, config: Config, limits: DrainLimits, *, told: Told = lambda _: None) -> Progress:
    """Run what is held; `told` hears now and then how far it is. Returns the end: `left` > 0 where a limit ended it."""
    with Store.open(home) as store:
        rescue(store, time.time())
        stream = daemon_of(store) is None
        scope = _Scope(store, limits, stream, config)
        if scope.cohorts:
            asyncio.run(_drain(home, config, scope, limits, told, stream=stream))
        return replace(scope.progress(), unserved=scope.unserved, held=scope.held())


class _Scope:
    """The cohorts that held work when it began, and what moves out of them into the other lane."""

    def __init__(self, store: Store, limits: DrainLimits, stream: bool, config: Config) -> None:
        self._store = store
        found = unfinished(store, limits.handler, limits.group, stream=stream)
        self.cohorts = {cohort for cohort, handler in found if handler in config.handlers}
        self.unserved = tuple(sorted({handler for _, handler in found} - config.handlers.keys()))
        self._start = Progress()
        self._start = self.progress()

    def holds(self, held: Held) -> bool:
        """Whether this class of held work is to be run."""
        return held.key in self.cohorts

    def progress(self) -> Progress:
        """How far it is since it began."""
        start = self._start
        self.cohorts |= moved_from(self._store, self.cohorts)
        left, done, failed, cancelled, cost = sums(self._store, self.cohorts)
        return Progress(
            total=start.left or left,
            left=left,
            done=done - start.done,
            failed=failed - start.failed,
            cancelled=cancelled - start.cancelled,
            cost=cost - start.cost,
        )

    def finish(self, outlook: Outlook, q: float) -> float | None:
        """When all of it will be done, epoch seconds: handlers run side by side. None: unknown."""
        ends = [0.0]
        for handler, lane, left, size in by_lane(self._store, self.cohorts):
            each = -(-left // outlook.slots(handler, lane))
            took = outlook.estimate(handler).total_time(lane, size, each, q)
            if took is None:
                return None
            ends.append(took)
        return time.time() + max(ends)

    def held(self) -> str:
        """Why something of what is left may not begin; "" where nothing holds it."""
        left = {cohort for cohort, *_ in left_of(self._store, self.cohorts)}
        return next(iter(withheld(self._store, left).values()), "")

    def stuck(self, budget: Budget) -> bool:
        """Whether nothing runs and limits on money let nothing of what is left begin."""
        return all(
            not running and not budget.limits(cohort, handler, lane, time.time()).jobs
            for cohort, handler, lane, running in left_of(self._store, self.cohorts)
        )


async def _drain(home: Home, config: Config, scope: _Scope, limits: DrainLimits, told: Told, *, stream: bool) -> None:
    service = Service(Engine(home, config, "drain"), only=scope.cohorts, drain=scope.holds, stream=stream)
    install_signals(service)
    watch = asyncio.create_task(_watch(service, scope, limits, told))
    try:
        await service.run()
    finally:
        watch.cancel()
        with suppress(asyncio.CancelledError):
            await watch


async def _watch(service: Service, scope: _Scope, limits: DrainLimits, told: Told) -> None:
    """Stop the service when nothing of it is left, or a limit is reached, or there is nobody to tell."""
    outlook = service.engine.outlook
    try:
        while True:
            began = time.monotonic()
            so_far = scope.progress()
            told(replace(so_far, finish=scope.finish(outlook, 0.5), finish90=scope.finish(outlook, 0.9)))
            late = limits.until is not None and time.time() >= limits.until
            dear = limits.max_cost is not None and so_far.cost >= limits.max_cost
            if not so_far.left or late or dear or scope.stuck(service.engine.budget):
                return
            # Of a hundred thousand cohorts a look takes a while: never more than a tenth of the time.
            await asyncio.sleep(max(LOOK, 9 * (time.monotonic() - began)))
    finally:
        service.stop()
