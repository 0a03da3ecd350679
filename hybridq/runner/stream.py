"""The stream loop: runs what somebody waits for at once, and shows its output as it comes.

Rule: takes by deadline, then priority, then age, as many as there are slots; a job's process ends
with its task, so cancelling is ending the task.
"""

import asyncio
import math
import time
from collections.abc import Collection
from contextlib import aclosing

from ..brain.commands import kind_of
from ..brain.estimate import Observation
from ..errors import HybridqError, NoSuchJob
from ..handlers.guard import UNENDED
from ..job import Failure, Lane, Mode, Output, Partial, Remark, Started, Throttled
from ..money.limits import Opening, hold_back
from ..queue.claims import Claim, Room, claim_stream, held_still
from ..queue.cohorts import Cohort
from ..queue.doorbell import VIEWER, ring
from ..queue.outputs import Sink
from ..queue.store import Store
from ..queue.suspects import take
from ..queue.tried_again import next_tries
from .engine import Engine
from .loop import AGAIN, TICK


class StreamLoop:
    """The stream lane of one runner. `only`: a runner that came for the jobs of these cohorts alone."""

    def __init__(self, engine: Engine, tasks: asyncio.TaskGroup, *, only: Collection[int] | None = None) -> None:
        self.engine = engine
        self.wake = asyncio.Event()
        engine.watch.wakes.append(self.wake)
        self._tasks = tasks
        self._only = only
        self._busy: dict[str, int] = {}

    def turn(self, now: float) -> float:
        """Claim what fits into the free slots and start it."""
        pause, began = TICK, time.monotonic()
        if self.engine.watch.on():
            return TICK
        names = self.engine.waiting(Lane.STREAM)
        lacking = self.engine.bounds.lacking(now) if names else []
        again = AGAIN if not names or not self.engine.bounds.any() else 5 * AGAIN  # which others end
        for name in names:
            free = self.engine.outlook.slots(name, Lane.STREAM) - self._busy.get(name, 0)
            if free <= 0:
                continue
            if (why := self.engine.bounds.why_none(name, now)) is not None:
                pause = min(pause, max(AGAIN, (why.due or math.inf) - now))
                continue
            self.engine.bounds.want_all(name, lacking, now)
            room = self._room(name, now)
            claims = claim_stream(
                self.engine.store,
                self.engine.runner.id,
                name,
                free,
                now,
                only=self._only,
                room=room,
                longest=self.engine.window.longest(now),
                allot=self.engine.bounds.allot(name, now),
                lacking=lacking,
            )
            for claim in claims:
                self._start(name, claim)
            if len(claims) < free and not room.withheld:
                # What is left waits for its next try. Of very many that do a look takes a while.
                first = next_tries(self.engine.store, Lane.STREAM, name, now).first
                until = again if first is None or self.engine.bounds.any() else min(TICK, first - now)
                pause = min(pause, max(AGAIN, until, 9 * (time.monotonic() - began)))
        if names and not (wait := self.engine.watch.free_in()):
            self._start_suspects(names, now)
        elif names:
            pause = min(pause, wait)
        return pause

    def _room(self, name: str, now: float) -> "_Room":
        """How many jobs of a cohort may begin, by the limits on money and the runner's window."""
        opening = self.engine.budget.opening(name, Lane.STREAM, now)
        return _Room(opening, self.engine.window.within(opening, name, Lane.STREAM), self.engine.store, now)

    def _start_suspects(self, names: list[str], now: float) -> None:
        """Nothing else is to be run: what may have been why a runner died."""
        engine = self.engine
        taken = take(
            engine.store,
            engine.runner.id,
            Lane.STREAM,
            names,
            now,
            only=self._only,
            room=lambda name: self._room(name, now),
            slots=lambda name: engine.outlook.slots(name, Lane.STREAM),
            allot=lambda name: engine.bounds.allot(name, now),
        )
        if taken is not None:
            name, watched = taken
            engine.watch.begin(watched)
            for claim in watched.claims:
                self._start(name, claim)

    def _start(self, name: str, claim: Claim) -> None:
        self.engine.polite()
        self.engine.watch.began()
        self._busy[name] = self._busy.get(name, 0) + 1
        task = self._tasks.create_task(self._run(claim), name=f"job {claim.id}")
        self.engine.streaming[claim.id, claim.attempt] = task

        def ended(_: object) -> None:
            self.engine.watch.ended()
            self._busy[name] -= 1
            del self.engine.streaming[claim.id, claim.attempt]
            self.engine.bounds.ended(name, [claim])
            self.wake.set()

        task.add_done_callback(ended)

    async def _run(self, claim: Claim) -> None:
        engine = self.engine
        try:
            of = engine.settling.cohort(claim)
        except NoSuchJob:
            return  # cancelled and cleaned away since it was claimed
        attempt = _Attempt(engine, claim, of)
        try:
            handler = engine.handler(attempt.handler)
            async with aclosing(handler.run([engine.call(claim, of, attempt.handler)], Lane.STREAM)) as events:
                async for bunch in events:
                    for event in bunch:
                        attempt.hear(event)
                    ring(engine.home, VIEWER)
            if not attempt.ended and held_still(engine.store, [claim]):
                attempt.hear(Failure(claim.id, claim.attempt, UNENDED))
        except HybridqError as error:
            attempt.hear(Failure(claim.id, claim.attempt, str(error), retryable=False))
        finally:
            if not attempt.ended and attempt.began is not None:
                with engine.saver.pausing():
                    engine.window.cut_short([(claim.id, claim.attempt, time.time() - attempt.began)])
            attempt.sink.close()


