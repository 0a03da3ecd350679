"""What really ran, as plain data: what `ledger` reads from the queue, `report` sums up and `simulate` repeats.

Times are epoch seconds, durations seconds, money is in the user's own unit.
"""

from collections.abc import Iterable

from msgspec import Struct

from ..job import Audience, Lane, Mode
from ..reason import Reason

TOLD = 1.0  # seconds: no promise is told more finely, and so none is held to less
TINY = 1e-9  # of a sum: what differs by less differs by rounding
SUBMISSION, FLUSH, HALF = "submission", "flush", "half"  # when something was promised: at which of these, or half-way


def saved_of(cost: float, streamed: float, *, untold: bool, due: float = 0.0) -> float | None:
    """Money saved, of what jobs cost and would have cost streamed; below 0 where it was more. None: not known yet, as
    what sharing calls saves is `untold` of some, and nothing else was saved; or as it is a loss by starts alone that
    are still `due` to the other side (see `starts_due`)."""
    saved = streamed - cost
    if saved <= TINY * streamed and (untold or 0 < -saved <= (1 + TINY) * due):
        return None
    return 0.0 if abs(saved) <= TINY * streamed else saved


class Sum(Struct, frozen=True, kw_only=True):
    """All jobs of one handler, audience and lane; `begin` is when the first was submitted (epoch seconds).

    `bound` had a deadline and have ended, or are open although it has passed; `kept` were done by it.
    """

    handler: str
    audience: Audience
    lane: Lane
    jobs: int
    done: int
    failed: int
    cancelled: int
    open: int
    cost: float
    streamed: float
    bound: int
    kept: int
    begin: float


def starts_due(sums: Iterable[Sum]) -> dict[str, float]:
    """Money of starts by handler that jobs have paid which streamed as they came, and that held ones which came before
    them would have paid streamed: it counts as theirs when these have ended."""
    sums = tuple(sums)
    held = {each.handler for each in sums if each.lane is Lane.BATCH and each.open}
    paid = dict.fromkeys(held, 0.0)
    for each in sums:
        if each.lane is Lane.STREAM and each.handler in held:
            paid[each.handler] += max(0.0, each.cost - each.streamed)
    return {handler: money for handler, money in paid.items() if money > 0}


class Ran(Struct, frozen=True, kw_only=True):
    """One job that is done. `first` is when its first byte, or its draft, was there (epoch seconds)."""

    handler: str
    audience: Audience
    lane: Lane
    mode: Mode
    accepted: float
    first: float
    started: float
    finished: float
    cost: float
    streamed: float


class Arrived(Struct, frozen=True, kw_only=True):
    """One job that is done, as it came: `accepted` and `due` are epoch seconds, infinity for no deadline.

    `size` is bytes of input, `busy` the seconds that it ran, `group` "" for a job of its own. `lead` is the share
    of that after which the first byte of a stream job was there; None: it is not known. Jobs of one `flush` that
    `started` at once shared a call. `mode`: the one that was asked for.
    """

    accepted: float
    size: int
    audience: Audience
    due: float
    handler: str
    lane: Lane
    busy: float
    group: str
    flush: int | None
    started: float
    lead: float | None = None
    mode: Mode | None = None


class FlushDone(Struct, frozen=True, kw_only=True):
    """One flush; `ended` is None while it runs."""

    handler: str
    started: float
    ended: float | None
    rule: str
    reason: Reason
    factor: float
    jobs: int
    cost: float


class RuleSum(Struct, frozen=True, kw_only=True):
    """All flushes of one rule. `jobs` came to their end in one, or are to in one that runs; `seconds` is how long they
    ran, together."""

    rule: str
    flushes: int
    jobs: int
    done: int
    failed: int
    seconds: float
    cost: float


class Promised(Struct, frozen=True, kw_only=True):
    """One promise to `jobs` jobs of which all are done, and when they really began and were done. It was `made` at
    their submission, when their flush began, or half-way to the end that had been promised first (`said`)."""

    said: str
    jobs: int
    made: float
    start: float | None
    finish: float
    finish90: float | None
    started: float
    finished: float

    @property
    def late(self) -> bool:
        """Whether it was done after its 90th percentile, as it was told: to the second."""
        return self.finish90 is not None and self.finished >= self.finish90 + TOLD

    @property
    def early(self) -> bool:
        """Whether it was done before the range that was told (as far before its finish as the 90th percentile is after
        that) began: to the second."""
        return self.finish90 is not None and self.finished <= 2 * self.finish - self.finish90 - TOLD


class Drafts(Struct, frozen=True, kw_only=True):
    """What adaptive jobs have come to: drafts and finals that are there, and what the drafts cost."""

    drafts: int
    failed: int
    finals: int
    cost: float


class Moved(Struct, frozen=True, kw_only=True):
    """What happened on the way, in jobs: one that was rescued twice counts twice.

    `promoted_cost` and `promoted_streamed` are money, of all jobs that were promoted.
    """

    rescued: int
    given_back: int
    promoted: int
    reclassified: int
    promoted_cost: float
    promoted_streamed: float


class Cause(Struct, frozen=True, kw_only=True):
    """Jobs that failed for the same reason; texts that differ only in their numbers are one, with `…` for these."""

    reason: str
    jobs: int
    cost: float


class Late(Struct, frozen=True, kw_only=True):
    """Jobs that ended after their deadline, or are open although it has passed; `by` is the most of it (seconds)."""

    audience: Audience
    jobs: int
    by: float


class Cleaned(Struct, frozen=True):
    """Jobs that a user has cleaned away, and what they had cost."""

    jobs: int
    cost: float


class Piped(Struct, frozen=True, kw_only=True):
    """What pipes of one handler have done: items, and the money that answering them has cost. `shed` are jobs, which
    are counted with all others."""

    handler: str
    pipes: int
    taken: int
    answered: int
    failed: int
    shed: int
    late: int
    busy: float  # seconds of workers
    cost: float


class Ledger(Struct, frozen=True, kw_only=True):
    """All of it. `promises` is how many there are, of which `promised` holds some."""

    since: float
    sums: tuple[Sum, ...]
    ran: tuple[Ran, ...]
    flushes: tuple[FlushDone, ...]
    rules: tuple[RuleSum, ...]
    promises: int
    promised: tuple[Promised, ...]
    drafts: Drafts
    moved: Moved
    causes: tuple[Cause, ...]
    late: tuple[Late, ...]
    cut_jobs: int
    cut_bytes: int
    not_mine: int
    cleaned: Cleaned
    piped: tuple[Piped, ...] = ()
