"""The user's own queue as a workload: what really came, how large it was, and how long it really took.

Rule: only jobs that were done count. What a job of a batch would have taken alone is told as the report tells it: by
what its handler's jobs take more in calls of their own. While that is not known nothing is supposed to be saved. Reads
only.
"""

import math
from collections import Counter
from collections.abc import Iterable, Iterator

from ..brain.estimate import Estimate
from ..job import LANES, Lane
from ..outlook import Outlook
from ..queue.account import Arrived
from ..queue.ledger import came
from .clock import World
from .station import Times
from .workload import Arrival, Workload

NEWEST = 200_000  # jobs that are simulated at most
TIMES = (
    "run times, first bytes, starts and prices per job come from your own jobs; a provider's batch is not waited for"
)


def past(outlook: Outlook, seed: int = 1, since: float = 0.0) -> World:
    """What came since an instant, how its handlers behave, and how many of their jobs run at once.

    The workload is empty where nothing was done.
    """
    jobs = came(outlook.store, since, NEWEST)
    names = {job.handler for job in jobs}
    estimates = {name: outlook.estimate(name) for name in names}
    times = {name: _times(estimate) for name, estimate in estimates.items()}
    found = (
        Arrival(
            at=job.accepted,
            size=float(job.size),
            audience=job.audience,
            handler=job.handler,
            group=job.group,
            deadline=None if job.due == math.inf else job.due,
            busy=alone,
            lead=job.lead,
            paid=_paid(estimates[job.handler], float(job.size)),
            mode=job.mode,
        )
        for job, alone in _alone(jobs, times)
    )
    known = names & outlook.config.handlers.keys()
    apart = {name for name in known if outlook.config.handlers[name].traits.slots == "runner"}
    return World(
        config=outlook.config,
        times=times,
        workload=Workload(tuple(sorted(found, key=lambda a: a.at)), "your own jobs", (TIMES,)),
        seed=seed,
        slots={name: outlook.slots(name, Lane.BATCH) for name in known},
        streams={name: outlook.slots(name, Lane.STREAM) for name in apart},
    )


def _alone(jobs: Iterable[Arrived], times: dict[str, Times]) -> Iterator[tuple[Arrived, float]]:
    """Each job with the seconds that it would have taken alone: what its call took is told apart from what it did."""
    calls = Counter((job.flush, job.started) for job in jobs if job.flush is not None)
    for job in jobs:
        if job.flush is None or job.lane is Lane.STREAM:
            yield job, job.busy
        else:
            yield job, max(0.0, job.busy + times[job.handler].call * (1 - 1 / calls[job.flush, job.started]))


def _paid(estimate: Estimate, size: float) -> dict[Lane, float] | None:
    return {lane: estimate.cost(lane, size) or 0.0 for lane in LANES} if estimate.by_the_job else None


def _times(estimate: Estimate) -> Times:
    start, call = estimate.startup() or 0.0, estimate.gain or 0.0
    return Times(start=start, job=0.0, input=0.0, output=0.0, batch=1.0, call=call, spread=0.0)
