"""How many jobs of a batch a shared instance gets at once, so that a person never waits long behind it.

Rule: additive increase, multiplicative decrease (Chiu and Jain 1989) on the time that a chunk takes
against the time that a stream job may wait for it; at first it grows fourfold, like TCP's slow start.
Where each chunk starts a process anew, or a call takes long however few jobs it has, the jobs may take as long
again as that part: c + k a seconds for k jobs keep those who come meanwhile, (c + k a)^2 / 2k seconds a job in all,
least where k a = c. That part is told apart by chunks of unlike sizes (slope and height: medians, Theil 1950).
"""

from collections import deque
from itertools import combinations

from .curve import TINY, median

FIRST = 4  # at most, where it is known how long a job takes; else one, for it may take an hour
STEP = 16  # jobs more at most after a chunk that was fast enough, where it is not known what each takes
CALL = 2.0  # of what a call takes whatever it has to do
UNLIKE = 1.5  # between the sizes of two chunks that tell what a job takes, and what the call does
SLOW_START = 0.125  # of the target: below it, four times as many are safe
WINDOW = 16  # chunks that tell it; and of so many of one job each, one has two, to find out


class ChunkSize:
    """The next chunk's size, from how long the last ones took."""

    def __init__(self, target: float, limit: int, fixed: int = 0) -> None:
        """`target` in seconds; `limit` jobs at most; `fixed` > 0: always so many."""
        self._target = target
        self._limit = max(1, limit)
        self._fixed = fixed
        self._seen: deque[tuple[int, float]] = deque(maxlen=WINDOW)  # jobs and seconds of the last chunks
        self._call = 0.0  # seconds that a call takes however few jobs it has
        self._each: float | None = None  # and each of its jobs; None: nothing has told yet
        self.size = min(fixed or 1, self._limit)

    def begin(self, each: float | None, start: float = 0.0) -> None:
        """Another flush begins, and what the last one found holds. `each`: seconds a job, if known; `start`: seconds
        that each chunk's own start takes, if it has one and that is known."""
        if self._fixed:
            return
        self.size = 1
        if each:
            first = min(FIRST, int(max(self._target, CALL * self._call) / each))
            self.size = min(self._limit, max(1, first, int(start / each)))

    def took(self, seconds: float, jobs: int, start: float = 0.0) -> None:
        """Learn from a chunk of `jobs` that took so long, after a start of its own. A short last chunk teaches only if
        it was slow."""
        if self._fixed:
            return
        self._seen.append((jobs, seconds))
        if seconds > self._target or self._each is None:
            self._tell()
        target = max(self._target, start, CALL * self._call)
        if seconds > target:
            self.size = max(1, min(self.size, jobs // 2))
        elif jobs >= self.size:
            self.size = min(self._limit, self.size + self._more(seconds, jobs, target))
        if self.size == 1 and len({jobs for jobs, _ in self._seen}) == 1 and len(self._seen) in (1, WINDOW):
            self.size = min(2, self._limit)

    def _more(self, seconds: float, jobs: int, target: float) -> int:
        """How many jobs more the next chunk may have: as many as keep to the target."""
        if seconds < SLOW_START * target:
            return 3 * self.size
        room = (target - seconds) / max(self._each or seconds / jobs, (seconds - self._call) / jobs, TINY)
        return int(min(STEP if self._each is None else max(STEP, self.size), room))

    def _tell(self) -> None:
        """Tell apart what a call takes and each of its jobs, where the last chunks were unlike in size."""
        two = combinations(sorted(self._seen), 2)
        pairs = [(less, more) for less, more in two if more[0] >= UNLIKE * less[0]]
        fastest = min(seconds for _, seconds in self._seen)
        if pairs:
            each = self._each = max(0.0, median([(more[1] - less[1]) / (more[0] - less[0]) for less, more in pairs]))
            self._call = max(0.0, median([seconds - each * jobs for jobs, seconds in self._seen]))
        self._call = min(self._call, fastest)
