"""The batch loop: holds what can wait, runs it together when that is cheapest, and says why.

Rule: what is due is always the store's and the plan's to say; a wake-up only says when to ask again.
A flush claims chunk by chunk, so that a million jobs neither fill the memory nor lock the queue, and
a shared instance serves the stream lane between two chunks.
"""

import asyncio
import logging
import math
import time
from collections import Counter
from collections.abc import Collection
from itertools import chain, islice

from msgspec.structs import replace

from ..brain.conditions import part_of
from ..brain.costs import mean_size
from ..brain.plan import NOW, plan
from ..job import Flush, Lane, State
from ..money.today import Today
from ..queue import flushes
from ..queue.buckets import Buckets, buckets, pages, told_under
from ..queue.claims import ends_of
from ..queue.cohorts import held, tally
from ..queue.learned import intend
from ..queue.paused_work import going
from ..queue.remote import Away, adopt, claims_of
from ..queue.suspects import only_suspects, suspects_of
from ..queue.tried_again import next_tries
from ..sentences import sentence
from ..when import count, how_many
from .engine import Engine
from .flush import FlushRun, flush_of_suspects
from .loop import AGAIN, TICK
from .open_flush import OpenFlush
from .remote import RemoteRun

log = logging.getLogger("hybridq.runner.batch")
LOOKED_AT = 256  # cohorts of what is due, of which one at least must have room
QUICK = 0.005  # seconds; a look that takes longer is followed by a rest,
REST = 9.0  # of so many times what it took: looking takes no more than a tenth of the time


