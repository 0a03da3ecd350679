"""Looks after work that runs at a provider: fetches what it gives, ends it there, promotes what would be late.

Rule: what is to be done about it is stored with it before it is done, so that the next runner goes on with
the same. What the provider has finished is always fetched first; only what is left changes lanes.
"""

import asyncio
import logging
import time
from collections.abc import Sequence
from contextlib import aclosing, suppress
from math import inf

from msgspec.structs import replace

from ..brain.estimate import Observation
from ..brain.outcome import Outcome
from ..brain.promotion import ENDLESS, ending_time, last_moment, promotion_reason, stream_time
from ..errors import HybridqError
from ..handlers.llm.poll import heard
from ..handlers.llm.results import unbegun
from ..job import Detached, Event, Happening, Lane, Mode, Output, State
from ..queue import flushes
from ..queue.history import note
from ..queue.remote import Away, charge, claims_of, forget, keep, moved_on
from ..reason import Reason
from ..seam import reached
from .call import CallRun
from .engine import Engine

log = logging.getLogger("hybridq.away")
LOOK = 1.0  # seconds between two looks at the deadline
CONFIRMED = 900.0  # seconds that a provider gets to end a batch and to tell what it charges, while nobody waits
OURS = {"cancel", "charged"}  # what is kept in a reference that is not the handler's
LOST = "the batch was not done in time, so it was cancelled"
AGAIN = 60.0  # seconds until the next try when the provider cannot even be asked


