"""What both loops share: the handlers, what this runner holds and knows, and its housekeeping.

Rule: whatever becomes of a job goes to the store by `Saver`; whatever a handler is made of is made here.
"""

import asyncio
import contextlib
import logging
import os
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from pathlib import Path

import msgspec
from msgspec.structs import replace

from ..brain.calls import ChunkSize
from ..brain.commands import kind_of
from ..brain.usual import time_limit
from ..config.read import load_config
from ..config.resources import variables
from ..config.values import Config
from ..errors import HybridqError
from ..files import named
from ..handlers.guard import Guarded, guarded
from ..handlers.process import MARK, inherited
from ..home import Home, is_at
from ..job import Call, Lane, Remark, Throttled
from ..money.bill import Billing, charge_cancelled
from ..money.limits import Budget
from ..outlook import Outlook
from ..queue.claims import Claim, postpone
from ..queue.cohorts import Cohort, waiting
from ..queue.doorbell import FOLLOWER, RUNNER, VIEWER, Doorbell, ring
from ..queue.kept import kept_path, kept_size
from ..queue.learned import remark
from ..queue.outbox import listen
from ..queue.pauses import NOTHING, pauses
from ..queue.rescue import give_back, to_stop
from ..queue.runner import Runner
from ..queue.store import Store, checkpoint_apart, log_file, log_size
from ..when import how_many
from .api_keys import Keys
from .awaited import MARK as MARK_AFTER
from .awaited import filled
from .bounds import Bounds, Seats
from .drain_window import Window
from .learning import Learning
from .pieces import pieces
from .saver import Saver
from .suspects import Watch

log = logging.getLogger("hybridq")
STEP = 1024  # jobs of a batch that are taken or stored at once
POLITE_STEP = 16  # ... while somebody streams: a step holds up the event loop for about a millisecond
PAUSE = 0.02  # seconds that a batch pauses before each chunk while somebody streams
POLITE_FOR = 2.0  # seconds after the last stream job began
RING = 0.02  # seconds within which pieces of a batch's output ring but once
FLUSHED = 64  # cohorts of which it is remembered that their flush has begun
LOG_SIZE = 1 << 20  # bytes of the log above which it is copied back, looked at every second


