"""What the brain is told besides the work itself: the world at one instant, for one handler.

Plain data, gathered by a loop or invented by a simulation or a test; the brain asks nothing else.
"""

from typing import Protocol

from msgspec import Struct

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
    stream_slots: int = 1
    batch_slots: int = 1
    warm: bool = False  # an instance is up: streaming pays no start
    stays: float = 0.0  # until then (epoch seconds) it stays up, though nobody uses it
    fresh: bool = False  # a flush pays its start although an instance is up
    max_flush: int = 0  # jobs that one flush may hold; 0: no limit
    held: tuple[Held, ...] = ()  # this handler's queued batch jobs
    batch_ahead: float = 0.0  # batch work that already runs, per slot
    coming: float = 0.0  # background submissions a second that came of late, and may share a flush
    joining: float | None = None  # of those, the ones that were batched, as of the first held; None: nobody knows
    draft: "Conditions | None" = None  # the world of the handler that makes the drafts, where there is one

    def starts(self, at: float) -> bool:
        """Whether a flush at that instant pays a start: not one that finds an instance up."""
        return self.fresh or not self.warm or at > max(self.stays, self.now + self.batch_ahead)


def cheaper_name(conditions: Conditions, at: float) -> str:
    """What the price then is called, where it is lower than now's; else ""."""
    tariff = conditions.tariff
    return tariff.name(at) if tariff.factor(at) < tariff.factor(conditions.now) else ""
