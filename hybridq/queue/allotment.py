"""What may begin beside what runs: by limits of jobs at once, by rates, and by counted resources.

Rule: asked inside the transaction that claims, where nobody else can take of it meanwhile. What is not given waits,
with its reason.
"""

import sqlite3
from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import replace

from ..config.rate import Rate
from ..config.resources import Needs, Resources
from ..reason import Reason
from . import job_limits, starts
from .claims import Claim
from .holdings import INSTANCE, Use, hold, instances, read_needs, use

UNLIMITED = 1 << 31  # jobs


class Capacity(Struct, frozen=True):
    """What bounds a handler, by config.toml: its jobs at once (None: nothing does), their rate, what each of its warm
    instances holds, and what there is of each resource."""

    handler: str
    limit: int | None
    rate: Rate | None
    instance: Needs
    resources: Resources


class Allotment:
    """What may begin of a handler now, in the hands of a runner. For one transaction, or for one look at it."""

    def __init__(self, connection: sqlite3.Connection, capacity: Capacity, runner: int, now: float) -> None:
        self._connection, self._capacity, self._runner, self._now = connection, capacity, runner, now
        self._limits = job_limits.job_limits(connection)
        self._left: int | None = None  # of the handler
        self._groups: dict[str, int] = {}  # what is left of a group's limit
        self._use: Use | None = None

    def why_none(self) -> Reason | None:
        """Why nothing of the handler may begin, whatever it is; None: something may."""
        capacity, connection, name = self._capacity, self._connection, self._capacity.handler
        if (most := self._most()) is not None:
            running = job_limits.running_of_handler(connection, name)
            if running >= most:
                return job_limits.reached(name, running, most)
        if capacity.rate is not None and starts.begun(connection, name, capacity.rate, self._now) >= capacity.rate.jobs:
            return starts.reached(capacity.rate, starts.next_at(connection, name, capacity.rate, self._now))
        if capacity.instance and not instances(connection, self._runner, name):
            return self._used().lacks(capacity.instance, capacity.resources)
        return None

    def why_not(self, group: str | None, needs: Needs) -> Reason | None:
        """Why nothing of such jobs may begin; None: something may."""
        if (why := self.why_none()) is not None:
            return why
        most = self._limits.of_group(group)
        if group is not None and most is not None:
            running = job_limits.running_of_group(self._connection, group)
            if running >= most:
                return job_limits.reached(group, running, most)
        return self._used().lacks(needs, self._capacity.resources) if needs else None

    def why_not_of(self, cohort: int) -> Reason | None:
        """The same of a cohort."""
        return self.why_not(*self._terms(cohort))

    def __call__(self, cohort: int) -> int:
        """How many jobs of a cohort may begin now. A first warm instance is reserved with it."""
        left = self._left_of_handler()
        group, needs = self._terms(cohort)
        if group is not None and (most := self._limits.of_group(group)) is not None:
            if group not in self._groups:
                self._groups[group] = max(0, most - job_limits.running_of_group(self._connection, group))
            left = min(left, self._groups[group])
        if needs:
            left = min(left, self._used().room(needs, self._capacity.resources))
        return left if left and self._instance() else 0

    def took(self, cohort: int, claims: Sequence[Claim]) -> list[Claim]:
        """These begin; each with what it was given."""
        if not claims:
            return []
        capacity = self._capacity
        group, needs = self._terms(cohort)
        self._left = self._left_of_handler() - len(claims)
        if group in self._groups:
            self._groups[group] -= len(claims)
        if capacity.rate is not None:
            starts.begin(self._connection, capacity.handler, capacity.rate, len(claims), self._now)
        return self._given(claims, needs) if needs else list(claims)

    def _given(self, claims: Sequence[Claim], needs: Needs) -> list[Claim]:
        used, there, name = self._used(), self._capacity.resources, self._capacity.handler
        given = [used.give(needs, there) for _ in claims]
        holders = [(claim.id, claim.attempt, name) for claim in claims]
        hold(self._connection, self._runner, zip(holders, given, strict=True))
        return [replace(claim, given=each) for claim, each in zip(claims, given, strict=True)]

    def _instance(self) -> bool:
        """Whether the runner holds what a warm instance needs, or could be given it; it is given then."""
        capacity = self._capacity
        if not capacity.instance or instances(self._connection, self._runner, capacity.handler):
            return True
        return take_instance(self._connection, capacity, self._runner, self._used()) is not None

    def _most(self) -> int | None:
        said = self._limits.of_handler(self._capacity.handler)
        return self._capacity.limit if said is None else said

    def _left_of_handler(self) -> int:
        if self._left is None:
            name, rate, most = self._capacity.handler, self._capacity.rate, self._most()
            self._left = UNLIMITED
            if most is not None:
                self._left = max(0, most - job_limits.running_of_handler(self._connection, name))
            if rate is not None and self._left:
                self._left = min(self._left, max(0, rate.jobs - starts.begun(self._connection, name, rate, self._now)))
        return self._left

    def _terms(self, cohort: int) -> tuple[str | None, Needs]:
        row = self._connection.execute("SELECT name, needs FROM cohort WHERE id = ?", (cohort,)).fetchone()
        return (row[0], read_needs(row[1])) if row else (None, {})

    def _used(self) -> Use:
        if self._use is None:
            self._use = use(self._connection)
        return self._use


def take_instance(connection: sqlite3.Connection, capacity: Capacity, runner: int, used: Use) -> int | None:
    """Give one more warm instance of a handler what it needs; which it is. None: there is not enough."""
    if used.lacks(capacity.instance, capacity.resources) is not None:
        return None
    held = instances(connection, runner, capacity.handler)
    which = next(number for number in range(1, len(held) + 2) if number not in held)
    given = used.give(capacity.instance, capacity.resources)
    hold(connection, runner, [((INSTANCE, which, capacity.handler), given)])
    return which


def allot(connection: sqlite3.Connection, capacity: Capacity, runner: int, now: float) -> Allotment | None:
    """What may begin of a handler; None: whatever comes, for nothing bounds any handler here."""
    said = capacity.limit is not None or capacity.rate is not None or bool(capacity.instance)
    return Allotment(connection, capacity, runner, now) if said or any_bound(connection) else None


def any_bound(connection: sqlite3.Connection) -> bool:
    """Whether the queue holds any limit of jobs at once, or jobs that need counted resources."""
    found = connection.execute(
        "SELECT EXISTS (SELECT 1 FROM job_limit)"
        " OR EXISTS (SELECT 1 FROM cohort WHERE needs IS NOT NULL AND queued > 0)"
    ).fetchone()
    return bool(found[0])
