"""Which mode a submission gets, and when that is thought over again.

For each mode the cost (money at the price of then) and the time to the result are forecast; the smallest
`cost + cost of delay` wins among those that make the deadline. An explicit mode wins over everything; with
nothing known the audience decides. A draft is made only for a person, and only where it is there in at most half
of the time, and a second sooner, than anything else that makes the deadline. A person's jobs are batched only where
that is better than running at once by more than a second of their waiting is worth. Pure: no clock, no I/O, no chance.
"""

import math
from collections.abc import Collection

from msgspec.structs import replace

from ..errors import UsageError
from ..job import Audience, Decision, Forecast, Mode, Request
from ..reason import AT_MOST, Reason
from .conditions import Conditions as Conditions
from .conditions import cheaper_name
from .costs import ENOUGH
from .modes import batch_now, forecasts, stream
from .price_steps import PriceSteps

TRIVIAL = 60.0  # seconds of background work that may use a free stream slot
BRIEF = 0.5  # seconds of background work, however many jobs, that nobody notices who comes after it
CLOSE = 1e-3  # relative; totals this close are a tie, and the sooner result wins
MUCH_SOONER = 0.5  # of the time that anything else takes: a draft that takes longer serves nobody
NOTICED = 1.0  # seconds that a person notices: a draft comes sooner by as much, a batch is better by their worth
SOONER = 0.8  # of the time that a batch takes to its end: what is late either way is promoted for no less
NOTHING = 5e-7  # money; less of it is none
LATE = 2.0  # a stream job that waits this much longer than foreseen is thought over
GIVEN = ("asked", "session", "only mode")  # reasons that say nothing of when
LATE_LEAST = 5.0  # seconds of waiting that are never thought over


def classify(request: Request, jobs: int, size: float, conditions: Conditions) -> Decision:
    """The mode for `jobs` jobs of mean input size `size` (bytes), with every mode's forecast.

    Raises UsageError for a mode that the handler does not offer.
    """
    check_mode(request, conditions.modes)
    considered = forecasts(request, jobs, size, conditions)
    if request.mode is not None:
        asked = Reason("session") if request.session else Reason("asked", mode=request.mode)
        chosen, reason = request.mode, asked
    elif len(considered) == 1:
        chosen, reason = considered[0].mode, Reason("only mode", request.handler, mode=considered[0].mode)
    elif any(f.total is None for f in considered):
        chosen, reason = _unknown(request, considered, conditions)
    else:
        return _compared(request, jobs, considered, conditions)
    forecast = next(f for f in considered if f.mode is chosen)
    reason = _for(request, reason, forecast, conditions)
    warning = _warning(request, forecast)
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
    why = Reason("waited", span=waited, other_span=foreseen, then=decision.reason)
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
    reason = Reason("batch late", due=request.deadline, done=batched.finish90, sooner=streamed.finish90)
    warning = _warning(request, streamed)
    return Decision(mode=Mode.STREAM, reason=reason, considered=(streamed, batched), warning=warning)


def _unknown(request: Request, considered: tuple[Forecast, ...], conditions: Conditions) -> tuple[Mode, Reason]:
    """Too little is known yet: a person is answered, the rest is gathered, unless that is known to be too late."""
    batched, streamed = (next((f for f in considered if f.mode is m), None) for m in (Mode.BATCH, Mode.STREAM))
    if batched is not None and streamed is not None and not batched.makes_deadline:
        then = batched.finish90 or math.inf
        if streamed.finish90 is None or streamed.finish90 < then:
            return Mode.STREAM, Reason("batch late", due=request.deadline, done=then)
    prefer = Mode.STREAM if request.audience is Audience.USER else Mode.BATCH
    mode = prefer if prefer in conditions.modes else next(m for m in Mode if m in conditions.modes)
    return mode, _lacking(request, considered, conditions)


def _lacking(request: Request, considered: tuple[Forecast, ...], conditions: Conditions) -> Reason:
    """What keeps the modes from being compared. A price is named first: it may never be learned."""
    untimed = [f.mode for f in considered if f.finish is None]
    if all(f.cost is None for f in considered) and len(untimed) < len(considered):
        return Reason("unpriced", request.handler)
    how = untimed[0] if 0 < len(untimed) < len(considered) else ""
    what = "this command" if request.kind else request.handler
    alike, known = conditions.estimate.timed(request.kind), conditions.estimate.runs(request.kind)
    return Reason("untimed", what, mode=how, jobs=alike, of=ENOUGH, known=known)


def _compared(request: Request, jobs: int, considered: tuple[Forecast, ...], conditions: Conditions) -> Decision:
    """The cheapest of the modes that make the deadline and the cost limit; else the fastest, with a warning."""
    able = [f for f in considered if f.makes_deadline and not _unserved(request, f, considered)]
    if not able:
        best = min(considered, key=lambda f: f.finish90 or math.inf)
        reason = _for(request, Reason("fastest", mode=best.mode, due=request.deadline), best, conditions)
        warning = _warning(request, best)
        return Decision(mode=best.mode, reason=reason, considered=considered, warning=warning)
    limit = math.inf if request.max_cost is None else request.max_cost
    able = [f for f in able if (f.cost or 0.0) <= limit] or [min(able, key=lambda f: f.cost or 0.0)]
    able = _serving(request, able, conditions)
    lane_free = _lane_free(request, jobs, able, conditions)
    free = [f for f in able if f.mode is Mode.BATCH or lane_free] or able
    best = min(free, key=lambda f: f.total or 0.0)
    ties = [f for f in free if (f.total or 0.0) <= (best.total or 0.0) * (1 + CLOSE)]
    best = min(ties, key=lambda f: f.first or math.inf)
    if (trial := _trial(request, best, free)) is not None:
        reason = _for(request, trial.note or Reason("tries"), trial, conditions)
        warning = _warning(request, trial)
        return Decision(mode=trial.mode, reason=reason, considered=considered, warning=warning)
    reason = _live(request, best, considered, able, conditions.now) or _reason(
        request, best, considered, conditions, crowded=len(free) < len(able)
    )
    reason = _for(request, reason, best, conditions)
    warning = _warning(request, best)
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


