"""What a job costs that is cancelled while it streams: the time until then, as if it had failed.

Rule: nothing of the job changes but its money; one that was queued again meanwhile is left alone.
"""

import time

from ..job import Failure
from ..queue import holds
from ..queue.claims import Claim
from ..queue.store import Store
from .settling import Settling


def charge_cancelled(store: Store, settling: Settling, job: int, attempt: int) -> None:
    """Book what this attempt has cost by now."""
    found = holds.cancelled_since(store, job, attempt)
    if found is None:
        return
    cohort, started = found
    ended = Failure(job, attempt, "cancelled", retryable=False, busy=max(0.0, time.time() - started))
    claim = Claim(id=job, attempt=attempt, tries=0, cohort=cohort, input=b"")
    with store.tx() as connection:
        holds.charge_cancelled(connection, settling.outcomes([(ended, claim)]))