class Engine:
    """One runner's hands and memory. Lives in one event loop; `close` gives back what it still holds."""

    def __init__(self, home: Home, config: Config, kind: str) -> None:
        self.home = home
        self.config = config
        self.store = Store.open(home, checkpoints=False)
        self._database = home.database.stat()
        self.runner = Runner(self.store, kind)
        os.environ[MARK] = self.runner.mark  # whatever it starts can be found if it dies,
        self._handing = contextlib.ExitStack()
        self._handing.enter_context(inherited(self.runner.kin))  # also what forgot its environment
        self.outlook = Outlook(self.store, config)
        self.budget = Budget(self.outlook)
        self.window = Window(self.outlook)
        self.bounds = Bounds(home, self.outlook, self.runner.id)
        self.keys = Keys(self.outlook, self.runner)
        self.settling = Billing(self.outlook)
        self.learning = Learning(self.outlook)
        self.watch = Watch(self.store, self.runner.id)
        self.broken = False  # something raised that nobody foresaw
        self.bell = Doorbell(home, RUNNER)
        self.stopping = False
        self.saver = Saver(home, self.store, lambda: self.step)
        self._hear()
        self.streaming: dict[tuple[int, int], asyncio.Task[None]] = {}  # (job, attempt) -> what streams it
        self.cancel_heard: set[Callable[[int], None]] = set()  # hear of each job that was cancelled in our hands
        self.chunks: dict[str, ChunkSize] = {}  # by handler, from one flush to the next
        self.flushed: deque[int] = deque(maxlen=FLUSHED)  # cohorts whose flush has begun, for who tells of them
        self._streamed = -POLITE_FOR
        self._stamp: tuple[int, ...] | None = None  # unknown: the file may have changed since it was read
        self._retired: list[Guarded] = []  # of an earlier configuration: what they run ends, nothing new begins
        self.wake_at: Callable[[str, float], None] = lambda _name, _at: None  # see `wakeups`
        self._handlers: dict[str, Guarded] = {}
        self._missed: set[str] = set()
        self._checkpoint: asyncio.Task[None] | None = None
        self._copied: tuple[int, ...] | None = None  # the log as it was when it was copied back
        self._ringing: asyncio.TimerHandle | None = None

    @property
    def step(self) -> int:
        """How many jobs of a batch may be dealt with before the event loop turns to the stream lane."""
        return POLITE_STEP if time.monotonic() < self._streamed + POLITE_FOR else STEP

    def polite(self) -> None:
        """Somebody streams: batches go in small steps for a while."""
        self._streamed = time.monotonic()

    async def let_pass(self) -> None:
        """Before each chunk of a batch: leave the machine to the stream lane for a moment, if somebody streams."""
        if self.step < STEP:
            await asyncio.sleep(PAUSE)

    def waiting(self, lane: Lane) -> list[str]:
        """The handlers that have queued jobs in this lane and are configured, with their keys, but for paused ones; of
        those that are not configured the log tells once."""
        names = waiting(self.store, lane)
        if not self.config.handlers.keys() >= set(names):
            self._look_for(names)
        now = time.time()
        in_force = pauses(self.store, now) if names else NOTHING
        return [
            name
            for name in names
            if name in self.config.handlers and not in_force.of(name, None) and self.keys.there(name, now)
        ]

    def _look_for(self, names: list[str]) -> None:
        self.reload()
        for name in set(names) - self.config.handlers.keys() - self._missed:
            log.warning("jobs wait for the handler %s, which is not in config.toml", name)
            self._missed.add(name)

    def handler(self, name: str) -> Guarded:
        """The living handler of that name, behind its guard; one that cannot be made fails what it is asked for, and
        is made anew for the next. Raises UsageError where none is configured."""
        if found := self._handlers.get(name):
            return found
        made = guarded(name, self.outlook.handler(name), runner=self.config.runner)
        if not made.broken:
            made.seated(Seats(self.bounds, self.outlook, self.runner.id, name))
            self._handlers[name] = made
        return made

    def end_cancelled(self) -> None:
        """End what was cancelled in this runner's hands."""
        for job, attempt in to_stop(self.store, self.runner):
            task = self.streaming.get((job, attempt))
            if task is not None:
                task.cancel()
                charge_cancelled(self.store, self.settling, job, attempt)
            for handler in self._handlers.values():
                handler.cancel(job)
            for hear in self.cancel_heard:
                hear(job)

    def check_ground(self) -> None:
        """Raise HybridqError when files were taken away without which this runner serves nobody."""
        replaced = not is_at(self._database, self.home.database)
        gone = self.home.database if replaced else self.runner.missing()
        if gone is not None:
            raise HybridqError(f"{gone} was removed while this {self.runner.kind} ran, so it stops. Start it again")

    def call(self, claim: Claim, cohort: Cohort, by: str = "", together: int = 1) -> Call:
        """A claim as its handler gets it: `by` the one that makes its draft, `together` with others in a call.

        One that takes no pieces gets the path of a session's input.
        """
        asked, limit = cohort.request, cohort.request.timeout
        if asked.timeout_factor is not None and asked.session is None:
            limit = self._limit(claim, cohort, by or cohort.handler, asked.timeout_factor, together)
        given, source = claim.input, None
        if asked.session is not None and self.outlook.handler(by or cohort.handler).session:
            source = partial(pieces, self.home, claim.id, asked.session)
        elif asked.session is not None:
            given = msgspec.json.encode(str(kept_path(self.home, claim.id)))
        return Call(
            id=claim.id,
            attempt=claim.attempt,
            input=filled(self.store, claim.id, given) if MARK_AFTER in given else given,
            timeout=limit,
            cwd=asked.cwd and named(asked.cwd),
            env=self.settling.variables(cohort) | (variables(claim.given) if claim.given else {}),
            pieces=source,
        )

    def _limit(self, claim: Claim, cohort: Cohort, name: str, factor: float, together: int) -> float | None:
        """Seconds that a try may take of which so many times the usual are allowed; None: that is not known yet."""
        commands = self.outlook.handler(name).traits.commands
        kind = kind_of(claim.input, cohort.request.cwd) if commands else ""
        shared = 1 if commands else together
        return time_limit(self.outlook.estimate(name), cohort.lane, len(claim.input), kind, factor, shared)

    def size(self, claim: Claim, cohort: Cohort) -> int:
        """Bytes of a claim's input."""
        return len(claim.input) if cohort.request.session is None else kept_size(self.home, claim.id)

    def postpone(self, event: Throttled) -> None:
        """Let followers and views know that a call waits."""
        with self.saver.pausing():
            postpone(self.store, event.id, event.attempt, event.reason, time.time() + event.seconds)

    def remark(self, event: Remark) -> None:
        """Let followers and views know what is to be said of a call that goes on."""
        with self.saver.pausing():
            remark(self.store, event.id, event.attempt, event.text)

    def ring_followers(self) -> None:
        """Let those who follow a job see the pieces that came, a moment later: one ring for many, of all batches."""
        if self._ringing is None:
            self._ringing = asyncio.get_running_loop().call_later(RING, self._ring_followers)

    def _ring_followers(self) -> None:
        self._ringing = None
        ring(self.home, FOLLOWER)

    def reload(self) -> None:
        """Take up what changed in config.toml. A mistake in it is told, and the values so far hold on.

        A handler that was taken away stays until the next start: jobs of it may be running.
        """
        stamp = _stamp(self.home.config_file)
        if stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            config = load_config(self.home, os.environ)
            config = replace(config, handlers=self.config.handlers | config.handlers)
            if config == self.config:
                return
            self.outlook.configure(config)
        except (HybridqError, OSError) as error:
            log.error("keeping the old configuration, the new one has a mistake: %s", error)
            return
        for name, handler in list(self._handlers.items()):
            if config.handlers[name] != self.config.handlers[name]:
                self._retired.append(handler)
                del self._handlers[name]
        self.chunks.clear()
        self.config, self.budget = config, Budget(self.outlook, self.budget.own)
        self.settling.forget()
        self._hear()
        self._missed.clear()
        log.info("reloaded the configuration")

    async def tend(self) -> None:
        """Housekeeping of the handlers, and another try at what the disk refused."""
        for handler in (*self._handlers.values(), *self._retired):
            await handler.tend(time.monotonic())
        self.saver.try_again()
        self.bounds.tend()
        self.learning.write_down()
        self._copy_log_back()

    def _hear(self) -> None:
        """From now on what hooks hear of is written down."""
        heard = self.config.hooks.heard
        listen(self.store, heard, time.time())
        self.saver.heard = {event for event, _ in heard}

    def _copy_log_back(self) -> None:
        written = _stamp(log_file(self.home))
        idle = self._checkpoint is None or self._checkpoint.done()
        if idle and written != self._copied and log_size(self.home) > LOG_SIZE:
            self._copied = written
            # Beside the event loop: copying the log back waits for the disk, a person must not.
            self._checkpoint = asyncio.create_task(asyncio.to_thread(checkpoint_apart, self.home))

    async def close(self) -> None:
        """End every process, give back what is held, sign off."""
        if self._checkpoint is not None:
            await self._checkpoint
        # All at once: each may take its grace time to end what does not heed a signal.
        await asyncio.gather(*(handler.close() for handler in (*self._handlers.values(), *self._retired)))
        self._handing.close()
        self.saver.save()
        self.learning.write_down()
        given = give_back(self.store, self.runner.id, time.time(), broke=self.broken)
        if given:
            log.info("returned %s to the queue", how_many(given))
        self.runner.close(self.store)
        self.bell.close()
        ring(self.home, RUNNER)
        ring(self.home, VIEWER)
        self.store.checkpoint()
        self.store.close()


def _stamp(path: Path) -> tuple[int, ...] | None:
    """What tells one version of a file from the next; None: there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
