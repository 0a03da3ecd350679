"""What the brain is told besides the work itself: the world at one instant, for one handler.

Plain data, gathered by a loop or invented by a simulation or a test; the brain asks nothing else.
"""

import math
from typing import Protocol

from msgspec import Struct
from msgspec.structs import replace

from ..config.values import PolicyConfig
from ..job import Held, Mode
from .estimate import Estimate


class PriceByTime(Protocol):
    """What the brain needs of a tariff (see `tariff.Tariff`)."""

    def factor(self, at: float) -> float:
        """The price factor at an epoch second."""
        ...

    def name(self, at: float) -> str:
        """What the price at an epoch second is called; "": it has no name."""
        ...

    def changes(self, after: float, until: float) -> list[tuple[float, float]]:
        """Each change in `after < instant <= until`: the instant and the factor from then on."""
        ...


class Conditions(Struct, frozen=True, kw_only=True):
    """One handler's world at `now`. Times are epoch seconds, durations seconds."""

    now: float
    tariff: PriceByTime
    policy: PolicyConfig
    estimate: Estimate
    modes: frozenset[Mode] = frozenset({Mode.STREAM, Mode.BATCH})
    load: float = 0.0  # per core
    loaded: bool = False  # the last plan priced the load in: it must fall further before it is free again
    stream_ahead: float | None = 0.0  # stream work ahead of a new stream job, per slot; None: unknown
    stream_spread: float = 0.0  # the standard deviation of that
    stream_slots: int = 1
    batch_slots: int = 1
    warm: bool = False  # an instance is up: streaming pays no start
    up: float = 0.0  # when the instance is up that starts for what runs (epoch seconds); 0: none starts
    turn: tuple[float, float] | None = None  # what is left of the only stream job that runs, and its standard deviation
    each: float = 0.0  # seconds from one stream job that waits to the next, a call of a batch between them included
    stays: float = 0.0  # until then (epoch seconds) it stays up, though nobody uses it
    fresh: bool = False  # a flush pays its start although an instance is up
    max_flush: int = 0  # jobs that one flush may hold; 0: no limit
    held: tuple[Held, ...] = ()  # this handler's queued batch jobs
    batch_ahead: float = 0.0  # seconds until all has ended that goes before the next flush
    batch_spread: float = 0.0  # the standard deviation of that
    flushing: tuple[Held, ...] = ()  # of the queued batch jobs those that the running flush will take; not in `held`
    between: float = 0.0  # seconds of a batch between two stream jobs, while one runs on the same instances
    busy: float = 0.0  # share of the instances that stream jobs to come will keep from batches
    grain: float = 0.0  # seconds: by how much a second of that varies (its variance, by the second)
    coming: float = 0.0  # background submissions a second that came of late, and may share a flush
    joining: float | None = None  # of those, the ones that were batched, as of the first held; None: nobody knows
    joined: tuple[float, ...] | None = None  # when the last came by then (epoch seconds), in any lane; None: the same
    draft: "Conditions | None" = None  # the world of the handler that makes the drafts, where there is one

    def stretch(self, jobs: int) -> float:
        """How many times as long so many jobs of a batch take beside the stream jobs that will come: those use the
        instances first that the batch leaves free."""
        rounds = math.ceil(jobs / max(1, self.batch_slots))
        return 1 / (1 - self.busy * jobs / max(1, rounds * self.batch_slots))

    def strayed(self, seconds: float, jobs: int) -> float:
        """The variance of the end of so many, by the chance of who comes (a compound Poisson process)."""
        stretch = self.stretch(jobs)
        return (stretch - 1) / stretch * seconds * self.grain * stretch**3

    def starts(self, at: float) -> bool:
        """Whether a flush at that instant pays a start: not one that finds an instance up."""
        return self.fresh or not self.warm or at > max(self.stays, self.now + self.batch_ahead)


def later(conditions: Conditions, at: float) -> Conditions:
    """The same world at a later instant, by which all that is ahead now has ended."""
    return replace(
        conditions,
        now=at,
        load=0.0,
        stream_ahead=0.0,
        stream_spread=0.0,
        warm=conditions.warm and at <= conditions.stays,
        up=0.0,
        turn=None,
        held=(),
        batch_ahead=0.0,
        batch_spread=0.0,
        flushing=(),
        draft=conditions.draft and later(conditions.draft, at),
    )


def part_of(held: Held, jobs: int) -> Held:
    """So many jobs of a class."""
    return held if jobs == held.jobs else replace(held, jobs=jobs, delay_cost=held.delay_cost * jobs / held.jobs)


def cheaper_name(conditions: Conditions, at: float) -> str:
    """What the price then is called, where it is lower than now's; else ""."""
    tariff = conditions.tariff
    return tariff.name(at) if tariff.factor(at) < tariff.factor(conditions.now) else ""
