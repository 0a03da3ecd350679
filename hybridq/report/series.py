"""What a report draws: money and work over time, and how many waited how long.

Rule: pure; of a large queue single jobs stand for several, so a drawn sum comes near the told one and is not it.
Times are epoch seconds, waits seconds, money is in the user's own unit.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence

from msgspec import Struct

from ..job import LANES, Audience, Lane
from ..queue.account import Ledger, Ran

SLOTS = 120  # of a time axis
LEAST_WAIT = 0.001  # seconds; less is not drawn on a logarithmic axis
CURVE = 200  # points of a curve at most


class CostSeries(Struct, frozen=True, kw_only=True):
    """At each of `at` (epoch seconds): what jobs done by then cost, and would have cost streamed."""

    at: tuple[float, ...]
    cost: tuple[float, ...]
    streamed: tuple[float, ...]


class WorkSeries(Struct, frozen=True, kw_only=True):
    """How many jobs were done in each slot of `width` seconds, by lane; `at` is a slot's middle."""

    at: tuple[float, ...]
    width: float
    done: dict[Lane, tuple[int, ...]]


class WaitCurve(Struct, frozen=True, kw_only=True):
    """Which share of the jobs had waited no longer than so many seconds."""

    seconds: tuple[float, ...]
    share: tuple[float, ...]


def weights(ledger: Ledger) -> dict[Audience, float]:
    """For how many jobs each that was looked at stands."""
    seen = Counter(each.audience for each in ledger.ran)
    done = Counter[Audience]()
    for each in ledger.sums:
        done[each.audience] += each.done
    return {audience: done[audience] / jobs for audience, jobs in seen.items()}


def extent(ledger: Ledger) -> tuple[float, float]:
    """From the first submission to the last end, at least a second long. Needs a job that is done."""
    begin = min(each.accepted for each in ledger.ran)
    return begin, max(begin + 1.0, *(each.finished for each in ledger.ran))


def cost_series(ledger: Ledger) -> CostSeries:
    """Cost over time."""
    weight, (begin, end) = weights(ledger), extent(ledger)
    ordered = sorted(ledger.ran, key=lambda each: each.finished)
    at = tuple(begin + (end - begin) * slot / SLOTS for slot in range(SLOTS + 1))
    cost, streamed = [0.0], [0.0]
    for each in ordered:
        cost.append(cost[-1] + each.cost * weight[each.audience])
        streamed.append(streamed[-1] + each.streamed * weight[each.audience])
    ends = [each.finished for each in ordered]
    upto = [bisect_right(ends, instant) for instant in at[:-1]] + [len(ends)]
    return CostSeries(at=at, cost=tuple(cost[n] for n in upto), streamed=tuple(streamed[n] for n in upto))


def work_series(ledger: Ledger) -> WorkSeries:
    """Jobs done over time."""
    weight, (begin, end) = weights(ledger), extent(ledger)
    width = (end - begin) / SLOTS
    found: dict[Lane, list[float]] = {lane: [0.0] * SLOTS for lane in LANES}
    for each in ledger.ran:
        found[each.lane][min(SLOTS - 1, int((each.finished - begin) // width))] += weight[each.audience]
    at = tuple(begin + (slot + 0.5) * width for slot in range(SLOTS))
    return WorkSeries(at=at, width=width, done={lane: tuple(round(n) for n in slots) for lane, slots in found.items()})


def wait_curves(ran: Sequence[Ran]) -> WaitCurve:
    """How many of these had waited how long for their first byte."""
    return curve([each.first - each.accepted for each in ran])


def curve(seconds: Sequence[float]) -> WaitCurve:
    """How many of these waits were no longer than how many seconds."""
    ordered = sorted(max(LEAST_WAIT, each) for each in seconds)
    places = sorted({round(n * (len(ordered) - 1) / (CURVE - 1)) for n in range(CURVE)}) if ordered else []
    return WaitCurve(
        seconds=tuple(ordered[place] for place in places), share=tuple((place + 1) / len(ordered) for place in places)
    )
