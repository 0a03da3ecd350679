"""How fast one handler may send: its own limits, and what the provider says when that was too fast.

Rule: when the provider asks for a pause, the whole handler pauses, and comes back gently: one request, then
more as they succeed. Nobody is turned away; who must wait, waits here. Time is monotonic seconds.
"""

import asyncio
import time
from collections.abc import Callable

FIRST_PAUSE = 1.0  # seconds, when the provider does not say; doubled while it goes on
LAST_PAUSE = 60.0
FIRST_GAP = 0.1  # seconds between two requests after a pause; halved with each that succeeds
LAST_GAP = 10.0
NO_GAP = 0.01  # seconds: below this there is none


class RateLimit:
    """Admits requests. `requests` and `tokens` are limits a minute, 0: none."""

    def __init__(self, requests: float = 0.0, tokens: float = 0.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._rates = (requests / 60, tokens / 60)
        self._room = [max(1.0, requests / 60), tokens / 60 * 10]  # a second's requests, ten seconds' tokens
        self._most = list(self._room)
        self._seen = clock()
        self._gap = 0.0
        self._pause = 0.0
        self._free_at = 0.0  # nothing is sent before
        self._paused_at = 0.0  # when the last pause began
        self._turn = asyncio.Lock()

    async def admit(self, tokens: float = 0.0) -> float:
        """Wait until a request of about so many tokens may be sent; returns when that is."""
        async with self._turn:  # first come, first served
            await asyncio.sleep(0)  # of many at once each begins by itself, and between them answers are heard
            while (wait := self.wait(tokens)) > 0:
                await asyncio.sleep(wait)
            return self.take(tokens)

    def wait(self, tokens: float = 0.0) -> float:
        """Seconds until such a request may be sent, as things are now."""
        now = self._clock()
        self._refill(now)
        waits = [self._free_at - now]
        for rate, room, need, most in zip(self._rates, self._room, (1.0, tokens), self._most, strict=True):
            if rate:
                waits.append((min(need, most) - room) / rate)  # what is larger than the limit goes alone
        return max(0.0, *waits)

    def take(self, tokens: float) -> float:
        """Count a request that is sent now; returns now."""
        now = self._clock()
        self._room = [room - need for room, need in zip(self._room, (1.0, tokens), strict=True)]
        self._free_at = max(self._free_at, now + self._gap)
        return now

    def correct(self, tokens: float) -> None:
        """So many tokens more (or fewer) were used than was thought when the request was admitted."""
        self._room[1] -= tokens

    def slow(self, sent: float, retry_after: float | None = None) -> float:
        """A request that was sent at `sent` was refused for now; returns the seconds that all wait.

        Requests sent before the pause began tell nothing new unless they ask for a longer one.
        """
        now = self._clock()
        if sent >= self._paused_at:
            self._paused_at = now
            self._pause = min(LAST_PAUSE, 2 * self._pause or FIRST_PAUSE)
            self._gap = min(LAST_GAP, 2 * self._gap or FIRST_GAP)
            self._free_at = max(self._free_at, now + (self._pause if retry_after is None else 0.0))
        if retry_after is not None:
            self._free_at = max(self._free_at, now + retry_after)
        return max(0.0, self._free_at - now)

    def well(self) -> None:
        """A request succeeded."""
        self._pause = 0.0
        self._gap = self._gap / 2 if self._gap > NO_GAP else 0.0

    def _refill(self, now: float) -> None:
        passed, self._seen = max(0.0, now - self._seen), now
        self._room = [
            min(most, room + rate * passed)
            for most, room, rate in zip(self._most, self._room, self._rates, strict=True)
        ]
