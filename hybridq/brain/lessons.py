"""Learning from answers: observations of what jobs took, and the model that they make.

Rule: the only way from an answer to a model, for a runner as for a simulation. Answers that come together took their
time together: each is learned with an even part of it. How promises widen is `model.judged`.
"""

from collections.abc import Sequence

from msgspec.structs import replace

from .calls import Overhead
from .curve import mean
from .model import SAMPLE, Model, Observation, judged, learn_many
from .trials import Trial, kept

FOLLOWS = 0.02  # of the time before the first of those that come together


def taught(
    model: Model,
    seen: Sequence[Observation],
    late: Sequence[bool] = (),
    overhead: Overhead | None = None,
    trials: Sequence[Trial] = (),
) -> Model:
    """What is known after these jobs, and after promises that came due together, of which some were `late`.

    `overhead`: what calls take beside their jobs, where that was told apart. `trials` tell what a job takes in a call
    of its own.
    """
    model = judged(learn_many(model, seen), late)
    if trials:
        model = replace(model, trials=kept(model.trials, trials))
    return model if overhead is None else replace(model, overhead=overhead)


class Bursts:
    """The answers of one call, in the order in which they came."""

    def __init__(self, jobs: int) -> None:
        """`jobs`: how many the call has."""
        self._jobs = jobs
        self._every = 1 + jobs // SAMPLE
        self._count = 0
        self._lead = self._last = self._busy = 0.0  # seconds: before the first of those together, the last, and all
        self._startup: float | None = None
        self._some: list[tuple[float, float | None, str]] = []  # size, cost and kind of each

    def hear(
        self, size: float, busy: float, cost: float | None, startup: float | None, kind: str = ""
    ) -> list[Observation]:
        """One answer, `busy` seconds after the one before, or an even part of that; `startup`: the first since a start.
        Returns what is known now of those before it."""
        together = self._some and startup is None and (busy == self._last or busy <= FOLLOWS * self._lead)
        told = [] if together else self.told()
        if not together:
            self._lead, self._startup = busy, startup
        self._last = busy
        self._busy += busy
        self._some.append((float(size), cost, kind))
        return told

    def told(self) -> list[Observation]:
        """What the last ones that came together tell."""
        some, self._some = self._some, []
        busy, self._busy = self._busy / max(1, len(some)), 0.0
        if some and self._startup is not None:
            costs = [cost for _, cost, _ in some if cost is not None]
            cost = mean(costs) if costs else None
            size = mean([size for size, _, _ in some])
            return [Observation(size=size, busy=busy, startup=self._startup, cost=cost, jobs=len(some))]
        first, self._count = -self._count % self._every, self._count + len(some)
        return [
            Observation(size=size, busy=busy, cost=cost, together=self._jobs, kind=kind)
            for size, cost, kind in some[first :: self._every]
        ]
