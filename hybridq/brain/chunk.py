"""How many jobs of a batch a shared instance gets at once, so that a person never waits long behind it.

Rule: additive increase, multiplicative decrease (Chiu and Jain 1989) on the time that a chunk takes
against the time that a stream job may wait for it; at first it doubles, as TCP's slow start does.
Where each chunk starts a process anew, its work may take as long as that start: half of the time is the least that
starts can cost without keeping a person much longer than one start alone would.
"""

FIRST = 4
STEP = 16  # jobs more at most after a chunk that was fast enough, but no more than would have kept to the target
SLOW_START = 0.125  # of the target: below it, doubling is safe


class ChunkSize:
    """The next chunk's size, from how long the last ones took."""

    def __init__(
        self, target: float, limit: int, fixed: int = 0, each: float | None = None, start: float = 0.0
    ) -> None:
        """`target` in seconds; `limit` jobs at most; `fixed` > 0: always so many; `each`: seconds a job, if known;
        `start`: seconds that each chunk's own start takes, if it has one and that is known."""
        self._target = target
        self._limit = max(1, limit)
        self._fixed = fixed
        first = FIRST if not each else max(1, min(FIRST, int(target / each)), int(start / each))
        self.size = min(fixed or first, self._limit)

    def took(self, seconds: float, jobs: int, start: float = 0.0) -> None:
        """Learn from a chunk of `jobs` that took so long, after a start of its own. A short last chunk teaches only if
        it was slow."""
        target = max(self._target, start)
        if self._fixed or (jobs < self.size and seconds < target):
            return
        if seconds > target:
            self.size = max(1, self.size // 2)
        elif seconds < SLOW_START * target:
            self.size = min(self._limit, 2 * self.size)
        else:
            room = int(self.size * (target / seconds - 1))
            self.size = min(self._limit, self.size + max(1, min(STEP, room)))
