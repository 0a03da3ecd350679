"""How often submissions come: by the last ones that came, and as it was foreseen when the first was held."""

from collections.abc import Sequence

from ..job import Held

ARRIVALS = 128  # of the last submissions, by which the next are foreseen
KNOWN = 3  # of them must have come before what is held, to be enough


def joining(accepted: Sequence[float], work: Sequence[Held], now: float) -> float:
    """Submissions a second that come to share a flush, as it was foreseen when the first of `work` was held.

    So it stays while they wait, and what was promised with it. Where too few came before, it is by all that came
    until the last of them, and so changes only as another joins.
    """
    first = min((each.since for each in work), default=now)
    before = [at for at in accepted if at <= first]
    return coming(before, first) if len(before) >= KNOWN else coming(accepted, max(accepted, default=now))


def coming(accepted: Sequence[float], now: float) -> float:
    """Submissions a second, by the instants (epoch seconds) of the last ones, in any order."""
    if len(accepted) < 2:
        return 0.0
    return (len(accepted) - 1) / max(1.0, now - min(accepted))
