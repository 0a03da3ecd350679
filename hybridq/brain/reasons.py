"""The sentence that goes with a flush: what waiting saves and costs, in the numbers that were compared.

Savings are against running each job when it was accepted, waiting is since then, both until the flush.
"""

from collections.abc import Sequence

from ..when import clock, money, span
from .schedule import Part
from .work import HeldWork

AT_ONCE = "runs now: "
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
    if part.at <= work.now:
        return AT_ONCE + _because(work, part)
    latest = " at most" if _busy(work, part) else ""
    return f"held until {clock(part.at, work.now)}{latest}: {_because(work, part)}"


def _because(work: HeldWork, part: Part) -> str:
    if part.rule == "drain":
        return "started by hand"
    if part.rule == "deadline":
        return _deadline(work, part.members)
    if part.rule == "full":
        return f"full, a flush holds {part.jobs} jobs"
    if _busy(work, part):
        return f"machine busy ({work.load:.1f} per core)"
    if not work.known:
        return _unknown(work, part)
    return _figures(work, part)


def _busy(work: HeldWork, part: Part) -> bool:
    """Whether the load alone makes it wait until then."""
    return (
        part.rule not in ("drain", "deadline", "full") and work.prices.surcharge > 1 and part.at == work.prices.settled
    )


def _figures(work: HeldWork, part: Part) -> str:
    less, wait = saved_by_waiting(work, part), cost_of_waiting(work, part)
    if less > LEAST:
        costs = "" if money(wait) == "0" else f"; waiting costs {money(wait)}"
        return f"saves {money(less)} of {money(_at_once(work, part))}{costs}"
    shared = work.shared(min(work.held[i].jobs / work.held[i].cohorts for i in part.members))
    if wait > 0 and shared > 0:
        what = "start" if shared > work.overhead else "call"
        if part.at <= work.now:
            return f"waited long enough for others to share a {what} ({money(shared)})"
        return f"others may share the {what} ({money(shared)})"
    return "nothing is saved by waiting"


def _at_once(work: HeldWork, part: Part) -> float:
    """Money that this part would have cost when its jobs were accepted."""
    return _share(work, part) * sum(work.cost[i] * work.prices.tariff(work.held[i].since) for i in part.members)


def _share(work: HeldWork, part: Part) -> float:
    """What of its classes this part holds: a class may be split over two flushes."""
    return part.jobs / sum(work.held[i].jobs for i in part.members)


def _deadline(work: HeldWork, members: Sequence[int]) -> str:
    first = min(members, key=lambda i: work.latest[i])
    held = work.held[first]
    if held.deadline == float("inf"):
        return f"held for {span(work.latest[first] - held.since)}, the longest that any job is"
    return f"takes about {span(work.length(members))}, due by {clock(held.deadline, work.now)}"


def _unknown(work: HeldWork, part: Part) -> str:
    now, then = work.prices.over(work.now, 0.0), work.prices.over(part.at, 0.0)
    if then < now:
        return f"the price falls from x{now:g} to x{then:g}; no costs known yet"
    if part.rule == "worth-it" and part.at > work.now:
        return f"waits {span(GATHER)} for others; no costs known yet"
    return "no costs known yet, and no cheaper hour ahead"
