"""What a handler's calls take beside their jobs: it is shared by those that are run together.

Rule: plain data, told by chunks of unlike sizes (see `chunk`) and kept with the model of the batch lane.
"""

import math

from msgspec import Struct

from .curve import TINY

BEYOND = 4  # times as many jobs as were seen in one call are believed at most
LEAST = 1.5  # jobs: a part of a call that is hardly longer than one is none, as far as chance can tell
MOST = 1e6  # seconds or jobs; what was stored and is more is no knowledge


class Overhead(Struct, frozen=True):
    """`seconds` a call, as long as so many `jobs` take by themselves: more in one call share little of it."""

    seconds: float = 0.0
    jobs: float = 0.0

    @classmethod
    def of(cls, seconds: float, each: float, most: int) -> "Overhead":
        """Where each job takes so many seconds by itself, as calls of at most so many jobs have told."""
        return cls(round(seconds, 4), round(min(BEYOND * most, seconds / max(each, TINY)), 1))

    def sane(self) -> "Overhead":
        """The same, or none where it is too small to tell, or no number."""
        sane = 0 < self.seconds <= MOST and LEAST <= self.jobs <= MOST
        return self if sane and math.isfinite(self.seconds + self.jobs) else NONE

    def factor(self, jobs: float, usual: float = 1.0) -> float:
        """What each of so many jobs in a call takes of what it does where `usual` many share one."""
        return self._each(jobs) / self._each(usual) if self.jobs else 1.0

    def _each(self, jobs: float) -> float:
        return 1 / self.jobs + 1 / max(1.0, jobs)  # in calls


NONE = Overhead()
