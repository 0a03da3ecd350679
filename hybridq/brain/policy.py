"""Which mode a submission gets, and when that is thought over again.

For each mode the cost (money at the price of then) and the time to the result are forecast; the smallest
`cost + cost of delay` wins among those that make the deadline. An explicit mode wins over everything; with
nothing known the audience decides. A draft is made only for a person, and only where it is there in at most half
of the time, and a second sooner, than anything else that makes the deadline. A person's jobs are batched only where
that is better than running at once by more than a second of their waiting is worth. Pure: no clock, no I/O, no chance.
"""

import math
from collections.abc import Collection

from ..errors import UsageError
from ..job import Audience, Decision, Forecast, Mode, Request
from ..when import clock, money, span
from .conditions import Conditions as Conditions
from .modes import batch_now, forecasts, stream
from .price_steps import PriceSteps

TRIVIAL = 60.0  # seconds of background work that may use a free stream slot
BRIEF = 0.5  # seconds of background work, however many jobs, that nobody notices who comes after it
CLOSE = 1e-3  # relative; totals this close are a tie, and the sooner result wins
MUCH_SOONER = 0.5  # of the time that anything else takes: a draft that takes longer serves nobody
NOTICED = 1.0  # seconds that a person notices: a draft comes sooner by as much, a batch is better by their worth
SOONER = 0.8  # of the time that a batch takes to its end: what is late either way is promoted for no less
LATE = 2.0  # a stream job that waits this much longer than foreseen is thought over
LATE_LEAST = 5.0  # seconds of waiting that are never thought over


def classify(request: Request, jobs: int, size: float, conditions: Conditions) -> Decision:
    """The mode for `jobs` jobs of mean input size `size` (bytes), with every mode's forecast.

    Raises UsageError for a mode that the handler does not offer.
    """
    check_mode(request, conditions.modes)
    considered = forecasts(request, jobs, size, conditions)
    if request.mode is not None:
        chosen, reason = request.mode, f"mode {request.mode} was asked for"
    elif len(considered) == 1:
        chosen, reason = considered[0].mode, f"{request.handler} offers only this mode"
    elif any(f.total is None for f in considered):
        chosen, reason = _unknown(request, considered, conditions)
    else:
        return _compared(request, jobs, considered, conditions)
    forecast = next(f for f in considered if f.mode is chosen)
    warning = _warning(request, forecast, conditions.now)
    return Decision(mode=chosen, reason=reason, considered=considered, warning=warning)


def check_mode(request: Request, offered: Collection[Mode]) -> None:
    """Raise UsageError for a mode that is not among those offered."""
    if request.mode is not None and request.mode not in offered:
        modes = ", ".join(sorted(offered))
        hint = " (name one with `draft`)" if request.mode is Mode.ADAPTIVE else ""
        raise UsageError(f"{request.handler} cannot run in mode {request.mode}{hint}; it offers: {modes}")


def reclassify(
    request: Request, jobs: int, size: float, conditions: Conditions, *, waited: float, foreseen: float
) -> Decision | None:
    """A new decision for stream jobs that have waited much longer than foreseen (seconds), or None: as it was."""
    if request.mode is not None or waited < max(LATE_LEAST, LATE * foreseen):
        return None
    decision = classify(request, jobs, size, conditions)
    if decision.mode is Mode.STREAM:
        return None
    why = f"waited {span(waited)} to stream where {span(foreseen)} was foreseen; {decision.reason}"
    return Decision(mode=decision.mode, reason=why, considered=decision.considered, warning=decision.warning)


def promote(request: Request, jobs: int, size: float, conditions: Conditions) -> Decision | None:
    """A decision to stream held jobs that a batch would deliver after their deadline, or None: they stay.

    Promoted is only what streaming delivers in time, or at least much sooner: in the stream lane it goes before people
    who have no deadline. An asked-for batch is promoted too: the deadline was asked for as well.
    """
    if request.deadline is None or Mode.STREAM not in conditions.modes:
        return None
    streamed = stream(request, jobs, size, conditions)
    batched = batch_now(request, jobs, size, conditions)
    if streamed.finish90 is None or batched.finish90 is None:
        return None
    if batched.finish90 <= request.deadline or streamed.finish90 >= batched.finish90:
        return None
    now = conditions.now
    if streamed.finish90 > request.deadline and streamed.finish90 - now > SOONER * (batched.finish90 - now):
        return None
    reason = (
        f"promoted: batched it would be done at {clock(batched.finish90, now)}, "
        f"after its deadline {clock(request.deadline, now)}; streamed at {clock(streamed.finish90, now)}"
    )
    warning = _warning(request, streamed, now)
    return Decision(mode=Mode.STREAM, reason=reason, considered=(streamed, batched), warning=warning)


