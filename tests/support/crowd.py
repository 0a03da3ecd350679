"""Very many separate submissions of one handler, as quickly as they can be made: for tests and benchmarks."""

import random
import time
from itertools import cycle

from hybridq.job import Decision, Forecast, Mode
from hybridq.outlook import Outlook
from hybridq.queue.intake import accept
from hybridq.reason import said
from tests.support.building import asking

HOUR = 3600.0
SIZES = (5, 50, 500, 2000)  # bytes of an input
DECIDED = Decision(mode=Mode.BATCH, reason=said("test"), considered=(Forecast(mode=Mode.BATCH),))


def crowd(
    outlook: Outlook,
    number: int,
    *,
    soonest: float = 6 * HOUR,
    latest: float = 48 * HOUR,
    handler: str = "echo",
    **more: object,
) -> float:
    """So many jobs, each a submission of its own that came within the last hour, every other one due between
    `soonest` and `latest` seconds from now; returns now. `more` are fields of their requests."""
    source, now = random.Random(number), time.time()
    with outlook.store.tx():
        for odd, size, _ in zip(cycle((False, True)), cycle(SIZES), range(number), strict=False):
            due = now + source.uniform(soonest, latest) if odd else None
            request = asking(handler, deadline=due, **more)  # type: ignore[arg-type]
            data = b'"%s"' % (b"x" * size)
            accept(outlook.store, request, data, lambda *_: (DECIDED, 0.001), now=now - source.uniform(0, HOUR))
    return now
