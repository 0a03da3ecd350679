"""A worker's own lines on their way into the runner's log: the first of each second, the others are counted.

Rule: whatever a worker writes for ever, the log of who runs it grows by a few kilobytes a second at most.
"""

import logging
import time
from collections.abc import Sequence

LOGGED = 50  # lines a second


class Chatter:
    """Tells one log what came; `LOGGED` lines in any second, whoever of the workers wrote them."""

    def __init__(self, log: logging.Logger) -> None:
        self._log = log
        self._until = 0.0  # monotonic: the end of this second
        self._room = 0
        self._left_out = 0

    def tell(self, lines: Sequence[str], more: int = 0) -> None:
        """Log these lines, as many as there is room for; of `more` others nothing is kept but their number."""
        if not self._log.isEnabledFor(logging.INFO):
            return
        now = time.monotonic()
        if now >= self._until:
            self.say_left_out()
            self._until, self._room = now + 1.0, LOGGED
        shown = lines[: self._room]
        self._room -= len(shown)
        self._left_out += len(lines) - len(shown) + more
        for line in shown:
            self._log.info("%s", line)

    def say_left_out(self) -> None:
        """Log how many lines were not."""
        if self._left_out:
            self._log.info("skipped %d lines of its log", self._left_out)
            self._left_out = 0