def _unknown(request: Request, considered: tuple[Forecast, ...], conditions: Conditions) -> tuple[Mode, str]:
    """Too little is known yet: a person is answered, the rest is gathered, unless that is known to be too late."""
    batched, streamed = (next((f for f in considered if f.mode is m), None) for m in (Mode.BATCH, Mode.STREAM))
    if batched is not None and streamed is not None and not batched.makes_deadline:
        then = batched.finish90 or math.inf
        if streamed.finish90 is None or streamed.finish90 < then:
            done, due = clock(then, conditions.now), clock(request.deadline or 0.0, conditions.now)
            return Mode.STREAM, f"batched it would be done at {done}, after its deadline {due}; {_who(request)}"
    prefer = Mode.STREAM if request.audience is Audience.USER else Mode.BATCH
    mode = prefer if prefer in conditions.modes else next(m for m in Mode if m in conditions.modes)
    runs = "held" if mode is Mode.BATCH else "runs now"
    return mode, f"{runs}: {_who(request)}; {_lacking(request.handler, considered)}"


def _lacking(handler: str, considered: tuple[Forecast, ...]) -> str:
    """What keeps the modes from being compared. A price is named first: it may never be learned."""
    untimed = [f.mode for f in considered if f.finish is None]
    unpriced = all(f.cost is None for f in considered)
    if unpriced and len(untimed) == len(considered):
        return f"no run times of {handler} yet"
    if unpriced:
        return f"no costs of {handler} known"
    how = f" in mode {untimed[0]}" if 0 < len(untimed) < len(considered) else ""
    return f"no run times of {handler}{how} yet"


def _compared(request: Request, jobs: int, considered: tuple[Forecast, ...], conditions: Conditions) -> Decision:
    """The cheapest of the modes that make the deadline and the cost limit; else the fastest, with a warning."""
    able = [f for f in considered if f.makes_deadline and not _unserved(request, f, considered)]
    if not able:
        best = min(considered, key=lambda f: f.finish90 or math.inf)
        reason = f"the fastest way: none makes the deadline; {_who(request)}"
        warning = _warning(request, best, conditions.now)
        return Decision(mode=best.mode, reason=reason, considered=considered, warning=warning)
    limit = math.inf if request.max_cost is None else request.max_cost
    able = [f for f in able if (f.cost or 0.0) <= limit] or [min(able, key=lambda f: f.cost or 0.0)]
    able = _serving(request, able, conditions)
    lane_free = _lane_free(request, jobs, able, conditions)
    free = [f for f in able if f.mode is Mode.BATCH or lane_free] or able
    best = min(free, key=lambda f: f.total or 0.0)
    ties = [f for f in free if (f.total or 0.0) <= (best.total or 0.0) * (1 + CLOSE)]
    best = min(ties, key=lambda f: f.first or math.inf)
    reason = _live(request, best, considered, able, conditions.now)
    reason = reason or _reason(request, best, considered, conditions, crowded=len(free) < len(able))
    warning = _warning(request, best, conditions.now)
    return Decision(mode=best.mode, reason=reason, considered=considered, warning=warning)


def _unserved(request: Request, forecast: Forecast, considered: tuple[Forecast, ...]) -> bool:
    """Whether this is a draft for nobody: who does not wait is served by the final alone."""
    return forecast.mode is Mode.ADAPTIVE and request.audience is Audience.BACKGROUND and len(considered) > 1


def _serving(request: Request, able: list[Forecast], conditions: Conditions) -> list[Forecast]:
    """The modes that serve who waits: no draft that is hardly sooner, no batch hardly better for a person."""
    whole = [f for f in able if f.mode is not Mode.ADAPTIVE]
    if whole:
        soonest = min(_seconds(f, conditions.now) for f in whole)
        able = [f for f in able if f.mode is not Mode.ADAPTIVE or _much_sooner(f, soonest, conditions.now)]
    live = [f.total or 0.0 for f in able if f.mode is not Mode.BATCH]
    if request.audience is not Audience.USER or not live:
        return able
    least = min(live) - NOTICED * conditions.policy.user_delay_cost / 3600
    return [f for f in able if f.mode is not Mode.BATCH or (f.total or 0.0) < least]


def _much_sooner(draft: Forecast, soonest: float, now: float) -> bool:
    comes = _seconds(draft, now)
    return comes <= MUCH_SOONER * soonest and comes <= soonest - NOTICED


def _seconds(forecast: Forecast, now: float) -> float:
    """Seconds until the first result."""
    return math.inf if forecast.first is None else forecast.first - now


