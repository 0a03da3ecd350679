"""What is known of a handler that a provider runs: its prices, and how long its batches take to come back.

A batch's time does not grow with its jobs, so it is learned as one number a batch, log-normal. Until own
batches say more, public reports do: median 7 minutes, 90 % within the hour, a tail to the provider's 24 hours.
"""

import math

from ..config.values import HandlerConfig
from ..job import Lane
from .costs import ENOUGH, Spending, cost_by_size, line_price
from .curve import chance, normal
from .estimate import Estimate, Model

MEDIAN = 420.0  # seconds
NINETY = 3600.0  # seconds; the 90th percentile
WINDOW = 86400.0  # seconds; the provider ends what takes longer
BELIEF = 4.0  # own batches that weigh as much as the reports, while there are none
NARROWEST = 0.5  # spread, as a logarithm: a provider's load is not ours to know, however alike the last ones were
GATHERING = 1e-4  # money that one batch less is worth: some 90 s of nobody waiting


class Remote(Estimate):
    """An Estimate for what a provider runs. Nothing is started, so a flush has no fixed cost but `GATHERING`."""

    at_once = True
    unpriced = "nothing of what it costs (set price)"

    def __init__(self, stream: Model, batch: Model, handler: HandlerConfig) -> None:
        super().__init__(stream, batch, handler, 0.0)
        self._beside = {Lane.STREAM: 1, Lane.BATCH: max(1, handler.instances)}  # streams have slots instead

    def run_time(self, lane: Lane, size: float, q: float = 0.5) -> float | None:
        """Seconds: of one call streamed; of the whole batch that a job is in."""
        return self._turnaround(q) if self._away(lane) else super().run_time(lane, size, q)

    def total_time(self, lane: Lane, size: float, jobs: int, q: float = 0.5) -> float | None:
        """Seconds of `jobs` jobs; a batch takes as long as it takes, its plain requests run side by side."""
        if self._away(lane):
            return self._turnaround(q) if jobs else 0.0
        return super().total_time(lane, size, math.ceil(jobs / self._beside[lane]), q)

    def mean_time(self, lane: Lane, size: float) -> float | None:
        """The mean seconds of a batch, or by which one more call makes a run longer."""
        if self._away(lane):
            return self._turnaround(0.5)
        one = super().mean_time(lane, size)
        return None if one is None else one / self._beside[lane]

    def chance(self, lane: Lane, size: float, seconds: float) -> float | None:
        """The probability that it takes no longer than so many seconds."""
        if not self._away(lane):
            return super().chance(lane, size, seconds)
        middle, spread = self._believed()
        return chance((math.log(max(seconds, 1e-3)) - middle) / spread)

    def startup(self, q: float = 0.5) -> float | None:
        """Nothing is started."""
        return 0.0

    def fixed_cost(self) -> float:
        """What one batch less is worth."""
        return GATHERING

    def cost(self, lane: Lane, size: float) -> float | None:
        """Money of one job: learned in this lane, else from the other by what a batch costs of it, else as listed;
        None where there is no price."""
        factors = self._factors()
        if (known := self._paid(lane)) is not None:
            return line_price(self._models[known].paid, size) * factors[lane] / factors[known]
        return self._listed(lane, size)

    def spending(self, lane: Lane, size: float, factor: float = 1.0) -> Spending | None:
        """What jobs cost, by those that were paid; before any was, as listed. The tariff's `factor` is not a
        provider's."""
        factors = self._factors()
        if (known := self._paid(lane)) is not None:
            ratio, seen = factors[lane] / factors[known], cost_by_size(self._models[known].paid, size)
            return Spending(each=seen.each * ratio, spread=seen.spread * ratio, seen=seen.seen)
        listed = self._listed(lane, size)
        return None if listed is None else Spending(each=listed, seen=0, most=self._dearest(lane, size))

    def _listed(self, lane: Lane, size: float) -> float | None:
        """Money of one job before any was paid; None: nobody says."""
        return self._handler.price

    def _dearest(self, lane: Lane, size: float) -> float:
        """Money that none exceeds, before any was paid."""
        return math.inf if self._handler.price is None else self._handler.price

    def _guessed(self) -> tuple[str, ...]:
        """What a price rests on before any was paid, in words."""
        return ()

    def _factors(self) -> dict[Lane, float]:
        """What a job costs in each lane, of the list price."""
        return dict.fromkeys(Lane, 1.0)

    def _paid(self, lane: Lane) -> Lane | None:
        """The lane whose jobs tell what one costs: its own before the other."""
        both = (lane, Lane.BATCH if lane is Lane.STREAM else Lane.STREAM)
        factors = self._factors()
        known = (each for each in both if self._models[each].paid.n >= ENOUGH - 0.5 and factors[each] > 0)
        return next(known, None)

    def assumed(self, lane: Lane) -> tuple[str, ...]:
        """What is not learned: the turnaround of others' batches, or what a call takes; prices, and tokens."""
        others = ("others' turnaround",) if not self._models[Lane.BATCH].starts else ()
        time = others if self._away(lane) else super().assumed(lane)
        if self.cost(lane, 1.0) is None:
            return (*time, self.unpriced)
        learned = any(model.paid.n >= ENOUGH - 0.5 for model in self._models.values())
        return time if learned else (*time, *self._guessed())

    def _away(self, lane: Lane) -> bool:
        return lane is Lane.BATCH and self.at_once

    def _model(self, lane: Lane) -> Model:
        """The stream lane's jobs alone tell how long a call takes; of plain requests those of either lane do."""
        return self._models[Lane.STREAM] if self.at_once else super()._model(lane)

    def _turnaround(self, q: float) -> float:
        middle, spread = self._believed()
        return min(WINDOW, math.exp(middle + spread * normal(q)))

    def _believed(self) -> tuple[float, float]:
        """Mean and standard deviation of the logarithm: the reports' and our own batches', each by its weight."""
        prior, spread = math.log(MEDIAN), math.log(NINETY / MEDIAN) / normal(0.9)
        own = [math.log(max(seconds, 1e-3)) for seconds in self._models[Lane.BATCH].starts]
        others = BELIEF / (1 + len(own))  # each own batch says more of the next one, and of how unlike others' are
        whole = others + len(own)
        middle = (others * prior + sum(own)) / whole
        squares = others * (spread**2 + (prior - middle) ** 2) + sum((one - middle) ** 2 for one in own)
        return middle, max(NARROWEST, math.sqrt(squares / whole))
