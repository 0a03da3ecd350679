"""Submit, claim and status with limits of jobs at once and counted resources, beside the same without, in one run."""

import time
from collections.abc import Callable
from contextlib import ExitStack
from statistics import median

from hybridq.job import Mode
from hybridq.outlook import Outlook
from hybridq.queue.claims import claim_batch, claim_stream
from hybridq.queue.cohorts import cohorts
from hybridq.queue.job_limits import limit_jobs
from hybridq.queue.results import record
from hybridq.queue.runner import Runner
from hybridq.runner.bounds import Bounds
from hybridq.status.snapshot import Snapshot
from hybridq.submit import submit, submit_many
from tests.bench.measure import queue, row, timed
from tests.support.building import asking, look
from tests.support.verbs import ended

ROUNDS, JOBS, MANY = 7, 40, 2_000
THERE = '[resources]\ngpu = 100000\nmemory = "90TiB"\n'
NEEDS = {"gpu": 1, "memory": 1 << 30}


def bounds() -> None:
    """Alternating, the median of some rounds: so many limits hold that nobody reaches, and each job needs something."""
    with ExitStack() as stack:
        plain, bound = (_Side(stack.enter_context(queue(THERE)), many) for many in (0, 10))
        for what, work in {
            f"submit of {JOBS}, one by one": _Side.submit,
            f"claim and end of {JOBS}, one by one": _Side.stream,
            f"claim and end of {MANY:,} in a batch": _Side.batch,
            "status": _Side.status,
        }.items():
            without, within = _alternating(lambda: work(plain), lambda: work(bound))  # noqa: B023 - called at once
            ours, baseline = f"{within * 1000:.1f} ms", f"without {without * 1000:.1f} ms"
            row(f"{what}, limits and resources", ours, baseline, within / without, "<= 1.3")


def _alternating(one: Callable[[], float], other: Callable[[], float]) -> tuple[float, float]:
    pairs = [(one(), other()) for _ in range(ROUNDS)]
    return median(a for a, _ in pairs), median(b for _, b in pairs)


class _Side:
    """A queue with so many limits; where there are any, each of its jobs needs something."""

    def __init__(self, outlook: Outlook, limits: int) -> None:
        self._outlook = outlook
        self._needs = NEEDS if limits else {}
        for number in range(limits):
            limit_jobs(outlook.store, None, f"g{number}", 1000, time.time())
        if limits:
            limit_jobs(outlook.store, "noop", None, 100_000, time.time())
        self._runner = Runner(outlook.store, "drain")
        self._bounds = Bounds(outlook.store.home, outlook, self._runner.id)

    def submit(self) -> float:
        """Seconds of some submissions of one job."""
        asked = asking("noop", Mode.STREAM, needs=self._needs)
        return timed(lambda: [submit(self._outlook, asked, b'"x"') for _ in range(JOBS)])

    def stream(self) -> float:
        """Seconds in which as many are claimed and ended, as the stream loop does."""
        self.submit()
        return timed(lambda: [self._one() for _ in range(JOBS)])

    def _one(self) -> None:
        store, now = self._outlook.store, time.time() + 1
        missing = self._bounds.lacking(now)
        if self._bounds.why_none("noop", now) is None:
            allot = self._bounds.allot("noop", now)
            claims = claim_stream(store, self._runner.id, "noop", 1, now, allot=allot, lacking=missing)
            record(store, [ended(claim) for claim in claims])
            self._bounds.ended("noop", claims)

    def batch(self) -> float:
        """Seconds in which a submission of many is claimed and ended, 256 at a time."""
        asked = asking("noop", Mode.BATCH, needs=self._needs)
        submit_many(self._outlook, ((asked, b'"x"', None) for _ in range(MANY)))
        store = self._outlook.store
        held = [each.id for each in cohorts(store, "lane = 'batch' AND queued > 0")]
        return timed(lambda: self._all(held))

    def _all(self, held: list[int]) -> None:
        store, now = self._outlook.store, time.time() + 1
        while held:
            allot = self._bounds.allot("noop", now)
            claims = claim_batch(store, self._runner.id, 1, "noop", held, 256, now, allot=allot)
            record(store, [ended(claim) for claim in claims])
            self._bounds.ended("noop", claims)

    def status(self) -> float:
        """Seconds of a look at the queue, with some queued."""
        self.submit()
        return timed(lambda: self._look())

    def _look(self) -> Snapshot:
        return look(self._outlook)
