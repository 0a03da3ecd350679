"""What sharing calls has saved, or lost, of the jobs of a runner: by what its trials tell (see `brain/trials.py`).

Rule: while nothing tells it, nothing is said to be saved; it is owed, and told once it is known.
"""

import math
import time

from ..outlook import Outlook


class Sharing:
    """Of all handlers of one runner."""

    def __init__(self, outlook: Outlook) -> None:
        self._outlook = outlook
        self._known: dict[str, tuple[float, float | None]] = {}  # by handler: when it was found, and seconds
        self._owed: dict[str, dict[int, float]] = {}  # by handler and cohort: money for each second of gain

    def gain(self, handler: str) -> float | None:
        """See `Estimate.gain`; found anew every second at most."""
        now, (at, known) = time.monotonic(), self._known.get(handler, (-math.inf, None))
        if now > at + 1:
            known = self._outlook.estimate(handler).gain
            self._known[handler] = now, known
        return known

    def owe(self, handler: str, cohort: int, each: float) -> None:
        """A job has ended of which it is not known yet; `each` second of gain is so much money of it."""
        owed = self._owed.setdefault(handler, {})
        owed[cohort] = owed.get(cohort, 0.0) + each

    def due(self, handler: str) -> dict[int, float]:
        """Money by cohort that streaming would have cost more than was told, now that it is known; once."""
        gain = self._outlook.estimate(handler).gain
        return {} if gain is None else {of: each * gain for of, each in self._owed.pop(handler, {}).items()}
