"""The limits on money in force: what would exceed one is held, with that reason, until there is room or it is raised.

Three limits: `--max-cost` for all jobs of one submission, a handler's `daily_budget` for all that ends on one day of
the tariff's zone, and what a runner may spend itself (`drain --max-cost`). Jobs that run count with what they may
cost (see `brain.costs`), so that a limit is exceeded by one job's surprise at most. Nothing is ever dropped.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from ..brain.costs import UNLIMITED, Spending, mean_size
from ..config.resources import Resources
from ..job import LANES, Held, Lane, State
from ..outlook import Outlook
from ..queue.cohorts import tally
from ..queue.holds import (
    Terms,
    Worked,
    drafts_running,
    of_submission,
    release,
    spent_since,
    terms_of,
    withheld,
    withhold,
    withhold_classes,
)
from ..queue.store import Store
from ..reason import ITS_LIMIT, Reason
from .limit import Limit, Limited, Work

Own = Callable[[], Limit]
"""What a runner may spend itself, as it stands."""


class Budget:
    """The limits in force for one queue; `own` is the runner's."""

    def __init__(self, outlook: Outlook, own: Own | None = None) -> None:
        self.own = own
        self._outlook = outlook
        self._zone = ZoneInfo(outlook.config.tariff.zone)
        self._told: dict[
            str, tuple[Reason | None, int]
        ] = {}  # by handler: why classes are held, and how many cohorts these are

    @property
    def resources(self) -> Resources:
        """What there is of each counted resource."""
        return self._outlook.config.resources

    def opening(self, handler: str, lane: Lane, now: float) -> "Opening":
        """What may begin of a handler in a lane: for one look, or for one transaction in which jobs are taken."""
        return Opening(self, self._outlook.store, handler, lane, now)

    def limits(self, cohort: int, handler: str, lane: Lane, now: float) -> Limited:
        """How many jobs of a cohort may begin now in a lane, by all limits."""
        return self.opening(handler, lane, now).limited(cohort)

    def affordable(self, work: Sequence[Held], handler: str, now: float) -> list[Held]:
        """What of held work may begin by the limits on money; of the rest the reason is kept."""
        store, opening = self._outlook.store, self.opening(handler, Lane.BATCH, now)
        whole = opening.of_all(mean_size(work))
        single = [each.key for each in work if each.key > 0]
        if changed := [key for key in single if opening.turned(key)]:
            with store.tx():  # one commit for all
                for key in changed:
                    hold_back(store, key, opening.kept(key).why, now)
        if len(single) < len(work):
            self._classes(handler, whole.why, sum(each.cohorts for each in work), now)
        else:
            self._told.pop(handler, None)
        return [each for each in work if (opening(each.key) if each.key > 0 else whole.jobs)]

    def _classes(self, handler: str, reason: Reason | None, cohorts: int, now: float) -> None:
        """Keep why all that is counted in classes is held; None: it no longer is."""
        cohorts = 0 if reason is None else cohorts
        if self._told.get(handler) == (reason, cohorts):
            return
        withhold_classes(self._outlook.store, handler, reason, now)
        self._told[handler] = reason, cohorts

    def left_today(self, handler: str, size: float, now: float) -> tuple[float, float] | None:
        """(money that a daily budget has left beside what runs, by what that usually costs; when the budget is
        renewed, epoch seconds). None: there is none."""
        limit = self.of_day(handler, now)
        if limit is None:
            return None
        known = [(self.costs(work, size, now), running) for work, running in limit.running.items()]
        runs = sum(running * spending.each for spending, running in known if spending is not None)
        return limit.amount - limit.spent - runs, self._day(now)[1]

    def usual(self, handler: str, lane: Lane, size: float, now: float) -> float | None:
        """Money that one job with an input of `size` (bytes) usually costs. None: nobody knows."""
        spending = self.costs(Work(handler, lane), size, now)
        return None if spending is None else spending.each

    def costs(self, work: Work, size: float, now: float) -> Spending | None:
        """What such a job costs that begins now; a draft at the price of whoever makes it. None: nobody knows."""
        by = work.draft and self.drafted_by(work.handler)
        estimate = self._outlook.estimate(by or work.handler)
        takes = estimate.mean_time(work.lane, size) or 0.0
        return estimate.spending(work.lane, size, self._outlook.tariff.mean(now, now + takes))

    def drafted_by(self, handler: str) -> str:
        """Who makes the drafts of a handler; "": nobody."""
        config = self._outlook.config.handlers.get(handler)
        return config.draft or "" if config is not None else ""

    def of_day(self, handler: str, now: float) -> Limit | None:
        """The daily budget of a handler as it stands: of all its jobs, and of all drafts that it makes."""
        config = self._outlook.config.handlers.get(handler)
        if config is None or config.daily_budget is None:
            return None
        began, renewed = self._day(now)
        return Limit(
            what=handler,
            amount=config.daily_budget,
            spent=spent_since(self._outlook.store, handler, began),
            running=self._running(handler),
            renewed=renewed,
        )

    def _running(self, handler: str) -> dict[Work, int]:
        """What runs now that a handler's budget is for."""
        store, handlers = self._outlook.store, self._outlook.config.handlers
        counts = tally(store)
        running = {Work(handler, lane): counts.get((handler, lane, State.RUNNING), 0) for lane in LANES}
        for name, config in handlers.items():
            if config.draft and handler in (name, config.draft):
                drafts = drafts_running(store, name) if counts.get((name, Lane.STREAM, State.RUNNING)) else 0
                running[Work(name, Lane.STREAM, draft=True)] = drafts
                if name == handler:
                    running[Work(handler, Lane.STREAM)] -= drafts
        return running

    def of_submission(self, submission: int, limit: float) -> Limit:
        """The cost limit of a submission as it stands, wherever its jobs have come to be."""
        return limit_on(ITS_LIMIT, limit, of_submission(self._outlook.store, submission, limit))

    def _day(self, now: float) -> tuple[float, float]:
        """When this day of the tariff's zone began and when it ends, epoch seconds."""
        today = datetime.fromtimestamp(now, self._zone).replace(hour=0, minute=0, second=0, microsecond=0)
        return today.timestamp(), (today + timedelta(days=1)).timestamp()


