"""The conditions of a decision, made from facts: what is ahead, what is warm, what will come.

Rule: pure, and the only place where conditions are made. A runner tells the facts of its queue and its machine, a
simulation those of its virtual clock, so that both decide by the same account of what is ahead, of starts and of
shared calls.
"""

from collections.abc import Mapping, Sequence

from msgspec import Struct

from ..config.values import HandlerConfig, PolicyConfig, TariffConfig
from ..job import Held, Lane, Mode, State
from .arrivals import coming, joining
from .conditions import Conditions, PriceByTime
from .estimate import Estimate
from .tariff import Tariff

Came = tuple[float, Lane]
"""A background submission: when it came (epoch seconds), and into which lane."""

SAME_AT_ALL_HOURS = Tariff(TariffConfig())


class Facts(Struct, frozen=True, kw_only=True):
    """What was seen of one handler at `now`. Times are epoch seconds; all mappings may lack what is 0."""

    now: float
    handler: HandlerConfig
    modes: frozenset[Mode]
    policy: PolicyConfig
    tariff: PriceByTime
    estimate: Estimate
    jobs: Mapping[tuple[Lane, State], int]  # that are queued or run
    slots: Mapping[Lane, int]  # how many run at once
    used: float | None = None  # when an instance that is still up was last used; None: none is up
    held: Sequence[Held] = ()
    came: Sequence[Came] = ()  # the last background submissions
    before: Sequence[Came] = ()  # the last of them until the first of `held` came
    joins: bool = False  # a background submission comes now, as it will have come for the plan that follows
    load: float = 0.0  # of the machine by what is not this queue's own work, per core
    loaded: bool = False  # the last plan priced the load in
    draft: Conditions | None = None  # the world of the handler that makes the drafts


def gather(facts: Facts) -> Conditions:
    """The world as the brain is told it."""
    handler = facts.handler
    accepted = [*[facts.now] * facts.joins, *_batched(facts.came)]
    first = min((each.since for each in facts.held), default=facts.now)
    before = _batched(facts.before) if facts.held else accepted
    return Conditions(
        now=facts.now,
        # A provider has prices of its own; what is paid by the job costs no more for our load.
        tariff=SAME_AT_ALL_HOURS if handler.traits.remote else facts.tariff,
        policy=facts.policy,
        estimate=facts.estimate,
        modes=facts.modes,
        load=0.0 if handler.traits.remote or handler.price is not None else facts.load,
        loaded=facts.loaded,
        stream_ahead=_stream_ahead(facts),
        stream_slots=facts.slots[Lane.STREAM],
        batch_slots=facts.slots[Lane.BATCH],
        fresh=handler.traits.remote,
        warm=_warm(facts),
        stays=0.0 if facts.used is None else facts.used + handler.idle,
        max_flush=handler.max_flush,
        held=tuple(facts.held),
        batch_ahead=0.0 if handler.traits.remote else _ahead(facts, Lane.BATCH, State.RUNNING) or 0.0,
        coming=coming([at for at, _ in facts.came], facts.now),
        joining=joining(before, first, accepted),
        draft=facts.draft,
    )


def keeps(handler: HandlerConfig) -> bool:
    """Whether an instance is kept between two calls, and so may be warm or not."""
    return handler.traits.starts == "kept"


def _warm(facts: Facts) -> bool:
    """Nothing must be started: nothing ever is, or an instance is up."""
    if facts.handler.traits.starts == "never":
        return True
    return keeps(facts.handler) and facts.used is not None and facts.now - facts.used < facts.handler.idle


def _stream_ahead(facts: Facts) -> float | None:
    """Stream work ahead, per slot, and where a batch has all instances, half of a call of it."""
    ahead = _ahead(facts, Lane.STREAM, State.QUEUED, State.RUNNING)
    taken = facts.jobs.get((Lane.BATCH, State.RUNNING), 0) >= facts.slots[Lane.BATCH]
    return ahead + facts.estimate.overhead.seconds if taken and ahead is not None else ahead


def _ahead(facts: Facts, lane: Lane, *states: State) -> float | None:
    """Seconds of work ahead in a lane, per slot; None: there is some, and nobody knows how long it takes.

    A free slot serves a stream job at once, but no batch: the next one begins when the last has ended.
    """
    jobs, slots = sum(facts.jobs.get((lane, state), 0) for state in states), facts.slots[lane]
    if not jobs or (jobs < slots and lane is Lane.STREAM):
        return 0.0
    each, rounds = facts.estimate.usual(lane), max(0.5, jobs / slots)
    return None if each is None else each * facts.estimate.together(lane, rounds) * rounds


def _batched(came: Sequence[Came]) -> list[float]:
    return [at for at, lane in came if lane is Lane.BATCH]
