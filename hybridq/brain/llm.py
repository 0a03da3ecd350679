"""What is known of a language model at a provider, beside what is known of any: prices by tokens."""

import math

from ..config.llm import LlmOptions
from ..config.values import HandlerConfig
from ..job import Lane
from .curve import TINY
from .estimate import Model
from .llm_prices import call_cost, dearest, guessed, reckoned
from .remote import Remote


class LlmEstimate(Remote):
    """An Estimate for a language model: before any call was paid it costs what the list says."""

    unpriced = "nothing of what it costs (set price_input and price_output)"

    def __init__(self, stream: Model, batch: Model, handler: HandlerConfig, options: LlmOptions) -> None:
        super().__init__(stream, batch, handler)
        self._options = options
        asked = [seconds for seconds in batch.times if seconds > math.log(TINY) + 1]  # of a batch's no call is timed
        lacking = bool(asked) and not batch.starts and not options.flex_up_to  # the server has no batches
        self._by_calls = options.batch_by == "calls" or lacking
        self.at_once = options.batch_by == "batch" and not lacking

    def reckoned(self, lane: Lane, size: float, answer: float) -> tuple[float, float] | None:
        """By the list and the length of what was asked and said, where the provider counted no tokens."""
        listed = reckoned(self._options, size, answer)
        return None if listed is None else (listed * self._factors()[lane], listed)

    def _listed(self, lane: Lane, size: float) -> float | None:
        listed = call_cost(self._options, size)
        return super()._listed(lane, size) if listed is None else listed * self._factors()[lane]

    def _dearest(self, lane: Lane, size: float) -> float:
        """All of `max_tokens` is answered."""
        most = dearest(self._options, size)
        return math.inf if most is None else most * self._factors()[lane]

    def _guessed(self) -> tuple[str, ...]:
        return guessed(self._options)

    def _factors(self) -> dict[Lane, float]:
        factor = self._options.flex_factor if self._options.batch_by == "flex" else self._options.batch_factor
        return {Lane.STREAM: 1.0, Lane.BATCH: 1.0 if self._by_calls else factor}
