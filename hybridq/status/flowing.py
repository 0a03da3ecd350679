"""Pipes as the views show them: what flows now, and what was left behind.

Rule: rates and lags are those that the pipe told itself within the last seconds; of one that is silent there are none.
"""

import math

from ..queue.pipes import Pipe, pipes
from ..queue.runner import alive
from ..queue.store import Store
from .snapshot import PipeRow

SILENT = 10.0  # seconds after which its rates and lags are not those of now


def flowing(store: Store, now: float) -> tuple[PipeRow, ...]:
    """A row for each pipe that has not ended, the latest first."""
    return tuple(_row(each, now, lives=alive(store, each.runner)) for each in pipes(store, math.inf))


def _row(pipe: Pipe, now: float, *, lives: bool) -> PipeRow:
    of, fresh = pipe.figures, lives and now - pipe.at < SILENT
    return PipeRow(
        id=pipe.id,
        group=pipe.name,
        handler=pipe.handler,
        key=pipe.key,
        since=pipe.since,
        lives=lives,
        taken=of.taken,
        answered=of.answered,
        failed=of.failed,
        shed=of.shed,
        late=of.late,
        bytes=of.bytes,
        rate_in=of.rate_in if fresh else None,
        rate_out=of.rate_out if fresh else None,
        lag50=of.lag50 if fresh else None,
        lag99=of.lag99 if fresh else None,
        cost=pipe.cost,
    )
