"""Why a flush is run then: what waiting saves and costs, in the numbers that were compared.

Savings are against running each job when it was accepted, waiting is since then, both until the flush.
"""

from collections.abc import Sequence

from msgspec.structs import replace

from ..reason import AT_MOST, Reason, about
from .schedule import Part
from .work import HeldWork

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
        return _unknown(work, part)
    return _figures(work, part)


def _figures(work: HeldWork, part: Part) -> Reason:
    less, wait = saved_by_waiting(work, part), cost_of_waiting(work, part)
    if less > LEAST:
        return Reason("saves", saves=about(less), whole=about(_at_once(work, part)), costs=about(wait))
    shared = work.shared(min(work.held[i].jobs / work.held[i].cohorts for i in part.members))
    if wait > 0 and shared > 0:
        what = "start" if shared > work.overhead else "call"
        return Reason("waited enough" if part.at <= work.now else "sharing", what, costs=about(shared))
    return Reason("nothing")


def _at_once(work: HeldWork, part: Part) -> float:
    """Money that this part would have cost when its jobs were accepted."""
    return _share(work, part) * sum(work.cost[i] * work.prices.tariff(work.held[i].since) for i in part.members)


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
    return Reason("no costs")
