"""What goes before the next job of each lane, where both may use the same instances.

Rule: a stream job goes before a batch, but not before the call of a batch that runs or waits for the instance already.
So beside a running flush there is a call of it before each stream job, and a batch takes as much longer as stream jobs
come meanwhile. Pure arithmetic on counts and means; seconds.
"""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from ..job import Held, Lane, State
from .curve import NINETIETH
from .estimate import Estimate

MOST = 0.9  # share of the instances that stream jobs to come are thought to take at most
UNIFORM = 1 / 12  # the variance of a uniform distribution, by the square of its width
AT_ONCE = 0.1  # seconds within which two things are at once
KNOWN = 1 - 1e-9  # share of past jobs that took no longer, beyond which nothing is known of the rest of one


class Streaming(NamedTuple):
    """Stream jobs of one mean input size (bytes) and kind of command: one that `began` (epoch seconds), or some that
    wait. `queued`: it began as another one ended, so that a whole call of a batch went before it."""

    began: float | None
    size: float = 0.0
    jobs: int = 1
    kind: str = ""
    queued: bool = False


class Work(NamedTuple):
    """Seconds that something takes, and their variance."""

    seconds: float
    variance: float = 0.0


class Lanes:
    """One handler's lanes at one instant. `stream_ahead` is None where nobody knows how long what waits takes."""

    def __init__(
        self,
        estimate: Estimate,
        jobs: Mapping[tuple[Lane, State], int],
        slots: Mapping[Lane, int],
        *,
        shared: bool,
        now: float,
        streams: Sequence[Streaming] = (),
        rate: float = 0.0,
        flushing: Sequence[Held] = (),
        up: float = 0.0,
        ended: float | None = None,
    ) -> None:
        """`streams`: what is known of stream jobs that run and wait; `rate`: how many come a second;
        `flushing`: queued jobs that the running flush will take; `up`: when instances that start are up, now at the
        soonest; `ended`: when something last ended on the only instance, so that what has it now began (epoch seconds;
        None: nobody knows, or there are several)."""
        self._waiting = jobs.get((Lane.STREAM, State.QUEUED), 0)
        self._streaming = jobs.get((Lane.STREAM, State.RUNNING), 0)
        self._flushing = jobs.get((Lane.BATCH, State.RUNNING), 0)
        self._slots, self._estimate, self._shared = slots, estimate, shared
        self._soon, self._left = flushing, sum(each.jobs for each in flushing)
        self._each, self._stray = estimate.usual(Lane.STREAM), estimate.stray(Lane.STREAM)
        self._running = [each for each in streams if each.began is not None][: self._streaming]
        self._ran = [max(0.0, now - max(each.began or now, up)) for each in self._running]
        self._rests = [self._residual(each, ran) for each, ran in zip(self._running, self._ran, strict=True)]
        self._now, self._ended = now, None if ended is None or slots[Lane.STREAM] > 1 else max(ended, min(up, now))
        self._queued = self._behind([each for each in streams if each.began is None])
        self._whole, self._rest = self._batch_rest()
        call = self._call() if shared and self._flushing else Work(0.0)
        self._answers = self._flushing and not self._overhead()  # one by one, and not at the end of a call
        self.between, self._odd = call.seconds, call.variance / call.seconds**2 if call.seconds else 0.0
        self.busy = self.grain = 0.0
        if shared and self._each is not None:
            # While a call of the batch is between two of them, stream jobs take no more than their part.
            most = self._each / (self._each + self.between) if self.between else MOST
            self.busy = min(MOST, most, rate * self._each / slots[Lane.STREAM])
            self.grain = self._each * (1 + self._stray**2) / slots[Lane.STREAM]
        self._starting = max(0.0, up - now)
        self._look()
        self.batch_ahead, self.batch_spread = self._batch()
        self.batch_ahead += self._starting if self.batch_ahead else 0.0
        self.urgent_ahead: float | None = None
        self.urgent_spread = 0.0
        if self._flushing:
            self.urgent_ahead, self.urgent_spread = self._urgent()

    @property
    def crowded(self) -> bool:
        """Whether more stream jobs wait than the running flush has calls: the next flush may go between them."""
        calls = 1 + self._waiting + self._streaming - self._slots[Lane.STREAM]
        return bool(self.between) and calls > 1 and calls * self.between > self._rest - self.between / 2

    @property
    def turn(self) -> tuple[float, float] | None:
        """Seconds that are left of the only stream job that runs beside a batch, and their standard deviation; None:
        there is none, or several are."""
        if not self.between or len(self._running) != 1 or self._slots[Lane.STREAM] > 1:
            return None
        left = self._turn()
        return left.seconds + self._starting, math.sqrt(left.variance)

    @property
    def step(self) -> float:
        """Seconds from one stream job that waits to the next."""
        usual = self._queued.seconds / self._waiting if self._waiting else self._each or 0.0
        return (usual + self.between) / self._slots[Lane.STREAM]

    def follow(self, jobs: int) -> None:
        """So many jobs will be flushed as soon as the running flush is over."""
        each = self._estimate.usual(Lane.BATCH) or 0.0
        self._rest += each * self._estimate.together(Lane.BATCH, jobs) * jobs / self._slots[Lane.BATCH]
        self._look()

    def _look(self) -> None:
        ahead, self.stream_spread = self._stream()
        self.stream_ahead = ahead + self._starting if ahead else ahead

    def _residual(self, one: Streaming, ran: float) -> Work:
        """What is left of a job that has run so long; of one that nobody ever saw run as long, half of the usual."""
        estimate, each = self._estimate.of(one.kind), self._each or 0.0
        passed = estimate.chance(Lane.STREAM, one.size, ran)
        if passed is None:
            return Work(max(each - ran, self._stray * each / 2), (each * self._stray) ** 2)
        if passed > KNOWN:
            return Work(each / 2, each**2)
        half, most = (estimate.run_time(Lane.STREAM, one.size, passed + (1 - passed) * q) for q in (0.5, 0.9))
        half, most = max(0.0, (half or 0.0) - ran), max(0.0, (most or 0.0) - ran)
        return Work(half, (max(0.0, most - half) / NINETIETH) ** 2)

    def _behind(self, streams: Sequence[Streaming]) -> Work:
        """What the stream jobs that wait take one after another; those of which no more is known, as usual."""
        each, jobs, seconds, variance = self._each or 0.0, 0, 0.0, 0.0
        for some in streams:
            number = min(some.jobs, self._waiting - jobs)
            own = self._estimate.of(some.kind)
            mean = own.mean_time(Lane.STREAM, some.size)
            spread = (own.spread(Lane.STREAM, some.size) or self._stray) if mean is not None else self._stray
            mean = each if mean is None else mean
            jobs, seconds = jobs + number, seconds + number * mean
            variance += number * (mean * spread) ** 2
        others = self._waiting - jobs
        return Work(seconds + others * each, variance + others * (each * self._stray) ** 2)

    def _batch_rest(self) -> tuple[float, float]:
        """Seconds of what the running flush has to do, on all instances, and of that what is left: of the calls that
        run half is over, where nobody knows when they began."""
        estimate, jobs, slots = self._estimate, self._flushing + self._left, self._slots[Lane.BATCH]
        each = estimate.usual(Lane.BATCH)
        if not jobs or each is None:
            return 0.0, 0.0
        rounds = jobs / slots
        known = [(h.jobs, estimate.of(h.kind, 2).mean_time(Lane.BATCH, h.size)) for h in self._soon]
        own = sum(jobs * mean for jobs, mean in known if mean is not None)
        usual = jobs - sum(jobs for jobs, mean in known if mean is not None)
        begun = min(self._flushing / slots, 1.0) * (each + self._overhead()) / 2
        if self._ended is not None and not self._running:
            begun = min(self._now - self._ended, 1.75 * begun)
        whole = estimate.together(Lane.BATCH, rounds) * (usual * each + own) / slots
        beside = min(jobs, slots)  # the last of so many that run side by side, each at any point of its time
        return whole, max(whole / 2, whole - begun, each * beside / (1 + beside) if slots > 1 else 0.0)

    def _call(self) -> Work:
        """A call of the running flush: what is claimed is one call an instance, and the next. Of one that gives its
        answers one by one half of the jobs have ended."""
        slots, each = self._slots[Lane.BATCH], self._estimate.usual(Lane.BATCH) or 0.0
        shares = self._overhead() > 0
        jobs = max(1.0, (self._flushing - (0 if shares else slots / 2)) / (slots + 1 if shares else slots / 2 + 1))
        lasts = max(each * self._estimate.together(Lane.BATCH, jobs) * jobs, self._overhead())
        return Work(min(self._whole, lasts), jobs * (each * self._estimate.stray(Lane.BATCH)) ** 2)

    def _overhead(self) -> float:
        return self._estimate.overhead.seconds

    def _stream(self) -> tuple[float | None, float]:
        """Seconds until a new stream job begins, and their standard deviation."""
        jobs, slots = self._waiting + self._streaming, self._slots[Lane.STREAM]
        taken = jobs + (min(self._flushing, slots) if self._shared else 0)
        if taken < slots:
            return 0.0, 0.0
        if self._each is None:
            return (None if jobs else self._among(0)[0]), 0.0
        if not self.between:
            return self._next_free(self._each), math.sqrt(self._work().variance) / slots
        if jobs < slots:
            return self._among(jobs)
        # One of them runs, or waits for the call before it; after each there is another call.
        first, calls = self._turn(), 1 + jobs - slots
        between = min(calls * self.between, max(0.0, self._rest - self.between / 2))
        ahead = first.seconds + between + self._queued.seconds
        variance = first.variance + calls * self._odd * self.between**2 + self._queued.variance
        return ahead / slots, math.sqrt(variance) / slots

    def _turn(self) -> Work:
        """What is left of the stream job that was claimed last: it runs, or waits for the call before it, as long as it
        may (uniform, less what has passed)."""
        each, between = self._each or 0.0, self.between
        if len(self._ran) != 1 or self._slots[Lane.STREAM] > 1:
            return Work((each + between) / 2, (each + between) ** 2 * UNIFORM + (each * self._stray) ** 2)
        one, ran = self._running[0], self._ran[0]
        own = self._estimate.of(one.kind)
        mean, spread = own.mean_time(Lane.STREAM, one.size) or each, own.spread(Lane.STREAM, one.size)
        own_variance = (mean * (self._stray if spread is None else spread)) ** 2
        if self._ended is not None:
            begins = max(one.began or self._now, self._ended) + self._left_of_call(max(one.began or 0.0, self._ended))
            return Work(max(mean / 8, begins + mean - self._now), own_variance + self._odd * between**2)
        if one.queued:
            return Work(max(mean / 8, mean + between - ran), own_variance)
        waits = max(between / 4, between - max(0.0, ran - mean))  # at most
        seconds = mean + waits / 2 - ran if ran < mean else waits / 2
        return Work(seconds, waits**2 * UNIFORM + own_variance)

    def _left_of_call(self, at: float) -> float:
        """Seconds that the call of the running flush that goes on had left then: it, or its present job, began when
        something ended last. One that ended while a stream job waited for it has none."""
        began, whole = self._ended or at, self.between
        each = (self._estimate.usual(Lane.BATCH) or 0.0) if self._answers else whole
        if self._running and (self._running[0].began or 0.0) < began - AT_ONCE:
            return max(0.0, whole - each) / 2
        if self._answers:  # of a call of some jobs half are over in the mean
            whole = (whole + each) / 2
        return max(whole * max(1 / 8, min(0.5, math.sqrt(self._odd) / 2)), whole - (at - began))

    def _urgent(self) -> tuple[float, float]:
        """Seconds until the chunk begins that the running flush claims next, and their standard deviation: where the
        instances are shared, one that was claimed already waits before it."""
        slots = self._slots[Lane.BATCH]
        streaming = self._waiting + self._streaming if self._shared else 0
        if self._flushing + streaming < slots and not self._overhead():
            return self._starting, 0.0
        call, waits = self._call(), int(self._shared and (self._left > 0 or self._flushing > slots))
        share = 0.5 + waits if slots == 1 else (1 + waits) / (slots + 1)
        seconds = share * call.seconds
        if self._shared and self._ended is not None:
            seconds = self._left_of_call(self._now) + waits * call.seconds
        stretch = 1 / (1 - self.busy)
        variance = UNIFORM * call.seconds**2 + (1 + waits) * call.variance
        return self._starting + seconds * stretch, math.sqrt(variance) * stretch

    def _next_free(self, each: float) -> float:
        """Seconds until an instance is free for one more stream job, where these alone are busy."""
        slots, unknown = self._slots[Lane.STREAM], max(0, self._streaming - len(self._rests))
        busy = [rest.seconds for rest in self._rests] + [each * (n + 0.5) / unknown for n in range(unknown)]
        rounds, rest = divmod(self._waiting, slots)
        free = sorted([0.0] * (slots - len(busy)) + busy)
        usual = self._queued.seconds / max(1, self._waiting)
        return free[min(rest, len(free) - 1)] + rounds * usual

    def _among(self, jobs: int) -> tuple[float, float]:
        """The same where calls of a batch have some instances: the next that is free, after those that came a moment
        ago and wait for one. The `place`-th of so many uniform times."""
        slots, each = self._slots[Lane.STREAM], self._each or 0.0
        if self._ended is not None:
            return self._left_of_call(self._now), math.sqrt(self._odd + UNIFORM / 4) * self.between
        # Of unlike ones it is the long that are met at work (the inspection paradox).
        lasts = (jobs * each * (1 + self._stray**2) + (slots - jobs) * self.between * (1 + self._odd)) / slots
        place = 1 + min(jobs, slots - 1, sum(ran < lasts / (slots + 1) for ran in self._ran))
        width = lasts**2 * place * (slots + 1 - place) / ((slots + 1) ** 2 * (slots + 2))
        return place * lasts / (slots + 1), math.sqrt(width * (1 + 11 * self._odd) / (1 + self._odd) ** 2)

    def _work(self) -> Work:
        """Stream jobs that run and wait."""
        each, unknown = self._each or 0.0, self._streaming - len(self._rests)
        seconds = sum(rest.seconds for rest in self._rests) + unknown * each / 2 + self._queued.seconds
        variance = sum(rest.variance for rest in self._rests) + self._queued.variance
        return Work(seconds, variance + unknown * each**2 * (UNIFORM + self._stray**2))

    def _batch(self) -> tuple[float, float]:
        """Seconds until the next flush may begin, and their standard deviation."""
        before, slots = 0.0, self._slots[Lane.BATCH]
        if self._shared and self._waiting + self._streaming + min(self._flushing, slots) >= slots:
            before = self._work().seconds / slots
        jobs = self._flushing + self._left
        share = jobs / max(1, math.ceil(jobs / slots) * slots) if not before else 1.0
        stretch = 1 / (1 - self.busy * share)
        whole = (self._rest + before) * stretch
        if self.between:  # between two calls of it there goes one stream job, however many wait
            turns = (1 + self._rest / self.between) * (self._each or 0.0) / slots
            whole = min(whole, self._rest + max(turns, self._rest * (stretch - 1)))
        each = (self._estimate.usual(Lane.BATCH) or 0.0) * self._estimate.stray(Lane.BATCH)
        variance = jobs * (each / slots) ** 2 + (self._work().variance / slots**2 if before else 0.0)
        variance = (variance + self.busy * share * whole * self.grain) * stretch**2
        return whole, math.sqrt(variance)
