"""When a suspect, a job that ran as its runner died, may begin again: last, and alone for a while.

Rule: it begins when nothing else is queued, or has run here for a second. Until it has ended, or has outlived its
watch, neither loop begins anything else; then both look, before the next one may begin. See `suspects` for who is one,
and what a death means.
"""

import asyncio
import logging
import math
import time

from ..queue.store import Store
from ..queue.suspects import Watched, let_be, nothing_else

log = logging.getLogger("hybridq")
IDLE = 1.0  # seconds without anything else to do
BETWEEN = 0.05  # ... between two watches, in which both loops look for something else


class Watch:
    """What one runner watches. Times are monotonic seconds."""

    def __init__(self, store: Store, runner: int) -> None:
        self._store, self._runner = store, runner
        self.wakes: list[asyncio.Event] = []  # of the loops that begin nothing meanwhile
        self._running = 0  # streams and flushes
        self._free_at = time.monotonic() + IDLE
        self._until = -math.inf

    def began(self) -> None:
        """A stream or a flush began."""
        self._running += 1

    def ended(self, *, empty: bool = False) -> None:
        """It ended. `empty`: it had nothing to run, as where all that was due are suspects."""
        self._running -= 1
        if not empty and math.isinf(self._until):
            self._free_at = time.monotonic() + IDLE

    def free_in(self) -> float:
        """Seconds until a suspect may begin, for there is nothing else, or nothing else has begun for a while."""
        if self._running:
            return math.inf
        wait = max(0.0, self._free_at - time.monotonic())
        return 0.0 if wait and nothing_else(self._store) else wait

    def begin(self, watched: Watched) -> None:
        """These begin now."""
        self._until = time.monotonic() + watched.seconds
        log.warning("%s", watched.told)

    def on(self) -> bool:
        """Whether nothing else may begin now. Ends the watch when it is over."""
        if math.isinf(self._until):
            return False
        if self._running and time.monotonic() < self._until:
            return True
        self._until = -math.inf
        self._free_at = max(self._free_at, time.monotonic() + BETWEEN)
        let_be(self._store, self._runner)
        for wake in self.wakes:
            wake.set()
        return False
