"""When a job that ran as its runner died may begin again: last, and with nothing else beside it for a while.

Rule: it begins when nothing else is queued, or has run here for a second. Until it has ended, or has outlived its
watch, neither loop begins anything else. See `suspects` for who is one, and what a death means.
"""

import logging
import math
import time
from collections.abc import Collection
from typing import TYPE_CHECKING

from ..job import Lane
from ..queue import flushes
from ..queue.claims import Claim
from ..queue.store import Store
from ..queue.suspects import Watched, held_suspects, let_be, nothing_else, take

if TYPE_CHECKING:
    from .engine import Engine

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

    def ended(self) -> None:
        """It ended."""
        self._running -= 1
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


def flush_of_suspects(
    engine: "Engine", names: list[str], now: float, only: Collection[int] | None
) -> tuple[int, str, list[Claim]] | None:
    """A flush of the next suspects of one of these handlers (of the cohorts `only`), which are watched from now on: its
    number, its handler and its claims. None: none may begin."""
    if not held_suspects(engine.store):
        return None
    number = flushes.open_flush(engine.store, engine.runner.id, names[0], "watched", "", 1.0, 0, now)
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
    flushes.describe_flush(engine.store, number, name, watched.told, factor, len(watched.claims))
    engine.watch.begin(watched)
    return number, name, watched.claims
