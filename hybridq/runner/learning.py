"""What a runner learns of its handlers while it runs them: at once for its own plans, written down now and then.

Rule: losing it costs accuracy, never a job.
"""

import time
from collections.abc import Sequence

from ..brain.calls import Overhead
from ..brain.estimate import Observation
from ..brain.lessons import taught
from ..brain.trials import Trial
from ..job import Lane
from ..outlook import Outlook
from ..queue.learned import models, remember


class Learning:
    """Of all handlers of one runner; its outlook has it at once."""

    def __init__(self, outlook: Outlook) -> None:
        self._outlook = outlook
        self._fresh: set[tuple[str, Lane]] = set()  # what is not written down yet

    def learn(
        self,
        handler: str,
        lane: Lane,
        seen: list[Observation],
        late: Sequence[bool] = (),
        overhead: Overhead | None = None,
        trials: Sequence[Trial] = (),
    ) -> None:
        """Learn from what these jobs took, from which promises were `late`, what calls took beside their jobs, and what
        jobs took in calls of their own."""
        if handler not in self._outlook.models:
            self._outlook.models[handler] = models(self._outlook.store, handler)[0]
        known = self._outlook.models[handler]
        known[lane] = taught(known[lane], seen, late, overhead, trials)
        self._fresh.add((handler, lane))

    def write_down(self) -> None:
        """Keep what was learned since the last time."""
        for handler, lane in self._fresh:
            remember(self._outlook.store, handler, lane, self._outlook.models[handler][lane], time.time())
        self._fresh.clear()
