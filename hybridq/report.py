"""What the queue has done for its user: money, waiting, deadlines, flushes, promises, and all that went wrong.

Rule: sums over the plain data of `ledger`, and nothing else: no clock, no store, no policy. Times are seconds,
money is in the user's own unit, a share is between 0 and 1; None where nothing can be said.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from statistics import median

from msgspec import Struct

from .job import Audience, Lane, Mode
from .ledger import Cause, Drafts, Flushed, Ledger, Moved, Promised, Ran, RuleSum
from .verdict import LEAST, NEAR, rank, share

CAUSES = 10  # reasons of failures that are told one by one
HOW_GATHERED = (
    "each of these jobs is thought to wait for the next flush of its handler that was really run, until it began;"
    " where none followed, until the flush that ran already had ended; it then takes no time at all,"
    " so gathering was slower than this"
)


class Saved(Struct, frozen=True, kw_only=True):
    """What jobs cost, and what they would have cost streamed at their submission; `share` of that is saved."""

    handler: str | None  # None: any
    audience: Audience | None
    jobs: int
    done: int
    cost: float
    streamed: float
    saved: float
    share: float | None


class Waited(Struct, frozen=True, kw_only=True):
    """Seconds from submission to the first byte of a result; `lane` is where the jobs ended, None: either."""

    audience: Audience
    lane: Lane | None
    jobs: int
    counted: int  # of them, evenly spread
    p50: float | None
    p95: float | None
    p99: float | None


class Gathered(Struct, frozen=True, kw_only=True):
    """What a person saw streamed, and what gathering would have made of the same jobs.

    `unknown` jobs cannot be compared. `sooner` is by how much the median of what was is shorter.
    """

    jobs: int
    unknown: int
    was: Waited
    held: Waited
    sooner: float | None
    how: str = HOW_GATHERED


class Deadlines(Struct, frozen=True, kw_only=True):
    """Jobs that had a deadline and ended, or are open although it has passed; and those done by then."""

    audience: Audience
    jobs: int
    kept: int
    share: float | None


class Kept(Struct, frozen=True, kw_only=True):
    """How good the promises made at submission were, for the submissions of which all is done.

    `covered`: the share done by the promised 90th percentile. `error`: the median distance between the promised and
    the real finish, relative to the real time to it. `held`: submissions that were told to start more than a minute
    later; `started`: the share of them that started within a minute of that.
    """

    made: int
    ended: int
    covered: float | None
    error: float | None
    held: int
    started: float | None


class Report(Struct, frozen=True, kw_only=True):
    """All figures. `counted` of `done` jobs were looked at one by one, for waits alone; all else is over all."""

    now: float
    since: float
    begin: float | None
    jobs: int
    done: int
    failed: int
    cancelled: int
    open: int
    counted: int
    total: Saved
    saved: tuple[Saved, ...]
    waits: tuple[Waited, ...]
    gathered: Gathered
    deadlines: tuple[Deadlines, ...]
    flushes: tuple[RuleSum, ...]
    promises: Kept
    drafts: Drafts
    moved: Moved
    causes: tuple[Cause, ...]
    other_causes: int  # jobs that failed for any other reason
    cut_jobs: int
    cut_bytes: int
    not_mine: int  # since the queue was made


def report(ledger: Ledger, now: float) -> Report:
    """Sum up."""
    sums = ledger.sums
    causes = ledger.causes[:CAUSES]
    failed = sum(each.failed for each in sums)
    return Report(
        now=now, since=ledger.since, begin=ledger.begin, jobs=sum(each.jobs for each in sums),
        done=sum(each.done for each in sums), failed=failed, cancelled=sum(each.cancelled for each in sums),
        open=sum(each.open for each in sums), counted=len(ledger.ran), total=_total(ledger), saved=tuple(_saved(ledger)),
        waits=tuple(_waits(ledger)), gathered=gathered(ledger), deadlines=tuple(_deadlines(ledger)),
        flushes=ledger.rules, promises=kept(ledger.promises, ledger.promised), drafts=ledger.drafts,
        moved=ledger.moved, causes=causes, other_causes=failed - sum(each.jobs for each in causes),
        cut_jobs=ledger.cut_jobs, cut_bytes=ledger.cut_bytes, not_mine=ledger.not_mine,
    )  # fmt: skip


def gathered(ledger: Ledger) -> Gathered:
    """Compare what people saw streamed with the flushes that would have taken the same jobs."""
    people = [each for each in ledger.ran if each.audience is Audience.USER and _streamed(each)]
    until = _Until(ledger.flushes)
    compared = [(each, at) for each in people if (at := until.flush(each.handler, each.accepted)) is not None]
    was = _waited(Audience.USER, Lane.STREAM, len(compared), (each.first - each.accepted for each, _ in compared))
    held = _waited(Audience.USER, Lane.BATCH, len(compared), (at - each.accepted for each, at in compared))
    known = was.p50 is not None and held.p50
    return Gathered(
        jobs=len(compared), unknown=len(people) - len(compared), was=was, held=held,
        sooner=1 - (was.p50 or 0.0) / (held.p50 or 1.0) if known else None,
    )  # fmt: skip


class _Until:
    """Until when a job that was submitted at an instant would have been held."""

    def __init__(self, flushes: Iterable[Flushed]) -> None:
        self._of: dict[str, list[Flushed]] = {}
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


def kept(made: int, promised: Sequence[Promised]) -> Kept:
    """How good these promises were, of `made`."""
    errors = [abs(p.finished - p.finish) / max(LEAST, p.finished - p.made) for p in promised]
    held = [(p.started, p.start) for p in promised if p.start is not None and p.start - p.made > NEAR]
    return Kept(
        made=made, ended=len(promised),
        covered=share(p.finished <= p.finish90 for p in promised if p.finish90 is not None),
        error=median(errors) if errors else None,
        held=len(held), started=share(abs(started - start) <= NEAR for started, start in held),
    )  # fmt: skip


def _streamed(each: Ran) -> bool:
    return each.lane is Lane.STREAM or each.mode is Mode.ADAPTIVE


def _total(ledger: Ledger) -> Saved:
    return _priced(None, None, ledger)


def _saved(ledger: Ledger) -> Iterator[Saved]:
    """By handler and audience, what cost most first."""
    keys = dict.fromkeys((each.handler, each.audience) for each in ledger.sums)
    yield from sorted((_priced(*key, ledger) for key in keys), key=lambda each: -each.streamed)


def _priced(handler: str | None, audience: Audience | None, ledger: Ledger) -> Saved:
    of = [
        each for each in ledger.sums
        if handler in (None, each.handler) and audience in (None, each.audience)
    ]  # fmt: skip
    cost, streamed = sum(each.cost for each in of), sum(each.streamed for each in of)
    return Saved(
        handler=handler, audience=audience, jobs=sum(each.jobs for each in of), done=sum(each.done for each in of),
        cost=cost, streamed=streamed, saved=streamed - cost, share=1 - cost / streamed if streamed > 0 else None,
    )  # fmt: skip


def _waits(ledger: Ledger) -> Iterator[Waited]:
    """By audience, and by lane where an audience met both."""
    for audience in Audience:
        ran = [each for each in ledger.ran if each.audience is audience]
        done = {lane: sum(s.done for s in ledger.sums if (s.audience, s.lane) == (audience, lane)) for lane in Lane}
        if not any(done.values()):
            continue
        if all(done.values()):
            yield _waited(audience, None, sum(done.values()), (each.first - each.accepted for each in ran))
        for lane in Lane:
            if done[lane]:
                seconds = (each.first - each.accepted for each in ran if each.lane is lane)
                yield _waited(audience, lane, done[lane], seconds)


def _waited(audience: Audience, lane: Lane | None, jobs: int, seconds: Iterable[float]) -> Waited:
    ordered = sorted(max(0.0, each) for each in seconds)
    return Waited(
        audience=audience, lane=lane, jobs=jobs, counted=len(ordered),
        p50=rank(ordered, 0.5), p95=rank(ordered, 0.95), p99=rank(ordered, 0.99),
    )  # fmt: skip


def _deadlines(ledger: Ledger) -> Iterator[Deadlines]:
    for audience in Audience:
        of = [each for each in ledger.sums if each.audience is audience]
        jobs, made = sum(each.bound for each in of), sum(each.kept for each in of)
        if jobs:
            yield Deadlines(audience=audience, jobs=jobs, kept=made, share=made / jobs)
