"""Accepting jobs: one at once, and what a submission of many (see `bulk`) shares with that.

Rule: what is acknowledged is durable, whole and visible in one instant.
"""

import math
import sqlite3
from collections.abc import Callable

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from ..errors import BadData
from ..job import Decision, Environment, Lane, Mode, Request, Waits
from ..seam import reached
from .acceptance import show_for_dead
from .keys import digest_of, keep, known
from .store import Store
from .submissions import came

LARGEST_INPUT = 64 * 1024 * 1024  # bytes; SQLite takes a thousand million, a worker's line should not

Decide = Callable[[Request, int, float], tuple[Decision, float]]
"""(request, jobs, mean size in bytes) -> the decision, and what an hour of waiting costs for all jobs."""

Refused = Callable[[BadData], None]
"""Hears of a job that cannot be taken; returns to leave it out, or raises."""


class Accepted(Struct, frozen=True, kw_only=True):
    """What was acknowledged. Of several cohorts, `decision` is the largest one's."""

    first: int  # the first job's id
    last: int
    jobs: int
    group: str | None
    decision: Decision
    existed: int = 0  # jobs that were there already, by their keys


def accept(
    store: Store,
    request: Request,
    data: bytes,
    decide: Decide,
    *,
    now: float,
    key: str | None = None,
    waits: Waits | None = None,
    durable: bool = True,
    typed: bool = True,
    keep_input: Callable[[int], None] = lambda job: None,
) -> Accepted:
    """Accept one job. With a key that is known already: that job again, or BadData if it asked for something else.

    What it `waits` for is there, else NoSuchJob is raised. Not `durable`: the caller lets `Store.sync` follow before
    it acknowledges. Not `typed`: nobody did, so that it does not become the `last` one. `keep_input` hears of
    a session's id before anybody else does.
    """
    if len(data) > LARGEST_INPUT:
        raise too_large(data)
    decision, delay_cost = decide(request, 1, len(data))
    if key is not None:
        show_for_dead(store)
    with store.tx(durable=durable) as connection:
        if key is not None and (before := known(store, key, digest_of(request, data))) is not None:
            return Accepted(first=before, last=before, jobs=1, group=request.group, decision=decision, existed=1)
        cohort = open_cohort(store, request, None)
        gate = gate_of(connection, request, waits)
        job = connection.execute(
            "INSERT INTO job (cohort, input, gate) VALUES (?, ?, ?)", (cohort, data, gate)
        ).lastrowid
        assert job is not None  # noqa: S101 - an insert into a rowid table has one
        keep_input(job)
        if key is not None:
            keep(store, key, job, digest_of(request, data))
        part = Part(request, cohort, job, job, 1, len(data), waits=gate is not None, behind=waits is not None)
        accept_cohort(store, part, request.group, decision, delay_cost, now)
        if gate is not None:
            from .dependencies import begin

            begin(connection, [cohort], now)
        if typed:
            came(connection, cohort)
        reached("accepting")
    return Accepted(first=job, last=job, jobs=1, group=request.group, decision=decision)


class Part(Struct):
    """A cohort that is being written: its first and last id, its jobs and their bytes; what its commands have in
    common, None before the first."""

    request: Request
    cohort: int = 0
    first: int = 0
    last: int = 0
    jobs: int = 0
    size: int = 0
    kind: str | None = None
    waits: bool = False  # for other jobs, or for its time
    behind: bool = False  # for other jobs

    @property
    def asked(self) -> Request:
        """The request, with that."""
        return replace(self.request, kind=self.kind) if self.kind else self.request


def too_large(data: bytes) -> BadData:
    """What is wrong with an input that no handler could be given."""
    return BadData(f"the input has {len(data):,} bytes; the limit is {LARGEST_INPUT:,}. Submit a file's path instead.")


def open_cohort(store: Store, request: Request, writer: int | None) -> int:
    """Begin a cohort that nobody sees yet; its number. `writer` is the mark of who writes it."""
    variables = kept_variables(store, request)
    cohort = store.connection.execute(
        "INSERT INTO cohort (handler, name, lane, mode, audience, pinned, due, rank, delay_cost, request, writer,"
        " environment, needs) VALUES (?, ?, '', '', ?, ?, ?, ?, 0, ?, ?, ?, ?)",
        (
            request.handler,
            request.group,
            request.audience,
            request.mode is not None,
            math.inf if request.deadline is None else request.deadline,
            -request.priority,
            as_kept(request),
            writer,
            variables,
            needs_text(request.needs),
        ),
    ).lastrowid
    assert cohort is not None  # noqa: S101 - an insert into a rowid table has one
    return cohort


def needs_text(needs: dict[str, int]) -> str | None:
    """What a job needs, as it is kept: the same text for the same needs. None: nothing."""
    return msgspec.json.encode(needs, order="sorted").decode() if needs else None


def gate_of(connection: sqlite3.Connection, request: Request, waits: Waits | None) -> int | None:
    """The gate that a job of this request waits at; None: it waits for nothing. Raises NoSuchJob."""
    if waits is None and request.not_before is None:
        return None
    from .dependencies import close_gates  # few wait

    return close_gates(connection, [waits or Waits()], request.not_before)[0]


def as_kept(request: Request) -> bytes:
    """A request as it is kept."""
    return msgspec.json.encode(replace(request, env={}, left_out={}))


def kept_variables(store: Store, request: Request) -> int | None:
    """Where the variables of a request are kept, once for all that have the same; None: it has none."""
    if not request.env and not request.left_out:
        return None
    data = msgspec.json.encode(Environment(request.env, request.left_out))
    kept = store.connection.execute("SELECT id FROM environment WHERE variables = ?", (data,)).fetchone()
    if kept is not None:
        return int(kept[0])
    return store.connection.execute("INSERT INTO environment (variables) VALUES (?)", (data,)).lastrowid


def accept_cohort(
    store: Store,
    part: Part,
    name: str | None,
    decision: Decision,
    delay_cost: float,
    now: float,
    *,
    submission: int | None = None,
    writer: int | None = None,
) -> None:
    """Make a written cohort visible under this group name; `delay_cost` is money an hour, for one job.

    With a `writer` that is to `show` it, it is ready and invisible still.
    """
    connection = store.connection
    decision = decision.timeless if part.behind or part.request.session else decision
    lane = Lane.NONE if part.waits else Lane.BATCH if decision.mode is Mode.BATCH else Lane.STREAM
    connection.execute(
        "UPDATE cohort SET name = ?, lane = ?, mode = ?, delay_cost = ?, decision = ?, writer = ?, accepted = ?,"
        " first_id = ?, last_id = ?, size = ?, jobs = ?, queued = ?, submission = nullif(?, id),"
        " request = coalesce(?, request) WHERE id = ?",
        (
            name,
            lane,
            decision.mode,
            delay_cost,
            msgspec.json.encode(decision),
            writer,
            now if writer is None else None,
            part.first,
            part.last,
            part.size,
            part.jobs,
            part.jobs if writer is None else 0,
            submission,
            as_kept(part.asked) if part.kind else None,
            part.cohort,
        ),
    )
    if part.request.notify:
        from .outbox import asked_for  # few ask

        asked_for(connection, submission or part.cohort)
    promised = decision.promised
    if promised.finish is not None:
        connection.execute(
            "INSERT INTO promise (cohort, made, start, finish, finish90) VALUES (?, ?, ?, ?, ?)",
            (part.cohort, now, promised.start, promised.finish, promised.finish90),
        )
