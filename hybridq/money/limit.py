"""One limit on money: how many jobs it lets begin now, and the sentence where it lets none.

Rule: one limit is one thing, whatever cohorts, lanes, priorities or drafts its jobs are in, and whoever runs them.
What counts against it is read by `limits`; here is arithmetic alone.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from msgspec import Struct, field

from ..brain.costs import Spending
from ..job import Lane
from ..reason import Reason, about


class Work(NamedTuple):
    """Jobs that cost alike: a handler's in a lane, or its drafts, which another handler makes."""

    handler: str
    lane: Lane
    draft: bool = False


Costs = Callable[[Work, float], Spending | None]
"""(work, mean bytes of input) -> what such a job costs; None: nobody knows."""


class Limited(Struct, frozen=True):
    """How many jobs may begin now, and why no more; the reason is None where nothing limits."""

    jobs: int
    reason: Reason | None = None

    @property
    def why(self) -> Reason | None:
        """Why none may; None: some may."""
        return None if self.jobs else self.reason


class Kind(Struct, frozen=True):
    """Jobs of a handler that cost alike: in one lane, or drafts. `running` of them run; None: nobody knows what they
    cost."""

    spending: Spending | None
    running: int

    @property
    def reserved(self) -> float:
        """Money for those that run."""
        return 0.0 if self.spending is None else self.spending.of(self.running)

    @property
    def blind(self) -> int:
        """How many run of which nobody knows what they cost."""
        return self.running if self.spending is None else 0


class Limit(Struct, kw_only=True):
    """One limit as it stands: `what` it is, of a daily budget the handler; `renewed` is when that is (epoch seconds);
    `sizes` are mean bytes of input, where they are known of what runs."""

    what: str
    amount: float
    spent: float
    running: dict[Work, int]
    sizes: dict[Work, float] = field(default_factory=dict)
    renewed: float | None = None

    def lets(self, work: Work, size: float, costs: Costs) -> Limited:
        """How many more jobs with inputs of mean `size` (bytes) may begin."""
        mine = Kind(costs(work, size), self.running.get(work, 0))
        if mine.spending is not None and mine.spending.each > self.amount:
            each = about(mine.spending.each)
            return Limited(0, Reason("dear", self.what, runs=False, costs=each, whole=self.amount, due=self.renewed))
        others = [
            Kind(costs(other, self.sizes.get(other, size)), running)
            for other, running in self.running.items()
            if running and other != work
        ]
        return room(self.what, self.amount, self.spent, mine, others, self.renewed)

    def took(self, work: Work, jobs: int) -> None:
        """So many more run."""
        self.running[work] = self.running.get(work, 0) + jobs


def room(
    what: str, limit: float, spent: float, mine: Kind, others: Sequence[Kind] = (), renewed: float | None = None
) -> Limited:
    """How many jobs more of a kind may begin, so that `limit` is kept beside the money that is `spent` and that is
    reserved for `others`. Of unknown money one at a time may, of all kinds together, while anything is left."""
    beside = spent + sum(kind.reserved for kind in others)
    running = mine.running + sum(kind.running for kind in others)
    if mine.spending is None:
        blind = mine.running + sum(kind.blind for kind in others)
        jobs, each = (0 if blind or beside >= limit else 1), None
    else:
        jobs, each = mine.spending.within(limit - beside, mine.running), about(mine.spending.each)
    why = Reason(
        "limit",
        what,
        runs=False,
        whole=limit,
        spent=about(spent),
        reserved=about(beside - spent + mine.reserved),
        costs=each,
        due=renewed,
        jobs=running,
    )
    return Limited(jobs, why)
