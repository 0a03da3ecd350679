"""The world as the brain is told it: conditions gathered from the store, the configuration and the machine.

Rule: bounded work, however long the queue is: counters, a few models, and the classes of held work.
"""

import os
from collections.abc import Sequence

from .brain.arrivals import ARRIVALS, coming, joining
from .brain.conditions import Conditions
from .brain.estimate import Estimate, Model
from .brain.tariff import Tariff
from .config.values import Config, HandlerConfig, TariffConfig
from .errors import UsageError
from .job import Held, Lane, Mode, State
from .queue.buckets import buckets
from .queue.cohorts import arrivals, tally
from .queue.learned import last_learned, models
from .queue.runner import living
from .queue.store import Store

CORES = os.cpu_count() or 1


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
        live = self.models.get(name)
        stamp = tuple(live.values()) if live else (last_learned(self.store, name),)
        if name not in self._estimates or self._estimates[name][0] != stamp:
            self._estimates[name] = stamp, self._estimate(name, live or models(self.store, name))
        return self._estimates[name][1]

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

    def unpriced(self) -> set[str]:
        """The handlers at a provider whose price nobody knows: what they cost is recorded as 0."""
        remote = {name for name, handler in self.config.handlers.items() if handler.traits.remote}
        return {name for name in remote if self.estimate(name).cost(Lane.STREAM, 1.0) is None}

    def slots(self, name: str, lane: Lane) -> int:
        """How many jobs of a handler run at once in a lane."""
        handler = self.config.handlers.get(name, HandlerConfig())
        if handler.traits.remote and lane is Lane.BATCH:
            return 1  # a flush makes its batches one after another; they run side by side
        if handler.traits.slots == "instances":
            return max(1, handler.instances)
        if lane is Lane.STREAM:
            return self.config.runner.stream_slots or 2 * CORES
        return self.config.runner.batch_slots or CORES

    def conditions(
        self, name: str, now: float, work: list[Held] | None = None, *, drafts: bool = True, joins: bool = False
    ) -> Conditions:
        """One handler's world at `now`; `work` is its held work, where the caller has read it already. With `drafts`
        it has the world of the handler that makes its drafts, too; with `joins` a background submission comes now,
        as it will have come for the plan that follows."""
        counts = tally(self.store)
        estimate = self.estimate(name)
        handler, came = self.handler(name), arrivals(self.store, name, ARRIVALS, now)
        remote = handler.traits.remote
        work = buckets(self.store, name, now).held if work is None else work
        first = min((each.since for each in work), default=now)
        accepted = [*[now] * joins, *_batched(came)]
        before = _batched(arrivals(self.store, name, ARRIVALS, first)) if work else accepted
        # A provider has prices of its own; what is paid by the job costs no more for our load.
        tariff = Tariff(TariffConfig()) if remote else self.tariff
        machine = 0.0 if remote or handler.price is not None else machine_load()
        return Conditions(
            now=now,
            tariff=tariff,
            policy=self.config.policy,
            estimate=estimate,
            modes=self.modes(name),
            load=machine,
            loaded=name in self.loaded,
            stream_ahead=self._stream_ahead(estimate, name, counts),
            stream_slots=self.slots(name, Lane.STREAM),
            batch_slots=self.slots(name, Lane.BATCH),
            fresh=remote,
            warm=self._warm(name, handler, now),
            max_flush=handler.max_flush,
            held=tuple(work),
            batch_ahead=0.0 if remote else self._ahead(estimate, name, Lane.BATCH, counts, (State.RUNNING,)) or 0.0,
            coming=coming([at for at, _ in came], now),
            joining=joining(before, first, accepted),
            draft=self.conditions(handler.draft, now, [], drafts=False) if handler.draft and drafts else None,
        )

    def _warm(self, name: str, handler: HandlerConfig, now: float) -> bool:
        """Nothing must be started: nothing ever is, or a runner that was there at the last job keeps its worker."""
        if handler.traits.starts != "kept":
            return handler.traits.starts == "never"
        learned = last_learned(self.store, name)
        return now - learned < handler.idle and any(since < learned for since in living(self.store))

    def _stream_ahead(self, estimate: Estimate, name: str, counts: dict[tuple[str, Lane, State], int]) -> float | None:
        """The same of what is streamed, and where a batch has all instances, half of a call of it."""
        ahead = self._ahead(estimate, name, Lane.STREAM, counts, (State.QUEUED, State.RUNNING))
        taken = counts.get((name, Lane.BATCH, State.RUNNING), 0) >= self.slots(name, Lane.BATCH)
        return ahead + estimate.overhead.seconds if taken and ahead is not None else ahead

    def _ahead(
        self,
        estimate: Estimate,
        name: str,
        lane: Lane,
        counts: dict[tuple[str, Lane, State], int],
        states: tuple[State, ...],
    ) -> float | None:
        """Seconds of work ahead in a lane, per slot; None: there is some, and nobody knows how long it takes."""
        jobs = sum(counts.get((name, lane, state), 0) for state in states)
        slots = self.slots(name, lane)
        if jobs < slots:
            return 0.0
        each = estimate.usual(lane)
        return None if each is None else each * estimate.together(lane, jobs / slots) * jobs / slots


def _batched(came: Sequence[tuple[float, Lane]]) -> list[float]:
    return [at for at, lane in came if lane is Lane.BATCH]


def machine_load() -> float:
    """The machine's load of the last minute, per core."""
    return os.getloadavg()[0] / CORES
