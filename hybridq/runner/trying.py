"""Trials among the calls of a flush: a few of one job each, and beside a shared call they tell what sharing saves.

Rule: they cost next to nothing, for they take SPENT of the time at most, and of the first few more (see
`brain/trials.py`). Of some in a row neither the first tells nor the last: while they run, the results of a large call
are stored, or a large one is claimed, which no streamed job would meet. Beside LONG calls that is nothing.
"""

from collections.abc import Sequence

from ..brain.trials import AT_FIRST, CLEAR, KEPT, LONG, SPENT, Trial, gain, kept, trial

ROW = 6  # calls of one job


class Trying:
    """Of one flush, whose calls may be shared."""

    def __init__(self, known: Sequence[Trial], streamed: Sequence[float]) -> None:
        """`known`: the last ones, of other flushes. `streamed`: seconds of the last jobs that streamed, which tell as
        well at first, where they are long."""
        self._known = tuple(known)
        self._alone = known[-1][0] if known else 0.0  # seconds that a job takes in a call of its own
        self._since = 0.0  # seconds of calls since the last row was begun
        self._left = 0  # of a row that was begun
        self._row = [] if known else [each for each in streamed[-CLEAR:] if each >= LONG]  # seconds, of one job each

    def due(self) -> bool:
        """Whether the next call is to have one job; then it is one."""
        if not self._left:
            row = 1 if self._alone >= LONG else ROW
            first = len(self._known) < KEPT and gain(self._known) is None
            if self._since * (AT_FIRST if first else SPENT) <= row * self._alone:
                return False
            self._since, self._left = 0.0, row
        self._left -= 1
        return True

    def took(self, seconds: float, jobs: int) -> list[Trial]:
        """Learn from a call of so many jobs of a warm instance. Returns what is told now."""
        self._since += seconds
        if jobs == 1:
            self._alone = seconds
            self._row.append(seconds)
            return []
        row = self._row if min(self._row, default=0.0) >= LONG else self._row[1:-1]
        told = [trial(single, seconds, jobs) for single in row]
        self._known = kept(self._known, told)
        self._row = []
        return told
