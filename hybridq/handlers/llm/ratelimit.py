"""How fast one handler may send: its own limits, and what the provider says when that was too fast.

Rule: when the provider asks for a pause, or fails several jobs in a row, the whole handler pauses, and comes back
gently: one request, then more as they succeed. A request that fails alone is its own job's trouble. Nobody is turned
away; who must wait, waits here. Time is monotonic seconds.
"""

import asyncio
import time
from collections.abc import Callable

SEVERAL = 3  # jobs in a row that fail before it is their handler's trouble
FIRST_PAUSE = 0.25  # seconds, when the provider does not say; doubled while it goes on
LAST_PAUSE = 60.0
MILD = 3.0  # the longest pause that nobody asked for: whatever comes new may be answered although others are not
UNPAID = 300.0  # seconds until the next request where somebody has to pay first
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
        self._failed: set[int] = set()  # jobs, since a request succeeded
        self.why = ""  # what made all wait
        self.poor = False  # ... was that somebody has to pay first

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

    def several(self, job: int) -> bool:
        """A request of this job failed; says whether so many others have, one after the other, that all should wait."""
        self._failed.add(job)
        return len(self._failed) >= SEVERAL

    def slow(self, sent: float, retry_after: float | None = None, why: str = "", most: float = LAST_PAUSE) -> float:
        """A request that was sent at `sent` was refused for now, for this reason; returns the seconds that all wait,
        `most` of them where the other side does not say.

        Requests sent before the pause began tell nothing new unless they ask for a longer one.
        """
        now = self._clock()
        self.why = why
        if sent >= self._paused_at:
            self._paused_at = now
            self._pause = min(most, 2 * self._pause or FIRST_PAUSE)
            self._gap = min(LAST_GAP * most / LAST_PAUSE, 2 * self._gap or FIRST_GAP)
            self._free_at = max(self._free_at, now + (self._pause if retry_after is None else 0.0))
        if retry_after is not None:
            self._free_at = max(self._free_at, now + retry_after)
        return max(0.0, self._free_at - now)

    def unpaid(self, sent: float, why: str) -> None:
        """Nothing is answered until somebody pays: a request is tried now and then."""
        self.slow(sent, UNPAID, why)
        self.poor = True

    def well(self) -> None:
        """A request succeeded."""
        self._failed.clear()
        self.why, self.poor = "", False
        self._pause = 0.0
        self._gap = self._gap / 2 if self._gap > NO_GAP else 0.0

    def heard(self) -> None:
        """A request was answered, though not as it was hoped: the provider itself is well."""
        self._failed.clear()

    def _refill(self, now: float) -> None:
        passed, self._seen = max(0.0, now - self._seen), now
        self._room = [
            min(most, room + rate * passed)
            for most, room, rate in zip(self._most, self._room, self._rates, strict=True)
        ]
