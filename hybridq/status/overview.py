"""The queue at one instant, as plain data: the head, and the rows that were asked for in their order.

Rule: a few milliseconds, however long the queue is. What runs comes first, then what waits in the order in
which it will run, then what ended last: where not all can be shown, no row that ended takes the place of one that
has not. Whoever looks also rescues what a dead runner left.
"""

import math
from collections.abc import Container, Mapping, Sequence

from ..errors import NoSuchJob
from ..job import ENDED, Lane, Mode, State
from ..outlook import Outlook
from ..queue import cohorts, lists
from ..queue.cohorts import Cohort
from ..queue.group_sums import ended_groups, groups_with
from ..queue.read_only import rescue_if_writable
from ..queue.search import groups_named
from ..queue.select import meant, ranges
from ..selection import ANY, All, Criteria, Ids, Selector
from .flowing import flowing
from .foresight import Foresight
from .head import head
from .rows import Rows
from .snapshot import Row, Snapshot

RECENT = 5  # ended rows that are shown unasked, where nobody says how many fit
ALARMING = 86400.0  # seconds for which what failed stands before what else ended
LIVE = (State.RUNNING, State.QUEUED)


def take(
    outlook: Outlook,
    *,
    now: float,
    limit: int,
    all_: bool = False,
    states: Sequence[State] = (),
    modes: Sequence[Mode] = (),
    selectors: Sequence[Selector] = (),
    whole: bool = False,
    fill: int = 0,
    gone: bool = False,
    criteria: Criteria = ANY,
) -> Snapshot:
    """The queue at `now` with at most `limit` rows; `hidden` counts the jobs that no row shows.

    `all_`: every row that ended, not only the latest few; `fill`: rows that there is room for, which those that ended
    fill, what failed within a day first. `gone`: a selector may name nothing any more. With `states` each row is a
    single job in one of them, or, with `whole`, a group that holds such; without, after what was selected come the
    failed jobs of its groups. `criteria` leave what meets them; those that are searched for are single jobs, and groups
    by their name. Raises NoSuchJob for a selector that names nothing.
    """
    rescue_if_writable(outlook.store, now)
    with outlook.store.still():
        foresight = Foresight(outlook, now)
        kinds = tuple(states) or tuple(State), tuple(modes) or tuple(Mode)
        view = _View(outlook, foresight, limit, *kinds, criteria)
        if criteria.searched:
            return view.searched(selectors, every=all_, gone=gone)
        if any(isinstance(each, All) for each in selectors):
            selectors, all_ = (), True
        if selectors:
            rows, jobs = view.selected(selectors, gone=gone)
        else:
            rows, jobs = view.everything(all_ or bool(states) or criteria != ANY, fill), view.jobs()
        if states and not whole:
            rows, twice = view.opened(rows)
            jobs -= twice
        elif selectors and not states:
            rows, failed = view.with_failed(rows)
            jobs += failed
        if criteria.timed:  # a row more than is shown was asked for
            return Snapshot(head=head(outlook, foresight), rows=tuple(rows[:limit]), more=len(rows) > limit)
        shown = sum(row.counts.get(state, 0) for row in rows for state in view.states)
        return Snapshot(
            head=head(outlook, foresight),
            rows=tuple(rows),
            hidden=max(0, jobs - shown),
            pipes=() if selectors or states or modes or criteria != ANY else flowing(outlook.store, now),
        )


