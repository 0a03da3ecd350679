"""How many jobs of a batch one call gets (chunk size), and the overhead that is learned of calls.

Rule: a person never waits long behind a call. Additive increase, multiplicative decrease (Chiu and Jain 1989) on the
time that a chunk takes against the time that a stream job may wait for it; at first it grows fourfold, like TCP's slow
start. Where each chunk starts a process anew, or a call takes long however few jobs it has, the jobs may take as long
again as that part: c + k a seconds for k jobs keep those who come meanwhile, (c + k a)^2 / 2k seconds a job in all,
least where k a = c. That part is told apart by chunks of unlike sizes (slope and height: medians, Theil 1950).
"""

import math
from bisect import bisect_left
from collections import deque
from collections.abc import Sequence

from msgspec import Struct

from .curve import TINY, median

BEYOND = 4  # times as many jobs as were seen in one call are believed at most
LEAST = 1.5  # jobs: a part of a call that is hardly longer than one is none, as far as chance can tell
MOST = 1e6  # seconds or jobs; what was stored and is more is no knowledge


class Overhead(Struct, frozen=True):
    """`seconds` a call, as long as so many `jobs` take by themselves: more in one call share little of it. `size`: how
    many the next call gets at most; 0: nobody knows."""

    seconds: float = 0.0
    jobs: float = 0.0
    size: int = 0

    @classmethod
    def of(cls, seconds: float, each: float, most: int, size: int = 0) -> "Overhead":
        """Where each job takes so many seconds by itself, as calls of at most so many jobs have told."""
        return cls(round(seconds, 4), round(min(BEYOND * most, seconds / max(each, TINY)), 1), size)

    def sane(self) -> "Overhead":
        """The same, or none where it is too small to tell, or no number."""
        sane = 0 < self.seconds <= MOST and LEAST <= self.jobs <= MOST
        return self if sane and math.isfinite(self.seconds + self.jobs) else NONE

    def beside(self, usual: float) -> float:
        """Which part of its time a job takes by itself, where `usual` many share a call."""
        return 1 / self.jobs / self._each(usual) if self.jobs else 1.0

    def factor(self, jobs: float, usual: float = 1.0) -> float:
        """What each of so many jobs in a call takes of what it does where `usual` many share one."""
        return self._each(jobs) / self._each(usual) if self.jobs else 1.0

    def _each(self, jobs: float) -> float:
        return 1 / self.jobs + 1 / max(1.0, jobs)  # in calls

    def in_a_call(self, jobs: float) -> float:
        """How many of so many jobs share a call in the mean, where all are run by one instance."""
        return jobs / math.ceil(jobs / self.size) if self.size and jobs > 1 else jobs


NONE = Overhead()


FIRST = 4  # at most, where it is known how long a job takes; else one, for it may take an hour
STEP = 16  # jobs more at most after a chunk that was fast enough, where it is not known what each takes
CALL = 2.0  # of what a call takes whatever it has to do
UNLIKE = 1.5  # between the sizes of two chunks that tell what a job takes, and what the call does
SLOW_START = 0.125  # of the target: below it, four times as many are safe
ODD = 3.0  # times as long as foreseen, or a third of it
TELL_EVERY = 4  # chunks that are short enough
WINDOW = 48  # chunks of one job, and of more, that tell it
SELDOM = 16  # chunks of one job at most before one has two, to find out


