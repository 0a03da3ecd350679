"""Accepting many jobs as one submission: a million as one.

Rule: what is acknowledged is durable and whole. The jobs are written in chunks that nobody can see and that carry
their writer's mark; one small transaction at the end accepts them all (see `acceptance`). Of a submission that is
refused, interrupted or whose writer dies before that nothing is left, and what is taken back is what carries the mark.
"""

import shlex
from collections.abc import Callable
from contextlib import suppress
from typing import Self

from ..brain.commands import shared
from ..errors import BadData, HybridqError, TryAgain
from ..job import Decision, Request, Waits
from ..seam import reached
from .acceptance import TOGETHER, promise, show, show_for_dead
from .dependencies import begin, close_gates
from .intake import LARGEST_INPUT, Accepted, Decide, Part, Refused, accept_cohort, open_cohort, too_large
from .keys import digest_of, keep, known
from .runner import Runner
from .store import Store, insert, let_others_write
from .submissions import came

CHUNK_ROWS = 20_000
CHUNK_MIXED = 2_000  # of jobs that have keys or options of their own: each costs ten times as much
CHUNK_BYTES = 8 * 1024 * 1024  # of inputs; whichever comes first ends a chunk
NOTHING = Waits()  # but for a time
SOME = 8  # commands of a chunk that tell of what kind all of it is

KindOf = Callable[[Request, bytes], str]
"""(request, input) -> what the command is known by; "" where it is none."""


