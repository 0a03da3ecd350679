"""One flush at work: its jobs are claimed chunk by chunk, handed to the handler, and what became of them is kept.

Rule: before each chunk the stream lane goes first; what a flush claims ends by its own attempt, or is given back.
"""

import asyncio
import logging
import math
import time
from collections.abc import Callable, Collection
from contextlib import aclosing, suppress

from ..brain.calls import ChunkSize
from ..errors import ConfigError, HybridqError, StorageError
from ..handlers.guard import UNENDED
from ..job import Failure, Lane
from ..queue import flushes
from ..queue.buckets import pages
from ..queue.claims import Claim, claim_batch, held_still
from ..queue.lists import by_number
from ..queue.remote import Away
from ..queue.results import book_streamed
from ..queue.suspects import held_suspects, take
from ..reason import said
from ..seam import reached
from ..when import count
from .call import CallRun
from .engine import Engine
from .trying import Trying

log = logging.getLogger("hybridq.runner.flush")
WHOLE_BYTES = 64 * 1024 * 1024  # of inputs after which a batch that is handed over whole is large enough
LEARN = 1.0  # seconds between two times that a running chunk teaches something


JUDGED = 32  # cohorts of a flush whose promises are compared with what became of them


class FlushRun:
    """One flush while it runs: some chunks at once, each claimed, run and stored before the next."""

    def __init__(
        self,
        engine: Engine,
        name: str,
        number: int,
        keys: list[int],
        jobs: int,
        attend: Callable[[Away], None],
        *,
        given: list[Claim] | None = None,
    ) -> None:
        """`keys` are cohorts and classes; `attend` hears of what is to be looked after because it runs elsewhere.
        `given`: what was claimed for it already, and nothing else is."""
        self.engine = engine
        self.name = name
        self.number = number
        self.claimed = 0
        self._jobs = jobs
        self._pages = pages(engine.store, keys)
        self._keys: list[int] = []  # the cohorts to claim from next
        self._given = given
        self._promised = tuple(key for key in keys if key > 0)[:JUDGED]
        engine.flushed.extend(self._promised)
        self._attend = attend
        self._done = self._failed = self._gone = 0
        self._startup = self._cost = 0.0
        estimate = engine.outlook.estimate(name)
        self._trying = Trying(estimate.trials, estimate.lately(Lane.STREAM))
        self._begun = False  # its first chunk
        self._workers = 0  # tasks that run one chunk after another
        self._told = time.monotonic()
        self._learned = time.monotonic()

    async def run(self) -> None:
        """Run until nothing of it is left, or the runner stops."""
        engine = self.engine
        try:
            self._take_up()
            async with asyncio.TaskGroup() as self._tasks:
                self._widen()
        except ConfigError as error:  # it cannot be made: what was to run stays held
            log.error("flush %d: %s", self.number, error)
        finally:
            engine.saver.save()
            with engine.saver.pausing():
                self._close()

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
        if self._workers <= self._width:
            return True
        self._workers -= 1
        return False

    def _close(self) -> None:
        store = self.engine.store
        reached("ending")
        if not self.claimed:
            flushes.forget_flush(store, self.number)
            return
        flushes.close_flush(store, self.number, self._done, self._failed, self._startup, self._cost, time.time())
        reached("ended")
        book_streamed(store, self.engine.settling.sharing.due(self.name))
        ended = (of.late for of in by_number(store, self._promised))  # but for what was cleaned away meanwhile
        self.engine.learning.learn(self.name, Lane.BATCH, [], [late for late in ended if late is not None])
        ends = (self._done, "done"), (self._failed, "failed"), (self._gone, "handed to the provider")
        told = ", ".join(f"{count(jobs)} {what}" for jobs, what in ends if jobs)
        log.info("flush %d ended: %s", self.number, told or "nothing done")

    async def _work(self) -> None:
        engine = self.engine
        while not engine.stopping and not engine.saver.paused and self._fits():
            if not (claims := await self._claims()):
                return
            for some in self._apart(claims):
                chunk = await self._run_chunk(some)
            if chunk.done > chunk.failed:  # what fails may do so at once
                # Not the time that it waited for an instance, nor that of a start, which a smaller one would take too.
                self._chunk.took(chunk.busy, len(claims), chunk.startup if self._anew else 0.0)
                trials = self._trying.took(chunk.busy, len(claims)) if self._tries and not chunk.startup else ()
                engine.learning.learn(self.name, Lane.BATCH, [], overhead=self._chunk.overhead, trials=trials)

    async def _claims(self) -> list[Claim]:
        """The next chunk. It is claimed in steps that hold up no stream; a provider's batch is handed over whole."""
        engine = self.engine
        if self._given is not None:
            claims, self._given = self._given, []
            self.claimed += len(claims)
            return claims
        most = min(self._chunk.size, math.ceil((self._jobs - self.claimed) / self._slots))
        if self._tries and most > 1 and self._trying.due():
            most = 1
        claims = []
        size = 0
        while len(claims) < most and not engine.stopping and not engine.saver.paused:
            await engine.let_pass()
            taken: list[Claim] = []
            with engine.saver.pausing():
                runner, now = engine.runner.id, time.time()
                ahead = max(0, self.claimed - self._done - self._failed - self._gone) // self._slots
                wanted = min(most - len(claims), 2 * engine.step, self._jobs - self.claimed)
                while len(self._keys) < wanted and (page := next(self._pages, None)):
                    self._keys += page
                opening = engine.budget.opening(self.name, Lane.BATCH, now)
                taken = claim_batch(
                    engine.store,
                    runner,
                    self.number,
                    self.name,
                    self._keys,
                    wanted,
                    now,
                    room=engine.window.within(opening, self.name, Lane.BATCH, ahead),
                    longest=engine.window.longest(now),
                )
            self.claimed += len(taken)
            claims += taken
            size += sum(len(claim.input) for claim in taken)
            if not taken or not self._whole or size >= WHOLE_BYTES:
                break
        return claims

    def _apart(self, claims: list[Claim]) -> list[list[Claim]]:
        """What is handed over together. A provider's batch that may have to be ended for a deadline takes nobody with
        it who has none."""
        if not self._whole:
            return [claims]
        cohorts = by_number(self.engine.store, sorted({claim.cohort for claim in claims}))
        due = {of.id for of in cohorts if math.isfinite(of.due)}
        parts = [[c for c in claims if c.cohort in due], [c for c in claims if c.cohort not in due]]
        return [part for part in parts if part]

    async def _run_chunk(self, claims: list[Claim]) -> CallRun:
        engine = self.engine
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
        for gone in chunk.gone():
            self._gone += len(gone.work.ids)
            self._attend(gone)
        self._done += chunk.done
        self._failed += chunk.failed
        self._startup += chunk.startup
        self._cost += chunk.cost
        self._learn(chunk, at_last=True)
        self._tell()
        return chunk

    def _tell(self) -> None:
        """Now and then, how far it is: for whoever foresees what comes after it."""
        if (now := time.monotonic()) >= self._told + LEARN:
            self._told = now
            with self.engine.saver.pausing():
                flushes.progress(self.engine.store, self.number, self._done, self._failed)

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
    )
    if taken is None:
        flushes.forget_flush(engine.store, number)
        return None
    name, watched = taken
    factor = engine.outlook.tariff.factor(now)
    flushes.describe_flush(engine.store, number, name, said(watched.told), factor, len(watched.claims))
    engine.watch.begin(watched)
    return number, name, watched.claims
