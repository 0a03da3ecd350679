"""Tells hooks what is in the outbox: of all runners of a queue one, by a lock that the kernel lets go with it.

Rule: at least once. What was told is booked after that, so that a crash in between tells it twice; what fails is tried
again a bounded number of times. No hook holds up another event's, or a job.
"""

import asyncio
import fcntl
import logging
import os
import time
from collections import Counter
from collections.abc import Coroutine, Sequence
from contextlib import suppress

from ..brain.recurrence import Recurrence
from ..errors import HybridqError, StorageError, TryAgain
from ..home import open_private
from ..job import HookEvent, Way
from ..outlook import Outlook
from ..queue import outbox
from ..queue.outbox import Pending
from ..seam import reached
from ..when import count
from .command import tell_by_url, tell_command
from .event import event_of
from .message import LINES, message, severity

log = logging.getLogger("hybridq")
LOCK = "hooks.lock"
TICK = 0.25  # seconds between two looks
AT_ONCE = 4  # commands of one event
GATHER = 5.0  # seconds for which a message waits for what else happens
MOST = 10_000  # events that one message tells of
DELAYS = (1.0, 5.0, 30.0, 120.0, 600.0)  # seconds until the next try
FORGET = 3600.0  # seconds between two looks at what was given up long ago


class Sender:
    """Tells hooks for one runner."""

    def __init__(self, outlook: Outlook) -> None:
        self._outlook, self._store = outlook, outlook.store
        self._lock: int | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._flying: dict[int, HookEvent] = {}  # by id, what is being told
        self._messaging = False
        self._forgotten = 0.0

    async def run(self) -> None:
        """Tell whatever happens, until cancelled."""
        while True:
            with suppress(StorageError, TryAgain):  # the runner tells of these, and waits for better times
                self._turn(time.time(), GATHER)
            await self._rest(TICK)

    async def finish(self, limit: float, stop: asyncio.Event | None = None) -> None:
        """Tell all that is due now, `limit` seconds at most, or until `stop`; then end what still runs."""
        until = time.monotonic() + limit
        with suppress(StorageError, TryAgain):
            while time.monotonic() < until and not (stop and stop.is_set()):
                self._turn(time.time(), 0.0)
                if not self._tasks:
                    break
                await self._rest(min(TICK, max(0.0, until - time.monotonic())))
        await self.close()

    async def close(self) -> None:
        """End what runs: it is told again by whoever comes next."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    async def _rest(self, seconds: float) -> None:
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        else:
            await asyncio.sleep(seconds)

    def _turn(self, now: float, gather: float) -> None:
        hooks = self._outlook.config.hooks
        if not hooks.heard or not self._locked():
            return
        outbox.announce_late(self._store, now)
        self._look_at_the_day(now)
        if now >= self._forgotten:
            self._forgotten = now + FORGET
            outbox.forget(self._store, now)
        for event in HookEvent:
            if hooks.command(event):
                self._tell_commands(event, now)
        if hooks.notify and not self._messaging and outbox.pending(self._store, Way.NOTIFY, now - gather, 1):
            self._messaging = True
            self._start(self._message(outbox.pending(self._store, Way.NOTIFY, now, MOST)))

    def _locked(self) -> bool:
        if self._lock is None:
            descriptor = open_private(self._store.home.folder / LOCK, os.O_RDWR | os.O_CREAT)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                os.close(descriptor)
                return False
            self._lock = descriptor
        return True

    def _look_at_the_day(self, now: float) -> None:
        before = outbox.reached(self._store, HookEvent.DAILY_REPORT)
        if before is None:
            return
        hour, minute = self._outlook.config.hooks.daily_at.split(":")[:2]
        daily = Recurrence(f"{int(minute)} {int(hour)} * * *", self._outlook.config.tariff.zone)
        last = next(daily.all_before(now), None)
        if last is not None and last > before:
            outbox.announce_report(self._store, last)

    def _tell_commands(self, event: HookEvent, now: float) -> None:
        flying = [number for number, of in self._flying.items() if of is event]
        free = AT_ONCE - len(flying)
        if free > 0:
            for of in outbox.pending(self._store, Way.COMMAND, now, free, event=event, beside=flying):
                self._flying[of.id] = event
                self._start(self._command(of))

    def _start(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("a hook could not be told", exc_info=error)

    async def _command(self, of: Pending) -> None:
        hooks, folder = self._outlook.config.hooks, self._store.home.config_file.parent
        try:
            if outbox.ended(self._store, of):
                why = await tell_command(hooks, event_of(self._outlook, of), folder)
                self._book([of], why)
            else:
                outbox.goes_on(self._store, [of])
        except HybridqError as problem:
            log.error("cannot tell a hook of %s: %s", of.event, problem)
            await asyncio.sleep(DELAYS[1])
        finally:
            self._flying.pop(of.id, None)

    async def _message(self, some: Sequence[Pending]) -> None:
        try:
            over = [of for of in some if outbox.ended(self._store, of)]
            if len(over) < len(some):
                kept = {of.id for of in over}
                outbox.goes_on(self._store, [of for of in some if of.id not in kept])
            if over:
                events = [event_of(self._outlook, of) for of in over[:LINES]]
                currency = self._outlook.config.policy.currency
                kinds = Counter(of.event for of in over)
                title, text = message(events, kinds, time.time(), currency)
                self._book(over, await tell_by_url(self._outlook.config.hooks, title, text, severity(kinds)))
        except HybridqError as problem:
            log.error("cannot send a message: %s", problem)
            await asyncio.sleep(DELAYS[1])
        finally:
            self._messaging = False

    def _book(self, some: Sequence[Pending], why: str) -> None:
        reached("told")
        if not why:
            outbox.told(self._store, some)
            return
        tries, now = max(of.tries for of in some), time.time()
        due = now + DELAYS[tries] if tries < len(DELAYS) else None
        what = f"hook {some[0].event} ({some[0].way})" if len(some) == 1 else f"message of {count(len(some))} events"
        then = "is tried again" if due is not None else "is given up"
        log.warning("the %s failed and %s: %s", what, then, why)
        outbox.missed(self._store, some, why, due, now)
