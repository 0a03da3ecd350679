"""The runner that comes and goes: runs what is held now, then ends. For cron and for tests.

Rule: what was held when it began is run, whatever the plan would say; what comes later is for others.
Beside a daemon it shares the batches, each job once, and leaves the stream lane to it.
"""

import asyncio
import time
from collections.abc import Callable, Collection
from contextlib import suppress

from msgspec import Struct
from msgspec.structs import replace

from ..config.values import Config
from ..handlers.guard import guarded
from ..home import Home
from ..money.limit import Limit
from ..money.limits import Budget, limit_on
from ..outlook import Outlook
from ..pipe.left import hand_in_left
from ..queue.gates import gates_before, waits_for
from ..queue.holdings import needs_too_much
from ..queue.holds import of_cohorts, withheld
from ..queue.outbox import listen
from ..queue.pauses import pauses, why_paused
from ..queue.progress import by_lane, left_of, moved_from, ran_longer, sums, unfinished
from ..queue.rescue import rescue
from ..queue.runner import daemon_of
from ..queue.store import Store
from ..sentences import sentence
from ..when import clock, count, span
from .daemon import Service, install_signals
from .drain_window import Window
from .engine import Engine
from .occurrences import make_all_due

LOOK = 0.2  # seconds between two looks at how far it is