def _live(request: Request, best: Forecast, considered: tuple[Forecast, ...], able: list[Forecast], now: float) -> str:
    """Why a person is served at once where that is not what costs least in all; nothing where it is."""
    who, comes = _who(request), span(_seconds(best, now))
    if best.mode is Mode.ADAPTIVE:
        others = [f for f in considered if f.mode is not Mode.ADAPTIVE and f.makes_deadline]
        if not others:
            return ""
        whole = min(others, key=lambda f: _seconds(f, now))
        return f"the draft is there in {comes}, in mode {whole.mode} it would take {span(_seconds(whole, now))}: {who}"
    if request.audience is not Audience.USER or best.mode is not Mode.STREAM:
        return ""
    left = [f for f in considered if f not in able and f.makes_deadline and (f.total or 0.0) <= (best.total or 0.0)]
    for f in left:
        less = (best.cost or 0.0) - (f.cost or 0.0)
        if f.mode is Mode.ADAPTIVE:
            return f"runs now: a draft would take {span(_seconds(f, now))}, all of it takes {comes}: {who}"
        if money(max(0.0, less)) != "0":
            return f"runs now: batch would save only {money(less)}, and {who}"
    return ""


def _lane_free(request: Request, jobs: int, able: list[Forecast], conditions: Conditions) -> bool:
    """Whether streaming this keeps no person waiting: background work may only use what stands idle, shortly."""
    if request.audience is Audience.USER:
        return True
    stream = next((f for f in able if f.mode is not Mode.BATCH), None)
    if stream is None or stream.finish90 is None:
        return False
    lasts = stream.finish90 - conditions.now
    trivial = lasts <= BRIEF or (lasts <= TRIVIAL and jobs <= conditions.stream_slots)
    return trivial and not conditions.stream_ahead


def _reason(
    request: Request,
    best: Forecast,
    considered: tuple[Forecast, ...],
    conditions: Conditions,
    *,
    crowded: bool,
) -> str:
    others = [f for f in considered if f.mode is not best.mode]
    other = min(
        [f for f in others if not _unserved(request, f, considered)] or others, key=lambda f: f.total or math.inf
    )
    less = (other.cost or 0.0) - (best.cost or 0.0)
    wait = (best.delay or 0.0) - (other.delay or 0.0)
    who = _who(request)
    if not other.makes_deadline:
        return f"only this makes the deadline {clock(request.deadline or 0.0, conditions.now)}; {who}"
    if crowded and best.mode is Mode.BATCH and (best.total or 0.0) >= (other.total or 0.0):
        return f"held so that people go first; {who}"
    now = best.start is None or best.mode is Mode.STREAM or best.start <= conditions.now
    runs = "runs now" if now else f"held until {clock(best.start or 0.0, conditions.now)}"
    same = f"{runs}: a {other.mode} costs the same and ends later; {who}"
    if wait < 0 and money(abs(less)) == "0":
        return same
    if less > 0:
        saves = f"saves {money(less)} of {money(other.cost or 0.0)}"
        waiting = "and comes sooner" if wait < 0 else f"waiting costs {money(wait)}"
        return f"{runs}: {_loaded(best, conditions)}{saves}, {waiting}; {who}"
    if less < 0:
        return f"{runs}: a {other.mode} saves {money(-less)}, waiting for it costs {money(-wait)}; {who}"
    return same


def _loaded(best: Forecast, conditions: Conditions) -> str:
    """That the load alone makes the present dearer than when this would run, where it does."""
    now, start = conditions.now, best.start or conditions.now
    surcharge = PriceSteps(conditions, now, start).surcharge
    if surcharge <= 1 or start <= now or conditions.tariff.factor(start) < conditions.tariff.factor(now):
        return ""
    return f"machine busy ({conditions.load:.1f} per core), "


def _who(request: Request) -> str:
    waits = "you are waiting" if request.audience is Audience.USER else "nobody is waiting"
    return f"{waits} ({request.signal})"


def _warning(request: Request, forecast: Forecast, now: float) -> str:
    if request.deadline is not None and forecast.finish90 is not None and forecast.finish90 > request.deadline:
        due, done = clock(request.deadline, now), clock(forecast.finish90, now)
        if forecast.makes_deadline:  # by its draft
            return f"the draft makes the deadline {due}, but the final will probably be late: done by {done}"
        return f"the deadline {due} will probably be missed: done by {done}"
    if request.max_cost is not None and forecast.cost is not None and forecast.cost > request.max_cost:
        return f"costs about {money(forecast.cost)}, more than the limit of {money(request.max_cost)}"
    return ""
