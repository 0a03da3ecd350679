"""How long people and background work waited for something to see, and what gathering would have made of it.

Rule: pure arithmetic on what was recorded; what cannot be compared is counted as unknown, never guessed.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator

from msgspec import Struct

from ..job import LANES, Audience, Lane, Mode
from ..queue.account import FlushDone, Ledger, Ran
from .figures import rank

HOW_GATHERED = (
    "The estimate assumes that each job waits until its handler's next real flush starts or, if none followed, until"
    " the flush that was running ends. It counts no run time, so real batching would have been slower"
)


class Waited(Struct, frozen=True, kw_only=True):
    """Seconds from submission to the first byte of a result; `lane` is where the jobs ended, None: either."""

    audience: Audience
    lane: Lane | None
    jobs: int
    counted: int  # of them, evenly spread
    p50: float | None
    p95: float | None
    p99: float | None


class Comparison(Struct, frozen=True, kw_only=True):
    """What a person saw streamed, and what gathering would have made of the same jobs.

    `unknown` jobs cannot be compared. `sooner` is by how much the median of what was is shorter.
    """

    jobs: int
    unknown: int
    was: Waited
    held: Waited
    sooner: float | None
    how: str = HOW_GATHERED


def waits(ledger: Ledger) -> Iterator[Waited]:
    """How long jobs waited, by audience, and by lane; of an audience that met both lanes also in all."""
    for audience in Audience:
        ran = [each for each in ledger.ran if each.audience is audience]
        done = {lane: sum(s.done for s in ledger.sums if (s.audience, s.lane) == (audience, lane)) for lane in LANES}
        if not any(done.values()):
            continue
        if all(done.values()):
            yield _waited(audience, None, sum(done.values()), (each.first - each.accepted for each in ran))
        for lane in LANES:
            if done[lane]:
                seconds = (each.first - each.accepted for each in ran if each.lane is lane)
                yield _waited(audience, lane, done[lane], seconds)


def _waited(audience: Audience, lane: Lane | None, jobs: int, seconds: Iterable[float]) -> Waited:
    ordered = sorted(max(0.0, each) for each in seconds)
    return Waited(
        audience=audience,
        lane=lane,
        jobs=jobs,
        counted=len(ordered),
        p50=rank(ordered, 0.5),
        p95=rank(ordered, 0.95),
        p99=rank(ordered, 0.99),
    )


def compare_gathered(ledger: Ledger) -> Comparison:
    """Compare what people saw streamed with the flushes that would have taken the same jobs."""
    people, compared = _compared(ledger)
    was = _waited(Audience.USER, Lane.STREAM, len(compared), (each.first - each.accepted for each, _ in compared))
    held = _waited(Audience.USER, Lane.BATCH, len(compared), (at - each.accepted for each, at in compared))
    known = was.p50 is not None and held.p50
    return Comparison(
        jobs=len(compared),
        unknown=people - len(compared),
        was=was,
        held=held,
        sooner=1 - (was.p50 or 0.0) / (held.p50 or 1.0) if known else None,
    )


def held_waits(ledger: Ledger) -> list[float]:
    """Seconds that each job that a person saw streamed would have been held, where that can be said."""
    return [at - each.accepted for each, at in _compared(ledger)[1]]


def _compared(ledger: Ledger) -> tuple[int, list[tuple[Ran, float]]]:
    """How many jobs people saw streamed; and those with the instant (epoch seconds) until which each would be held."""
    people = [each for each in ledger.ran if each.audience is Audience.USER and _streamed(each)]
    until = _Until(ledger.flushes)
    return len(people), [(each, at) for each in people if (at := until.flush(each.handler, each.accepted)) is not None]


class _Until:
    """Until when a job that was submitted at an instant would have been held."""

    def __init__(self, flushes: Iterable[FlushDone]) -> None:
        self._of: dict[str, list[FlushDone]] = {}
        for flush in sorted(flushes, key=lambda flush: flush.started):
            self._of.setdefault(flush.handler, []).append(flush)
        self._starts = {handler: [flush.started for flush in found] for handler, found in self._of.items()}

    def flush(self, handler: str, at: float) -> float | None:
        """Epoch seconds, or None where nothing can be said."""
        found, starts = self._of.get(handler, []), self._starts.get(handler, [])
        following = bisect_left(starts, at)
        if following < len(found):
            return starts[following]
        ended = found[bisect_right(starts, at) - 1].ended if found else None
        return ended if ended is not None and ended > at else None


def _streamed(each: Ran) -> bool:
    return each.lane is Lane.STREAM or each.mode is Mode.ADAPTIVE