class _View:
    """What was asked to be seen, and the rows that this comes to."""

    def __init__(
        self,
        outlook: Outlook,
        foresight: Foresight,
        limit: int,
        states: tuple[State, ...],
        modes: tuple[Mode, ...],
        criteria: Criteria,
    ) -> None:
        self.states = states
        self._outlook = outlook
        self._store = outlook.store
        self._limit = limit + criteria.timed
        self._modes = modes
        self._criteria = criteria
        self._foresight = foresight
        self._rows = Rows(outlook, foresight)

    def jobs(self) -> int:
        """How many jobs there are in these states and modes."""
        sums = lists.totals(self._store, self._modes, self._criteria)
        return sum(each.counts.get(state, 0) for each in sums for state in self.states)

    def everything(self, all_: bool, fill: int) -> list[Row]:
        """What runs, what waits, what ended: in this order, within the limit."""
        live = self._live()
        seen = {_key(row) for row in live}
        room = self._limit if all_ else max(RECENT, fill - len(live))
        first = self._foresight.now - ALARMING if fill and not all_ else math.inf
        ended = [row for row in self._ended(room, first) if _key(row) not in seen]
        return [*live, *ended][: self._limit]

    def opened(self, rows: Sequence[Row]) -> tuple[list[Row], int]:
        """The same rows, with the single jobs that were asked for instead of each group; and how many came twice."""
        found: dict[int, Row] = {}
        twice = 0
        for states in (self._asked(LIVE), self._asked(ENDED)):
            for row in rows:
                if not any(row.counts.get(state) for state in states):
                    continue
                left = self._limit - len(found)
                members = [row] if row.group is None else self._members(row.group, states, left)
                twice += sum(each.id in found for each in members)
                found |= {each.id: each for each in members}
        return list(found.values())[: self._limit], twice

    def with_failed(self, rows: Sequence[Row]) -> tuple[list[Row], int]:
        """The same rows, then the failed jobs of their groups that have no row yet, and how many these are."""
        found: list[Row] = list(rows)
        seen = {row.id for row in rows if row.group is None}
        jobs = 0
        for row in rows:
            if row.group is not None and row.counts.get(State.FAILED):
                members = self._members(row.group, (State.FAILED,), self._limit - len(found) + len(seen))
                twice = [each for each in members if each.id in seen]
                jobs += row.counts[State.FAILED] - len(twice)
                found += [each for each in members if each.id not in seen]
        return found[: self._limit], jobs

    def _asked(self, states: Sequence[State]) -> tuple[State, ...]:
        """Those of the states that were asked for."""
        return tuple(state for state in states if state in self.states)

    def _members(self, name: str, states: Sequence[State], limit: int) -> list[Row]:
        return self._rows.jobs(lists.members(self._store, name, states, self._modes, limit, self._criteria))

    def selected(self, selectors: Sequence[Selector], *, gone: bool) -> tuple[list[Row], int]:
        """The rows that these selectors name, each once, and how many jobs that are."""
        rows: dict[int | str, Row] = {}
        jobs = 0
        for selector in selectors:
            try:
                new, more = self._named(meant(self._store, selector), rows)
            except NoSuchJob:
                if not gone:
                    raise
                continue
            jobs += more
            rows |= {_key(row): row for row in new}
        return sorted(rows.values(), key=lambda row: row.state in ENDED)[: self._limit], jobs

    def _named(self, selector: Selector, seen: Container[int | str]) -> tuple[list[Row], int]:
        """The rows of one selector that are not `seen` yet, and how many jobs these are."""
        if isinstance(selector, Ids):
            numbers, found = self._numbered(selector)
            new = self._rows.jobs([number for number in numbers if number not in seen])
            return new, found - (len(numbers) - len(new))
        found_rows = self._wanted([lists.standing_for(self._store, selector)])
        new = [row for row in found_rows if _key(row) not in seen]
        return new, sum(row.counts.get(state, 0) for row in new for state in self.states)

    def _numbered(self, chosen: Ids) -> tuple[list[int], int]:
        ranges(self._store, chosen)  # raises NoSuchJob for an id that is not there
        modes, criteria = self._modes, self._criteria
        live, going_on = lists.job_ids(self._store, chosen, self._asked(LIVE), modes, self._limit, criteria)
        left = self._limit - len(live)
        ended, over = lists.job_ids(self._store, chosen, self._asked(ENDED), modes, left, criteria)
        return [*live, *ended], going_on + over

    def _live(self) -> list[Row]:
        """What runs, then what waits."""
        running = lists.running(self._store, self._modes, self._limit, self._criteria)
        seen = {of.name for of in running} - {None}
        waiting, before = self._waiting() if State.QUEUED in self.states else ([], {})
        waiting = [of for of in waiting if of.name not in seen]
        return self._wanted([*running, *waiting][: self._limit], before)

    def _waiting(self) -> tuple[list[Cohort], dict[int, int]]:
        """What waits in the order in which it will run, and how many jobs go before each in its lane."""
        found: dict[Lane, list[Cohort]] = {lane: [] for lane in Lane}
        before: dict[int, int] = {}
        for lane in Lane:
            for handler in cohorts.waiting(self._store, lane):
                jobs = 0
                for of in lists.queued(self._store, lane, handler, self._modes, self._limit, self._criteria):
                    found[lane].append(of)
                    before[of.id] = jobs
                    jobs += 0 if self._foresight.paused(of) else of.queued
        starts = {of.id: self._foresight.held(of)[0].start or math.inf for of in found[Lane.BATCH]}
        ordered = sorted(found[Lane.STREAM], key=_turn)
        ordered += sorted(found[Lane.BATCH], key=lambda of: (starts[of.id], *_turn(of)))
        ordered += sorted(found[Lane.NONE], key=lambda of: of.id)
        ordered = list({of.name or of.id: of for of in reversed(ordered)}.values())[::-1]  # a group once
        return ordered, before

    def _ended(self, limit: int, first: float) -> list[Row]:
        """What ended, the latest first, but for what failed after `first`, which is before it; with states asked for,
        also the groups that go on but hold such jobs."""
        singles = [
            of
            for state in ENDED
            if state in self.states
            for of in lists.ended_singles(self._store, state, self._modes, limit, self._criteria)
        ]
        singles.sort(key=lambda of: _urgency(of, first, 0.0), reverse=True)
        groups = self._groups(limit)
        rows = self._wanted([*singles[:limit], *groups])
        return sorted(rows, key=lambda row: _urgency(row, first, math.inf), reverse=True)[:limit]

    def _groups(self, limit: int) -> list[Cohort]:
        if len(self.states) < len(State):
            named = groups_with(self._store, [state for state in ENDED if state in self.states], self._criteria)
            return [lists.representative(self._store, found.name) for found in named]
        found = ended_groups(self._store, limit, self._criteria)
        return lists.by_number(self._store, [each.cohort for each in found])

    def _wanted(self, shown: list[Cohort], before: Mapping[int, int] | None = None) -> list[Row]:
        """Their rows, without those that hold nothing in the states that were asked for."""
        kept = [of for of in shown if of.mode in self._modes]
        rows = [row for row in self._rows.of(kept, before) if any(state in row.counts for state in self.states)]
        return rows if self._criteria == ANY else [row for row in rows if _meets(row, self._criteria)]

    def searched(self, selectors: Sequence[Selector], *, every: bool, gone: bool) -> Snapshot:
        """The groups whose names were asked for, then single jobs, each looked at; within the limit."""
        from .searching import Search

        criteria, limit = self._criteria, self._limit - self._criteria.timed
        whole = not selectors and not criteria.slow and len(self.states) == len(State)
        names = groups_named(self._store, criteria.words, limit) if whole else []
        groups = self._wanted([lists.representative(self._store, name) for name in names])
        search = Search(self._outlook, self.states, self._modes, criteria, self._foresight.now)
        spans = self._spans(selectors, gone=gone)
        found = search.find(spans, limit, every=every, besides={row.group or "" for row in groups})
        rows = sorted([*groups, *self._rows.jobs(found.jobs)], key=lambda row: row.state in ENDED)
        return Snapshot(
            head=head(self._outlook, self._foresight),
            rows=tuple(rows[:limit]),
            more=found.more or len(rows) > limit,
            searched_from=found.searched_from,
        )

    def _spans(self, selectors: Sequence[Selector], *, gone: bool) -> list[tuple[int, int, int | None]]:
        spans = []
        for selector in selectors or (All(),):
            try:
                spans += ranges(self._store, selector)
            except NoSuchJob:
                if not gone:
                    raise
        return spans


def _meets(row: Row, criteria: Criteria) -> bool:
    """Whether a row is of the handlers, and was in the queue at the instants that were asked for."""
    of = not criteria.handlers or row.handler in criteria.handlers
    came = criteria.until is None or row.submitted <= criteria.until
    left = criteria.since is not None and row.finished is not None and row.finished < criteria.since
    return of and came and not left


def _urgency(shown: Row | Cohort, first: float, unended: float) -> tuple[bool, float]:
    """What failed after `first` before the rest, and of each the latest; `unended`: as what has no end counts."""
    finished = shown.finished or unended
    return bool(shown.counts.get(State.FAILED)) and finished >= first, finished


def _key(row: Row) -> int | str:
    return row.id if row.group is None else row.group


def _turn(cohort: Cohort) -> tuple[float, int, int]:
    """In this order the loops take cohorts of one lane."""
    return cohort.due, -cohort.request.priority, cohort.id
