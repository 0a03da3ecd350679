"""What a handler's jobs take and cost, by what was learned of them (see `model`); what is not known is None.

What a new instance's first call takes far beyond the usual is part of its start: many programs load when they are
first asked for something. Of a command that which is like it tells (see `commands`).
"""

import math
from collections.abc import Sequence
from itertools import chain

from msgspec.structs import replace

from ..config.values import HandlerConfig
from ..job import LANES, Lane
from ..when import span
from .calls import NONE, Overhead
from .commands import like
from .costs import ENOUGH, Spending, cost_by_size, line_price, priceable
from .curve import NINETIETH, SPREAD, TINY, RunTimes, chance, normal
from .model import Model as Model
from .model import Observation as Observation
from .model import judged as judged
from .model import learn_many as learn_many
from .trials import Trial, gain

TRIES = 24  # jobs of batches that have not told that calls save anything: nobody is held any more to find out
UNTRIED = 0.6  # of its jobs' times one by one, that a batch is thought to take while none of them has told


class Estimate:
    """A handler's knowledge as the policy asks for it: seconds, bytes, and money at factor 1."""

    at_once = False  # a batch takes as long as one of its jobs, however many it has

    def __init__(
        self,
        stream: Model | None = None,
        batch: Model | None = None,
        handler: HandlerConfig | None = None,
        machine_cost: float = 1.0,
    ) -> None:
        """`machine_cost` is money an hour of a busy slot."""
        self._models = {Lane.STREAM: stream or Model(), Lane.BATCH: batch or Model()}
        self._handler = handler or HandlerConfig()
        self._each = self._handler.traits.starts == "each"
        self._machine = machine_cost / 3600
        self._curves: dict[Lane, RunTimes | None] = {}
        self._lately: dict[Lane, tuple[float | None, float]] = {}
        self._starts: list[float] | None = None
        self._alike: dict[tuple[str, bool], Estimate] = {}

    def of(self, kind: str, jobs: int = 1) -> "Estimate":
        """What is known of `jobs` of this kind of command: by those like it alone. Without a kind: of all."""
        if not kind or not self._handler.traits.commands:
            return self
        if (kind, jobs > 1) not in self._alike:
            stream, batch = (_only(self._models[lane], kind, jobs) for lane in (Lane.STREAM, Lane.BATCH))
            self._alike[kind, jobs > 1] = Estimate(stream, batch, self._handler, self._machine * 3600)
        return self._alike[kind, jobs > 1]

    def run_time(self, lane: Lane, size: float, q: float = 0.5) -> float | None:
        """Seconds of one job without start-up. Until three jobs are known `expected` serves, else None."""
        curve = self._curve(lane)
        if curve is not None:
            return curve.quantile(size, q)
        return _around(self._handler.expected, q)

    def total_time(self, lane: Lane, size: float, jobs: int, q: float = 0.5) -> float | None:
        """Seconds of `jobs` jobs of mean size `size` on one instance, one after another or in calls that they share.

        The sum is taken as log-normal with the mean and variance of the window; its variance also holds what
        neighbours have in common and what so small a window leaves unknown.
        """
        if jobs <= 0:
            return 0.0
        together = self.together(lane, jobs)
        if jobs == 1:
            one = self.run_time(lane, size, q)
            return None if one is None else one * together
        curve = self._curve(lane)
        if curve is None:
            one = self._handler.expected
            return None if one is None else jobs * one * ((_around(1.0, q) or 1.0) - 1) / 2 + jobs * one
        mean, spread = curve.moments(size)
        variance = spread**2 * curve.together * (1 / jobs + 1 / curve.line.n)
        shape = math.log1p(variance)
        whole = together * jobs * mean * math.exp(normal(q) * math.sqrt(shape) - shape / 2)
        return whole * self._untried(q) if lane is Lane.BATCH else whole

    def _untried(self, q: float) -> float:
        """What a batch may take of its jobs' times one by one, while none has told how much they share: at the 90th
        percentile all of that, in the median UNTRIED."""
        batch, traits = self._models[Lane.BATCH], self._handler.traits
        told = len(batch.times) + len(batch.firsts) >= ENOUGH or traits.commands or traits.remote
        return 1.0 if told else UNTRIED + (1 - UNTRIED) * max(0.0, min(1.0, (q - 0.5) / 0.4))

    def together(self, lane: Lane, jobs: float) -> float:
        """What each of so many jobs takes of what jobs of late did, who shared calls with fewer or with more."""
        overhead = self.overhead
        if lane is Lane.STREAM or not overhead.jobs:
            return 1.0
        most = min(overhead.jobs, self._handler.chunk or overhead.jobs)
        return overhead.factor(min(overhead.in_a_call(jobs), most), self._shared())

    def by_itself(self) -> float | None:
        """Seconds of each job of batches of late, beside its part of a call; None: unknown."""
        usual = self.usual(Lane.BATCH)
        return None if usual is None else usual * self.overhead.beside(self._shared())

    def _shared(self) -> float:
        """How many jobs shared a call of late."""
        shared = self._models[Lane.BATCH].together
        return len(shared) / sum(1 / max(1, each) for each in shared) if shared else 1.0

    def chance(self, lane: Lane, size: float, seconds: float) -> float | None:
        """The probability that one job takes no longer than so many seconds; None: unknown."""
        curve = self._curve(lane)
        if curve is not None:
            return curve.chance(size, seconds)
        expected = self._handler.expected
        if expected is None:
            return None
        return chance(math.log(max(seconds, TINY) / max(expected, TINY)) * NINETIETH / SPREAD)

    def startup(self, q: float = 0.5) -> float | None:
        """Seconds that one start takes: learned in either lane, else as configured, else None."""
        if self._starts is None:
            self._starts = sorted(s for lane in LANES for s in self._started(lane))
        starts = self._starts
        if not starts:
            return _around(self._handler.fixed, q)
        return starts[max(0, min(len(starts), math.ceil((len(starts) + 1) * q)) - 1)]

    def cost(self, lane: Lane, size: float) -> float | None:
        """Money of one job at factor 1: learned, else as configured, else its busy time; None: unknown."""
        for which in (lane, _other(lane)):
            if priceable(paid := self._models[which].paid):
                return line_price(paid, size)
        if self._handler.price is not None:
            return self._handler.price
        busy = self.mean_time(lane, size)
        return None if busy is None else busy * self._machine

    @property
    def by_the_job(self) -> bool:
        """Whether money is paid by the job, and not for its time."""
        return self._handler.price is not None or any(priceable(model.paid) for model in self._models.values())

    @property
    def gain(self) -> float | None:
        """Seconds that a job takes more in a call of its own than in a large one; below 0 where sharing a call loses. 0
        where no call is shared; None: not known yet (see `trials`)."""
        shares = self._handler.traits.starts == "kept" and not self._each
        return gain(self.trials) if shares else 0.0

    @property
    def trials(self) -> tuple[Trial, ...]:
        """The last calls of one job, each beside a shared one."""
        return self._models[Lane.BATCH].trials

    def lately(self, lane: Lane) -> list[float]:
        """Seconds of the last jobs of a lane that warm instances took."""
        return [math.exp(time) for time in self._models[lane].times]

    def assumed(self, lane: Lane) -> tuple[str, ...]:
        """What the times and costs of a lane rest on, where it is neither learned nor a price that was set."""
        expected = self._handler.expected
        return () if expected is None or self._curve(lane) else (f"{span(expected)} a job",)

    def spending(self, lane: Lane, size: float, factor: float = 1.0) -> Spending | None:
        """What jobs of this size cost at a price factor, and their spread; None: unknown. Commands never tell it."""
        paid = next((paid for which in (lane, _other(lane)) if priceable(paid := self._models[which].paid)), None)
        if paid is not None:
            return cost_by_size(paid, size)
        one, curve = self.cost(lane, size), self._curve(lane)
        proven = self._handler.traits.commands or curve is not None
        if self._handler.price is not None:
            return Spending(each=self._handler.price * factor, proven=proven)
        if one is None or curve is None:
            return Spending(each=one * factor, seen=0) if one is not None and proven else None
        spread = curve.moments(size)[1] * math.sqrt(curve.together)
        return Spending(each=one * factor, spread=one * factor * spread, seen=curve.line.n)

    def mean_time(self, lane: Lane, size: float) -> float | None:
        """The mean (not the median) seconds of one job: what sums and prices are made of."""
        curve = self._curve(lane)
        return self._handler.expected if curve is None else curve.moments(size)[0]

    def spread(self, lane: Lane, size: float) -> float | None:
        """The standard deviation of those, relative to their mean; None: unknown."""
        curve = self._curve(lane)
        return None if curve is None else curve.moments(size)[1]

    def fixed_cost(self) -> float:
        """Money of one flush's start: its time at the machine's rate; 0 where none is known, or jobs have a price."""
        return 0.0 if self.by_the_job else (self.startup() or 0.0) * self._machine

    @property
    def overhead(self) -> Overhead:
        """What each call of a batch takes beside its jobs. Of commands each is a call; where each call is a start, jobs
        are known with their share of it."""
        apart = self._handler.traits.commands or self._each
        return NONE if apart else self._models[Lane.BATCH].overhead.sane()

    @property
    def untried(self) -> bool:
        """Whether jobs may share calls, and too few have been in batches to know that it saves nothing."""
        handler, batch = self._handler, self._models[Lane.BATCH]
        may = handler.traits.starts == "kept" and not (self._each or self.by_the_job) and handler.chunk != 1
        told = self.overhead.jobs or batch.seen + len(batch.firsts) >= TRIES
        return may and not told and self.timed() >= ENOUGH

    def overhead_cost(self) -> float:
        """Money of that, at the machine's rate; 0 where jobs have a price."""
        return 0.0 if self.by_the_job else self.overhead.seconds * self._machine

    def timed(self, kind: str = "") -> int:
        """How many run times are known that tell of the next, of the lane that knows more; of a kind of command those
        of this command."""
        return max(self._counted(kind))

    def runs(self, kind: str = "") -> int:
        """How many are known in all: streamed and batched, the first of a new instance and later ones."""
        return sum(self._counted(kind))

    def _counted(self, kind: str) -> list[int]:
        """How many run times are known of each sort, of which none tells of another."""
        models = self._models.values()
        if kind and self._handler.traits.commands:
            return [len(model.commands.get(kind, ())) for model in models]
        return [len(times) for model in models for times in (model.times, model.firsts)]

    def usual(self, lane: Lane) -> float | None:
        """The mean seconds of the jobs of late, whatever their sizes were; None: unknown."""
        return self._late(lane)[0]

    def stray(self, lane: Lane) -> float:
        """The standard deviation of those, relative to their mean."""
        return self._late(lane)[1]

    def _late(self, lane: Lane) -> tuple[float | None, float]:
        """What `usual` and `stray` say, which are asked for at every look."""
        if lane not in self._lately:
            times = [math.exp(time) for time in _window(self._model(lane))[1]]
            known = len(times) >= ENOUGH
            mean = sum(times) / max(1, len(times))
            stray = math.sqrt(sum([(t - mean) ** 2 for t in times]) / len(times)) / mean if known else 0.5
            self._lately[lane] = (mean if known else self._handler.expected), stray
        return self._lately[lane]

    def widened(self, lane: Lane, seconds: float) -> float:
        """A 90th percentile of the seconds until a promise is kept, as it is promised: further off while but a few jobs
        have told what such take, how they wait and who comes between."""
        told = len(_window(self._model(lane))[1])
        few = 1 + 1 / (1 + told) if told >= ENOUGH else 1.0  # what was only stated is as wide as that may be
        return seconds * math.exp(self._models[lane].wide) * few

    def _model(self, lane: Lane) -> Model:
        """The lane's own jobs, or while too few are known, the other lane's; of warm instances before first calls."""
        both = self._models[lane], self._models[_other(lane)]
        if self._each:  # a streamed one was always started, and one of a batch has its share of the starts
            return next((model for model in both if max(len(model.times), len(model.firsts)) >= ENOUGH), both[0])
        warm = (model for model in both if len(model.times) >= ENOUGH)
        cold = (model for model in both if len(model.firsts) >= ENOUGH)
        return next(chain(warm, cold, both))

    def _curve(self, lane: Lane) -> RunTimes | None:
        if lane not in self._curves:
            sizes, times = _window(self._model(lane))
            self._curves[lane] = RunTimes(sizes, times) if len(times) >= ENOUGH else None
        return self._curves[lane]

    def _started(self, lane: Lane) -> list[float]:
        """The seconds of a lane's starts, each with what its first call took far beyond the usual."""
        model = self._models[lane]
        starts = list(model.starts)
        if model.firsts and (curve := self._curve(lane)) is not None:
            for place, (size, time, jobs) in enumerate(model.firsts, len(starts) - len(model.firsts)):
                starts[place] += jobs * curve.excess(size, time)
        return starts


def _window(model: Model) -> tuple[Sequence[float], Sequence[float]]:
    """Sizes and times of the jobs that tell run times: while too few were warm, first calls."""
    if len(model.times) >= ENOUGH or len(model.firsts) < ENOUGH:
        return model.sizes, model.times
    return [size for size, _, _ in model.firsts], [time for _, time, _ in model.firsts]


def _only(model: Model, kind: str, jobs: int) -> Model:
    """A model of those commands alone that are like this one."""
    runs = like(model.commands, kind, jobs)
    return replace(model, sizes=tuple(x for x, _ in runs), times=tuple(y for _, y in runs), starts=(), firsts=())


def _other(lane: Lane) -> Lane:
    return Lane.BATCH if lane is Lane.STREAM else Lane.STREAM


def _around(seconds: float | None, q: float) -> float | None:
    """A quantile of a time that somebody only stated: half as much again at the 90th percentile."""
    if seconds is None:
        return None
    return seconds * math.exp(normal(q) / NINETIETH * SPREAD)
