"""How often a job is tried, and how long one try may run, in words."""

from collections.abc import Sequence

from hybridq.brain.usual import NOTICED
from hybridq.when import span


def retries(number: int, backoff: float | None, codes: Sequence[int]) -> str:
    """How often, when and after what a job is tried again: `3, after 30s, then twice as long each time`."""
    when = "" if backoff is None else f", after {span(backoff)}, then twice as long each time"
    after = f"; only after exit code {' or '.join(map(str, codes))}" if codes else ""
    return f"{number}{when}{after}"


def time_limit(seconds: float | None, factor: float | None, usual: float | None) -> str:
    """How long one try may run, as far as what is usual is known; "" where there is no limit."""
    if factor is None:
        return "" if seconds is None else span(seconds)
    if seconds is None or usual is None:
        return f"{factor:g}x the usual time: none until that is known"
    told = f"{factor:g}x the usual {span(usual)}"
    if factor * usual < NOTICED:
        return f"{span(seconds)}, as {told} is less"
    start = seconds - factor * usual
    return f"{span(seconds)}: {told}" + (f" and {span(start)} for a start" if start >= 0.1 else "")