class Progress(Struct, frozen=True, kw_only=True):
    """How far a drain is: jobs by state among those that it began with, and what they have cost since.

    `finish` and `finish90` are when all of it will be done (epoch seconds), 50th and 90th percentile. `unserved`
    are handlers with held jobs that nobody can run, for they are not configured; those jobs are not counted, nor
    those of `broken` ones, of which each says what is wrong. `why`: nothing more may begin, for this reason. `held` is
    why something of what is left may not begin, where that is so; `lasting`: nor will it when this is run again.
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
    broken: tuple[str, ...] = ()
    why: str = ""
    held: str = ""
    lasting: bool = False


class DrainLimits(Struct, frozen=True, kw_only=True):
    """What a drain is asked to keep to. `until` is an epoch second, `max_cost` money."""

    handler: str | None = None
    group: str | None = None
    until: float | None = None
    max_cost: float | None = None


Told = Callable[[Progress], None]


def run_drain(home: Home, config: Config, limits: DrainLimits, *, told: Told = lambda _: None) -> Progress:
    """Run what is held; `told` hears now and then how far it is. Returns the end: `left` > 0 where a limit ended it."""
    began = time.time()
    with Store.open(home) as store:
        rescue(store, began)
        hand_in_left(Outlook(store, config))
        make_all_due(Outlook(store, config), began)
        stream = daemon_of(store) is None
        scope = _Scope(store, limits, stream, config)
        if scope.cohorts:
            asyncio.run(_drain(home, config, scope, limits, told, stream=stream))
        asyncio.run(_tell_hooks(Outlook(store, config)))
        why = scope.why
        if limits.until is not None and not why:
            window = Window(Outlook(store, config), limits.until, began)
            why = too_long(store, scope.cohorts, window, all_of_it=scope.over)
        held, lasting = scope.held()
        lasting = scope.lasting if why else lasting
        of = scope.progress()
        return replace(of, unserved=scope.unserved, broken=scope.broken, why=why, held=held, lasting=lasting)


class _Scope:
    """The cohorts that held work when it began, and what moves out of them into the other lane."""

    def __init__(self, store: Store, limits: DrainLimits, stream: bool, config: Config) -> None:
        self._store, self._currency = store, config.policy.currency
        found = unfinished(store, limits.handler, limits.group, stream=stream)
        names = {handler for _, handler in found}
        self.unserved = tuple(sorted(names - config.handlers.keys()))
        known = {name: config.handlers[name] for name in sorted(names - set(self.unserved))}
        wrong = {name: why for name, of in known.items() if (why := guarded(name, of, runner=config.runner).broken)}
        self.broken = tuple(wrong.values())
        self.cohorts = {cohort for cohort, handler in found if handler in known and handler not in wrong}
        self.why = ""
        self.lasting = False  # whether it would be so for another drain, too
        self.over = False  # nothing of what is left may begin
        self._start = Progress()
        self._start = self.progress()

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

    def held(self) -> tuple[str, bool]:
        """Why something of what is left may not begin, and whether that lasts; "" where nothing holds it."""
        left = {of.cohort for of in left_of(self._store, self.cohorts)}
        reason = why_paused(self._store, left, time.time()) or next(iter(withheld(self._store, left).values()), None)
        return sentence(reason, time.time(), self._currency, long=True), reason is not None and reason.lasting

    def spending(self, most: float, store: Store) -> Limit:
        """What all of it may cost since it began, whoever runs it, as `store` sees it."""
        return limit_on("--max-cost", most, of_cohorts(store, self.cohorts), self._start.cost)

    def stuck(self, budget: Budget, window: Window) -> bool:
        """Whether nothing runs and nothing of what is left may begin; `why` says what keeps it."""
        now, why, last = time.time(), None, None
        in_force, resources = pauses(self._store, now), budget.resources
        for of in left_of(self._store, self.cohorts):
            if of.running:
                return False
            if of.waits:
                last = of.cohort
                continue
            if (paused := in_force.of(of.handler, of.group)) is not None:
                why = why or paused.reason
                continue
            if (never := needs_too_much(self._store, of.cohort, resources)) is not None:
                why = why or never
                continue
            limited = budget.limits(of.cohort, of.handler, of.lane, now)
            why = limited.why if why is None else why
            if not limited.jobs or not window.lets(of.handler, of.lane, of.size, now):
                continue
            longest = window.longest(now)
            if longest is None or ran_longer(self._store, [of.cohort], longest) < of.queued:
                return False
        if why is None and last is not None:  # nothing that runs here will let it begin
            why = next((waits_for(each) for each in gates_before(self._store, last, 1)), None)
        self.lasting = why is not None and why.lasting
        self.why, self.over = sentence(why and replace(why, runs=None), now, self._currency, long=True), True
        return True


def too_long(store: Store, cohorts: Collection[int], window: Window, *, all_of_it: bool) -> str:
    """Which of what is left the whole window has no time for; of `all_of_it`, for which what is left of it has none."""
    since, left = window.since, left_of(store, cohorts)
    never = [of for of in left if not window.lets(of.handler, of.lane, of.size, since)]
    others = {of.cohort for of in left} - {of.cohort for of in never}
    long = sum(of.queued for of in never) + ran_longer(store, others, window.longest(since) or 0.0)
    rest = sum(of.queued for of in left) - long
    some = count(rest) if long else _they(rest)
    parts = [f"{some} would not finish before {clock(window.until, since)}"] if rest > 0 and all_of_it else []
    if long:
        some = _they(long) if long == sum(of.queued for of in left) else count(long)
        them = "it" if long == 1 else "them"
        parts.append(f"{some} may take longer than {span(window.until - since)}. Run {them}: hybridq drain")
    return "; ".join(parts)


def _they(jobs: int) -> str:
    return "it" if jobs == 1 else "they"


async def _drain(home: Home, config: Config, scope: _Scope, limits: DrainLimits, told: Told, *, stream: bool) -> None:
    engine = Engine(home, config, "drain")
    if (most := limits.max_cost) is not None:
        engine.budget.own = lambda: scope.spending(most, engine.store)
    if limits.until is not None:
        engine.window = Window(engine.outlook, limits.until)
    service = Service(engine, only=scope.cohorts, drain=True, stream=stream)
    install_signals(service)
    watch = asyncio.create_task(_watch(service, scope, limits, told))
    try:
        await service.run()
    finally:
        watch.cancel()
        with suppress(asyncio.CancelledError):
            await watch


async def _tell_hooks(outlook: Outlook) -> None:
    """Tell what is due, also where there was nothing to run."""
    hooks = outlook.config.hooks
    listen(outlook.store, hooks.heard, time.time())
    if hooks.heard:
        from ..hooks.sender import Sender

        await Sender(outlook).finish(hooks.timeout)


async def _watch(service: Service, scope: _Scope, limits: DrainLimits, told: Told) -> None:
    """Stop the service when nothing of it is left, or a limit is reached, or there is nobody to tell."""
    outlook = service.engine.outlook
    try:
        while True:
            began = time.monotonic()
            so_far = scope.progress()
            told(replace(so_far, finish=scope.finish(outlook, 0.5), finish90=scope.finish(outlook, 0.9)))
            late = limits.until is not None and time.time() >= limits.until
            if not so_far.left or late or scope.stuck(service.engine.budget, service.engine.window):
                return
            # Of a hundred thousand cohorts a look takes a while: never more than a tenth of the time.
            await asyncio.sleep(max(LOOK, 9 * (time.monotonic() - began)))
    finally:
        service.stop()