class Bulk:
    """Many jobs as one submission: `add` them, then `accept`. Leaving without `accept` takes all back.

    A KeyboardInterrupt that came too late for that leaves with a sentence that says so.
    """

    def __init__(self, store: Store, refused: Refused | None = None, kind: KindOf | None = None) -> None:
        """Without `refused` the first job that cannot be taken raises BadData. `kind` tells what commands are."""
        self._store = store
        self._refused = refused or _refuse
        self._kind = kind or _no_kind
        self._writer = Runner(store, "submit")
        # By the identity of the request, for hashing a million is dear, and by whether they wait.
        self._parts: dict[tuple[int, bool], Part] = {}
        self._buffer: list[tuple[Request, bytes, str | None, Waits | None]] = []
        self._gates: dict[float | None, dict[Waits, int]] = {}  # of the jobs that wait, by when they may begin
        self._bytes = 0
        self._mixed = False  # the buffer holds keys, or jobs of more than one request
        self._torn = False  # a chunk could not be written
        self._asked = 0, ""  # the submission, once it is to be accepted, and what it is called
        self.existed = 0

    def add(self, request: Request, data: bytes, key: str | None = None, waits: Waits | None = None) -> None:
        """One more job; refused is an input that is too large, a key that stands for something else, or what `waits`
        for a job that is not there."""
        if len(data) > LARGEST_INPUT:
            self._refused(too_large(data))
            return
        if key is not None or (self._buffer and self._unlike_last(request, waits)):
            self._mixed = True
        self._buffer.append((request, data, key, waits))
        self._bytes += len(data)
        if len(self._buffer) >= (CHUNK_MIXED if self._mixed else CHUNK_ROWS) or self._bytes >= CHUNK_BYTES:
            self._write()
            let_others_write()

    def _unlike_last(self, request: Request, waits: Waits | None) -> bool:
        before = self._buffer[-1]
        return request is not before[0] or (waits is None) is not (before[3] is None)

    def accept(self, decide: Decide, *, now: float) -> Accepted | None:
        """Accept all of them at one instant; None when every job was there already."""
        self._write()
        parts = [part for part in self._parts.values() if part.jobs]
        if not parts:
            return None
        total = sum(part.jobs for part in parts)
        first = min(part.first for part in parts)
        submission = min(part.cohort for part in parts)  # named by the cohort that was opened first
        most = max(range(len(parts)), key=lambda place: parts[place].jobs)
        largest = parts[most]
        # Before the lock: of many parts that are not alike it takes a while.
        decided = [
            (decision, delay_cost / total)
            for decision, delay_cost in (decide(part.asked, part.jobs, part.size / part.jobs) for part in parts)
        ]
        name = largest.request.group
        self._asked = submission, name or str(first)
        with self._store.tx():
            if name is None and total > 1:
                name = _free_name(self._store, f"{largest.request.handler}-{first}")
                self._asked = submission, name
            if len(parts) <= TOGETHER:
                self._describe(parts, decided, name, now, visible=True)
                came(self._store.connection, submission)
        if len(parts) > TOGETHER:
            self._accept_in_pieces(parts, decided, name, now)
        self._parts = {}
        return Accepted(
            first=first,
            last=max(part.last for part in parts),
            jobs=total,
            group=name,
            decision=decided[most][0],
            existed=self.existed,
        )

    def _accept_in_pieces(
        self, parts: list[Part], decided: list[tuple[Decision, float]], name: str | None, now: float
    ) -> None:
        store = self._store
        for at in range(0, len(parts), TOGETHER):
            with store.tx(durable=False):
                self._describe(parts[at : at + TOGETHER], decided[at : at + TOGETHER], name, now, visible=False)
            let_others_write()
        with store.tx():
            self._still_ours()
            promise(store, self._writer.id, self._asked[0], now)
        with suppress(HybridqError):  # it is accepted, whatever happens now: whoever looks next shows the rest
            show(store, self._writer.id)

    def _describe(
        self, parts: list[Part], decided: list[tuple[Decision, float]], name: str | None, now: float, *, visible: bool
    ) -> None:
        self._still_ours()
        for part, (decision, delay_cost) in zip(parts, decided, strict=True):
            group = part.request.group or name
            accept_cohort(
                self._store,
                part,
                group,
                decision,
                delay_cost,
                now,
                submission=self._asked[0],
                writer=None if visible else self._writer.id,
            )
        if visible and (waiting := [part.cohort for part in parts if part.waits]):
            begin(self._store.connection, waiting, now)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        store, writer = self._store, self._writer.id
        # What is not done here of this is done by whoever looks next; it changes nothing about what was accepted.
        with suppress(HybridqError):
            if self._parts:
                from .cleaning import take_back  # needed only where something went wrong

                show(store, writer)  # if it was promised, it is accepted
                take_back(store, writer)
        with suppress(HybridqError):
            self._writer.close(store)
        if isinstance(error, KeyboardInterrupt) and self._accepted():
            error.args = (f"everything was submitted before that: hybridq status {shlex.quote(self._asked[1])}",)
        store.checkpoint()

    def _accepted(self) -> bool:
        return self._store.row("SELECT 1 FROM cohort WHERE id = ? AND accepted > 0", self._asked[:1]) is not None

    def _still_ours(self) -> None:
        """Raises TryAgain where what was written may be gone: somebody took this writer for dead, or it was refused."""
        if self._torn or not self._store.row("SELECT 1 FROM runner WHERE id = ?", (self._writer.id,)):
            raise TryAgain("a part of this submission is missing, so nothing was accepted: submit it again")

    def _write(self) -> None:
        """Write the buffer in one transaction, in the order in which it came."""
        if not self._buffer:
            return
        if self._mixed:
            show_for_dead(self._store)
        try:
            with self._store.tx(durable=False):  # the one that accepts it makes it last
                self._still_ours()
                if self._mixed:
                    self._write_mixed()
                else:  # nearly always: a third faster than looking at each
                    request, _, _, waits = self._buffer[0]
                    part, run = self._part(request, waits), [data for _, data, _, _ in self._buffer]
                    self._insert(part, run, [each[3] for each in self._buffer] if part.waits else [])
        except BaseException:
            self._torn = True  # nothing of this chunk is there, whatever the parts say
            raise
        reached("written")
        self._buffer, self._bytes, self._mixed = [], 0, False

    def _write_mixed(self) -> None:
        run: list[bytes] = []
        behind: list[Waits | None] = []
        part: Part | None = None
        for request, data, key, waits in self._buffer:
            here = self._part(request, waits)
            if here is not part or key is not None:
                self._insert(part, run, behind)
                part, run, behind = here, [], []
            if key is not None:
                self._insert_keyed(here, data, key, waits)
                continue
            run.append(data)
            if here.waits:
                behind.append(waits)
        self._insert(part, run, behind)

    def _part(self, request: Request, waits: Waits | None) -> Part:
        which = id(request), waits is not None or request.not_before is not None
        part = self._parts.get(which)
        if part is None:
            part = self._parts[which] = Part(request, waits=which[1], behind=waits is not None)
        return part

    def _gates_of(self, request: Request, behind: list[Waits | None]) -> list[int]:
        """The gates that jobs of this request wait at, one for all that wait for the same."""
        at, wanted = request.not_before, [waits or NOTHING for waits in behind]
        gates = self._gates.setdefault(at, {})
        if len(gates) > CHUNK_ROWS:  # of many that are all unlike none is asked for again
            gates.clear()
        new = list(dict.fromkeys(waits for waits in wanted if waits not in gates))
        if new:
            gates.update(zip(new, close_gates(self._store.connection, new, at, self._writer.id), strict=True))
        return [gates[waits] for waits in wanted]

    def _insert(self, part: Part | None, run: list[bytes], behind: list[Waits | None]) -> None:
        """Write these jobs of a part; `behind`: what each of them waits for, where they wait."""
        if part is None or not run:
            return
        connection = self._store.connection
        if not part.cohort:  # not before: of a part whose jobs are all there already nothing is to be left
            part.cohort = open_cohort(self._store, part.request, self._writer.id)
        if behind:
            gates = self._gates_of(part.request, behind)
            jobs = [(part.cohort, data, gate) for data, gate in zip(run, gates, strict=True)]
            insert(connection, "INSERT INTO job (cohort, input, gate)", jobs)
        else:
            insert(connection, "INSERT INTO job (cohort, input)", [(part.cohort, data) for data in run])
        last = connection.execute("SELECT last_insert_rowid()").fetchone()[0]
        part.first = part.first or last - len(run) + 1
        part.last = last
        part.jobs += len(run)
        for data in run[:: max(1, len(run) // SOME)]:
            kind = self._kind(part.request, data)
            part.kind = kind if part.kind is None else shared(part.kind, kind)
        part.size += sum(len(data) for data in run)

    def _insert_keyed(self, part: Part, data: bytes, key: str, waits: Waits | None) -> None:
        digest = digest_of(part.request, data)
        try:
            if known(self._store, key, digest, self._writer.id) is not None:
                self.existed += 1
                return
        except BadData as problem:
            self._refused(problem)
            return
        self._insert(part, [data], [waits] if part.waits else [])
        keep(self._store, key, part.last, digest)


def _no_kind(_request: Request, _data: bytes) -> str:
    return ""


def _refuse(problem: BadData) -> None:
    raise problem


def _free_name(store: Store, wanted: str) -> str:
    """The name of a group that was not named; parts of one submission share it, other groups never do."""
    taken = store.row("SELECT 1 FROM cohort WHERE name = ? AND accepted IS NOT NULL", (wanted,))
    return f"{wanted}-group" if taken else wanted
