"""When a suspect, a job that ran as its runner died, may begin again: last, and alone for a while.

Rule: it begins when nothing else is queued, or has run here for a second. Until it has ended, or has outlived its
watch, neither loop begins anything else. See `suspects` for who is one, and what a death means.
"""

import logging
import math
import time

from ..queue.store import Store
from ..queue.suspects import Watched, let_be, nothing_else

log = logging.getLogger("hybridq")
IDLE = 1.0  # seconds without anything else to do


class Watch:
    """What one runner watches. Times are monotonic seconds."""

    def __init__(self, store: Store, runner: int) -> None:
        self._store, self._runner = store, runner
        self._running = 0  # streams and flushes
        self._idle_since = time.monotonic()
        self._until = -math.inf

    def began(self) -> None:
        """A stream or a flush began."""
        self._running += 1

    def ended(self, *, empty: bool = False) -> None:
        """It ended. `empty`: it had nothing to run, as where all that was due are suspects."""
        self._running -= 1
        if not empty:
            self._idle_since = time.monotonic()

    @property
    def free(self) -> bool:
        """Whether a suspect may begin: there is nothing else, or nothing else has begun for a while."""
        return not self._running and (time.monotonic() >= self._idle_since + IDLE or nothing_else(self._store))

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
        let_be(self._store, self._runner)
        return False
