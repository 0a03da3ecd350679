"""What each mode would cost a submission, and when its results would be there.

Streaming waits for the stream work ahead; a batch for its flush in the plan of all that is held, and for its
place in it. Money is at the price of the time at which it would run; the load counts as in that plan, from the
oldest job of the flush on. A draft answers a person: until it is there a person waits, from then until the final
nobody does, at the price of background work.
"""

import math

from msgspec import Struct
from msgspec.structs import replace

from ..config.values import PolicyConfig
from ..job import Audience, Forecast, Held, Lane, Mode, Request
from ..reason import Reason
from .arrivals import Joiners
from .conditions import Conditions
from .estimate import Estimate
from .forecast import beside, gains, promised
from .plan import plan
from .price_steps import PriceSteps
from .reasons import own

NEW = -1  # the key of the submission that is being decided; no cohort has it


def forecasts(request: Request, jobs: int, size: float, conditions: Conditions) -> tuple[Forecast, ...]:
    """One forecast for each mode that the handler offers."""
    found, offered = {}, conditions.modes
    if Mode.STREAM in offered:
        found[Mode.STREAM] = stream(request, jobs, size, conditions)
    if offered & {Mode.BATCH, Mode.ADAPTIVE}:
        found[Mode.BATCH] = _batch(request, jobs, size, conditions)
    if Mode.ADAPTIVE in offered:
        draft = _draft(request, jobs, size, conditions)
        found[Mode.ADAPTIVE] = _adaptive(draft, _after(draft, found[Mode.BATCH], request), conditions)
    return tuple(found[mode] for mode in Mode if mode in offered)


def delay_cost(policy: PolicyConfig, audience: Audience) -> float:
    """Money that an hour of waiting for one submission costs."""
    return policy.user_delay_cost if audience is Audience.USER else policy.background_delay_cost


class _LaneRun(Struct, frozen=True):
    """When a run of jobs in one lane begins, and what it costs but for the price factor."""

    lane: Lane
    start: float | None
    startup: bool
    ahead: int  # jobs of the same run that go first
    shared: float  # jobs that the run will have in all
    slots: int
    fixed: float  # money of starting that falls on these jobs
    spread: float  # seconds: the standard deviation of the start
    since: float | None = None  # when the oldest job of the run came; None: now
    sooner: float = 0.0  # seconds by which it is likely to begin before `start`


def stream(request: Request, jobs: int, size: float, conditions: Conditions) -> Forecast:
    """Streaming, behind the stream work ahead."""
    ahead = conditions.stream_ahead
    start = None if ahead is None else conditions.now + ahead
    fixed = 0.0 if conditions.warm else conditions.estimate.fixed_cost()
    spread = conditions.stream_spread
    run = _LaneRun(Lane.STREAM, start, not conditions.warm, 0, 1.0, conditions.stream_slots, fixed, spread)
    return _forecast(Mode.STREAM, request, jobs, size, conditions, run)


def _batch(request: Request, jobs: int, size: float, conditions: Conditions) -> Forecast:
    """By the plan of all that is held and this: when its flush would be, and its place in it."""
    deadline = math.inf if request.deadline is None else request.deadline
    new = Held(
        key=NEW,
        jobs=jobs,
        size=size,
        deadline=deadline,
        since=conditions.now,
        delay_cost=delay_cost(conditions.policy, request.audience),
        pinned=request.mode is Mode.BATCH,
        kind=request.kind,
    )
    planned = plan((*conditions.held, new), conditions)
    flush = next(f for f in (*planned.due, *planned.later) if NEW in f.keys)
    keys = set(flush.keys)
    ahead = sum(h.jobs for h in conditions.held if h.key in keys and h.deadline <= deadline)
    start = max(flush.at, conditions.now + conditions.batch_ahead)
    ahead += Joiners((*conditions.held, new), conditions.joining or 0.0).before(deadline, conditions.now, start)
    sharing = flush.jobs + conditions.coming * (start - conditions.now)
    cold = conditions.starts(start)
    fixed = conditions.estimate.fixed_cost() * jobs / max(jobs, sharing) if cold else 0.0
    since = min((h.since for h in conditions.held if h.key in keys), default=conditions.now)
    spread = conditions.batch_spread if start <= conditions.now + conditions.batch_ahead else 0.0
    sooner = min(gains(flush, conditions.now), max(0.0, start - conditions.now - conditions.batch_ahead))
    shared, slots = max(jobs, sharing), conditions.batch_slots
    run = _LaneRun(Lane.BATCH, start, cold, ahead, shared, slots, fixed, spread, since, sooner)
    note = own(flush.reason, [new], conditions, flush.at)
    return _forecast(Mode.BATCH, request, jobs, size, conditions, run, note=note)


def batch_now(request: Request, jobs: int, size: float, conditions: Conditions) -> Forecast:
    """A batch of these jobs alone that starts as soon as the batches that run are done."""
    start = conditions.now + conditions.batch_ahead
    cold = conditions.starts(start)
    fixed = conditions.estimate.fixed_cost() if cold else 0.0
    spread = conditions.batch_spread
    run = _LaneRun(Lane.BATCH, start, cold, 0, float(jobs), conditions.batch_slots, fixed, spread)
    return _forecast(Mode.BATCH, request, jobs, size, conditions, run)


def _draft(request: Request, jobs: int, size: float, conditions: Conditions) -> Forecast:
    """Streaming by the handler that makes the drafts, in this handler's queue and slots."""
    own = conditions.draft or conditions
    waits = replace(own, stream_ahead=conditions.stream_ahead, stream_slots=conditions.stream_slots)
    return stream(request, jobs, size, waits)


