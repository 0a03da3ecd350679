"""When a request may go out: the handler's rate limit, and its own job's pause after a failed try.

Rule: whoever must wait for longer than a moment because something went wrong is told why and until when, and told
again when that moves; who would have to wait too long is not kept.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Sequence

from ...job import Call, Event, Throttled
from .ratelimit import RateLimit

TOLD = 0.4  # seconds; whoever must wait longer than that is told why
PATIENCE = 60.0  # seconds; whoever must wait longer than that goes back to the queue
LOOK = 0.5  # seconds until the next look at how long it still takes
FIRST = 0.5  # seconds that a job waits after its first request failed; doubled with each further one


class Admission:
    """`sent` is the monotonic second at which the request may be sent, once `events` has ended; None: it would wait
    for `wait` seconds, which is too long."""

    def __init__(self, limit: RateLimit, call: Call, tokens: float, *, after: float = 0.0, why: str = "") -> None:
        """`after`: not before this monotonic second, for the reason `why`."""
        self._limit, self._call, self._tokens = limit, call, tokens
        self._after, self._why = after, why
        self._told = 0.0
        self.sent: float | None = None
        self.wait = 0.0
        self.why = ""

    async def events(self) -> AsyncGenerator[Sequence[Event], None]:
        """Why it waits, whenever that is news."""
        turn = asyncio.create_task(self._turn())
        try:
            while not turn.done():
                self._look()
                if self.wait > PATIENCE:
                    return
                until = time.monotonic() + self.wait
                if self.why and self.wait > TOLD and until > self._told + TOLD:
                    self._told = until
                    yield [Throttled(self._call.id, self._call.attempt, self.why, self.wait)]
                await asyncio.wait({turn}, timeout=LOOK)
            self.sent = turn.result()
        finally:
            turn.cancel()

    async def _turn(self) -> float:
        await asyncio.sleep(max(0.0, self._after - time.monotonic()))
        return await self._limit.admit(self._tokens)

    def _look(self) -> None:
        alone, all_ = self._after - time.monotonic(), self._limit.wait()
        self.wait = max(alone, all_)
        self.why = self._limit.why if all_ >= alone and self._limit.why else self._why
