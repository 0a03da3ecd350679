"""What sharing calls saves, told by trials: now and then a batch has a call of one job among the shared ones.

Rule: both of a trial ran one after the other, under the same load, so that they differ by the call alone. Streamed,
each job would have had such a call. What chance would tell as well is no saving; a loss is one. Pure arithmetic.
"""

import math
from collections.abc import Sequence

from .curve import mean, median

SPENT, AT_FIRST = 0.01, 0.5  # of a batch's time, that its trials may take; and while too few are known
KEPT = 48  # trials; the newest ones tell, once there are so many
SURELY = 2.58  # standard errors: one claim in a hundred is chance
ODD = 16  # of so many one at either end is left out of a mean
LITTLE = 0.05  # of what a job takes: a gain that surely is no more is none
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
    """Seconds that a job takes more in a call of its own than in a large one; 0: no more than chance, and little at
    most. None: more trials, or steadier ones, are needed to tell.

    By the signed-rank test (Wilcoxon 1945) and the estimate and limits that belong to it (Hodges and Lehmann 1963): of
    the means of every two, which a few odd trials do not turn. Of times with a long tail these lie below the mean,
    which is what is paid: so the mean (of a gain, of all but the oddest) must surely tell the same, and the nearer to 0
    is claimed.
    """
    more = [alone - shared for alone, shared in trials]
    n = len(more)
    means = sorted((one + other) / 2 for place, one in enumerate(more) for other in more[place:])
    if n >= CLEAR and all(alone > max(LONG, CLEARLY * shared) for alone, shared in trials):
        return median(means)
    if n < KEPT:
        return None
    outside = int(len(means) / 2 - SURELY * math.sqrt(n * (n + 1) * (2 * n + 1) / 24))
    low, high = means[outside], means[-1 - outside]
    if low > 0 or high < 0:
        most = sorted(more)[n // ODD : n - n // ODD] if low > 0 else more
        usual, paid = median(means), mean(most)
        error = math.sqrt(sum((each - paid) ** 2 for each in most) / (n - 1) / n)
        sure = usual * paid > 0 and abs(paid) >= SURELY * error
        return min(usual, paid, key=abs) if sure else None
    return 0.0 if max(-low, high) <= LITTLE * sum(shared for _, shared in trials) / n else None
