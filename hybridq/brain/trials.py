"""What sharing calls saves, told by trials: now and then a batch has a call of one job among the shared ones.

Rule: both of a trial ran one after the other, under the same load, so that they differ by the call alone. Streamed,
each job would have had such a call. What chance would tell as well is no saving; a loss is one. Pure arithmetic.
"""

import math
from collections.abc import Sequence

SPENT, AT_FIRST = 0.01, 0.5  # of a batch's time, that its trials may take; and while too few are known
KEPT = 24  # trials; the newest ones tell, once there are so many
SURELY = 2.58  # standard errors: one claim in a hundred is chance
LONG = 0.1  # seconds of a call, which no other work changes much
CLEARLY, CLEAR = 5.0, 2  # times as long; where each took that, and long, so few trials are enough
FINEST = 6  # digits of a second that are kept
Trial = tuple[float, float]
"""Seconds of a job in a call of its own, and of one more job in the shared call beside it."""


def trial(alone: float, seconds: float, jobs: int) -> Trial:
    """What these tell: a call of one job, and one of two or more `jobs` that took so many `seconds`.

    c + a = alone and c + jobs a = seconds, where each call takes c and each job a.
    """
    return round(alone, FINEST), round((seconds - alone) / (jobs - 1), FINEST)


def kept(trials: Sequence[Trial], more: Sequence[Trial]) -> tuple[Trial, ...]:
    """The newest of them; what is no number tells nothing."""
    return (*trials, *(each for each in more if all(map(math.isfinite, each))))[-KEPT:]


def gain(trials: Sequence[Trial]) -> float | None:
    """Seconds that a job takes more in a call of its own than in a large one; 0: no more than chance. None: more trials
    are needed to tell.

    By the signed-rank test (Wilcoxon 1945) and the estimate that belongs to it (Hodges and Lehmann 1963): the median of
    the means of every two, which a few odd trials do not turn.
    """
    more = [alone - shared for alone, shared in trials]
    if len(trials) >= CLEAR and all(alone > max(LONG, CLEARLY * shared) for alone, shared in trials):
        return middle(more)
    if len(trials) < KEPT:
        return None
    ranked = sorted(more, key=abs)
    n = len(ranked)
    above = sum(rank for rank, each in enumerate(ranked, 1) if each > 0)
    error = math.sqrt(n * (n + 1) * (2 * n + 1) / 24)
    return middle(more) if abs(above - n * (n + 1) / 4) >= SURELY * error else 0.0


def middle(values: Sequence[float]) -> float:
    """The median of the means of every two, each with itself as well; there is at least one."""
    means = sorted((one + other) / 2 for place, one in enumerate(values) for other in values[place:])
    return (means[(len(means) - 1) // 2] + means[len(means) // 2]) / 2
