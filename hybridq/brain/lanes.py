"""What goes before the next job of each lane, where both may use the same instances.

Rule: a stream job goes before a batch, but not before the call of a batch that runs or waits for the instance already.
So beside a running flush there is a call of it before each stream job, and a batch takes as much longer as stream jobs
come meanwhile. Pure arithmetic on counts and means; seconds.
"""

import math
from collections.abc import Mapping, Sequence

from ..job import Lane, State
from .estimate import Estimate

MOST = 0.9  # share of the instances that stream jobs to come are thought to take at most
UNIFORM = 1 / 12  # the variance of a uniform distribution, by the square of its width


class Lanes:
    """One handler's lanes at one instant. `stream_ahead` is None where nobody knows how long what waits takes."""

    def __init__(
        self,
        estimate: Estimate,
        jobs: Mapping[tuple[Lane, State], int],
        slots: Mapping[Lane, int],
        *,
        shared: bool,
        elapsed: Sequence[float],
        rate: float,
        left: int,
    ) -> None:
        """`elapsed`: seconds that stream jobs have run, where that is known; `rate`: how many come a second; `left`:
        queued jobs that the running flush will take."""
        self._waiting = jobs.get((Lane.STREAM, State.QUEUED), 0)
        self._streaming = jobs.get((Lane.STREAM, State.RUNNING), 0)
        self._flushing = jobs.get((Lane.BATCH, State.RUNNING), 0)
        self._slots, self._elapsed, self._left = slots, elapsed[: self._streaming], left
        self._shared, self._estimate = shared, estimate
        self._each, self._stray = estimate.usual(Lane.STREAM), estimate.stray(Lane.STREAM)
        self._rest = self._batch_rest()
        self.between = self._call() if shared and self._flushing else 0.0
        self.busy = self.grain = 0.0
        if shared and self._each is not None:
            # While a call of the batch is between two of them, stream jobs take no more than their part.
            most = self._each / (self._each + self.between) if self.between else MOST
            self.busy = min(MOST, most, rate * self._each / slots[Lane.STREAM])
            self.grain = self._each * (1 + self._stray**2) / slots[Lane.STREAM]
        self.stream_ahead, self.stream_spread = self._stream()
        self.batch_ahead, self.batch_spread = self._batch()

    def _batch_rest(self) -> float:
        """Seconds of the running flush that are left, on all instances."""
        estimate, jobs, slots = self._estimate, self._flushing + self._left, self._slots[Lane.BATCH]
        each = estimate.usual(Lane.BATCH)
        if not jobs or each is None:
            return 0.0
        rounds = max(0.5, jobs / slots)
        return each * estimate.together(Lane.BATCH, rounds) * rounds

    def _call(self) -> float:
        """Seconds of a call of the running flush: what is claimed is one call an instance, and the next."""
        jobs = max(1.0, self._flushing / (self._slots[Lane.BATCH] + 0.5))
        each = self._estimate.usual(Lane.BATCH) or 0.0
        return min(self._rest, max(each * self._estimate.together(Lane.BATCH, jobs) * jobs, self._overhead()))

    def _overhead(self) -> float:
        return self._estimate.overhead.seconds

    def _stream(self) -> tuple[float | None, float]:
        """Seconds until a new stream job begins, and their standard deviation."""
        jobs, slots = self._waiting + self._streaming, self._slots[Lane.STREAM]
        taken = jobs + (min(self._flushing, slots) if self._shared else 0)
        if taken < slots:
            return 0.0, 0.0
        if self._each is None:
            return (None if jobs else self.between / (slots + 1)), 0.0
        if not self.between:
            return self._work() / slots, math.sqrt(self._work_variance()) / slots
        if not jobs:
            return self.between / (slots + 1), self.between * math.sqrt(UNIFORM) * 2 / (slots + 1)
        # One of them runs, or waits for the call before it; after each there is another call.
        turn = self._each + self.between
        first, width = turn / 2, turn**2 * UNIFORM
        if self._elapsed and slots == 1:
            first = max(self._each / 8, self._each + self.between / 2 - self._elapsed[0])
            width = self.between**2 * UNIFORM
        ahead = first + self.between + (jobs - 1) * turn
        most = first + self._each * (jobs - 1) + self._rest - self.between / 2
        return min(ahead, most) / slots, math.sqrt(width + jobs * (self._each * self._stray) ** 2) / slots

    def _work(self) -> float:
        """Seconds of stream jobs that run and wait."""
        each = self._each or 0.0
        known = sum(max(each - ran, self._stray * each / 2) for ran in self._elapsed)
        return known + each * (self._waiting + (self._streaming - len(self._elapsed)) / 2)

    def _work_variance(self) -> float:
        each = self._each or 0.0
        unknown = self._streaming - len(self._elapsed)
        return (self._waiting + self._streaming) * (each * self._stray) ** 2 + unknown * each**2 * UNIFORM

    def _batch(self) -> tuple[float, float]:
        """Seconds until the next flush may begin, and their standard deviation."""
        before, slots = 0.0, self._slots[Lane.BATCH]
        if self._shared and self._waiting + self._streaming + min(self._flushing, slots) >= slots:
            before = self._work() / slots
        jobs = self._flushing + self._left
        share = jobs / max(1, math.ceil(jobs / slots) * slots) if not before else 1.0
        stretch = 1 / (1 - self.busy * share)
        whole = (self._rest + before) * stretch
        each = (self._estimate.usual(Lane.BATCH) or 0.0) * self._estimate.stray(Lane.BATCH)
        variance = jobs * (each / slots) ** 2 + (self._work_variance() / slots**2 if before else 0.0)
        variance = (variance + self.busy * share * whole * self.grain) * stretch**2
        return whole, math.sqrt(variance)