class RemoteRun:
    """One piece of detached work in this runner's care."""

    def __init__(self, engine: Engine, away: Away) -> None:
        self.engine = engine
        self.away = away
        self._poked = asyncio.Event()
        self._answered = False
        self._heard = time.time()  # when the last answers came; before any, when this runner began to ask
        self._hearing = CallRun(engine, away.handler, claims_of(engine.store, away))
        self._hearing.unwanted(claims_of(engine.store, away, State.CANCELLED))
        self._moved = {claim.id: claim for claim in moved_on(engine.store, away)}
        self._charged: dict[int, list[float]] = {}  # by cohort: what cancelled jobs have cost all the same
        self._cohorts = {c.cohort: engine.settling.cohort(c) for c in self._hearing.left()}
        self._flush = flushes.last_of(engine.store, away.work.ids[0][0]) if away.work.ids else None

    def cancelled(self, job: int) -> None:
        """A job was cancelled; when it was the last, so is the rest at the provider."""
        if self._hearing.drop(job):
            self._poked.set()

    async def run(self) -> None:
        """Until each of its jobs has ended. What the provider does not let us ask now is asked again later."""
        listening = self._listen()
        try:
            while not listening.done():
                if self._to_end():
                    await _cancelled(listening)
                    with self.engine.saver.pausing():
                        ended = {**self.away.work.reference, "cancel": time.time()}
                        self._keep(replace(self.away.work, reference=ended))
                    listening = self._listen()
                elif self._too_late():
                    break
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._poked.wait(), LOOK)
                self._poked.clear()
        except asyncio.CancelledError:
            await _cancelled(listening)
            if self._answered and not self._hearing.left():
                self.engine.saver.save()
                self._forgotten()  # all is there; a runner that ends with its last job closes the books too
            raise
        await _cancelled(listening)
        if not listening.cancelled():
            listening.result()
        await self._wind_up()

    def _listen(self) -> "asyncio.Task[None]":
        task = asyncio.create_task(self._fetch())
        task.add_done_callback(lambda _: self._poked.set())
        return task

    async def _fetch(self) -> None:
        while True:
            try:
                handler = self.engine.handler(self.away.handler)
                async with aclosing(handler.resume(self.away.work)) as events:
                    async for bunch in events:
                        await self._hear(bunch)
                return
            except HybridqError as error:
                log.error("%s: %s", self.away.handler, error)
                reference = dict(self.away.work.reference)
                if heard(reference, str(error)):
                    self._keep(replace(self.away.work, reference=reference))
                await asyncio.sleep(AGAIN)

    async def _hear(self, bunch: Sequence[Event]) -> None:
        for event in bunch:
            if isinstance(event, Detached):
                self._keep(event)
        ends = [event for event in bunch if not isinstance(event, Detached)]
        if ends:
            self._answered, self._heard = True, time.time()
            self._pay(ends)
            await self.engine.saver.finish_soon([self._promoted(each) for each in self._hearing.hear(ends)])
            self._charge()

    def _pay(self, ends: Sequence[Event]) -> None:
        """Note what answers cost for jobs that an earlier runner's user cancelled and queued again."""
        for event in ends:
            if not isinstance(event, Output) or not event.cost:
                continue
            gone = self._moved.get(event.id)
            if gone is not None and gone.attempt == event.attempt:
                self._hearing.paid.append((self._moved.pop(event.id), event.cost))

    def _charge(self) -> None:
        """Book what the provider did for jobs that were cancelled meanwhile; a disk that refuses is asked again."""
        paid = self._hearing.paid
        if not paid:
            return
        with self.engine.saver.pausing():
            self.away, booked = charge(self.engine.store, self.away, paid, time.time())
            for cohort, cost in booked:
                self._charged.setdefault(cohort, []).append(cost)
            paid.clear()

    def _keep(self, work: Detached) -> None:
        ours = {name: self.away.work.reference[name] for name in OURS & self.away.work.reference.keys()}
        work = replace(work, reference={**work.reference, **ours})
        keep(self.engine.store, self.engine.runner.id, self.away.handler, work, time.time())
        self.away = Away(self.away.id, self.away.handler, self.away.since, work)

    def _to_end(self) -> bool:
        """Whether it is to be ended there now: nobody wants it any more, or the rest would be too late."""
        if "cancel" in self.away.work.reference or self._answered:
            return False
        return not self._hearing.left() or time.time() >= self._last_moment()

    def _too_late(self) -> bool:
        """Whether nobody waits any longer for the provider to confirm the end: what is left must be streamed, or
        nothing is left."""
        asked: float | None = self.away.work.reference.get("cancel")
        if asked is None:
            return False
        if not self._hearing.left():
            return time.time() >= asked + CONFIRMED
        return time.time() >= max(asked, self._last_moment(), self._heard) + self._grace()

    def _last_moment(self) -> float:
        """When it must be taken back, epoch seconds: in time to stream what the earliest deadline asks for, and at
        the latest when the provider itself should long have ended it."""
        # What the provider calls ended is paid for: nothing but a deadline has it done once more.
        endless = inf if "ended" in self.away.work.reference else ENDLESS
        if Mode.STREAM not in self.engine.outlook.modes(self.away.handler):
            return self.away.since + endless
        return last_moment(self.away.since, self._due(), self._stream_time(), endless)

    def _grace(self) -> float:
        return ending_time(self.away.since, self._due())

    def _due(self) -> float:
        held = {claim.cohort for claim in self._hearing.left()}
        return min((of.due for number, of in self._cohorts.items() if number in held), default=inf)

    def _stream_time(self) -> float:
        # All that is left, finished there or not: if the end is never confirmed no answer of it comes.
        left = self._hearing.left()
        outlook, name = self.engine.outlook, self.away.handler
        size = max((self._cohorts[c.cohort].size for c in left[:1]), default=0.0)
        return stream_time(outlook.estimate(name), len(left), size, outlook.slots(name, Lane.STREAM))

    def _promoted(self, outcome: Outcome) -> Outcome:
        """The outcome; what is queued again and has no time for another batch goes to the stream lane."""
        of = self._cohorts[outcome.cohort]
        if outcome.state is not State.QUEUED or Mode.STREAM not in self.engine.outlook.modes(of.handler):
            return outcome
        why = promotion_reason(of.due, outcome.at, self.engine.outlook.estimate(of.handler), of.size)
        return outcome if why is None else replace(outcome, promoted=why, ready=0.0)

    async def _wind_up(self) -> None:
        """Store the rest, learn, and forget it."""
        engine, hearing = self.engine, self._hearing
        lost = [unbegun(c.id, c.attempt, LOST) for c in hearing.left()]
        engine.saver.finish([self._promoted(each) for each in hearing.hear(lost)])
        if hearing.done and "cancel" not in self.away.work.reference:
            took = time.time() - self.away.since
            hearing.seen.append(Observation(size=0.0, busy=0.0, startup=took))
        while not self._forgotten():
            await asyncio.sleep(LOOK)
        await self._clear()
        log.info("batch of %s: %d done, %d failed", self.away.handler, hearing.done, hearing.failed)

    async def _clear(self) -> None:
        """All is stored: what lies at the provider may go, as far as it lets us."""
        over = replace(self.away.work, reference={**self.away.work.reference, "over": True})
        with suppress(HybridqError):
            async with aclosing(self.engine.handler(self.away.handler).resume(over)) as events:
                async for _ in events:
                    pass

    def _forgotten(self) -> bool:
        """Close the books; False while the disk refuses, and nothing is let go of."""
        engine, hearing = self.engine, self._hearing
        with engine.saver.pausing():
            self._charge()
            if engine.saver.paused:
                return False
            with engine.store.tx() as connection:
                for cohort, costs in self._charged.items():
                    why = Reason("charged", jobs=len(costs), costs=sum(costs))
                    note(connection, cohort, Happening.CHARGED, why, time.time(), jobs=len(costs))
                if self._flush is not None:
                    came = flushes.results_of(connection, self._flush, self.away.work.ids)
                    flushes.add_to_flush(connection, self._flush, came, time.time())
                reached("ended")
                forget(engine.store, self.away.id)
            hearing.close()
            engine.learning.learn(self.away.handler, Lane.BATCH, hearing.seen)
            return True
        return False


async def _cancelled(task: "asyncio.Task[None]") -> None:
    task.cancel()
    await asyncio.wait({task})
