"""Why a flush is run then: what waiting saves and costs, in the numbers that were compared.

Savings are against running each job when it was accepted, waiting is since then, both until the flush.
"""

import math
from collections.abc import Sequence

from msgspec.structs import replace

from ..job import Held, Lane
from ..reason import AT_MOST, Reason, about
from .chains import Part
from .conditions import Conditions
from .costs import ENOUGH
from .work import HeldWork, delay_of, estimate_of

LEAST = 1e-9  # money; less is rounding
GATHER = 5.0  # seconds that jobs of unknown cost gather before a flush that nothing speaks against


def saved_by_waiting(work: HeldWork, part: Part) -> float:
    """Money that this part saves by running then instead of when its jobs were accepted."""
    price = work.prices.over(work.begin(part.at), work.length(part.members))
    return _share(work, part) * sum(
        work.cost[i] * (work.prices.tariff(work.held[i].since) - price) for i in part.members
    )


def cost_of_waiting(work: HeldWork, part: Part) -> float:
    """Money that the waiting of this part costs until then."""
    return _share(work, part) * sum(work.waited(i, part.at) for i in part.members)


def flush_reason(work: HeldWork, part: Part, likely: float | None = None) -> Reason:
    """Why this part is flushed then; `likely`: when a trial begins that is held until then at most."""
    because = Reason("tries", sooner=likely) if part.rule == "trial" else _because(work, part)
    if part.at <= work.now:
        return replace(because, runs=True)
    return replace(because, runs=False, until=part.at, most=because.kind in AT_MOST, price=work.cheaper(part.at))


def _because(work: HeldWork, part: Part) -> Reason:
    if part.rule == "drain":
        return Reason("by hand")
    if part.rule == "deadline":
        return _deadline(work, part.members)
    if part.rule == "full":
        return Reason("full", jobs=part.jobs)
    if work.prices.surcharge > 1 and part.at == work.prices.settled:  # the load alone makes it wait until then
        return Reason("busy", load=round(work.load, 1))
    if not work.known:
        return replace(_unknown(work, part), jobs=work.runs, of=ENOUGH)
    return _figures(work, part)


def _figures(work: HeldWork, part: Part) -> Reason:
    less, wait = saved_by_waiting(work, part), cost_of_waiting(work, part)
    if less > LEAST:
        return _saves(work, part, wait)
    shared = work.shared(min(work.held[i].jobs / work.held[i].cohorts for i in part.members))
    if wait > 0 and shared > 0:
        what = "start" if shared > work.overhead else "call"
        return Reason("waited enough" if part.at <= work.now else "sharing", what, costs=about(shared))
    return Reason("nothing")


def _saves(work: HeldWork, part: Part, wait: float) -> Reason:
    """What it costs then, beside what it would cost now; where that is no more, what it would have cost when its jobs
    were accepted."""
    share, prices = _share(work, part), work.prices
    price, factor = prices.over(work.begin(part.at), work.length(part.members)), prices.tariff(work.now)
    ahead = part.at > work.now and price < factor
    whole = share * sum(work.cost[i] * (factor if ahead else prices.tariff(work.held[i].since)) for i in part.members)
    paid = share * price * sum(work.cost[i] for i in part.members)
    return Reason(
        "saves",
        saves=about(whole, 3) - about(paid, 3),
        whole=about(whole, 3),
        costs=about(wait),
        factor=factor if ahead else None,
        next_factor=round(price, 4),
    )


def own(reason: Reason, held: Sequence[Held], conditions: Conditions, at: float) -> Reason:
    """The reason of a flush at `at` as it is told of these jobs of it alone: with their money."""
    costs = [estimate_of(conditions, h.kind).cost(Lane.BATCH, h.size) for h in held]
    if reason.kind != "saves" or reason.next_factor is None or None in costs:
        return reason
    paid = whole = wait = 0.0
    for of, cost in zip(held, costs, strict=True):
        whole += of.jobs * (cost or 0.0) * (reason.factor or conditions.tariff.factor(of.since))
        paid += of.jobs * (cost or 0.0) * reason.next_factor
        wait += delay_of(of, conditions) / 3600 * max(0.0, at - of.since)
    return replace(reason, saves=whole - paid, whole=whole, costs=wait)


def _share(work: HeldWork, part: Part) -> float:
    """What of its classes this part holds: a class may be split over two flushes."""
    return part.jobs / sum(work.held[i].jobs for i in part.members)


def _deadline(work: HeldWork, members: Sequence[int]) -> Reason:
    first = min(members, key=lambda i: work.latest[i])
    held = work.held[first]
    if held.deadline == float("inf"):
        return Reason("longest", span=work.latest[first] - held.since)
    takes = work.length(members) if work.timed(members) else None
    return Reason("deadline", span=takes, due=held.deadline)


def _unknown(work: HeldWork, part: Part) -> Reason:
    now, then = work.prices.over(work.now, 0.0), work.prices.over(part.at, 0.0)
    if then < now:
        return Reason("cheaper", factor=now, next_factor=then)
    if part.rule == "worth-it" and part.at > work.now:
        return Reason("gathers", span=GATHER)
    if (cheaper := work.cheaper_ahead()) is None:
        return Reason("no costs")
    due = min(work.held[i].deadline for i in part.members)
    return Reason("no costs", sooner=cheaper, due=None if due == math.inf else due)
