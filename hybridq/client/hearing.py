"""Waiting on a doorbell: by sleeping, or in an event loop without holding it up."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator

from ..queue.doorbell import Doorbell
from ..queue.rescue import rescue
from ..queue.runner import attended
from ..queue.store import Store
from .troubles import NoRunner

PATIENCE = 1.0  # seconds between two looks when nobody rings
GRACE = 3.0  # seconds for which nothing may run the queue: a daemon starts again within


class Watch:
    """When to look again and when to give up: after `timeout` seconds, or where nothing has run the queue for long."""

    def __init__(self, store: Store, what: str, timeout: float | None) -> None:
        self._store, self._what = store, what
        self._until = None if timeout is None else time.monotonic() + timeout
        self._alone: float | None = None  # since when (monotonic) nothing runs the queue

    def rest(self) -> float:
        """How long to sleep (seconds). Raises TimeoutError."""
        now = time.monotonic()
        left = PATIENCE if self._until is None else self._until - now
        if left <= 0:
            raise TimeoutError(f"{self._what} has not finished yet")
        return min(PATIENCE, left)

    def quiet(self) -> None:
        """Nobody rang. Raises NoRunner."""
        rescue(self._store, time.time())
        now = time.monotonic()
        if attended(self._store):
            self._alone = None
            return
        self._alone = now if self._alone is None else self._alone
        if now - self._alone >= GRACE:
            raise NoRunner(f"{self._what} stays queued, but no daemon runs. Start one: hybridq daemon")

    def sleeps(self, bell: Doorbell) -> Iterator[None]:
        """Sleeps once, then yields, again and again."""
        while True:
            if not bell.wait(self.rest()):
                self.quiet()
            yield

    async def naps(self, bell: Doorbell) -> AsyncIterator[None]:
        """The same; meanwhile the running loop does other things."""
        while True:
            if not await _rung(bell, self.rest()):
                self.quiet()
            yield


async def _rung(bell: Doorbell, seconds: float) -> bool:
    loop = asyncio.get_running_loop()
    rung: asyncio.Future[None] = loop.create_future()

    def ring() -> None:
        if not rung.done():
            rung.set_result(None)

    loop.add_reader(bell.fileno(), ring)
    try:
        await asyncio.wait_for(rung, seconds)
    except TimeoutError:
        return False
    finally:
        loop.remove_reader(bell.fileno())
    return True
