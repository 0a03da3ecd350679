"""When a batch that runs at a provider is back: by what such took, or by how far the provider says to be.

Rule: an end that was told stands until it has passed; one told afresh at each look would flee.
"""

from msgspec import Struct

from ..job import Lane
from .conditions import Conditions
from .forecast import LONGEST, Eta, promised

STEP = 0.2  # share of the work away that may still be out when another finish is told
ENOUGH = 0.2  # share of a batch that must be done before its progress says when the rest will be
LAST = 10.0  # seconds that a batch takes at least from where it is told to be until its answers are here


class Progress(Struct, frozen=True):
    """How far a batch is at a provider, as it was told at the epoch second `at`."""

    share: float
    at: float


def away_eta(size: float, since: float, conditions: Conditions, told: Progress | None = None) -> Eta:
    """For a batch that a provider has had since then. Longer than all that was seen: unknown. Where the provider tells
    how far it is, and that is far enough, that counts: the rest goes on as fast as the work so far.

    A finish told afresh at each look would flee, for the longer it is away, the longer it will be. So what was
    promised stands until it has passed, then the end of its spread; after that the 90th percentile of what is still
    out, told anew only when four fifths of that would be back.
    """
    estimate, now = conditions.estimate, conditions.now
    if told is not None and told.share >= ENOUGH and (eta := _as_far(since, now, told)):
        return eta
    half, most = (estimate.run_time(Lane.BATCH, size, q) for q in (0.5, 0.9))
    if half is None or most is None:
        return Eta(start=since)
    finish, latest = since + half, promised(Lane.BATCH, since, since + half, since + most, estimate)
    if now < finish:
        return Eta(start=since, finish=finish, finish90=latest)
    if now < latest:
        return Eta(start=since, finish=latest, finish90=latest)
    passed, before = (estimate.chance(Lane.BATCH, size, at - since) for at in (now, latest))
    if passed is None or before is None or passed > LONGEST:
        return Eta(start=since)
    out = 1 - before
    while 1 - passed <= out * STEP:
        out *= STEP
    longer = estimate.run_time(Lane.BATCH, size, 1 - 0.1 * out)
    if longer is None or since + longer <= now:
        return Eta(start=since)
    return Eta(start=since, finish=since + longer, finish90=since + longer)


def _as_far(since: float, now: float, told: Progress) -> Eta | None:
    """As fast as it was until that was told; None: nothing has come of it for too long since."""
    left = max(LAST, (told.at - since) * (1 - told.share) / told.share)
    latest = told.at + 2 * left
    return Eta(start=since, finish=max(now, told.at + left), finish90=latest) if now < latest else None
