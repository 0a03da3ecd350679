"""What a handler's calls take beside their jobs: it is shared by those that are run together.

Rule: plain data, told by chunks of unlike sizes (see `chunk`) and kept with the model of the batch lane.
"""

from msgspec import Struct

from .curve import TINY

BEYOND = 4  # times as many jobs as were seen in one call are believed at most


class Overhead(Struct, frozen=True):
    """`seconds` a call, as long as so many `jobs` take by themselves: more in one call share little of it. `usual`: how
    many jobs shared a call of late."""

    seconds: float = 0.0
    jobs: float = 0.0
    usual: float = 1.0

    @classmethod
    def of(cls, seconds: float, each: float, most: int, usual: float) -> "Overhead":
        """Where each job takes so many seconds by itself, as calls of at most so many jobs have told."""
        return cls(round(seconds, 4), round(min(BEYOND * most, seconds / max(each, TINY)), 1), round(usual, 2))

    def factor(self, jobs: float) -> float:
        """What each of so many jobs takes of what jobs of late did, who shared calls with fewer or with more."""
        if not self.jobs:
            return 1.0
        alone = 1 / self.jobs  # a job by itself, in calls
        return (alone + 1 / max(1.0, min(jobs, self.jobs))) / (alone + 1 / self.usual)


NONE = Overhead()
