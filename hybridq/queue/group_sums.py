"""The sums of groups: what the cohorts of one name come to, read from the kept sums.

Rule: a list of groups costs what it returns, or at most what there are groups; no job is touched.
"""

from collections.abc import Iterable, Sequence

from msgspec import Struct

from ..job import State
from ..selection import ANY, Criteria
from .criteria import of_groups
from .store import Store

MANY = 500  # values one statement is given


class GroupSum(Struct, frozen=True, kw_only=True):
    """What the cohorts of one group come to. `cohort` is its first one."""

    name: str
    cohort: int
    first: int
    last: int
    accepted: float
    started: float | None
    finished: float | None
    counts: dict[State, int]
    cost: float
    streamed: float  # what the same would have cost streamed


def ended_groups(store: Store, limit: int, criteria: Criteria = ANY) -> list[GroupSum]:
    """The groups of which nothing waits or runs, the latest first."""
    also, parameters = of_groups(criteria)
    return _groups(store, f"queued = 0 AND running = 0{also} ORDER BY finished DESC LIMIT ?", (*parameters, limit))


def groups_with(store: Store, states: Iterable[State], criteria: Criteria = ANY) -> list[GroupSum]:
    """The groups that hold a job in one of these states, the newest first; costs what there are groups."""
    condition = " OR ".join(f"{state} > 0" for state in states) or "0"
    also, parameters = of_groups(criteria)
    return _groups(store, f"({condition}){also} ORDER BY cohort DESC", parameters)


def group_sums(store: Store, names: Sequence[str]) -> dict[str, GroupSum]:
    """The sums of these groups, by name."""
    parts = (names[start : start + MANY] for start in range(0, len(names), MANY))
    return {found.name: found for part in parts for found in _groups(store, f"name IN ({marks(part)})", tuple(part))}


def queued_parts(store: Store, name: str, limit: int) -> list[int]:
    """The cohorts of a group that hold queued jobs in either lane, at most so many."""
    where = "name = ? AND queued > 0 AND lane <> 'none'"
    return [number for (number,) in store.rows(f"SELECT id FROM cohort WHERE {where} LIMIT ?", (name, limit))]


def waiting_parts(store: Store, name: str, limit: int) -> list[int]:
    """The cohorts of a group that hold jobs which wait for others, or for their time, at most so many."""
    where = "name = ? AND queued > 0 AND lane = 'none'"
    return [number for (number,) in store.rows(f"SELECT id FROM cohort WHERE {where} LIMIT ?", (name, limit))]


def _groups(store: Store, where: str, parameters: tuple[object, ...]) -> list[GroupSum]:
    return [
        GroupSum(
            name=name,
            cohort=cohort,
            first=first,
            last=last,
            accepted=accepted,
            started=started,
            finished=finished,
            counts=counts_of(counts),
            cost=cost,
            streamed=streamed,
        )
        for name, cohort, first, last, accepted, started, finished, *counts, cost, streamed in store.rows(
            "SELECT name, cohort, first_id, last_id, accepted, started, finished,"
            f" queued, running, done, failed, cancelled, cost, streamed FROM groups WHERE {where}",
            parameters,
        )
    ]


def counts_of(numbers: Sequence[int]) -> dict[State, int]:
    """How many jobs are in each state, from a row of the kept sums; states without any are left out."""
    return {state: number for state, number in zip(State, numbers, strict=True) if number}


def marks(values: Sequence[object]) -> str:
    """A question mark for each value that a statement is given."""
    return ", ".join("?" * len(values))
