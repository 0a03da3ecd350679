"""Results: what became of attempts, stored and read.

Rule: a result counts only from the attempt that holds the job (`where id = ? and attempt = ? and state = 'running'`).
Whatever else comes is "not mine": told, never stored.
"""

import json
import sqlite3
from collections.abc import Container, Iterable, Mapping, Sequence
from operator import attrgetter

import msgspec
from msgspec import Struct

from ..brain.outcome import Outcome
from ..job import Happening, Lane, State
from ..seam import reached
from ..when import NO_MONEY
from .cohorts import named
from .counters import shift, spend
from .dependencies import follow
from .doorbell import RUNNER, ring
from .holdings import let_go_of
from .holds import book_cancelled
from .lanes import move
from .outbox import announce
from .store import Store, insert

NOT_MINE = "not_mine"  # in `meta`: how many results came from attempts that no longer held their job

Unended = tuple[int, int, float]
"""(job, attempt, seconds that it ran)."""


class Result(Struct, frozen=True, kw_only=True):
    """What an attempt left. `value` is JSON, or None where the output is in files."""

    id: int
    attempt: int
    value: bytes | None
    error: str | None
    exit_code: int | None
    dropped: int
    cost: float
    streamed: float
    busy: float
    first: float | None
    usage: bytes | None
    out: int | None  # bytes in the job's files; None: nobody counted
    err: int | None

    @property
    def would_have_cost(self) -> float | None:
        """Money that it would have cost streamed; None: not known, as its own seconds were not told from its start."""
        told = self.streamed > NO_MONEY or (self.busy > 0 and self.cost <= NO_MONEY)
        return self.streamed if told else None

    @property
    def cut(self) -> str:
        """The provider's word for it where the answer was cut for want of room; else ""."""
        return str(msgspec.json.decode(self.usage).get("cut", "")) if self.usage and b'"cut"' in self.usage else ""


def result(store: Store, number: int, *, draft: bool = False) -> Result | None:
    """What the job's last attempt left (or its draft), or None."""
    row = store.row(
        "SELECT id, attempt, value, error, exit_code, dropped, cost, streamed, busy, first, usage, out, err"
        f" FROM {'draft' if draft else 'result'} WHERE id = ?",
        (number,),
    )
    return named(Result, row) if row else None


def text_of(value: bytes) -> bytes:
    """A result as it is printed: a text is itself, anything else is JSON; with a line end."""
    try:
        found = json.loads(value)
    except (ValueError, RecursionError):
        found = None
    data = found.encode("utf-8", "backslashreplace") if isinstance(found, str) else value
    return data if data.endswith(b"\n") else data + b"\n"


def keep_unended(store: Store, unended: Iterable[Unended], why: str) -> None:
    """Keep for how long these attempts ran that are given up, and why."""
    with store.tx() as connection:
        connection.executemany(
            "INSERT OR REPLACE INTO result (id, attempt, error, cost, streamed, busy)"
            " SELECT id, attempt, ?, 0, 0, ? FROM job WHERE id = ? AND attempt = ? AND state = 'running'",
            [(why, seconds, job, attempt) for job, attempt, seconds in unended],
        )


def record(store: Store, outcomes: Sequence[Outcome], heard: Container[str] = ()) -> list[Outcome]:
    """Store what became of these attempts, in one transaction; returns those that counted. `Store.sync` is to follow.

    `heard`: the ends, done or failed, that hooks are told of. An adaptive job whose draft ended goes on in the batch
    lane, in the same transaction.
    """
    with store.tx(durable=False) as connection:
        mine = _end(connection, outcomes)
        reached("storing")
        _keep(connection, mine)
        _count(connection, mine)
        drafts = [each.id for each in mine if each.draft]
        if drafts:
            move(store, drafts, Lane.BATCH, Happening.DRAFTED, None, mine[0].at)
        for why in {each.promoted for each in mine if each.promoted is not None}:
            those = [each.id for each in mine if each.promoted == why]
            move(store, those, Lane.STREAM, Happening.PROMOTED, why, mine[0].at)
        released = follow(connection, _ended(mine), mine[0].at) if mine else 0
        released += let_go_of(connection, [(each.id, each.attempt) for each in outcomes])
        for state, jobs in _ended(mine).items() if heard else ():
            if state in heard:
                announce(connection, state, jobs, mine[0].at)
        if len(mine) < len(outcomes):
            held = {each.id for each in mine}
            book_cancelled(connection, [each for each in outcomes if each.id not in held])
            connection.execute(
                "INSERT INTO meta VALUES (?, ?) ON CONFLICT DO UPDATE SET value = value + excluded.value",
                (NOT_MINE, len(outcomes) - len(mine)),
            )
    if released:
        ring(store.home, RUNNER)
    return mine


