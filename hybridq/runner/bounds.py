"""What bounds a runner beside its slots: limits of jobs at once, rates, counted resources; and what it gives back.

Rule: a resource is let go of when the process that had it is gone. What the disk refuses then is tried again.
"""

import time
from collections.abc import Iterable

from ..config.resources import Given
from ..errors import StorageError, TryAgain
from ..home import Home
from ..outlook import Outlook
from ..queue.allotment import allot, any_bound, take_instance
from ..queue.claims import Allot, Claim
from ..queue.doorbell import RUNNER, ring
from ..queue.holdings import INSTANCE, Holder, instances, lacking, let_go, read_needs, use, want, wanted, yet_held
from ..reason import Reason

TOLD = 1.0  # seconds between two times that a handler tells what it wants


class Bounds:
    """The bounds of one runner, as its configuration and the queue say them."""

    def __init__(self, home: Home, outlook: Outlook, runner: int) -> None:
        self._home, self._outlook, self._runner = home, outlook, runner
        self._kept: list[Holder] = []  # what the disk did not let go
        self._told: dict[str, float] = {}  # by handler, monotonic

    def allot(self, name: str, now: float) -> Allot:
        """Makes what allots jobs of a handler, for the transaction of a claim."""
        capacity = self._outlook.capacity(name)
        return lambda connection: allot(connection, capacity, self._runner, now)

    def why_none(self, name: str, now: float) -> Reason | None:
        """Why nothing of a handler may begin now; None: something may, as far as all of it goes."""
        connection, capacity = self._outlook.store.connection, self._outlook.capacity(name)
        found = allot(connection, capacity, self._runner, now)
        why = found.why_none() if found is not None else None
        if why is not None and why.kind == "in use":
            self.want(name, list(capacity.instance), now)
        return why

    def any(self) -> bool:
        """Whether the queue holds any limit of jobs at once, or jobs that need counted resources."""
        return any_bound(self._outlook.store.connection)

    def bound(self, name: str) -> bool:
        """Whether anything bounds how many jobs of a handler run at once, beside its slots."""
        capacity = self._outlook.capacity(name)
        return capacity.limit is not None or capacity.rate is not None or self.any()

    def lacking(self, now: float) -> list[str]:
        """What queued jobs need that cannot be had now."""
        connection = self._outlook.store.connection
        return lacking(connection, self._outlook.config.resources) if any_bound(connection) else []

    def lets_any(self, name: str, cohorts: Iterable[int], now: float) -> bool:
        """Whether any job of any of these cohorts may begin now."""
        found = allot(self._outlook.store.connection, self._outlook.capacity(name), self._runner, now)
        return found is None or any(found.why_not_of(cohort) is None for cohort in cohorts)

    def want(self, name: str, resources: list[str], now: float) -> None:
        """Let those who keep these without work know that jobs of a handler wait for them."""
        if resources and time.monotonic() > self._told.get(name, 0.0) + TOLD:
            self._told[name] = time.monotonic()
            want(self._outlook.store, {name: resources}, now)

    def want_all(self, name: str, needs: Iterable[str], now: float) -> None:
        """The same of needs as they are kept."""
        self.want(name, sorted({resource for text in needs for resource in read_needs(text)}), now)

    def ended(self, name: str, claims: Iterable[Claim]) -> None:
        """The processes of these jobs of a handler are gone."""
        holders = [(claim.id, claim.attempt, name) for claim in claims if claim.given]
        if holders:  # what is recorded has let go of it already
            self.let_go(yet_held(self._outlook.store, holders))

    def let_go(self, holders: list[Holder]) -> None:
        """These are gone."""
        holders = [*self._kept, *holders]
        if not holders:
            return
        try:
            let_go(self._outlook.store, self._runner, holders)
            self._kept = []
        except (StorageError, TryAgain):
            self._kept = holders
            return
        ring(self._home, RUNNER)

    def tend(self) -> None:
        """Another try at what the disk refused."""
        self.let_go([])


class Seats:
    """What the warm instances of one handler hold: each takes it before it starts, gives it back when it is gone."""

    def __init__(self, bounds: Bounds, outlook: Outlook, runner: int, name: str) -> None:
        self._bounds, self._outlook, self._runner, self._name = bounds, outlook, runner, name
        self._bound: set[int] = set()
        self._spare_since: float | None = None  # monotonic

    def take(self) -> tuple[int, Given] | None:
        """What one more instance has, and which it is; None: there is not enough."""
        store, capacity = self._outlook.store, self._outlook.capacity(self._name)
        if not capacity.instance:
            return 0, {}
        with store.tx(durable=False) as connection:
            held = instances(connection, self._runner, self._name)
            which = next((number for number in held if number not in self._bound), None)
            if which is None:
                which = take_instance(connection, capacity, self._runner, use(connection))
            if which is None:
                return None
            self._bound.add(which)
            return which, instances(connection, self._runner, self._name)[which]

    def give_back(self, which: int) -> None:
        """An instance is gone."""
        if which:
            self._bound.discard(which)
            self._bounds.let_go([(INSTANCE, which, self._name)])

    def wanted(self, now: float) -> bool:
        """Whether somebody else waits for what these hold."""
        needs = self._outlook.capacity(self._name).instance
        return bool(self._bound) and bool(wanted(self._outlook.store, self._name, now) & needs.keys())

    def spare(self, *, idle: bool) -> None:
        """Give back what was reserved for a call that never came: that is so where none is at work for a while."""
        held = instances(self._outlook.store.connection, self._runner, self._name)
        spare = [number for number in held if number not in self._bound]
        if not spare or not idle:
            self._spare_since = None
        elif self._spare_since is None:
            self._spare_since = time.monotonic()
        elif time.monotonic() > self._spare_since + TOLD:
            self._bounds.let_go([(INSTANCE, number, self._name) for number in spare])
