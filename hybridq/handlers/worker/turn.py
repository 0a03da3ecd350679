"""One chunk's turn at one worker: send it, read the answers, and give the worker back or end it."""

import math
import time

from ...job import Event, Remark
from ...visible import visible_line
from ...when import clock
from ..ending import timed_out
from .exchange import Exchange
from .instance import Instance
from .pool import Pool
from .recovery import Ending

ANSWER = 'a line {"id": %d, "output": ...}'
SHOWN = 60  # cells of the last line that was no answer
QUIET = 5.0  # seconds of silence after which a worker is asked to end if all its answers may have been unreadable
SILENCE = 60.0  # seconds without an answer, but with other lines, after which that is told; again after twice as many
LAST_CHANCE = 0.25  # seconds in which a worker may still answer when nobody waits for it any more


class ChunkTurn:
    """Joins what is asked (the exchange) with who is asked (the instance)."""

    def __init__(self, worker: Instance, exchange: Exchange, begun: set[int]) -> None:
        self.exchange = exchange
        self._worker, self._begun = worker, begun
        self._fresh = worker.fresh
        self._started = self._late = self._hung_up = False
        self._heard = time.monotonic()
        self._silent = math.inf, 0  # since when there is no answer (monotonic), and how often that was told
        worker.fresh = False

    def send(self, data: bytes, *, last: bool) -> list[Event]:
        """Write the chunk; `last` closes the worker's input after it."""
        now = time.monotonic()  # before it is written: it may be answered before we run again
        self._worker.send(data, last=last)
        self.exchange.sent(now)
        return self._begin(now)

    @property
    def goes_on(self) -> bool:
        """There are answers to come, and a worker that may give them in time."""
        late = time.monotonic() >= self.exchange.until
        return bool(self.exchange.pending) and not self._worker.over and not late

    async def listen(self) -> list[Event]:
        """What happens next; nothing, when it is too late for that."""
        patience = self._heard + QUIET if self.exchange.unclear and not self._hung_up else math.inf
        lines = await self._worker.receive(min(self.exchange.until, patience, self._speaks()))
        now = time.monotonic()
        events = self._begin(now) + self.exchange.hear(lines, now, over=self._worker.over) + self._silence(now)
        if lines:
            self._heard = now
        elif now >= patience:
            self._hung_up = True
            self._worker.hang_up()  # if it is still at work, it answers before it ends
        return events

    def _speaks(self) -> float:
        """When it is to be told (monotonic) that a worker writes lines and no answers; infinity: not now."""
        since, told = self._silent
        if since != self.exchange.since:
            self._silent = since, told = self.exchange.since, 0
        first = next(iter(self.exchange.pending.values()), None)
        if first is None or not self.exchange.others or self.exchange.spoke(first):
            return math.inf
        return since + SILENCE * 2.0**told

    def _silence(self, now: float) -> list[Event]:
        if now < self._speaks():
            return []
        since, told = self._silent
        self._silent = since, told + 1
        first, exchange = next(iter(self.exchange.pending.values())), self.exchange
        lines = "1 other line" if exchange.others == 1 else f"{exchange.others:,} other lines"
        last = visible_line(exchange.other.decode("utf-8", "replace"), SHOWN)
        text = f"no answer since {clock(time.time() - now + since, time.time())}, but {lines}, the last: {last}"
        return [Remark(first.id, first.attempt, f"{text}. Expected {ANSWER % first.id}, flushed")]

    def _begin(self, now: float) -> list[Event]:
        if self._started or self._worker.startup is None:
            return []
        self._started = True
        return self.exchange.begin(now, self._worker.startup if self._fresh else 0.0, self._begun)

    @property
    def waited(self) -> float:
        """Seconds that the first pending call has kept the worker busy."""
        return time.monotonic() - self.exchange.since

    async def part(self, pool: Pool[Instance]) -> None:
        """Give the worker back if it owes nothing; else end it, for nobody knows what state it is in."""
        worker, exchange = self._worker, self.exchange
        try:
            if self.goes_on:  # nobody listens any more
                await self._last_chance()
        finally:
            worker.served = exchange.ids
            self._late = bool(exchange.pending) and not worker.over
            if worker.alive and not exchange.pending:
                pool.release(worker)
            else:
                await pool.discard(worker)

    def ending(self) -> Ending:
        """How the worker left the calls that are still pending."""
        first = next(iter(self.exchange.pending.values()))
        return Ending(
            words=timed_out(self.exchange.timeout or 0) if self._late else self._worker.last_words(),
            late=self._late,
            untouched=self._worker.untouched,
            fresh=self._fresh,
            spoke=self.exchange.spoke(first),
        )

    async def _last_chance(self) -> None:
        until = time.monotonic() + LAST_CHANCE
        while self.goes_on and time.monotonic() < until:
            lines = await self._worker.receive(min(until, self.exchange.until))
            self.exchange.hear(lines, time.monotonic(), over=self._worker.over)
