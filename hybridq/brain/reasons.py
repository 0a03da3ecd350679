"""The sentence that goes with a flush: what waiting saves and costs, in the numbers that were compared.

Savings are against running each job when it was accepted, waiting is since then, both until the flush.
"""

from collections.abc import Sequence

from ..when import clock, money, span
from .schedule import Part
from .work import HeldWork

AT_ONCE = "run now: "
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


def flush_reason(work: HeldWork, part: Part) -> str:
    """Why this part is flushed then: one sentence, as a user reads it."""
    until = AT_ONCE if part.at <= work.now else f"held until {clock(part.at, work.now)}: "
    return until + _because(work, part)


def _because(work: HeldWork, part: Part) -> str:
    if part.rule == "drain":
        return "a drain was asked for"
    if part.rule == "deadline":
        return _deadline(work, part.members)
    if part.rule == "full":
        return f"{part.jobs} jobs are all that one flush holds, and no cheaper price is worth the wait"
    if work.prices.surcharge > 1 and part.at == work.prices.settled:
        return f"the load makes running {work.prices.surcharge:.2f} times as dear now"
    if not work.known:
        return _unknown(work, part)
    return _figures(work, part)


def _figures(work: HeldWork, part: Part) -> str:
    less, wait = saved_by_waiting(work, part), cost_of_waiting(work, part)
    if less > LEAST:
        return f"saves {money(less)}, waiting costs {money(wait)}"
    shared = work.shared(min(work.held[i].jobs / work.held[i].cohorts for i in part.members))
    if wait > 0 and shared > 0:
        what = "a start" if shared > work.overhead else "a call"
        return f"waiting costs {money(wait)}, {what} to be shared {money(shared)}"
    return "nothing is saved by waiting"


def _share(work: HeldWork, part: Part) -> float:
    """What of its classes this part holds: a class may be split over two flushes."""
    return part.jobs / sum(work.held[i].jobs for i in part.members)


def _deadline(work: HeldWork, members: Sequence[int]) -> str:
    first = min(members, key=lambda i: work.latest[i])
    held = work.held[first]
    if held.deadline == float("inf"):
        return f"no job is held longer than {span(work.latest[first] - held.since)}"
    return f"takes about {span(work.length(members))} and must be done by {clock(held.deadline, work.now)}"


def _unknown(work: HeldWork, part: Part) -> str:
    now, then = work.prices.over(work.now, 0.0), work.prices.over(part.at, 0.0)
    if then < now:
        return f"the price falls from {now:g} to {then:g}; what the jobs cost is not known yet"
    if part.rule == "worth-it" and part.at > work.now:
        return f"gathers others for {span(GATHER)}, as what the jobs cost is not known yet"
    return "what the jobs cost is not known yet, and no cheaper price is ahead"
