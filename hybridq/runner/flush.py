"""The flushes of a handler at work: jobs are claimed chunk by chunk, handed to it, and what became of them is kept.

Rule: before each chunk the stream lane goes first. Of several flushes each chunk is of one: of that whose jobs are due
first, by deadline, then priority, then age.
"""

import asyncio
import logging
import math
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import aclosing, suppress

from ..brain.calls import ChunkSize
from ..errors import ConfigError, HybridqError, StorageError
from ..handlers.guard import UNENDED
from ..job import Failure, Held, Lane
from ..queue import flushes
from ..queue.claims import Claim, first_due, held_still
from ..queue.lists import by_number
from ..queue.remote import Away
from ..queue.suspects import held_suspects, take
from ..reason import said
from .call import CallRun
from .engine import Engine
from .open_flush import OpenFlush
from .trying import Trying

log = logging.getLogger("hybridq.runner.flush")
WHOLE_BYTES = 64 * 1024 * 1024  # of inputs after which a batch that is handed over whole is large enough
LEARN = 1.0  # seconds between two times that a running chunk teaches something


class FlushRun:
    """The flushes of one handler while they run: some chunks at once, each claimed, run and stored before the next."""

    def __init__(
        self, engine: Engine, flush: OpenFlush, attend: Callable[[Away], None], *, alone: bool = False
    ) -> None:
        """`attend` hears of what is to be looked after because it runs elsewhere. `alone`: nothing may overtake it."""
        self.engine = engine
        self.name = flush.name
        self.number = flush.number
        self.claimed = False
        self._open = [flush]
        self._alone = alone
        self._attend = attend
        estimate = engine.outlook.estimate(self.name)
        self._trying = Trying(estimate.trials, estimate.lately(Lane.STREAM))
        self._begun = False  # its first chunk
        self._workers = 0  # tasks that run one chunk after another
        self._told = time.monotonic()
        self._learned = time.monotonic()

    @property
    def left(self) -> int:
        """Jobs that these flushes have yet to claim, at most."""
        return sum(flush.left for flush in self._open)

    @property
    def overtaken(self) -> bool:
        """Whether another flush may begin beside these."""
        return not self._alone and self._workers > 0 and not self._whole

    def takes(self, held: Sequence[Held]) -> set[int]:
        """The keys of those of these that one of the flushes has yet to claim."""
        return set().union(*(flush.takes(held) for flush in self._open if flush.left))

    def add(self, flush: OpenFlush) -> None:
        """Run this flush, too, on the same instances: who is due first claims first."""
        self._open.append(flush)
        self._widen()

    async def run(self) -> None:
        """Run until nothing of them is left, or the runner stops."""
        try:
            self._take_up()
            async with asyncio.TaskGroup() as self._tasks:
                self._widen()
        except ConfigError as error:  # it cannot be made: what was to run stays held
            log.error("flush %d: %s", self.number, error)
        finally:
            self._close(self._open)

    def _take_up(self) -> None:
        """Run by the settings of now."""
        engine = self.engine
        handler = self._handler = engine.handler(self.name)
        self._settings, config = engine.config, engine.outlook.handler(self.name)
        estimate, target = engine.outlook.estimate(self.name), engine.config.runner.stream_target
        self._whole, self._anew = estimate.at_once, config.traits.starts == "each"
        self._tries = config.traits.starts == "kept"  # calls may be shared
        each, start = estimate.by_itself(), 0.0
        if self._anew:  # what a line takes in a batch has its share of the starts
            each, start = estimate.usual(Lane.STREAM), estimate.startup() or 0.0
        size = ChunkSize(target, handler.chunk_limit, config.chunk or self._whole * handler.chunk_limit)
        self._chunk = engine.chunks.setdefault(self.name, size)
        self._chunk.begin(each, start, estimate.overhead)
        # One chunk more than instances: the next is claimed and written while one is worked on.
        self._slots = engine.outlook.slots(self.name, Lane.BATCH)
        self._width = self._slots + handler.shared

    def widen(self) -> None:
        """Something ended that kept jobs of these from beginning: look again."""
        if self._workers and self.engine.bounds.bound(self.name):
            for flush in self._open:
                flush.over = False
            self._widen()

    def _widen(self) -> None:
        """As many chunks at once as there is room for."""
        while self._workers < self._width:
            self._workers += 1
            self._tasks.create_task(self._work())

    def _fits(self) -> bool:
        """Take up settings that were changed meanwhile; whether as many chunks at once as now may go on."""
        if self.engine.config is not self._settings:
            with suppress(HybridqError):  # it goes on as it was
                self._take_up()
                self._widen()
        return self._workers <= self._width

    def _close(self, ended: Sequence[OpenFlush]) -> None:
        self.engine.saver.save()
        with self.engine.saver.pausing():
            for flush in list(ended):
                self._open.remove(flush)
                self.claimed = self.claimed or flush.claimed > 0
                flush.close()

    async def _work(self) -> None:
        try:
            await self._run_chunks()
        finally:
            self._workers -= 1

    async def _run_chunks(self) -> None:
        engine = self.engine
        while not engine.stopping and not engine.saver.paused and self._fits():
            flush, claims = await self._claims()
            if flush is None:
                return
            for some in self._apart(claims):
                chunk = await self._run_chunk(flush, some)
            if chunk.done > chunk.failed:  # what fails may do so at once
                # Not the time that it waited for an instance, nor that of a start, which a smaller one would take too.
                self._chunk.took(chunk.busy, len(claims), chunk.startup if self._anew else 0.0)
                trials = self._trying.took(chunk.busy, len(claims)) if self._tries and not chunk.startup else ()
                engine.learning.learn(self.name, Lane.BATCH, [], overhead=self._chunk.overhead, trials=trials)
            if len(self._open) > 1:
                self._close([each for each in self._open if each.ended])

    async def _claims(self) -> tuple[OpenFlush | None, list[Claim]]:
        """The next chunk, of the flush whose jobs are due first; None: there is none."""
        if len(self._open) == 1:
            self._open[0].over = False  # what waited for its next try may be due by now
        while (flush := self._next()) is not None:
            if claims := await self._claims_of(flush):
                return flush, claims
            flush.over = True
        return None, []

    def _next(self) -> OpenFlush | None:
        """The flush that claims next."""
        left = [flush for flush in self._open if not flush.over]
        if len(left) < 2:
            return left[0] if left else None
        heads = {flush.next_cohort(): flush for flush in left}
        first = first_due(self.engine.store, [key for key in heads if key is not None])
        return heads[first] if first is not None else left[0]

    async def _claims_of(self, flush: OpenFlush) -> list[Claim]:
        """The next chunk of one. It is claimed in steps that hold up no stream; a provider's batch is handed over
        whole."""
        engine = self.engine
        most = self._chunk.size if flush.given else min(self._chunk.size, math.ceil(flush.left / self._slots))
        if most > 1 and (self._trying.due() if self._tries else self._apart_at_bounds()):
            most = 1
        claims: list[Claim] = []
        size = 0
        while len(claims) < most and not engine.stopping and not engine.saver.paused:
            await engine.let_pass()
            taken: list[Claim] = []
            with engine.saver.pausing():
                taken = flush.claim(most - len(claims), self._slots)
            claims += taken
            size += sum(len(claim.input) for claim in taken)
            if not taken or not self._whole or size >= WHOLE_BYTES:
                break
        return claims

    def _apart_at_bounds(self) -> bool:
        """Whether each command is to be claimed by itself: those of one chunk would wait for the longest of them, and
        what it holds with it."""
        return not self._anew and not self._whole and self.engine.bounds.bound(self.name)

    def _apart(self, claims: list[Claim]) -> list[list[Claim]]:
        """What is handed over together. A provider's batch that may have to be ended for a deadline takes nobody with
        it who has none."""
        if not self._whole:
            return [claims]
        cohorts = by_number(self.engine.store, sorted({claim.cohort for claim in claims}))
        due = {of.id for of in cohorts if math.isfinite(of.due)}
        parts = [[c for c in claims if c.cohort in due], [c for c in claims if c.cohort not in due]]
        return [part for part in parts if part]

    async def _run_chunk(self, flush: OpenFlush, claims: list[Claim]) -> CallRun:
        engine = self.engine
        flush.begin()
        chunk = CallRun(engine, self.name, claims, again=self._anew and self._begun)
        self._begun = True
        engine.ring_followers()  # these run now
        try:
            async with aclosing(self._handler.run(chunk.calls(), Lane.BATCH)) as events:
                async for bunch in events:
                    for first in range(0, len(bunch), step := engine.step):
                        await engine.saver.finish_soon(chunk.hear(bunch[first : first + step]))
                        self._learn(chunk)
                    if chunk.wrote:
                        chunk.wrote = False
                        engine.ring_followers()
        except HybridqError as error:
            full = isinstance(error, StorageError)
            away = {job for each in chunk.away.values() for job, _ in each.work.ids}
            lost = [
                Failure(c.id, c.attempt, str(error), retryable=False, gave_back=full)
                for c in chunk.left()
                if c.id not in away
            ]
            await engine.saver.finish_soon(chunk.hear(lost))
        else:
            await engine.saver.finish_soon(chunk.hear(self._unanswered(chunk)))
        finally:
            with engine.saver.pausing():
                engine.window.cut_short(chunk.unended())
            chunk.close()
        gone = chunk.gone()
        for each in gone:
            self._attend(each)
        flush.end(chunk, sum(len(each.work.ids) for each in gone))
        self._learn(chunk, at_last=True)
        self._tell()
        return chunk

    def _tell(self) -> None:
        """Now and then, how far they are."""
        if (now := time.monotonic()) >= self._told + LEARN:
            self._told = now
            with self.engine.saver.pausing():
                for flush in self._open:
                    flush.tell()

    def _unanswered(self, chunk: CallRun) -> list[Failure]:
        """The ends of what a handler has left without one; what was cancelled meanwhile has its own."""
        away = {job for each in chunk.away.values() for job, _ in each.work.ids}
        left = [] if self.engine.stopping else [claim for claim in chunk.left() if claim.id not in away]
        return [Failure(c.id, c.attempt, UNENDED) for c in held_still(self.engine.store, left)]

    def _learn(self, chunk: CallRun, *, at_last: bool = False) -> None:
        """What the jobs took and cost, while they run: for whoever looks, and for the limits on money."""
        if at_last or (chunk.seen and time.monotonic() >= self._learned + LEARN):
            self.engine.learning.learn(self.name, Lane.BATCH, chunk.seen)
            chunk.seen = []
            self._learned = time.monotonic()


def flush_of_suspects(
    engine: Engine, names: list[str], now: float, only: Collection[int] | None
) -> tuple[int, str, list[Claim]] | None:
    """A flush of the next suspects of one of these handlers (of the cohorts `only`), which are watched from now on: its
    number, its handler and its claims. None: none may begin."""
    if not held_suspects(engine.store):
        return None
    number = flushes.open_flush(engine.store, engine.runner.id, names[0], "watched", said(""), 1.0, 0, now)
    taken = take(
        engine.store,
        engine.runner.id,
        Lane.BATCH,
        names,
        now,
        flush=number,
        only=only,
        room=lambda name: engine.budget.opening(name, Lane.BATCH, now),
        allot=lambda name: engine.bounds.allot(name, now),
    )
    if taken is None:
        flushes.forget_flush(engine.store, number)
        return None
    name, watched = taken
    factor = engine.outlook.tariff.factor(now)
    flushes.describe_flush(engine.store, number, name, said(watched.told), factor, len(watched.claims))
    engine.watch.begin(watched)
    return number, name, watched.claims