def _after(draft: Forecast, final: Forecast, request: Request) -> Forecast:
    """The final of a draft: it begins no sooner than the first draft is there, and ends no sooner than the last."""
    times = draft.first, draft.first90, final.start, final.finish, final.finish90
    if None in times:
        return final
    first, first90, start, finish, finish90 = (at or 0.0 for at in times)
    begin, later, later90 = max(start, first), max(0.0, first - start), max(0.0, first90 - start)
    finish = max(finish + later, draft.finish or 0.0)
    finish90 = max(finish90 + later90, finish)
    makes = request.deadline is None or finish90 <= request.deadline
    return replace(final, start=begin, finish=finish, finish90=finish90, makes_deadline=makes)


def _adaptive(draft: Forecast, final: Forecast, conditions: Conditions) -> Forecast:
    """The draft's time to something useful, by the figures of the handler that makes it; both costs."""
    cost = None if draft.cost is None or final.cost is None else draft.cost + final.cost
    delay = draft.delay
    if delay is not None and draft.finish is not None and final.finish is not None:
        delay += conditions.policy.background_delay_cost * max(0.0, final.finish - draft.finish) / 3600
    surcharge, note = draft.surcharge + final.surcharge, final.note
    if draft.makes_deadline and not final.makes_deadline:
        late = Reason("final misses")
        note = late if note is None else replace(note, then=late)
    return Forecast(
        mode=Mode.ADAPTIVE,
        cost=cost,
        starting=draft.starting + final.starting,
        delay=delay,
        surcharge=surcharge,
        total=None if cost is None or delay is None else cost + surcharge + delay,
        start=draft.start,
        first=draft.first,
        first90=draft.first90,
        finish=final.finish,
        finish90=final.finish90,
        makes_deadline=draft.makes_deadline,
        assumed=tuple(dict.fromkeys((*draft.assumed, *final.assumed))),
        note=note,
    )


def _forecast(
    mode: Mode,
    request: Request,
    jobs: int,
    size: float,
    conditions: Conditions,
    run: _LaneRun,
    note: Reason | None = None,
) -> Forecast:
    """Times and money of one mode; the delay is that of the middle of what the submission gives.

    What streams is seen as it comes, what a batch gives when each job is done.
    """
    estimate = conditions.estimate.of(request.kind, jobs)
    first = first90 = finish = finish90 = None
    half, most = (_times(jobs, size, estimate, conditions, run, q) for q in (0.5, 0.9))
    if half is not None and most is not None and run.start is not None:
        first, first90 = beside(run.lane, run.start, run.spread, half[0], most[0], 1 + run.ahead, conditions)
        finish, finish90 = beside(run.lane, run.start, run.spread, half[1], most[1], jobs + run.ahead, conditions)
        planned = run.lane is Lane.BATCH and not run.spread
        since, deadline = run.start if planned else conditions.now, request.deadline
        finish90 = promised(run.lane, since, finish, finish90, conditions.estimate, deadline)
    one = estimate.cost(run.lane, size)
    cost = delay = None
    starting = surcharge = 0.0
    if one is not None and run.start is not None:
        busy = (finish - run.start) if finish is not None else 0.0
        since = conditions.now if run.since is None else run.since
        prices, whole = PriceSteps(conditions, since, run.start + busy), jobs * one + run.fixed
        factor = prices.paid(run.start, busy)
        cost, starting = whole * factor, run.fixed * factor if conditions.estimate.startup() else 0.0
        surcharge = whole * (prices.over(run.start, busy) - factor)
    if first is not None and finish is not None:
        seen = first if run.lane is Lane.BATCH else _begin(estimate, run, 0.5)
        middle = (seen + finish) / 2 - conditions.now
        delay = delay_cost(conditions.policy, request.audience) * middle / 3600
        first, finish = first - run.sooner, finish - run.sooner
    return Forecast(
        mode=mode,
        cost=cost,
        starting=starting,
        delay=delay,
        surcharge=surcharge,
        total=None if cost is None or delay is None else cost + surcharge + delay,
        start=run.start,
        first=first,
        first90=first90,
        finish=finish,
        finish90=finish90,
        makes_deadline=request.deadline is None or finish90 is None or finish90 <= request.deadline,
        assumed=estimate.assumed(run.lane),
        note=note,
    )


def _times(
    jobs: int, size: float, estimate: Estimate, conditions: Conditions, run: _LaneRun, q: float
) -> tuple[float, float] | None:
    """The epoch seconds of the first and the last result, had they the instances to themselves."""
    slots, all_ = max(1, run.slots), conditions.estimate
    ahead = 0 if run.lane is Lane.BATCH and estimate.at_once else run.ahead
    one = _one(size, estimate, run, q)
    before = all_.total_time(run.lane, size, ahead // slots, q)
    if estimate is all_:
        whole = estimate.total_time(run.lane, size, math.ceil((ahead + jobs) / slots), q)
    else:  # those before are other commands
        own = estimate.total_time(run.lane, size, math.ceil(jobs / slots), q)
        whole = None if own is None or before is None else before + own
    if run.start is None or one is None or before is None or whole is None:
        return None
    start = _begin(estimate, run, q)
    return start + before + one, start + max(whole, before + one)


def _begin(estimate: Estimate, run: _LaneRun, q: float) -> float:
    """The epoch second at which the first job is begun, after the start."""
    return (run.start or 0.0) + ((estimate.startup(q) or 0.0) if run.startup else 0.0)


def _one(size: float, estimate: Estimate, run: _LaneRun, q: float) -> float | None:
    """Seconds of one job of a run: a batch is quicker than its jobs one by one, but one of a single job is not."""
    one, alone = estimate.run_time(run.lane, size, q), estimate.run_time(Lane.STREAM, size, q)
    return one if one is None or alone is None else one + max(0.0, alone - one) / run.shared
