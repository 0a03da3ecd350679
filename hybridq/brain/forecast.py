"""When work that was accepted will start and be done: held, waiting to stream, or running.

A held job's start is our own plan, and so nearly exact; run times come from the estimate. What is not known
is None, never a guess, and nothing lies in the past.
"""

import math
from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import replace

from ..job import Flush, Held, Lane
from .arrivals import Joiners
from .conditions import Conditions, part_of
from .curve import NINETIETH
from .estimate import Estimate
from .plan import Plan, plan
from .price_steps import SETTLE
from .urgent import urgent_start

WORK = 4000  # classes that are planned at most, over all steps of one forward run
LONGEST = 1 - 1e-9  # share of past jobs that took no longer, beyond which nothing is known of this one


class Eta(Struct, frozen=True, kw_only=True):
    """Epoch seconds: the planned start, and the finish at the 50th and 90th percentile. None: unknown."""

    start: float | None = None
    finish: float | None = None
    finish90: float | None = None


def held_etas(
    held: Sequence[Held], conditions: Conditions, planned: Plan | None = None, work: int = WORK
) -> dict[int, Eta]:
    """For each class of held work, by key: when its flush starts and when its last job is done.

    The plan is run forward from flush to flush, as the loop will, as if nothing more came but those that will go first
    in a flush. Flushes of one handler go one after another, and within one the earliest deadline goes first.
    What is urgent overtakes the flush that runs. `planned` is the plan of the same work, where the caller has it
    already; `work` bounds what is planned, and the finish of what lies beyond that is unknown.
    """
    now, steps = conditions, max(1, work // max(1, len(held)))
    planned = planned or plan(held, now)
    joiners = Joiners(held, conditions.joining or 0.0)
    etas, queue, longer = _urgent_etas(list(held), conditions, joiners)
    free = now.now + now.batch_ahead + longer
    free90 = free + NINETIETH * now.batch_spread
    since, sooner = now.now, 0.0  # when the flush before began; by how much sooner the next is likely to
    while queue:
        steps -= 1
        last = steps <= 0 or (not planned.due and planned.look is None)
        for flush in (*planned.due, *planned.later) if last else planned.due:
            start, start90 = max(flush.at, free), max(flush.at, free90)
            taken = _taken(flush, queue)
            for key, eta in _flush_etas(taken, conditions, joiners, since, start, start90).items():
                soonest = conditions.now if flush.rule == "trial" else now.now
                eta = _sooner(eta, sooner if start <= now.now else gains(flush, now.now), soonest)
                first = etas.get(key, eta).start  # of a class that was split, the first part's
                etas[key] = Eta(start=first, finish=eta.finish, finish90=eta.finish90)
                free, free90 = max(free, eta.finish or start), max(free90, eta.finish90 or start90)
            queue, since = _left(queue, taken), max(since, start)
        if last:
            break
        # Not the next look: under a load that is a minute ahead at any time, and what is foreseen would slide with it.
        then = planned.later[0].at if planned.later else planned.look or now.now
        sooner = gains(planned.later[0], now.now) if planned.later else 0.0
        at = now.now if planned.due else max(now.now, then)
        now = replace(now, now=at, load=0.0, batch_ahead=max(0.0, free - at), batch_spread=0.0, urgent_ahead=None)
        planned = plan(queue, now)
    return etas | {h.key: Eta(start=etas[h.key].start if h.key in etas else None) for h in queue}


def _urgent_etas(
    queue: list[Held], conditions: Conditions, joiners: Joiners
) -> tuple[dict[int, Eta], list[Held], float]:
    """What will overtake the running flush; what is left then, and by how many seconds that flush ends later."""
    etas: dict[int, Eta] = {}
    longer, world = 0.0, replace(conditions, warm=True, fresh=False, stays=math.inf)
    for flush in conditions.urgent:
        taken = _taken(flush, queue)
        if not taken:
            continue
        start = min(urgent_start(flush.at, each.deadline, each.rank, conditions) for each in taken)
        start90 = start + NINETIETH * conditions.urgent_spread
        found = _flush_etas(taken, world, joiners, conditions.now, start, start90)
        longer += max(0.0, max(eta.finish or start for eta in found.values()) - start)
        etas, queue = etas | found, _left(queue, taken)
    return etas, queue, longer


def gains(flush: Flush, now: float) -> float:
    """Seconds by which a planned flush is likely to begin before it is said to.

    One that the load alone holds begins as soon as that is over. How long a load lasts nobody knows: half of the time
    that it is given, until that has passed. One that waits for enough to find out what sharing saves begins with them.
    """
    if flush.reason.kind == "tries" and flush.reason.sooner is not None:
        return max(0.0, flush.at - max(now, flush.reason.sooner))
    return SETTLE / 2 if flush.reason.kind == "busy" and now < flush.at - SETTLE / 2 else 0.0


def flushing_etas(conditions: Conditions) -> dict[int, Eta]:
    """For each class of queued work that the running flush will take, by key: its place in what is left of that."""
    whole = sum(h.jobs for h in conditions.flushing)
    ahead, least = _before_next(conditions)
    now, rest = conditions.now + ahead, conditions.batch_ahead - ahead
    etas: dict[int, Eta] = {}
    jobs = 0
    for h in conditions.flushing:
        if conditions.estimate.usual(Lane.BATCH) is None:
            etas[h.key] = Eta(start=conditions.now)
            continue
        begin = now + rest * jobs / whole
        jobs += h.jobs
        finish = now + rest * jobs / whole
        wider = finish + NINETIETH * max(least, conditions.batch_spread * math.sqrt(jobs / whole))
        latest = promised(Lane.BATCH, conditions.now, finish, wider, conditions.estimate, h.deadline)
        etas[h.key] = Eta(start=begin, finish=finish, finish90=latest)
    return etas


def _before_next(conditions: Conditions) -> tuple[float, float]:
    """Seconds until the running flush claims next, and the least standard deviation of what follows: where it has jobs
    of several deadlines or priorities, of which the first may have overtaken others; else its place tells all."""
    if conditions.urgent_ahead is None or len({(h.deadline, h.rank) for h in conditions.flushing}) < 2:
        return 0.0, 0.0
    return min(conditions.urgent_ahead, conditions.batch_ahead), conditions.urgent_spread


def stream_eta(jobs: int, size: float, conditions: Conditions) -> Eta:
    """For `jobs` queued stream jobs of mean input size `size` (bytes) behind `conditions.stream_ahead`."""
    if conditions.stream_ahead is None:
        return Eta()
    start = conditions.now + conditions.stream_ahead
    start90 = start + NINETIETH * conditions.stream_spread
    eta = _eta(Lane.STREAM, jobs, size, conditions, start, start90, cold=not conditions.warm)
    if eta.finish is None or eta.finish90 is None:
        return eta
    return replace(eta, finish90=promised(Lane.STREAM, conditions.now, eta.finish, eta.finish90, conditions.estimate))


def beside(
    lane: Lane, start: float, spread: float, half: float, most: float, jobs: int, conditions: Conditions
) -> tuple[float, float]:
    """The 50th and 90th percentile of the end of a run of so many jobs that would end then (`half`, `most`) if it had
    the instances to itself, where the other lane uses them too. `spread`: the standard deviation of its start."""
    if lane is Lane.STREAM:
        calls = math.ceil(jobs / max(1, conditions.stream_slots)) - 1
        longer, variance, share = min(calls * conditions.between, conditions.batch_ahead), spread**2, 1.0
    else:
        share = conditions.stretch(jobs)
        longer, variance = (share - 1) * (half - start), spread**2 + conditions.strayed(half - start, jobs)
    half, width = half + longer, share * (most - half)
    return half, half + math.hypot(width, NINETIETH * math.sqrt(variance))


def promised(
    lane: Lane, since: float, finish: float, finish90: float, estimate: Estimate, deadline: float | None = None
) -> float:
    """The 90th percentile as promises have turned out; a batch that is planned for a deadline keeps to it.

    What is uncertain begins at `since`: streamed it is all from now on, of a batch not our own plan for its start.
    """
    wider = since + estimate.widened(lane, finish90 - since)
    if lane is Lane.BATCH and deadline is not None:
        wider = min(wider, max(finish90, deadline))
    return max(finish, wider)


def running_eta(lane: Lane, size: float, started: float, conditions: Conditions) -> Eta:
    """For one running job, given that it was not done before now. Longer than all that was seen: unknown. One that was
    claimed while its instance starts, or has a call of a batch, runs only after that."""
    if lane is Lane.STREAM and conditions.turn is not None and conditions.estimate.usual(lane) is not None:
        left, spread = conditions.turn
        finish = conditions.now + left
        return _ahead(conditions.now, started, finish, finish + NINETIETH * spread)
    begun = max(started, conditions.up)
    if begun > conditions.now:
        return replace(running_eta(lane, size, begun, replace(conditions, now=begun, up=0.0)), start=started)
    estimate, elapsed = conditions.estimate, conditions.now - begun
    passed = estimate.chance(lane, size, elapsed)
    if passed is None or passed > LONGEST:
        return Eta(start=started)
    half = estimate.run_time(lane, size, passed + (1 - passed) * 0.5)
    most = estimate.run_time(lane, size, passed + (1 - passed) * 0.9)
    if half is None or most is None:
        return Eta(start=started)
    return _ahead(conditions.now, started, begun + half, begun + most)


def rest_eta(lane: Lane, jobs: int, each: int, size: float, conditions: Conditions) -> Eta:
    """For `jobs` jobs that run now or follow at once, `each` an instance: one of these is half over in the mean, and
    the other lane's go between them."""
    estimate, now = conditions.estimate, conditions.now
    half, most = (estimate.total_time(lane, size, each, q) for q in (0.5, 0.9))
    one = estimate.run_time(lane, size)
    if half is None or most is None or one is None:
        return Eta(start=now)
    start, over = max(now, conditions.up), min(half, one) / 2
    finish, finish90 = beside(lane, start, 0.0, start + half - over, start + most - over, jobs, conditions)
    return _ahead(now, now, finish, promised(lane, now, finish, finish90, estimate))


def _taken(flush: Flush, queue: list[Held]) -> list[Held]:
    """What a flush takes of the queue: its classes by deadline, the last one perhaps in part."""
    keys, room, taken = set(flush.keys), flush.jobs, []
    for h in sorted((h for h in queue if h.key in keys), key=lambda h: h.deadline):
        jobs = min(h.jobs, room)
        if jobs > 0:
            taken.append(part_of(h, jobs))
            room -= jobs
    return taken


def _sooner(eta: Eta, seconds: float, now: float) -> Eta:
    """With a finish that is likely to be so much sooner, at most at once; at the latest it is what it was."""
    return replace(eta, finish=max(now, eta.finish - seconds)) if seconds and eta.finish is not None else eta


def _left(queue: list[Held], taken: list[Held]) -> list[Held]:
    gone = {h.key: h.jobs for h in taken}
    left = [(h, h.jobs - gone.get(h.key, 0)) for h in queue]
    return [part_of(h, jobs) for h, jobs in left if jobs > 0]


def _flush_etas(
    taken: list[Held], conditions: Conditions, joiners: Joiners, since: float, start: float, start90: float
) -> dict[int, Eta]:
    """Each class of one flush by its place in it, behind those that will have joined it since the one before."""
    etas, jobs, size = {}, 0, 0.0
    apart = _Commands(conditions)
    for h in taken:
        jobs, size = jobs + h.jobs, size + h.jobs * h.size
        joining = joiners.before(h.deadline, since, start)
        if h.kind:
            eta = apart.eta(h, joining, start, start90)
        else:
            cold = conditions.starts(start)
            eta = _eta(Lane.BATCH, jobs + joining, size / jobs, conditions, start, start90, cold=cold)
        if eta.finish is not None and eta.finish90 is not None:
            wider = promised(Lane.BATCH, start, eta.finish, eta.finish90, conditions.estimate, h.deadline)
            eta = replace(eta, finish90=wider)
        etas[h.key] = eta
    return etas


class _Commands:
    """Commands of one flush, each kind by what is known of it, one after another."""

    def __init__(self, conditions: Conditions) -> None:
        self._conditions = conditions
        self._jobs, self._seconds, self._variance = 0, 0.0, 0.0  # of those before, on all slots together

    def eta(self, h: Held, joining: int, start: float, start90: float) -> Eta:
        """For the next class, behind so many that will have joined."""
        now, estimate, slots = self._conditions.now, self._conditions.estimate, max(1, self._conditions.batch_slots)
        own, each = estimate.of(h.kind, h.jobs), math.ceil(h.jobs / slots)
        half, most = (own.total_time(Lane.BATCH, h.size, each, q) for q in (0.5, 0.9))
        usual = estimate.usual(Lane.BATCH) or 0.0
        behind = self._jobs + joining >= slots
        begin = (self._seconds + joining * usual) / slots if behind else 0.0
        width = (most - half) ** 2 if most is not None and half is not None else usual**2
        spread = math.sqrt(width + (self._variance if behind else 0.0))
        self._jobs += h.jobs
        self._seconds += usual * h.jobs if half is None else half * min(slots, h.jobs)
        self._variance += width
        if half is None:
            return Eta(start=start)
        return _ahead(now, start, start + begin + half, start90 + begin + half + spread)


def _eta(
    lane: Lane, jobs: int, size: float, conditions: Conditions, start: float, start90: float, *, cold: bool
) -> Eta:
    estimate = conditions.estimate
    slots = conditions.stream_slots if lane is Lane.STREAM else conditions.batch_slots
    each = math.ceil(jobs / max(1, slots))
    half, most = (estimate.total_time(lane, size, each, q) for q in (0.5, 0.9))
    if half is None or most is None:
        return Eta(start=start)
    starting, starting90 = ((estimate.startup(q) or 0.0) if cold else 0.0 for q in (0.5, 0.9))
    spread = (start90 - start) / NINETIETH
    ends = beside(lane, start, spread, start + starting + half, start + starting90 + most, jobs, conditions)
    return _ahead(conditions.now, start, *ends)


def _ahead(now: float, start: float, finish: float, finish90: float) -> Eta:
    finish = max(now, finish)
    return Eta(start=start, finish=finish, finish90=max(finish, finish90))