def _trial(request: Request, best: Forecast, able: list[Forecast]) -> Forecast | None:
    """The batch that finds out what sharing a call saves, where background work would stream; None: none does."""
    batch = next((f for f in able if f.mode is Mode.BATCH and f.note and f.note.kind == "tries"), None)
    return batch if best.mode is Mode.STREAM and request.audience is Audience.BACKGROUND else None


def _much_sooner(draft: Forecast, soonest: float, now: float) -> bool:
    comes = _seconds(draft, now)
    return comes <= MUCH_SOONER * soonest and comes <= soonest - NOTICED


def _seconds(forecast: Forecast, now: float) -> float:
    """Seconds until the first result."""
    return math.inf if forecast.first is None else forecast.first - now


def _live(
    request: Request, best: Forecast, considered: tuple[Forecast, ...], able: list[Forecast], now: float
) -> Reason | None:
    """Why a person is served at once where that is not what costs least in all; None where it is."""
    comes = _seconds(best, now)
    if best.mode is Mode.ADAPTIVE:
        others = [f for f in considered if f.mode is not Mode.ADAPTIVE and f.makes_deadline]
        if not others:
            return None
        whole = min(others, key=lambda f: _seconds(f, now))
        return Reason("draft sooner", span=comes, other=whole.mode, other_span=_seconds(whole, now))
    if request.audience is not Audience.USER or best.mode is not Mode.STREAM:
        return None
    left = [f for f in considered if f not in able and f.makes_deadline and (f.total or 0.0) <= (best.total or 0.0)]
    for f in left:
        less = _weighed(best) - _weighed(f)
        if f.mode is Mode.ADAPTIVE:
            return Reason("draft slow", span=comes, other_span=_seconds(f, now))
        if less > NOTHING:
            return Reason("little", saves=less)
    return None


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
) -> Reason:
    others = [f for f in considered if f.mode is not best.mode]
    other = min(
        [f for f in others if not _unserved(request, f, considered)] or others, key=lambda f: f.total or math.inf
    )
    less = _weighed(other) - _weighed(best)
    saved = (other.cost or 0.0) - (best.cost or 0.0)  # money: no surcharge is ever paid
    wait = (best.delay or 0.0) - (other.delay or 0.0)
    if not other.makes_deadline:
        return Reason("only in time", mode=best.mode, due=request.deadline)
    if crowded and best.mode is Mode.BATCH and (best.total or 0.0) >= (other.total or 0.0):
        return Reason("people first")
    if less == 0 or (wait < 0 and abs(less) <= NOTHING):
        return Reason("same", other=other.mode)
    if less > 0:
        if saved <= 0 or _load_alone(best, conditions):
            return Reason("busy", load=conditions.load)  # what it saves nobody would have paid
        return Reason("saves", mode=best.mode, other=other.mode, saves=saved, whole=other.cost, costs=wait)
    if saved >= 0:
        return Reason("same", other=other.mode)
    return Reason("costs more", other=other.mode, saves=-saved, costs=-wait)


def _for(request: Request, reason: Reason, best: Forecast, conditions: Conditions) -> Reason:
    """The reason, with whether it runs now or until when it is held, why then, and who waits for it."""
    now, start, person = conditions.now, best.start, request.audience is Audience.USER
    later = best.mode is Mode.BATCH and start is not None and start > now
    held = later or (best.mode is Mode.BATCH and (start is None or reason.kind == "people first"))
    until = start if later else None
    price = "" if until is None else cheaper_name(conditions, until)
    if until is not None and reason.kind in GIVEN and best.note is not None:
        reason = replace(reason, then=replace(best.note, runs=None, until=None, price="", most=False))
    most = reason.kind in AT_MOST and until is not None
    return replace(reason, runs=not held, until=until, most=most, price=price, waits=person, signal=request.signal)


def _load_alone(best: Forecast, conditions: Conditions) -> bool:
    """Whether the load alone makes the present dearer than when this would run."""
    now, start = conditions.now, best.start or conditions.now
    surcharge = PriceSteps(conditions, now, start).surcharge
    return surcharge > 1 and start > now and conditions.tariff.factor(start) >= conditions.tariff.factor(now)


def _weighed(forecast: Forecast) -> float:
    """Money by which modes are compared: with what the load makes it dearer."""
    return (forecast.cost or 0.0) + forecast.surcharge


def _warning(request: Request, forecast: Forecast) -> Reason | None:
    due, done = request.deadline, forecast.finish90
    if due is not None and done is not None and done > due:
        return Reason("late final" if forecast.makes_deadline else "late", due=due, done=done, half=forecast.finish)
    if request.max_cost is not None and forecast.cost is not None and forecast.cost > request.max_cost:
        return Reason("over limit", costs=forecast.cost, whole=request.max_cost)
    return None
