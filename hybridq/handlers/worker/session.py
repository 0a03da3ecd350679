"""A session at one worker: its input goes there piece by piece while partial outputs come back.

Rule: a piece is pulled only when the worker's pipe has taken those before, so whatever lags waits in the file and not
in memory. The clock of a timeout runs only while the worker owes something: a silent microphone is no slow worker.
"""

import asyncio
import base64
import math
import time
from collections.abc import Sequence
from contextlib import aclosing, suppress

import msgspec

from ...job import Call, Event, Failure, Piece
from .exchange import Exchange
from .instance import Instance
from .pool import Pool
from .turn import ChunkTurn

LOOK = 1.0  # seconds between two looks at a clock that may have begun to run


class SessionExchange(Exchange):
    """One session's answers. `owing`: since when (monotonic) the worker owes something; infinity: it does not."""

    owing = math.inf
    ended = False  # all pieces were sent

    @property
    def until(self) -> float:
        """When it has been silent for too long."""
        if self.timeout is None:
            return math.inf
        return time.monotonic() + LOOK if self.owing == math.inf else self.owing + self.timeout

    @property
    def unclear(self) -> bool:
        """Not before all pieces were sent: until then nothing need be answered."""
        return self.ended and super().unclear

    def hear(self, lines: Sequence[bytes], now: float, *, over: bool = False) -> list[Event]:
        """The events that these lines make: each is a sign of life."""
        events = super().hear(lines, now, over=over)
        if events and self.owing != math.inf:
            self.owing = now
        return events


class SessionTurn(ChunkTurn):
    """Feeds one worker, reads its answers, and gives it back or ends it."""

    exchange: SessionExchange

    def __init__(self, worker: Instance, exchange: SessionExchange) -> None:
        super().__init__(worker, exchange, set())
        self._feeding: asyncio.Task[None] | None = None
        self._trouble: Exception | None = None  # why no more pieces come

    def open(self, call: Call) -> list[Event]:
        """Begin the session, and to feed it."""
        opening = b'{"id":%d,"attempt":%d,"input":%b,"more":true}\n' % (call.id, call.attempt, call.input)
        events = self.send(opening, last=False)
        self._feeding = asyncio.create_task(self._feed_safely(call))
        return events

    def failure(self, call: Call) -> Failure:
        """What its end without an answer means: but for one that was too slow, another worker may do better."""
        if self._trouble is not None:
            return Failure(call.id, call.attempt, f"the input cannot be read: {self._trouble}", busy=self.waited)
        ending = self.ending()
        reason = ending.words if ending.late else f"the worker died in this session: {ending.words}"
        return Failure(call.id, call.attempt, reason, busy=self.waited, replay=not ending.late)

    async def part(self, pool: Pool[Instance]) -> None:
        """Stop feeding; a worker that has answered early is told the end, so that it can serve again."""
        if self._feeding is not None:
            self._feeding.cancel()
            with suppress(asyncio.CancelledError):
                await self._feeding
        if not self.exchange.ended and not self.exchange.pending:
            self._end(next(iter(self.exchange.ids)))
        await super().part(pool)

    async def _feed_safely(self, call: Call) -> None:
        """Feed; what cannot be read to its end is no input, so that nothing may be answered to it."""
        try:
            await self._feed(call)
        except Exception as trouble:
            self._trouble = trouble
            self._worker.stop()

    async def _feed(self, call: Call) -> None:
        assert call.pieces is not None  # noqa: S101 - it is a session
        exchange, worker = self.exchange, self._worker
        async with aclosing(call.pieces()) as bunches:
            async for bunch in bunches:
                worker.send(b"".join([message(call.id, piece) for piece in bunch]), last=False)
                exchange.owing = time.monotonic()
                await worker.room()
                exchange.owing = math.inf
        self._end(call.id)
        exchange.owing = time.monotonic()

    def _end(self, job: int) -> None:
        self.exchange.ended = True
        self._worker.send(b'{"id":%d,"end":true}\n' % job, last=False)


def message(job: int, piece: Piece) -> bytes:
    """A piece as a line for a worker: text as it is, bytes as base64."""
    if isinstance(piece, bytes):
        return b'{"id":%d,"base64":"%b"}\n' % (job, base64.b64encode(piece))
    return b'{"id":%d,"piece":%b}\n' % (job, msgspec.json.encode(piece))
