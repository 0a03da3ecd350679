"""The conditions of a decision, made from facts: what is ahead, what is warm, what will come.

Rule: pure, and the only place where conditions are made. A runner tells the facts of its queue and its machine, a
simulation those of its virtual clock, so that both decide by the same account of what is ahead, of starts and of
shared calls.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from ..config.values import HandlerConfig, PolicyConfig, TariffConfig
from ..job import LANES, Held, Lane, Mode, State
from .arrivals import coming, joining
from .conditions import Conditions, PriceByTime, part_of
from .estimate import Estimate
from .lanes import Lanes, Streaming
from .plan import plan
from .tariff import Tariff

Came = tuple[float, Lane]
"""A background submission: when it came (epoch seconds), and into which lane."""

FEW = 64  # classes of held work that are planned to tell what follows the running flush
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
    streams: Sequence[Streaming] = ()  # some of the stream jobs that run, and then of those that wait
    ended: float | None = None  # when something last ended on its instances; None: nobody knows
    rate: float = 0.0  # stream jobs a second of late
    flush: tuple[float, int] | None = None  # when the one that runs began, and how many of `held` it will take
    begun: frozenset[int] = frozenset()  # of one that a drain runs, maybe of one group alone: its cohorts that run
    left: int = 0  # jobs that it will take and that are not in `held`
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
    flushing, held = _taken(facts)
    instance = _instance(facts)
    lanes = Lanes(
        facts.estimate,
        facts.jobs,
        facts.slots,
        shared=shared(handler),
        now=facts.now,
        streams=facts.streams,
        rate=facts.rate,
        flushing=flushing,
        left=facts.left,
        up=instance.up,
        ended=None if facts.ended is None else max(facts.ended, facts.flush[0] if facts.flush else 0.0),
    )
    conditions = Conditions(
        now=facts.now,
        tariff=SAME_AT_ALL_HOURS if handler.traits.remote else facts.tariff,
        policy=facts.policy,
        estimate=facts.estimate,
        modes=facts.modes,
        load=facts.load if priced_by_load(handler) else 0.0,
        loaded=facts.loaded,
        stream_ahead=lanes.stream_ahead,
        stream_spread=lanes.stream_spread,
        stream_slots=facts.slots[Lane.STREAM],
        batch_slots=facts.slots[Lane.BATCH],
        fresh=handler.traits.remote,
        warm=instance.warm,
        up=instance.up,
        turn=lanes.turn,
        each=lanes.step,
        stays=instance.stays,
        max_flush=handler.max_flush,
        held=held,
        flushing=flushing,
        batch_ahead=0.0 if handler.traits.remote else lanes.batch_ahead,
        batch_spread=0.0 if handler.traits.remote else lanes.batch_spread,
        between=lanes.between,
        busy=lanes.busy,
        grain=lanes.grain,
        coming=coming([at for at, _ in facts.came], facts.now),
        joining=joining(before, first, accepted),
        joined=tuple(at for at, _ in (facts.before if facts.held else facts.came)),
        draft=facts.draft,
    )
    if not lanes.crowded or not 0 < len(held) <= FEW:
        return conditions
    then = plan(held, replace(conditions, now=facts.now + lanes.batch_ahead, batch_ahead=0.0))
    lanes.follow(sum(flush.jobs for flush in then.due))
    return replace(conditions, stream_ahead=lanes.stream_ahead, stream_spread=lanes.stream_spread)


def priced_by_load(handler: HandlerConfig) -> bool:
    """Whether its jobs are dearer while the machine is busy: not those of a provider, nor what is paid by the job."""
    return not handler.traits.remote and handler.price is None


def keeps(handler: HandlerConfig) -> bool:
    """Whether an instance is kept between two calls, and so may be warm or not."""
    return handler.traits.starts == "kept"


class _Instance(NamedTuple):
    """What the next job finds: whether it pays no start, until when that holds, and when an instance that starts is
    up (epoch seconds; 0: none starts, as far as is known)."""

    warm: bool
    stays: float
    up: float = 0.0


def _instance(facts: Facts) -> _Instance:
    """Nothing must be started: nothing ever is, an instance is up, or all start already for those who came before."""
    handler, now = facts.handler, facts.now
    if not keeps(handler):
        return _Instance(handler.traits.starts == "never", 0.0)
    warm = facts.used is not None and now - facts.used < handler.idle
    stays = 0.0 if facts.used is None else facts.used + handler.idle
    taken = sum(facts.jobs.get((lane, State.RUNNING), 0) for lane in LANES)
    began = [each.began for each in facts.streams if each.began is not None]
    began += [facts.flush[0]] if facts.flush else []
    if warm or not began or taken < facts.slots[Lane.STREAM] or not shared(handler):
        return _Instance(warm, stays)
    return _Instance(True, now + handler.idle, min(began) + (facts.estimate.startup() or 0.0))


def shared(handler: HandlerConfig) -> bool:
    """Whether both lanes use the same instances."""
    return handler.traits.slots == "instances" and not handler.traits.remote


def _taken(facts: Facts) -> tuple[tuple[Held, ...], tuple[Held, ...]]:
    """What the running flush will still take of what is held, the earliest deadline first, and the rest."""
    if facts.flush is None:
        return (), tuple(facts.held)
    began, room = facts.flush
    flushing, left = [], []
    order = sorted(facts.held, key=lambda each: each.deadline)
    passed = max((place for place, each in enumerate(order) if each.key in facts.begun), default=0)
    for place, each in enumerate(order):
        passed_over = place < passed and each.key >= 0 and each.key not in facts.begun  # it goes by the same order
        jobs = 0 if each.since > began or passed_over else min(each.jobs, room)
        room -= jobs
        if jobs:
            flushing.append(part_of(each, jobs))
        if jobs < each.jobs:
            left.append(part_of(each, each.jobs - jobs))
    return tuple(flushing), tuple(left)


def _batched(came: Sequence[Came]) -> list[float]:
    return [at for at, lane in came if lane is Lane.BATCH]