class Opening:
    """What the limits let begin of one handler in one lane: each is read once, when it is first asked for, and kept
    true while jobs are taken. Inside a transaction nobody else can take of it meanwhile."""

    def __init__(self, budget: Budget, store: Store, handler: str, lane: Lane, now: float) -> None:
        self._budget, self._store = budget, store
        self._handler, self._lane, self._now = handler, lane, now
        self._read: dict[object, Limit | None] = {}
        self._terms: dict[int, Terms] = {}

    def __call__(self, cohort: int) -> int:
        """How many jobs of a cohort may begin."""
        return self.limited(cohort).jobs

    def limited(self, cohort: int) -> Limited:
        """The same, and why no more, by all limits."""
        work, size, limits = self._of(cohort)
        return self._narrowest([*limits, *self._own()], work, size)

    def kept(self, cohort: int) -> Limited:
        """The same by the limits of the queue alone: what this runner may spend is nobody else's matter."""
        work, size, limits = self._of(cohort)
        return self._narrowest(limits, work, size)

    def turned(self, cohort: int) -> bool:
        """Whether a cohort is held by the limits of the queue for another reason than is kept, or no longer is."""
        return self.kept(cohort).why != self._terms[cohort].kept

    def of_all(self, size: float, *, draft: bool = False) -> Limited:
        """How many jobs may begin that have no limit of their own."""
        work = self._work(draft)
        return self._narrowest(self._of_days(work), work, size)

    def took(self, cohort: int, jobs: int) -> None:
        """So many jobs of a cohort began."""
        work, _, limits = self._of(cohort)
        for limit in [*limits, *self._own()]:
            limit.took(work, jobs)

    def _narrowest(self, limits: Sequence[Limit], work: Work, size: float) -> Limited:
        lets = [limit.lets(work, size, lambda of, size: self._budget.costs(of, size, self._now)) for limit in limits]
        return min(lets, key=lambda limited: limited.jobs, default=Limited(UNLIMITED))

    def _work(self, draft: bool) -> Work:
        drafts = draft and self._lane is Lane.STREAM and bool(self._budget.drafted_by(self._handler))
        return Work(self._handler, self._lane, drafts)

    def _of(self, cohort: int) -> tuple[Work, float, list[Limit]]:
        """A cohort's kind of work, its mean input in bytes, and the limits that its jobs are in."""
        if cohort not in self._terms:
            self._terms[cohort] = terms_of(self._store, cohort)
        terms = self._terms[cohort]
        work, amount = self._work(terms.adaptive), terms.max_cost
        limits = self._of_days(work)
        if amount is not None:
            number = terms.submission
            own = self._once((number, amount), lambda: self._budget.of_submission(number, amount))
            limits += [] if own is None else [own]
        return work, terms.size, limits

    def _of_days(self, work: Work) -> list[Limit]:
        budget, now = self._budget, self._now
        names = [work.handler, *([budget.drafted_by(work.handler)] if work.draft else [])]
        days = [self._once(name, lambda name=name: budget.of_day(name, now)) for name in names]  # type: ignore[misc]
        return [limit for limit in days if limit is not None]

    def _own(self) -> list[Limit]:
        own = self._once(None, lambda: self._budget.own() if self._budget.own else None)
        return [] if own is None else [own]

    def _once(self, key: object, read: Callable[[], Limit | None]) -> Limit | None:
        if key not in self._read:
            self._read[key] = read()
        return self._read[key]


def limit_on(what: str, amount: float, worked: Iterable[Worked], before: float = 0.0) -> Limit:
    """A limit on what these jobs cost, beyond what they had cost `before`."""
    limit = Limit(what=what, amount=amount, spent=-before, running={})
    for handler, lane, draft, jobs, cost, size in worked:
        work = Work(handler, lane, draft)
        limit.spent += cost
        limit.running[work], limit.sizes[work] = jobs, size
    limit.spent = max(0.0, limit.spent)
    return limit


def hold_back(store: Store, cohort: int, reason: Reason | None, now: float) -> None:
    """Keep why a cohort is held, for views and `explain`; None: it no longer is."""
    if reason == withheld(store, (cohort,)).get(cohort):
        return
    if reason is None:
        release(store, cohort)
    else:
        withhold(store, cohort, reason, now)
