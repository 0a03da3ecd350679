"""What the queue has done for its user: money, waiting, deadlines, flushes, promises, and all that went wrong.

Rule: sums over the plain data of `ledger`, and nothing else: no clock, no store, no policy. Times are seconds,
money is in the user's own unit, a share is between 0 and 1; None where nothing can be said.
"""

from collections.abc import Collection, Iterator, Sequence
from statistics import median

from msgspec import Struct, structs

from ..job import Audience, Lane
from ..queue.account import (
    FLUSH,
    HALF,
    SUBMISSION,
    Cause,
    Cleaned,
    Drafts,
    Ledger,
    Moved,
    Piped,
    Promised,
    RuleSum,
    Sum,
    saved_of,
    starts_due,
)
from .figures import LEAST, NEAR, off, share
from .waits import Comparison, Waited, compare_gathered, waits

FAR = 3.0  # times the real time beyond which a 90th percentile is far too late
CAUSES = 10  # reasons of failures that are told one by one


class Saved(Struct, frozen=True, kw_only=True):
    """What jobs cost, and what they would have cost streamed as they came; `share` of that is saved. None: not known
    yet."""

    handler: str | None  # None: any
    audience: Audience | None
    jobs: int
    done: int
    cost: float
    streamed: float
    saved: float
    share: float | None


class Deadlines(Struct, frozen=True, kw_only=True):
    """Jobs that had a deadline and ended, or are open although it has passed; and those done by then.

    `late` of them ended later, or have not ended: `late_by` seconds is the most of it, so far.
    """

    audience: Audience
    jobs: int
    kept: int
    late: int
    late_by: float | None
    share: float | None


class Score(Struct, frozen=True, kw_only=True):
    """How good some promises were: `ended` of them can be judged, as all that they were about is done.

    `covered`: the share that was done within the range that was told, to the second: `late` is the share that was done
    after its end, the 90th percentile, `early` the share that was done before its begin, as far before the promised
    finish as the end is after it; `loose` were within a range that says nothing, as its end was beyond FAR times the
    real time and a minute after it, and are not covered either. `error`: the median distance between the promised and
    the real finish, relative to the real time to it; `bias` the same with its sign, below 0 where too soon was
    promised. `width`: the median distance from the promised finish to its 90th percentile, relative to the real time.
    """

    ended: int
    covered: float | None
    late: float | None
    early: float | None
    loose: int
    error: float | None
    bias: float | None
    width: float | None


class PromisesKept(Score, frozen=True, kw_only=True):
    """How good the promises made at submission were, for the submissions of which all is done and nobody drained
    any before its time; of those to submissions of many jobs alone (`groups`), and of what was shown later: when a
    flush began (`flush`), and half-way to the end that was promised first (`half`).

    `held`: submissions that were told to start more than a minute later; `started`: the share of them that started
    within a minute of that.
    """

    made: int
    held: int
    started: float | None
    groups: Score
    flush: Score
    half: Score


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
    gathered: Comparison
    deadlines: tuple[Deadlines, ...]
    flushes: tuple[RuleSum, ...]
    promises: PromisesKept
    drafts: Drafts
    moved: Moved
    causes: tuple[Cause, ...]
    other_causes: int  # jobs that failed for any other reason
    cut_jobs: int
    cut_bytes: int
    not_mine: int  # since the queue was made
    cleaned: Cleaned  # the same; in none of the other figures
    unpriced: tuple[str, ...]  # handlers whose price nobody knows: what their jobs cost counts as 0
    untold: tuple[str, ...] = ()  # of which it is not known yet what sharing calls saves: it counts as 0
    starts_due: tuple[str, ...] = ()  # whose held jobs would have made a start, streamed, that later ones have made
    currency: str = ""
    piped: tuple[Piped, ...] = ()  # items of pipes, which are no jobs: in none of the other figures

    @property
    def nothing(self) -> bool:
        """Whether no job has come to an end by itself."""
        return not self.done + self.failed


def report(
    ledger: Ledger, now: float, unpriced: Collection[str] = (), currency: str = "", untold: Collection[str] = ()
) -> Report:
    """Sum up; `unpriced` are the handlers whose price nobody knows, `untold` those of which it is not known yet what
    sharing calls saves, `currency` is what money is counted in."""
    sums = ledger.sums
    batched = {each.handler for each in sums if each.lane is Lane.BATCH and each.done} & set(untold)
    causes = ledger.causes[:CAUSES]
    failed = sum(each.failed for each in sums)
    return Report(
        now=now,
        since=ledger.since,
        begin=min((each.begin for each in sums), default=None),
        jobs=sum(each.jobs for each in sums),
        done=sum(each.done for each in sums),
        failed=failed,
        cancelled=sum(each.cancelled for each in sums),
        open=sum(each.open for each in sums),
        counted=len(ledger.ran),
        total=_priced(None, None, ledger, batched),
        saved=tuple(_saved(ledger, batched)),
        waits=tuple(waits(ledger)),
        gathered=compare_gathered(ledger),
        deadlines=tuple(_deadlines(ledger)),
        flushes=ledger.rules,
        promises=kept(ledger.promises, ledger.promised),
        drafts=ledger.drafts,
        moved=ledger.moved,
        causes=causes,
        other_causes=failed - sum(each.jobs for each in causes),
        cut_jobs=ledger.cut_jobs,
        cut_bytes=ledger.cut_bytes,
        not_mine=ledger.not_mine,
        cleaned=ledger.cleaned,
        unpriced=tuple(sorted({each.handler for each in sums} & set(unpriced))),
        untold=tuple(sorted(batched)),
        starts_due=tuple(sorted(starts_due(sums))),
        currency=currency,
        piped=ledger.piped,
    )


