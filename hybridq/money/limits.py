"""Limits on money: what would exceed one is held, with that reason, until there is room or the limit is raised.

Two limits: `--max-cost` for all jobs of one submission, and a handler's `daily_budget` for all that ends on one
day of the tariff's zone. Jobs that run count with what they may cost (see `brain.spending`), so that a limit is
exceeded by one job's surprise at most. Nothing is ever dropped.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from msgspec import Struct

from ..brain.costs import UNLIMITED, Spending, mean_size
from ..job import Held, Lane, State
from ..outlook import Outlook
from ..queue.buckets import counted_in
from ..queue.cohorts import tally
from ..queue.holds import (
    cost_limit,
    drafts_running,
    kind_of,
    of_submission,
    release,
    spent_since,
    withheld,
    withhold,
    withhold_classes,
)
from ..queue.store import Store
from ..when import clock, count, money

RAISE = ": raise daily_budget in config.toml"


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


def room_for(what: str, limit: float, spent: float, mine: Kind, others: Sequence[Kind] = (), then: str = "") -> Limited:
    """How many jobs more of a kind may begin, so that `limit` is kept beside the money that is `spent` and that is
    reserved for `others`. Of unknown money one at a time may, while anything is left.

    `then` says what helps: of a job that is dearer than the whole limit, and else.
    """
    beside = spent + sum(kind.reserved for kind in others)
    if mine.spending is None:
        jobs, costs = (0 if mine.running or beside >= limit else 1), "what one costs is not known"
    else:
        jobs, costs = mine.spending.within(limit - beside, mine.running), f"one costs about {money(mine.spending.each)}"
    running = mine.running + sum(kind.running for kind in others)
    runs = f", {money(beside - spent + mine.reserved)} reserved for {count(running)} that run{'s' * (running == 1)}"
    told = f"{what} is {money(limit)}, {money(spent)} is spent{runs if running else ''}; {costs}"
    return Limited(jobs, f"held: {told}{then}")


class Budget:
    """The limits in force for one queue."""

    def __init__(self, outlook: Outlook) -> None:
        self._outlook = outlook
        self._zone = ZoneInfo(outlook.config.tariff.zone)
        self._limits: dict[int, float | None] = {}
        self._told: dict[str, tuple[str, int]] = {}  # by handler: why classes are held, and how many cohorts these are

    def limits(self, cohort: int, handler: str, lane: Lane, now: float) -> Limited:
        """How many jobs of a cohort may begin now in a lane, by all limits."""
        size, draft = kind_of(self._outlook.store, cohort)
        draft = draft and lane is Lane.STREAM
        whole = self.of_handler(handler, lane, now, size=size, draft=draft)
        return self._narrower(cohort, handler, lane, whole, now, draft)

    def affordable(self, work: Sequence[Held], handler: str, now: float) -> list[Held]:
        """What of held work may begin by the limits on money; of the rest the reason is kept."""
        store, whole = self._outlook.store, self.of_handler(handler, Lane.BATCH, now, size=mean_size(work))
        self._know(each.key for each in work if each.key > 0)
        single = {each.key: self._narrower(each.key, handler, Lane.BATCH, whole, now) for each in work if each.key > 0}
        kept = withheld(store, single)
        changed = {key: reason for key, of in single.items() if (reason := of.why) != kept.get(key, "")}
        if changed:
            with store.tx():  # one commit for all
                for key, reason in changed.items():
                    hold_back(store, key, reason, now)
        if len(single) < len(work):
            self._classes(handler, whole.why, sum(each.cohorts for each in work), now)
        else:
            self._told.pop(handler, None)
        return [each for each in work if single.get(each.key, whole).jobs]

    def _classes(self, handler: str, reason: str, cohorts: int, now: float) -> None:
        """Keep why all that is counted in classes is held; "": it no longer is."""
        if self._told.get(handler) == (reason, cohorts if reason else 0):
            return
        withhold_classes(self._outlook.store, handler, reason, now)
        self._told[handler] = reason, cohorts if reason else 0

    def _narrower(
        self, cohort: int, handler: str, lane: Lane, whole: Limited, now: float, draft: bool = False
    ) -> Limited:
        """What the limit of a cohort's own submission leaves of what its handler may."""
        limit = self._limit(cohort)
        if limit is None:
            return whole
        own = self._of_submission(cohort, handler, lane, limit, now, draft)
        return min(own, whole, key=lambda limited: limited.jobs)

    def of_handler(self, handler: str, lane: Lane, now: float, *, size: float = 0.0, draft: bool = False) -> Limited:
        """How many jobs of a handler with inputs of mean `size` (bytes) may begin now by its daily budget; of an
        adaptive one its `draft`."""
        config = self._outlook.config.handlers.get(handler)
        if config is None or config.daily_budget is None:
            return Limited(UNLIMITED)
        began, renewed = self._day(now)
        spent, limit = spent_since(self._outlook.store, handler, began), config.daily_budget
        kinds = self._kinds(handler, now, size)
        mine = kinds.pop("draft" if draft and config.draft else lane)
        if mine.spending is not None and mine.spending.each > limit:
            return Limited(0, _never(f"the whole daily budget of {handler}", limit, mine.spending, RAISE))
        then = f"; it is renewed {clock(renewed, now)}"
        return room_for(f"the daily budget of {handler}", limit, spent, mine, tuple(kinds.values()), then)

    def left_today(self, handler: str, size: float, now: float) -> tuple[float, float] | None:
        """(money that a daily budget has left beside what runs, by what that usually costs; when the budget is
        renewed, epoch seconds). None: there is none."""
        config = self._outlook.config.handlers.get(handler)
        if config is None or config.daily_budget is None:
            return None
        began, renewed = self._day(now)
        runs = sum(
            kind.running * kind.spending.each
            for kind in self._kinds(handler, now, size).values()
            if kind.spending is not None
        )
        return config.daily_budget - spent_since(self._outlook.store, handler, began) - runs, renewed

    def usual(self, handler: str, lane: Lane, size: float, now: float) -> float | None:
        """Money that one job with an input of `size` (bytes) usually costs. None: nobody knows."""
        spending = self._spending(handler, lane, size, now)
        return None if spending is None else spending.each

    def _day(self, now: float) -> tuple[float, float]:
        """When this day of the tariff's zone began and when it ends, epoch seconds."""
        today = datetime.fromtimestamp(now, self._zone).replace(hour=0, minute=0, second=0, microsecond=0)
        return today.timestamp(), (today + timedelta(days=1)).timestamp()

    def _kinds(self, handler: str, now: float, size: float) -> dict[str, Kind]:
        """What of a handler runs now and what such jobs cost: by lane, and its drafts."""
        counts, drafted = tally(self._outlook.store), self._outlook.config.handlers[handler].draft
        running = {lane: counts.get((handler, lane, State.RUNNING), 0) for lane in Lane}
        drafts = drafts_running(self._outlook.store, handler) if drafted and running[Lane.STREAM] else 0
        running[Lane.STREAM] -= drafts
        kinds = {str(lane): Kind(self._spending(handler, lane, size, now), running[lane]) for lane in Lane}
        if drafted:
            kinds["draft"] = Kind(self._spending(drafted, Lane.STREAM, size, now), drafts)
        return kinds

    def _of_submission(self, cohort: int, handler: str, lane: Lane, limit: float, now: float, draft: bool) -> Limited:
        spent, running, size = of_submission(self._outlook.store, cohort)
        drafted = self._outlook.config.handlers[handler].draft if draft else ""
        spending = self._spending(drafted or handler, lane, size, now)
        if spending is not None and spending.each > limit:
            return Limited(0, _never("the cost limit", limit, spending, ""))
        return room_for("the cost limit", limit, spent, Kind(spending, running))

    def _spending(self, handler: str, lane: Lane, size: float, now: float) -> Spending | None:
        return self._outlook.estimate(handler).spending(lane, size, self._outlook.tariff.factor(now))

    def _know(self, cohorts: Iterable[int]) -> None:
        """Look up many limits at once: what is counted in a class has none."""
        unknown = [cohort for cohort in cohorts if cohort not in self._limits]
        if unknown:
            self._limits |= dict.fromkeys(counted_in(self._outlook.store, unknown))

    def _limit(self, cohort: int) -> float | None:
        if cohort not in self._limits:
            self._limits[cohort] = cost_limit(self._outlook.store, cohort)
        return self._limits[cohort]


def _never(limit_is: str, limit: float, spending: Spending, help_: str) -> str:
    return f"held: one job costs about {money(spending.each)}, more than {limit_is}, {money(limit)}{help_}"


def hold_back(store: Store, cohort: int, reason: str, now: float) -> None:
    """Keep why a cohort is held, for views and `explain`; "": it no longer is."""
    if reason == withheld(store, (cohort,)).get(cohort, ""):
        return
    if reason:
        withhold(store, cohort, reason, now)
    else:
        release(store, cohort)
