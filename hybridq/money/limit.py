"""One limit on money: how many jobs it lets begin now, and the sentence where it lets none.

Rule: one limit is one thing, whatever cohorts, lanes, priorities or drafts its jobs are in, and whoever runs them.
What counts against it is read by `limits`; here is arithmetic alone.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from msgspec import Struct, field

from ..brain.costs import Spending
from ..job import Lane
from ..when import count, money


class Work(NamedTuple):
    """Jobs that cost alike: a handler's in a lane, or its drafts, which another handler makes."""

    handler: str
    lane: Lane
    draft: bool = False


Costs = Callable[[Work, float], Spending | None]
"""(work, mean bytes of input) -> what such a job costs; None: nobody knows."""


class Limited(Struct, frozen=True):
    """How many jobs may begin now, and why no more; the reason is "" where nothing limits."""

    jobs: int
    reason: str = ""

    @property
    def why(self) -> str:
        """Why none may; "": some may."""
        return "" if self.jobs else self.reason


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
    """One limit as it stands. `then` says what helps, `raise_it` what helps a job that is dearer than the `whole`;
    `sizes` are mean bytes of input, where they are known of what runs."""

    what: str
    amount: float
    spent: float
    running: dict[Work, int]
    sizes: dict[Work, float] = field(default_factory=dict)
    then: str = ""
    whole: str = ""
    raise_it: str = ""

    def lets(self, work: Work, size: float, costs: Costs) -> Limited:
        """How many more jobs with inputs of mean `size` (bytes) may begin."""
        mine = Kind(costs(work, size), self.running.get(work, 0))
        if mine.spending is not None and mine.spending.each > self.amount:
            each, whole = money(mine.spending.each), self.whole or self.what
            return Limited(
                0, f"held: one job costs about {each}, more than {whole}, {money(self.amount)}{self.raise_it}"
            )
        others = [
            Kind(costs(other, self.sizes.get(other, size)), running)
            for other, running in self.running.items()
            if running and other != work
        ]
        return room(self.what, self.amount, self.spent, mine, others, self.then)

    def took(self, work: Work, jobs: int) -> None:
        """So many more run."""
        self.running[work] = self.running.get(work, 0) + jobs


def room(what: str, limit: float, spent: float, mine: Kind, others: Sequence[Kind] = (), then: str = "") -> Limited:
    """How many jobs more of a kind may begin, so that `limit` is kept beside the money that is `spent` and that is
    reserved for `others`. Of unknown money one at a time may, of all kinds together, while anything is left.

    `then` says what helps: of a job that is dearer than the whole limit, and else.
    """
    beside = spent + sum(kind.reserved for kind in others)
    running = mine.running + sum(kind.running for kind in others)
    if mine.spending is None:
        blind = mine.running + sum(kind.blind for kind in others)
        jobs, costs = (0 if blind or beside >= limit else 1), "what one costs is not known"
    else:
        jobs, costs = mine.spending.within(limit - beside, mine.running), f"one costs about {money(mine.spending.each)}"
    runs = f", {money(beside - spent + mine.reserved)} reserved for {count(running)} that run{'s' * (running == 1)}"
    told = f"{what} is {money(limit)}, {money(spent)} is spent{runs if running else ''}; {costs}"
    return Limited(jobs, f"held: {told}{then}")
