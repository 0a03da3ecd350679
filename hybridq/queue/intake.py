"""Accepting jobs: one at once, or a million as one.

Rule: what is acknowledged is durable, whole and visible in one instant. The jobs of a large submission
are written in chunks that nobody can see; one small transaction at the end accepts them all. A
submission whose writer died before that leaves nothing behind (`sweep`).
"""

import math
from collections.abc import Callable

import msgspec
from msgspec import Struct

from ..errors import BadData, TryAgain
from ..job import Decision, Lane, Mode, Request, State
from ..seam import reached
from .counters import add_jobs
from .runner import Runner
from .store import Store, insert

CHUNK_ROWS = 20_000
CHUNK_BYTES = 8 * 1024 * 1024  # of inputs; whichever comes first ends a chunk
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
    durable: bool = True,
) -> Accepted:
    """Accept one job. With a key that is known already: that job again, or BadData if it asked for something else.

    Not `durable`: the caller lets `Store.sync` follow before it acknowledges.
    """
    if len(data) > LARGEST_INPUT:
        raise too_large(data)
    decision, delay_cost = decide(request, 1, len(data))
    with store.tx(durable=durable) as connection:
        if key is not None and (known := _known(store, key, _digest(request, data))) is not None:
            return Accepted(first=known, last=known, jobs=1, group=request.group, decision=decision, existed=1)
        cohort = _open_cohort(store, request, None)
        job = connection.execute("INSERT INTO job (cohort, input) VALUES (?, ?)", (cohort, data)).lastrowid
        assert job is not None  # noqa: S101 - an insert into a rowid table has one
        if key is not None:
            connection.execute("INSERT OR REPLACE INTO key VALUES (?, ?, ?)", (key, job, _digest(request, data)))
        part = _Part(request, cohort, job, job, 1, len(data))
        _accept_cohort(store, part, request.group, decision, delay_cost, now)
        reached("accepting")
    return Accepted(first=job, last=job, jobs=1, group=request.group, decision=decision)


class _Part(Struct):
    """A cohort that is being written: its first and last id, its jobs and their bytes."""

    request: Request
    cohort: int
    first: int = 0
    last: int = 0
    jobs: int = 0
    size: int = 0


class Bulk:
    """Many jobs as one submission: `add` them, then `accept`. Leaving without `accept` takes all back."""

    def __init__(self, store: Store, refused: Refused | None = None) -> None:
        """Without `refused` the first job that cannot be taken raises BadData."""
        self._store = store
        self._refused = refused or _refuse
        self._writer = Runner(store, "submit")
        self._parts: dict[int, _Part] = {}  # by the identity of the request: hashing a million is dear
        self._buffer: list[tuple[Request, bytes, str | None]] = []
        self._bytes = 0
        self._mixed = False  # the buffer holds keys, or jobs of more than one request
        self.existed = 0

    def add(self, request: Request, data: bytes, key: str | None = None) -> None:
        """One more job; refused is an input that is too large, or a key that stands for something else."""
        if len(data) > LARGEST_INPUT:
            self._refused(too_large(data))
            return
        if key is not None or (self._buffer and request is not self._buffer[-1][0]):
            self._mixed = True
        self._buffer.append((request, data, key))
        self._bytes += len(data)
        if len(self._buffer) >= CHUNK_ROWS or self._bytes >= CHUNK_BYTES:
            self._write()

    def accept(self, decide: Decide, *, now: float) -> Accepted | None:
        """Make all of them visible in one transaction; None when every job was there already."""
        self._write()
        total = sum(part.jobs for part in self._parts.values())
        if not total:
            return None
        parts = list(self._parts.values())
        first = min(part.first for part in parts)
        largest = max(parts, key=lambda part: part.jobs)
        # Before the lock: of many parts that are not alike it takes a while.
        decided = [decide(part.request, part.jobs, part.size / part.jobs) for part in parts]
        with self._store.tx():
            name = largest.request.group
            if name is None and total > 1:
                name = _free_name(self._store, f"{largest.request.handler}-{first}")
            for part, (decision, delay_cost) in zip(parts, decided, strict=True):
                _accept_cohort(self._store, part, part.request.group or name, decision, delay_cost / total, now)
                if part is largest:
                    chosen = decision
        accepted = Accepted(
            first=first,
            last=max(part.last for part in parts),
            jobs=total,
            group=name,
            decision=chosen,
            existed=self.existed,
        )
        self._parts = {}
        return accepted

    def __enter__(self) -> "Bulk":
        return self

    def __exit__(self, *_: object) -> None:
        if self._parts:
            from .cleaning import take_back  # needed only where something went wrong

            take_back(self._store, [part.cohort for part in self._parts.values()])
        self._writer.close(self._store)
        self._store.checkpoint()

    def _write(self) -> None:
        """Write the buffer in one transaction, in the order in which it came."""
        if not self._buffer:
            return
        with self._store.tx():
            if self._mixed:
                self._write_mixed()
            else:  # nearly always: a third faster than looking at each
                part = self._part(self._buffer[0][0])
                self._insert(part, [(part.cohort, data) for _, data, _ in self._buffer])
        self._buffer, self._bytes, self._mixed = [], 0, False

    def _write_mixed(self) -> None:
        run: list[tuple[int, bytes]] = []
        part: _Part | None = None
        for request, data, key in self._buffer:
            here = self._part(request)
            if here is not part or key is not None:
                self._insert(part, run)
                part, run = here, []
            if key is None:
                run.append((here.cohort, data))
            else:
                self._insert_keyed(here, request, data, key)
        self._insert(part, run)

    def _part(self, request: Request) -> _Part:
        part = self._parts.get(id(request))
        if part is None:
            cohort = _open_cohort(self._store, request, self._writer.id)
            part = self._parts[id(request)] = _Part(request, cohort)
        return part

    def _insert(self, part: _Part | None, run: list[tuple[int, bytes]]) -> None:
        if part is None or not run:
            return
        connection = self._store.connection
        insert(connection, "INSERT INTO job (cohort, input)", run)
        last = connection.execute("SELECT last_insert_rowid()").fetchone()[0]
        part.first = part.first or last - len(run) + 1
        part.last = last
        part.jobs += len(run)
        part.size += sum(len(data) for _, data in run)

    def _insert_keyed(self, part: _Part, request: Request, data: bytes, key: str) -> None:
        digest = _digest(request, data)
        try:
            if _known(self._store, key, digest, self._writer.id) is not None:
                self.existed += 1
                return
        except BadData as problem:
            self._refused(problem)
            return
        self._insert(part, [(part.cohort, data)])
        self._store.connection.execute("INSERT OR REPLACE INTO key VALUES (?, ?, ?)", (key, part.last, digest))


