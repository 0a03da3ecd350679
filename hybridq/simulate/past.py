"""The user's own queue as a workload: what really came, how large it was, and how long it really took.

Rule: only jobs that were done count; what a job of a batch would have taken alone is told by what its handler
has learned of both lanes, and where one lane is unknown nothing is supposed to be saved. Reads only.
"""

import math

from ..brain.estimate import Estimate
from ..job import Lane
from ..outlook import Outlook
from ..queue.ledger import came
from .station import Times
from .workload import Arrival, Workload

NEWEST = 200_000  # jobs that are simulated at most
TIMES = (
    "run times, first bytes, starts and prices per job come from your own jobs; a provider's batch is not waited for"
)


def past(outlook: Outlook, since: float = 0.0) -> tuple[Workload, dict[str, Times], dict[str, int]]:
    """What came since an instant, how its handlers behave, and how many of their jobs run at once.

    The workload is empty where nothing was done.
    """
    jobs = came(outlook.store, since, NEWEST)
    times = {name: _times(outlook, name) for name in {job.handler for job in jobs}}
    estimates = {name: outlook.estimate(name) for name in times}
    found = [
        Arrival(
            at=job.accepted,
            size=float(job.size),
            audience=job.audience,
            handler=job.handler,
            group=job.group,
            deadline=None if job.due == math.inf else job.due,
            busy=job.busy / (times[job.handler].batch if job.lane is Lane.BATCH else 1.0),
            lead=job.lead,
            paid=_paid(estimates[job.handler], float(job.size)),
        )
        for job in jobs
    ]
    slots = {name: outlook.slots(name, Lane.BATCH) for name in times if name in outlook.config.handlers}
    return Workload(tuple(sorted(found, key=lambda a: a.at)), "your own jobs", (TIMES,)), times, slots


def _paid(estimate: Estimate, size: float) -> dict[Lane, float] | None:
    return {lane: estimate.cost(lane, size) or 0.0 for lane in Lane} if estimate.by_the_job else None


def _times(outlook: Outlook, name: str) -> Times:
    estimate = outlook.estimate(name)
    return Times(
        start=estimate.startup() or 0.0, job=0.0, input=0.0, output=0.0, batch=estimate.share or 1.0, spread=0.0
    )