def kept(made: int, promised: Sequence[Promised]) -> PromisesKept:
    """How good these promises were, of `made` at submission."""
    first = [p for p in promised if p.said == SUBMISSION]
    held = [(p.started, p.start) for p in first if p.start is not None and p.start - p.made > NEAR]
    return PromisesKept(
        **structs.asdict(score(first)),
        made=made,
        held=len(held),
        started=share(abs(started - start) <= NEAR for started, start in held),
        groups=score([p for p in first if p.jobs > 1]),
        flush=score([p for p in promised if p.said == FLUSH]),
        half=score([p for p in promised if p.said == HALF]),
    )


def score(promised: Sequence[Promised]) -> Score:
    """How good these were."""
    errors = [off(p.finish - p.made, p.finished - p.made) for p in promised]
    signed = [error if p.finish > p.finished else -error for p, error in zip(promised, errors, strict=True)]
    ranged = [p for p in promised if p.finish90 is not None]
    widths = [((p.finish90 or 0.0) - p.finish) / max(LEAST, p.finished - p.made) for p in ranged]
    return Score(
        ended=len(promised),
        covered=share(not (p.late or p.early or _loose(p)) for p in ranged),
        late=share(p.late for p in ranged),
        early=share(p.early for p in ranged),
        loose=sum(_loose(p) and not p.early for p in ranged),
        error=median(errors) if errors else None,
        bias=median(signed) if signed else None,
        width=median(widths) if widths else None,
    )


def _loose(promised: Promised) -> bool:
    """Whether what was promised as the latest end was too late to be of use."""
    latest, real = (promised.finish90 or 0.0) - promised.made, promised.finished - promised.made
    return latest > max(FAR * real, real + NEAR)


def _saved(ledger: Ledger, untold: Collection[str]) -> Iterator[Saved]:
    """By handler and audience, what cost most first."""
    keys = dict.fromkeys((each.handler, each.audience) for each in ledger.sums)
    yield from sorted((_priced(*key, ledger, untold) for key in keys), key=lambda each: -each.streamed)


def _priced(handler: str | None, audience: Audience | None, ledger: Ledger, untold: Collection[str]) -> Saved:
    of = _sums(ledger, handler, audience)
    cost, streamed = sum(each.cost for each in of), sum(each.streamed for each in of)
    # Streamed, whoever came first would have paid the start: a part is known where its handler's whole is.
    known = all(_known(ledger, handler, part, untold) for part in dict.fromkeys((audience, None)))
    return Saved(
        handler=handler,
        audience=audience,
        jobs=sum(each.jobs for each in of),
        done=sum(each.done for each in of),
        cost=cost,
        streamed=streamed,
        saved=streamed - cost,
        share=1 - cost / streamed if streamed > 0 and known else None,
    )


def _sums(ledger: Ledger, handler: str | None, audience: Audience | None) -> list[Sum]:
    return [each for each in ledger.sums if handler in (None, each.handler) and audience in (None, each.audience)]


def _known(ledger: Ledger, handler: str | None, audience: Audience | None, untold: Collection[str]) -> bool:
    of = _sums(ledger, handler, audience)
    cost, streamed = sum(each.cost for each in of), sum(each.streamed for each in of)
    some = any(each.handler in untold and each.lane is Lane.BATCH for each in of)
    due = sum(money for name, money in starts_due(ledger.sums).items() if handler in (None, name))
    return saved_of(cost, streamed, untold=some, due=due) is not None


def _deadlines(ledger: Ledger) -> Iterator[Deadlines]:
    for audience in Audience:
        of = [each for each in ledger.sums if each.audience is audience]
        jobs, made = sum(each.bound for each in of), sum(each.kept for each in of)
        late = next((each for each in ledger.late if each.audience is audience), None)
        if jobs:
            yield Deadlines(
                audience=audience,
                jobs=jobs,
                kept=made,
                share=made / jobs,
                late=late.jobs if late else 0,
                late_by=late.by if late else None,
            )