def _ended(outcomes: Sequence[Outcome]) -> dict[State, list[int]]:
    """Which of these jobs have come to which end."""
    return {state: [each.id for each in outcomes if each.state is state] for state in (State.DONE, State.FAILED)}


def _count(connection: sqlite3.Connection, outcomes: Sequence[Outcome]) -> None:
    """Keep the counters of jobs and money true."""
    sums: dict[tuple[int, State], list[float]] = {}
    for each in outcomes:
        total = sums.setdefault((each.cohort, each.state), [0, 0.0, 0.0])
        total[0] += 1
        total[1] += each.cost
        # What failed saved nothing and lost nothing against streaming; a draft is the price of its final.
        total[2] += each.streamed if each.state is State.DONE else 0.0 if each.draft else each.cost
    ends = {(cohort, State.RUNNING, state): total for (cohort, state), total in sums.items()}
    shift(
        connection,
        {move: int(jobs) for move, (jobs, _, _) in ends.items()},
        at=max((each.at for each in outcomes), default=0.0),
        money={move: (cost, streamed) for move, (_, cost, streamed) in ends.items()},
    )
    for each in outcomes:
        if each.by and each.cost:
            spend(connection, each.by, each.cost, each.at)


def book_streamed(store: Store, money: Mapping[int, float]) -> None:
    """By cohort: streamed, its jobs would have cost so much more than was known as they ended."""
    if money:
        with store.tx() as connection:
            connection.executemany("UPDATE cohort SET streamed = streamed + ?2 WHERE id = ?1", money.items())


def _end(connection: sqlite3.Connection, outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Give these jobs their new states; returns those that were held.

    Neighbours that end alike go in one statement: half the cost of one a job.
    """
    mine: list[Outcome] = []
    for run in _runs(outcomes):
        one = run[0]
        ended = connection.execute(
            "UPDATE job NOT INDEXED SET state = ?, finished = ?, ready = ?, tries = tries + ?, unbegun = unbegun + ?"
            " WHERE id BETWEEN ? AND ? AND attempt = ? AND state = 'running' RETURNING id",
            (one.state, one.at, one.ready, one.counted, one.unbegun, one.id, run[-1].id, one.attempt),
        ).fetchall()
        held = {number for (number,) in ended}
        mine += run if len(held) == len(run) else [each for each in run if each.id in held]
    return mine


def _runs(outcomes: Sequence[Outcome]) -> list[list[Outcome]]:
    """The outcomes, in their order, cut wherever the next is not the neighbour that ends alike."""
    runs: list[list[Outcome]] = []
    expected = None
    for each in outcomes:
        alike = (each.id, each.attempt, each.state, each.at, each.ready, each.counted, each.unbegun)
        if alike == expected:
            runs[-1].append(each)
        else:
            runs.append([each])
        expected = (each.id + 1, *alike[1:])
    return runs


_EVERYTHING = ("value", "cost", "streamed", "busy", "error", "exit_code", "dropped", "out", "err", "first", "usage")


_PLAIN = _EVERYTHING[:4]  # binding a parameter costs as much as storing it: most results have only these


def _keep(connection: sqlite3.Connection, outcomes: Iterable[Outcome]) -> None:
    kinds: dict[tuple[str, tuple[str, ...]], list[Outcome]] = {}
    for each in outcomes:
        told = each.error is not None or each.first is not None or each.usage is not None
        plain = not told and each.out is None and not each.dropped
        kinds.setdefault(("draft" if each.draft else "result", _PLAIN if plain else _EVERYTHING), []).append(each)
    for (table, columns), some in kinds.items():
        get = attrgetter("id", "attempt", *columns)
        insert(
            connection,
            f"INSERT OR REPLACE INTO {table} (id, attempt, {', '.join(columns)})",
            [get(each) for each in some],
        )
