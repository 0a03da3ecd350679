"""The one shape of both loops: do a piece of work, say how long to sleep; a wake-up cuts the sleep short.

Rule: the loop never trusts a wake-up to come. Its own monotonic tick looks at the store again, so
that a clock that stands still or jumps delays nothing for longer than that.
"""

import asyncio
import time
from typing import Protocol

from .engine import Engine

TICK = 1.0  # seconds of sleep at most
AGAIN = 0.05  # seconds until the next look when something is about to be ready


class Turning(Protocol):
    """What a loop is made of."""

    engine: Engine
    wake: asyncio.Event

    def turn(self, now: float) -> float:
        """Do what is due at the epoch second `now`; returns the seconds until it should look again."""
        ...


async def run_loop(loop: Turning) -> None:
    """Turn until the engine stops. What a turn raises ends the runner, loudly; a full disk or a long lock pauses it."""
    while not loop.engine.stopping:
        pause = TICK
        if not loop.engine.saver.paused:
            with loop.engine.saver.pausing():
                pause = loop.turn(time.time())
                loop.engine.end_cancelled()  # after it: this lies on nobody's way
        # Not `wait_for`, which makes a task of every wait: this lies on a person's way.
        tick = asyncio.get_running_loop().call_later(min(max(pause, 0.001), TICK), loop.wake.set)
        await loop.wake.wait()
        tick.cancel()
        loop.wake.clear()