class ChunkSize:
    """The next chunk's size, from how long the last ones took."""

    def __init__(self, target: float, limit: int, fixed: int = 0) -> None:
        """`target` in seconds; `limit` jobs at most; `fixed` > 0: always so many."""
        self._target = target
        self._limit = max(1, limit)
        self._fixed = fixed
        # Jobs and seconds of the last chunks: of one job, and of more, so that neither pushes out the other.
        self._single, self._larger = (deque[tuple[int, float]](maxlen=WINDOW) for _ in range(2))
        self._singles = 0  # chunks of one job in a row
        self._took = 0  # chunks
        self._alone = 1  # chunks of one job before one has two
        self._call = 0.0  # seconds that a call takes however few jobs it has
        self._each: float | None = None  # and each of its jobs; None: nothing has told yet
        self._known = NONE  # by another runner
        self._odd = False  # the last one was none that was foreseen
        self._most = 0  # jobs in the largest chunk that told it
        self.size = min(fixed or 1, self._limit)

    @property
    def overhead(self) -> Overhead:
        """What a call takes beside its jobs; while nothing here has told, what was known."""
        return self._known if self._each is None else Overhead.of(self._call, self._each, self._most, self.size)

    def begin(self, each: float | None, start: float = 0.0, known: Overhead = NONE) -> None:
        """Another flush begins, and goes on where the last one was; what one has found that ran elsewhere is `known`.
        Seconds, as far as they are known: what `each` job takes of late beside its part of a call, and what each
        chunk's own `start` takes."""
        most = self.size
        if not (self._single or self._larger):
            self._known, self._call, most = known, known.seconds, int(known.jobs)
        if self._fixed:
            return
        most = max(FIRST, most)
        target = max(self._target, CALL * self._call)
        call = self.overhead.sane().seconds
        first = max(min(most, int((target - call) / each)), int(start / each)) if each else 1
        self.size = min(self._limit, max(1, first))
        self._try_two()

    def took(self, seconds: float, jobs: int, start: float = 0.0) -> None:
        """Learn from a chunk of `jobs` that took so long, after a start of its own. A short last chunk teaches only if
        it was slow."""
        if self._fixed:
            return
        self._forget(jobs, seconds)
        (self._single if jobs == 1 else self._larger).append((jobs, seconds))
        self._singles = self._singles + 1 if jobs == 1 else 0
        self._took += 1
        if seconds > self._target or self._each is None or self._took % TELL_EVERY == 0:
            self._tell()
        target = max(self._target, start, CALL * self._call)
        if seconds > target:
            self.size = max(1, min(self.size, jobs // 2))
            if jobs == 2:
                self._alone = min(2 * self._alone, SELDOM)
        elif jobs >= self.size:
            self.size = min(self._limit, self.size + self._more(seconds, jobs, target))
        self._try_two()

    def _forget(self, jobs: int, seconds: float) -> None:
        """Forget what was found where two chunks in turn take far longer, or far less, than by that."""
        foreseen = self._call + (self._each or 0.0) * jobs
        odd = self._each is not None and not 1 / ODD < seconds / max(foreseen, TINY) < ODD
        if odd and self._odd:
            self._single.clear()
            self._larger.clear()
            self._call, self._each, self._most, self._known = 0.0, None, 0, NONE
        self._odd = odd

    def _try_two(self) -> None:
        """Where all have one job, one in a while has two, to find out; ever more rarely where that is no better."""
        if self.size == 1 and self._singles >= self._alone:
            self.size = min(2, self._limit)

    def _more(self, seconds: float, jobs: int, target: float) -> int:
        """How many jobs more the next chunk may have: as many as keep to the target."""
        if seconds < SLOW_START * target:
            return 3 * self.size
        room = (target - seconds) / max(self._each or seconds / jobs, (seconds - self._call) / jobs, TINY)
        most = STEP if self._each is None else max(STEP, self.size)
        return int(min(3 * self.size, most, room))

    def _tell(self) -> None:
        """Tell apart what a call takes and each of its jobs, where the last chunks were unlike in size."""
        seen = sorted((*self._single, *self._larger))
        pairs = _unlike(seen)
        usual = median([seconds for _, seconds in seen])
        if pairs:
            self._most = seen[-1][0]
            each = self._each = max(0.0, median([(more[1] - less[1]) / (more[0] - less[0]) for less, more in pairs]))
            self._call = max(0.0, median([seconds - each * jobs for jobs, seconds in seen]))
        self._call = min(self._call, usual)


def _unlike(seen: Sequence[tuple[int, float]]) -> list[tuple[tuple[int, float], tuple[int, float]]]:
    """Every two of these chunks, the smaller first, of which one has far more jobs; `seen` is in order."""
    if not seen or seen[-1][0] < UNLIKE * seen[0][0]:
        return []
    sizes = [jobs for jobs, _ in seen]
    return [(less, more) for less in seen for more in seen[bisect_left(sizes, UNLIKE * less[0]) :]]
