"""The facts that decisions are made from: slots, load, models and held work, read from queue, config and machine.

Rule: bounded work, however long the queue is: counters, a few models, and the classes of held work.
"""

import os
from typing import TYPE_CHECKING

from .brain.arrivals import ARRIVALS, RECENT
from .brain.conditions import Conditions
from .brain.estimate import Estimate, Model
from .brain.gather import SAME_AT_ALL_HOURS, Facts, FlushAtWork, gather, keeps, priced_by_load, shared
from .brain.price_steps import on_edge
from .brain.tariff import Tariff
from .config.resources import Needs, most_at_once
from .config.values import Config, HandlerConfig
from .errors import UsageError
from .job import LANES, Held, Lane, Mode, State
from .queue.buckets import buckets
from .queue.cohorts import arrivals, tally
from .queue.instances import begun_of, last_end, open_flushes_of, stream_rate, streams_of
from .queue.job_limits import job_limits
from .queue.learned import last_learned, models, planned_for
from .queue.paused_work import going, queued_in
from .queue.pauses import pauses
from .queue.runner import living, own_load
from .queue.store import Store
from .reason import Reason

if TYPE_CHECKING:
    from .queue.allotment import Capacity

CORES = os.cpu_count() or 1
NO_RUNNER = 0  # whoever it is, it holds nothing yet


