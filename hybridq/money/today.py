"""What is left of a handler's daily budget, in jobs of the usual cost: for forecasts, not for claims.

Rule: a finish that the budget would not keep is not told. Reads only; what may begin at this instant, with all that it
reserves, is for `limits` to say.
"""

from msgspec import Struct
from msgspec.structs import replace

from ..job import Decision, Lane, State
from ..outlook import Outlook
from ..queue.cohorts import tally
from ..reason import Reason
from .limits import Budget


class _Left(Struct):
    """Of one handler: what is neither spent nor for what runs, the epoch second of its renewal, the jobs ahead."""

    money: float
    renewed: float
    ahead: int
    taken: float = 0.0  # by the parts that were asked for so far


class Today:
    """What the daily budgets let run today, asked at `now`."""

    def __init__(self, outlook: Outlook, now: float) -> None:
        self._outlook, self._now = outlook, now
        self._budget = Budget(outlook)
        self._left: dict[str, _Left] = {}

    def beyond(self, handler: str, lane: Lane, jobs: int, size: float) -> Reason | None:
        """Why not all of so many queued jobs begin today, where some do; None: all do, or it is not known."""
        each, left = self._budget.usual(handler, lane, size, self._now), self._of(handler, size)
        if not each or left is None or jobs * each <= left.money:
            return None
        return self._told(handler, int(left.money / each), jobs, left.renewed) if left.money >= each else None

    def within(self, decision: Decision, handler: str, jobs: int, size: float) -> Decision:
        """A submission's decision without a finish that the budget will not keep, and with why not.

        The next part that is asked for comes after this one. Where nothing may begin at all that is told as why it is
        held.
        """
        cost, left = decision.forecast.cost, self._of(handler, size)
        if not cost or not cost / jobs or left is None:
            return decision
        before, each = left.taken + left.ahead * cost / jobs, cost / jobs
        left.taken += cost
        if before + cost <= left.money:
            return decision
        some = min(jobs, int(max(0.0, left.money - before) / each))
        told = self._told(handler, some, jobs, left.renewed) if left.money >= each else None
        considered = tuple(
            replace(f, finish=None, finish90=None) if f.mode is decision.mode else f for f in decision.considered
        )
        warning = told if decision.warning is None else replace(decision.warning, then=told)
        return replace(decision, considered=considered, warning=warning)

    def _of(self, handler: str, size: float) -> _Left | None:
        if handler not in self._left:
            found = self._budget.left_today(handler, size, self._now)
            if found is None:
                return None
            ahead = sum(
                jobs
                for (name, _, state), jobs in tally(self._outlook.store).items()
                if name == handler and state is State.QUEUED
            )
            self._left[handler] = _Left(*found, ahead)
        return self._left[handler]

    def _told(self, handler: str, some: int, jobs: int, renewed: float) -> Reason:
        return Reason("today", handler, jobs=some, of=jobs, due=renewed)
