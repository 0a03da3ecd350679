"""How many jobs of a batch a shared instance gets at once, so that a person never waits long behind it.

Rule: additive increase, multiplicative decrease (Chiu and Jain 1989) on the time that a chunk takes
against the time that a stream job may wait for it; at first it doubles, as TCP's slow start does.
Where each chunk starts a process anew, its work may take as long as that start: half of the time is the least that
starts can cost without keeping a person much longer than one start alone would. So may what a call takes however few
jobs it has: a smaller one would keep a person hardly less.
"""

FIRST = 4
STEP = 16  # jobs more at most after a chunk that was fast enough: as many as keep to the target, but one, to find out
CALL = 1.25  # of what a call takes whatever it has to do
UNLIKE = 1.5  # between the sizes of two chunks that tell what a job takes, and what the call does
FADE = 0.98  # of what was told so, after each further chunk: chance may have had a part in it
SLOW_START = 0.125  # of the target: below it, doubling is safe
TINY = 1e-9  # seconds; less is none


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
        self._before: tuple[int, float] | None = None  # the last chunk: its jobs and seconds
        self._calls: tuple[float, ...] = ()  # seconds of a call that any number of jobs would take, as told last
        first = FIRST if not each else max(1, min(FIRST, int(target / each)), int(start / each))
        self.size = min(fixed or first, self._limit)

    def took(self, seconds: float, jobs: int, start: float = 0.0) -> None:
        """Learn from a chunk of `jobs` that took so long, after a start of its own. A short last chunk teaches only if
        it was slow."""
        self._compare(seconds, jobs)
        call = min(self._calls) if len(self._calls) > 1 else 0.0
        target = max(self._target, start, CALL * call)
        if self._fixed or (jobs < self.size and seconds < target):
            return
        if seconds > target:
            self.size = max(1, min(self.size, jobs // 2))
        elif seconds < SLOW_START * target:
            self.size = min(self._limit, 2 * self.size)
        else:
            room = (target - seconds) * jobs / max(seconds - call, TINY)
            self.size = min(self._limit, self.size + max(1, int(min(STEP, room))))

    def _compare(self, seconds: float, jobs: int) -> None:
        """Tell from this chunk and the one before what a call takes without its jobs, if they were unlike in size."""
        before, self._before = self._before, (jobs, seconds)
        self._calls = tuple(FADE * call for call in self._calls)
        if before is None or max(jobs, before[0]) < UNLIKE * min(jobs, before[0]):
            return
        each = max(0.0, (seconds - before[1]) / (jobs - before[0]))
        call = max(0.0, min(seconds - each * jobs, before[1] - each * before[0]))
        self._calls = (*self._calls, call)[-2:]