class BatchLoop:
    """The batch lane of one runner. `drain`: what is held in the cohorts `only` is run now, whatever is planned."""

    def __init__(
        self,
        engine: Engine,
        tasks: asyncio.TaskGroup,
        *,
        drain: bool = False,
        only: Collection[int] | None = None,
    ) -> None:
        self.engine = engine
        self.wake = asyncio.Event()
        engine.watch.wakes.append(self.wake)
        self.flushing: dict[str, asyncio.Task[None]] = {}
        self.away: set[asyncio.Task[None]] = set()  # each looks after work that runs elsewhere
        self._runs: dict[str, FlushRun] = {}  # what each of these runs
        self._tasks = tasks
        self._drain = drain
        self._only = only
        self._idle_until: dict[str, float] = {}  # whose jobs could not be claimed
        self._pause = TICK  # until a job is tried again

    def turn(self, now: float) -> float:
        """Look after what runs elsewhere, plan each handler that holds work, and start what is due."""
        for away in adopt(self.engine.store, self.engine.runner.id, self.engine.config.handlers):
            cancelled = len(claims_of(self.engine.store, away, State.CANCELLED))
            told = f", {count(cancelled)} of them cancelled" if cancelled else ""
            log.info("resuming a batch of %s: %s%s", away.handler, how_many(len(away.work.ids)), told)
            self._attend(away)
        pause = self._pause = TICK
        if self.engine.watch.on():
            return pause
        names = self.engine.waiting(Lane.BATCH)
        apart = only_suspects(self.engine.store) if names else set()
        for name, run in self._runs.items():
            if not self.engine.bounds.why_none(name, now):
                run.widen()
        for name in names:
            if name in apart or (name in self.flushing and not self._may_overtake(name)):
                continue
            idle = self._idle_until.get(name, 0.0) - time.monotonic()
            if idle <= 0:
                self._look(name, now)
            else:
                pause = min(pause, idle)
        if names and not (wait := self.engine.watch.free_in()):
            self._start_suspects(names, now)
        elif names:
            pause = min(pause, wait)
        return min(pause, self._pause)

    def _start_suspects(self, names: list[str], now: float) -> None:
        """Nothing else is to be run: what may have been why a runner died."""
        if (taken := flush_of_suspects(self.engine, names, now, self._only)) is not None:
            number, name, claims = taken
            flush = OpenFlush(self.engine, name, number, [], len(claims), claims)
            self._run(FlushRun(self.engine, flush, self._attend, alone=True))

    def _attend(self, away: Away) -> None:
        run = RemoteRun(self.engine, away)
        task = self._tasks.create_task(run.run(), name=f"away {away.id}")
        self.away.add(task)
        self.engine.cancel_heard.add(run.cancelled)

        def ended(_: object) -> None:
            self.away.discard(task)
            self.engine.cancel_heard.discard(run.cancelled)
            self.wake.set()

        task.add_done_callback(ended)

    def _look(self, name: str, now: float) -> None:
        began = time.monotonic()
        if (why := self.engine.bounds.why_none(name, now)) is not None:
            self._idle_until[name] = began + max(AGAIN, min(TICK, (why.due or math.inf) - now))
            return
        if name in self.flushing:
            self._overtake(name, now)
        else:
            self._plan(name, now)
        took = time.monotonic() - began
        if took > QUICK:
            self._idle_until[name] = time.monotonic() + min(TICK, REST * took)

    def _may_overtake(self, name: str) -> bool:
        """Whether more is held than the running flushes take, and may go before the rest of them."""
        run = self._runs[name]
        queued = tally(self.engine.store).get((name, Lane.BATCH, State.QUEUED), 0)
        if self._drain or not run.overtaken or queued <= run.left:
            return False
        ends = ends_of(self.engine.store, name)
        # Where all are alike the age decides; where no flush has more to claim, it takes a deadline or a priority.
        return bool(ends) and ends[0] < (ends[-1] if run.left else (math.inf, 0))

    def _overtake(self, name: str, now: float) -> None:
        """Begin what is urgent beside the flushes that run, on their instances."""
        run, found = self._runs[name], self._held(name, now)
        taken, room = run.takes(found.held), run.left
        rest, work = [], []
        for each in found.held:
            jobs = min(each.jobs, room) if each.key in taken else 0
            room -= jobs
            rest += [part_of(each, jobs)] if jobs else []
            work += [part_of(each, each.jobs - jobs)] if jobs < each.jobs else []
        work = self.engine.budget.affordable(work, name, now)
        conditions = self.engine.outlook.conditions(name, now, work, rest=rest)
        due = tuple(flush for flush in conditions.urgent if flush.at <= now + NOW)
        if due:
            run.add(self._opened(name, due, replace(found, held=work), conditions.tariff.factor(now), now))
            self._idle_until[name] = time.monotonic() + TICK  # what waits for its next try is no less due then
        later = [flush.at for flush in conditions.urgent if flush not in due]
        if later:
            self.engine.wake_at(name, min(later))

    def _plan(self, name: str, now: float) -> None:
        """Plan what is held, and begin what is due."""
        found = self._held(name, now)
        work = self.engine.budget.affordable(found.held, name, now)
        conditions = self.engine.outlook.conditions(name, now, work)
        decided = plan(work, conditions, drain=self._drain)
        if decided.due and self._may_begin(name, found, decided.due, now):
            flush = self._opened(name, decided.due, found, conditions.tariff.factor(now), now)
            self._run(FlushRun(self.engine, flush, self._attend))
        (self.engine.outlook.loaded.add if decided.loaded else self.engine.outlook.loaded.discard)(name)
        if not self._drain:
            intend(self.engine.store, name, decided.later, now)
            if decided.look is not None:
                self.engine.wake_at(name, decided.look)

    def _may_begin(self, name: str, found: Buckets, due: tuple[Flush, ...], now: float) -> bool:
        """Whether any of what is due has room beside what runs."""
        bounds = self.engine.bounds
        if not bounds.any():
            return True
        bounds.want_all(name, bounds.lacking(now), now)
        keys = found.keys(dict.fromkeys(key for flush in due for key in flush.keys))
        if bounds.lets_any(name, islice(chain.from_iterable(pages(self.engine.store, keys)), LOOKED_AT), now):
            return True
        self._idle_until[name] = time.monotonic() + TICK
        return False

    def _held(self, name: str, now: float) -> Buckets:
        """The held work but for what is paused, what waits for its next try, and suspects, which begin last; of a drain
        what it is to run."""
        store = self.engine.store
        found = Buckets(held(store, name, self._only or ())) if self._drain else buckets(store, name, now)
        found = going(store, name, found, now)
        apart, later = suspects_of(store, name), next_tries(store, Lane.BATCH, name, now)
        if later.first is not None:
            self._pause = min(self._pause, max(AGAIN, later.first - now))
            apart = Counter(apart) + told_under(store, found, later.jobs)
        if not apart:
            return found
        left = [(each, each.jobs - apart.get(each.key, 0)) for each in found.held]
        return replace(found, held=[part_of(each, jobs) for each, jobs in left if jobs > 0])

    def _opened(self, name: str, due: tuple[Flush, ...], found: Buckets, factor: float, now: float) -> OpenFlush:
        """These as one flush, of which nothing is claimed yet; told in the log."""
        engine = self.engine
        keys = found.keys(dict.fromkeys(key for flush in due for key in flush.keys))
        jobs = sum(flush.jobs for flush in due)
        number = flushes.open_flush(engine.store, engine.runner.id, name, due[0].rule, due[0].reason, factor, jobs, now)
        currency = engine.outlook.config.policy.currency
        beyond = Today(engine.outlook, now).beyond(name, Lane.BATCH, jobs, mean_size(found.held))
        told = [sentence(why, now, currency) for why in (due[0].reason, beyond) if why is not None]
        log.info("flush %d: %s of %s: %s", number, how_many(jobs), name, "; ".join(told))
        return OpenFlush(engine, name, number, keys, jobs)

    def _run(self, run: FlushRun) -> None:
        name = run.name
        task = self._tasks.create_task(run.run(), name=f"flush {run.number}")
        self.flushing[name], self._runs[name] = task, run
        self.engine.watch.began()

        def ended(_: object) -> None:
            self.engine.watch.ended(empty=not run.claimed)
            del self.flushing[name], self._runs[name]
            if not run.claimed:
                self._idle_until[name] = time.monotonic() + TICK
            self.wake.set()

        task.add_done_callback(ended)