class _Room:
    """What `lets` let begin in one claim; where limits on money let none, the reason is kept. `withheld`: none may."""

    def __init__(self, opening: Opening, lets: Room, store: Store, now: float) -> None:
        self._opening, self._lets, self._store, self._now = opening, lets, store, now
        self.withheld = False

    def __call__(self, cohort: int) -> int:
        """How many jobs of a cohort may begin."""
        if self._opening.turned(cohort):
            hold_back(self._store, cohort, self._opening.kept(cohort).why, self._now)
        jobs = self._lets(cohort)
        self.withheld = self.withheld or not jobs
        return jobs

    def took(self, cohort: int, jobs: int) -> None:
        """So many do."""
        self._lets.took(cohort, jobs)


class _Attempt:
    """One streamed attempt: its output as it comes, and what becomes of it."""

    def __init__(self, engine: Engine, claim: Claim, cohort: Cohort) -> None:
        self.engine, self.claim, self.of = engine, claim, cohort
        self.draft = cohort.mode is Mode.ADAPTIVE
        self.handler = engine.outlook.handler(cohort.handler).draft if self.draft else cohort.handler
        self.sink = Sink(engine.home, claim.id, claim.attempt)
        self.began: float | None = None
        self.ended = False
        self._first: float | None = None
        self._startup = 0.0

    def hear(self, event: object) -> None:
        """Take one event of the handler."""
        match event:
            case Started(startup=startup):
                self.began, self._startup = time.time(), startup
            case Partial():
                self._first = self._first or time.time()
                self.sink.write(event)
            case Throttled():
                self.engine.postpone(event)
            case Remark():
                self.engine.remark(event)
            case Output() | Failure():
                self._end(self.sink.counted(event))

    def _end(self, event: Output | Failure) -> None:
        self.ended = True
        engine, claim = self.engine, self.claim
        if event.kept:
            engine.saver.outputs.add(self.sink.files())
        first = self._first or (time.time() if isinstance(event, Output) else None)
        engine.saver.finish_live(
            engine.settling.outcomes([(event, claim)], first=first, draft=self.draft, startup=self._startup)
        )
        if isinstance(event, Output):
            if event.value is not None:
                self.sink.discard()
            size = float(engine.size(claim, self.of))
            commands = engine.outlook.handler(self.handler).traits.commands
            kind = kind_of(claim.input, self.of.request.cwd) if commands else ""
            seen = Observation(size=size, busy=event.busy, startup=self._startup or None, cost=event.cost, kind=kind)
            promised = None if self.draft or self.of.jobs > 1 else self.of.decision.forecast.finish90
            engine.learning.learn(
                self.handler, Lane.STREAM, [seen], [] if promised is None else [time.time() > promised]
            )