class Outlook:
    """Answers what the conditions are for a handler. `models` in memory win over those in the store."""

    def __init__(self, store: Store, config: Config) -> None:
        self.store = store
        self.configure(config)
        self.models: dict[str, dict[Lane, Model]] = {}
        self.loaded: set[str] = set()  # handlers whose last plan priced the load in

    def configure(self, config: Config) -> None:
        """Take up a configuration; what was learned stays. Raises ConfigError, and changes nothing then."""
        self.tariff = Tariff(config.tariff)
        self.config = config
        self._estimates: dict[str, tuple[tuple[object, ...], Estimate]] = {}

    def handler(self, name: str) -> HandlerConfig:
        """A handler's configuration. Raises UsageError that names those there are."""
        known = self.config.handlers
        if name not in known:
            raise UsageError(
                f"there is no handler {name!r}. Configured: {', '.join(sorted(known))}. "
                f"Add one to config.toml (its path: hybridq config --path)"
            )
        return known[name]

    def modes(self, name: str) -> frozenset[Mode]:
        """The modes that a handler offers."""
        handler = self.handler(name)
        return frozenset(handler.modes) | ({Mode.ADAPTIVE} if handler.draft else frozenset())

    def estimate(self, name: str) -> Estimate:
        """All that is known of a handler's times and costs; the same object as long as nothing was learned."""
        live, (before, made) = self.models.get(name), self._estimates.get(name, (None, None))
        stamp: tuple[object, ...]
        if live:
            known, stamp = live, tuple(live.values())
        elif made is not None and before == (last_learned(self.store, name),):
            return made
        else:
            known, at = models(self.store, name)
            stamp = (at,)
        if made is None or before != stamp:
            made = self._estimate(name, known)
            self._estimates[name] = stamp, made
        return made

    def _estimate(self, name: str, known: dict[Lane, Model]) -> Estimate:
        handler = self.config.handlers.get(name, HandlerConfig())
        stream, batch = known[Lane.STREAM], known[Lane.BATCH]
        if handler.traits.llm:
            from .brain.llm import LlmEstimate
            from .config.llm import options

            return LlmEstimate(stream, batch, handler, options(handler))
        if handler.traits.remote:
            from .brain.remote import Remote

            return Remote(stream, batch, handler)
        return Estimate(stream, batch, handler, self.config.policy.machine_cost)

    def tariff_of(self, name: str) -> Tariff:
        """The prices by time that hold for a handler: a provider has its own, at all hours the same."""
        return SAME_AT_ALL_HOURS if self.handler(name).traits.remote else self.tariff

    def unpriced(self) -> set[str]:
        """The handlers at a provider whose price nobody knows: what they cost is recorded as 0."""
        remote = {name for name, handler in self.config.handlers.items() if handler.traits.remote}
        return {name for name in remote if self.estimate(name).cost(Lane.STREAM, 1.0) is None}

    def untold(self) -> set[str]:
        """The handlers of which it is not known yet what their jobs would take in calls of their own: what sharing
        calls has saved counts as 0."""
        estimates = {name: self.estimate(name) for name in self.config.handlers}
        return {name for name, known in estimates.items() if known.gain is None and not known.by_the_job}

    def capacity(self, name: str) -> "Capacity":
        """What bounds a handler by config.toml, beside its slots."""
        from .config.rate import parse_rate
        from .queue.allotment import Capacity  # few submissions need it

        handler, resources = self.config.handlers.get(name, HandlerConfig()), self.config.resources
        rate = parse_rate(handler.rate) if handler.rate else None
        instance = handler.needs if handler.traits.program else {}
        return Capacity(name, handler.limit or None, rate, instance, resources)

    def slots(self, name: str, lane: Lane) -> int:
        """How many jobs of a handler run at once in a lane, as far as its limit and what its instances need let."""
        return self.all_slots(name)[lane]

    def all_slots(self, name: str) -> dict[Lane, int]:
        """The same of both lanes."""
        handler = self.config.handlers.get(name, HandlerConfig())
        said = job_limits(self.store.connection).of_handler(name)
        bounds = [handler.limit if said is None else said]
        if handler.traits.program and handler.needs:
            bounds.append(self.at_once(handler.needs))
        return {lane: max(1, min([self._slots(handler, lane), *filter(None, bounds)])) for lane in LANES}

    def at_once(self, needs: Needs) -> int:
        """How many that need this there is enough of the counted resources for."""
        return most_at_once(needs, self.config.resources)

    def bounded(self, name: str, group: str | None, needs: Needs, now: float) -> Reason | None:
        """Why no more of such jobs of a handler begin now: how many run, what is in use, or how many have just begun.
        None: nothing of that keeps them."""
        from .queue.allotment import allot

        found = allot(self.store.connection, self.capacity(name), NO_RUNNER, now)
        return found.why_not(group, needs) if found is not None else None

    def _slots(self, handler: HandlerConfig, lane: Lane) -> int:
        if handler.traits.remote and lane is Lane.BATCH:
            return 1  # a flush makes its batches one after another; they run side by side
        if handler.traits.slots == "instances":
            return max(1, handler.instances)
        if lane is Lane.STREAM:
            return self.config.runner.stream_slots or 2 * CORES
        return self.config.runner.batch_slots or CORES

    def conditions(
        self,
        name: str,
        now: float,
        work: list[Held] | None = None,
        *,
        rest: list[Held] | None = None,
        drafts: bool = True,
        joins: bool = False,
    ) -> Conditions:
        """One handler's world at `now`; `work` is its held work, where the caller has read it already, without the
        `rest` of the flushes that run, where the caller knows that. With `drafts` it has the world of the handler that
        makes its drafts, too; with `joins` a background submission comes now, as it will have come for the plan that
        follows."""
        handler = self.handler(name)
        jobs = {(lane, state): number for (_, lane, state), number in tally(self.store, name).items()}
        if work is None:
            found = buckets(self.store, name, now) if jobs.get((Lane.BATCH, State.QUEUED)) else None
            work = [] if found is None else going(self.store, name, found, now).held
        came = arrivals(self.store, name, ARRIVALS, now)
        first = min((each.since for each in work), default=None)
        queued = any(number and state is State.QUEUED for (_, state), number in jobs.items())
        groups = pauses(self.store, now).groups if queued else ()
        for lane, paused in queued_in(self.store, name, groups).items():
            jobs[lane, State.QUEUED] = max(0, jobs.get((lane, State.QUEUED), 0) - paused)
        flushes = self._flushes(name, jobs.get((Lane.BATCH, State.RUNNING), 0))
        load = self._load(handler, now)
        return gather(
            Facts(
                now=now,
                handler=handler,
                modes=self.modes(name),
                policy=self.config.policy,
                tariff=self.tariff,
                estimate=self.estimate(name),
                jobs=jobs,
                slots=self.all_slots(name),
                used=self._used(name, now) if keeps(handler) else None,
                streams=streams_of(self.store, name) if jobs.get((Lane.STREAM, State.RUNNING)) else (),
                ended=last_end(self.store, name) if jobs.get((Lane.BATCH, State.RUNNING)) else None,
                rate=stream_rate(self.store, name, now, RECENT) if shared(handler) else 0.0,
                flushes=flushes if rest is None else [flush._replace(left=0) for flush in flushes],
                begun=begun_of(self.store, name) if any(flush.drained for flush in flushes) else frozenset(),
                rest=rest or (),
                held=work,
                came=came,
                before=came if first is None else arrivals(self.store, name, ARRIVALS, first),
                joins=joins,
                load=load,
                loaded=on_edge(load, self.config.policy) and self._loaded(name),
                draft=self.conditions(handler.draft, now, [], drafts=False) if handler.draft and drafts else None,
            )
        )

    def _flushes(self, name: str, running: int) -> list[FlushAtWork]:
        """The flushes that run, the oldest first: what runs is of the newest, as that overtakes the others. At a
        provider each is over at once."""
        if not running or self.handler(name).traits.remote:
            return []
        found = []
        for began, unended, drained in reversed(open_flushes_of(self.store, name)):
            found.append(FlushAtWork(began, max(0, unended - running), drained))
            running = max(0, running - unended)
        return found[::-1]

    def _load(self, handler: HandlerConfig, now: float) -> float:
        """The machine's load by what is not this queue's own work, per core; 0 where no decision asks for it."""
        if not priced_by_load(handler):
            return 0.0
        return max(0.0, machine_load() - own_load(self.store, now) / CORES)

    def _loaded(self, name: str) -> bool:
        """Whether a handler's last plan priced the load in."""
        return name in self.loaded or any(why.kind == "busy" for why in planned_for(self.store, name))

    def _used(self, name: str, now: float) -> float | None:
        """When a handler was last used by a runner that is still there and keeps its instance; None: by none."""
        learned = last_learned(self.store, name)
        kept = now - learned < self.handler(name).idle and any(since < learned for since in living(self.store))
        return learned if kept else None


def machine_load() -> float:
    """The machine's load of the last minute, per core."""
    return os.getloadavg()[0] / CORES