def _refuse(problem: BadData) -> None:
    raise problem


def too_large(data: bytes) -> BadData:
    """What is wrong with an input that no handler could be given."""
    return BadData(
        f"the input has {len(data):,} bytes, at most {LARGEST_INPUT:,} are taken. Submit a file's path instead."
    )


def _open_cohort(store: Store, request: Request, writer: int | None) -> int:
    cohort = store.connection.execute(
        "INSERT INTO cohort (handler, name, lane, mode, audience, pinned, due, rank, delay_cost, request, writer)"
        " VALUES (?, ?, '', '', ?, ?, ?, ?, 0, ?, ?)",
        (
            request.handler,
            request.group,
            request.audience,
            request.mode is not None,
            math.inf if request.deadline is None else request.deadline,
            -request.priority,
            msgspec.json.encode(request),
            writer,
        ),
    ).lastrowid
    assert cohort is not None  # noqa: S101 - an insert into a rowid table has one
    return cohort


def _accept_cohort(
    store: Store, part: _Part, name: str | None, decision: Decision, delay_cost: float, now: float
) -> None:
    """Make a written cohort visible under this group name; `delay_cost` is money an hour, for one job."""
    connection = store.connection
    lane = Lane.BATCH if decision.mode is Mode.BATCH else Lane.STREAM
    connection.execute(
        "UPDATE cohort SET name = ?, lane = ?, mode = ?, delay_cost = ?, decision = ?, writer = NULL, accepted = ?,"
        " first_id = ?, last_id = ?, size = ?, jobs = ?, queued = ? WHERE id = ?",
        (
            name,
            lane,
            decision.mode,
            delay_cost,
            msgspec.json.encode(decision),
            now,
            part.first,
            part.last,
            part.size,
            part.jobs,
            part.jobs,
            part.cohort,
        ),
    )
    add_jobs(connection, {(part.request.handler, lane, State.QUEUED): part.jobs})
    promised = decision.promised
    if promised.finish is not None:
        connection.execute(
            "INSERT INTO promise (cohort, made, start, finish, finish90) VALUES (?, ?, ?, ?, ?)",
            (part.cohort, now, promised.start, promised.finish, promised.finish90),
        )


def _free_name(store: Store, wanted: str) -> str:
    """The name of a group that was not named; parts of one submission share it, other groups never do."""
    taken = store.row("SELECT 1 FROM cohort WHERE name = ? AND accepted IS NOT NULL", (wanted,))
    return f"{wanted}-group" if taken else wanted


def _known(store: Store, key: str, digest: bytes, writer: int | None = None) -> int | None:
    """The job that this key stands for already, or that `writer` has given it in this very submission.

    Raises BadData when it asked for something else.
    """
    found = store.row(
        "SELECT key.job, key.digest, cohort.accepted, cohort.writer,"
        " cohort.writer IN (SELECT id FROM runner WHERE kind = 'submit')"
        " FROM key JOIN job ON job.id = key.job JOIN cohort ON cohort.id = job.cohort WHERE key.name = ?",
        (key,),
    )
    if found is None:
        return None
    job, known, accepted, by, writing = found
    if accepted is None and not writing:
        return None  # its writer died, so that it was never accepted; or it is being cleaned away
    mine = accepted is None and by == writer
    if known != digest and mine:
        raise BadData(f"the key {key!r} is given twice, for different inputs")
    if known != digest:
        raise BadData(
            f"the key {key!r} stands for job {job} already, which asked for something else: hybridq show {job}"
        )
    if accepted is None and not mine:
        raise TryAgain(f"the key {key!r} is being submitted by another process; try again when that has ended")
    return int(job)


def _digest(request: Request, data: bytes) -> bytes:
    import hashlib  # OpenSSL takes 4 ms to load, which a job without a key need not pay

    what = msgspec.json.encode([request.handler, request.cwd])  # the same from any terminal: no environment
    return hashlib.sha256(what + b"\0" + data).digest()
