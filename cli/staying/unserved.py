"""Accepted jobs that nobody serves: no runner is there, or a limit on money keeps them.

Rule: imports nothing that a quick `submit` does not need.
"""

import time

from hybridq.job import Lane
from hybridq.queue.cohorts import Cohort
from hybridq.when import clock

from ..draw.words import foreseen_start

FOR_GOOD = "; hybridq service install keeps a daemon running"


def why_waiting(it: str, cohort: Cohort, alone: bool, held: str) -> str:
    """What just accepted jobs wait for, as far as it is no plan: a limit on money, or a runner; else "".

    `it`: `it starts`; `held`: why a limit keeps them.
    """
    if held:
        return held + (f"; and no daemon runs: hybridq daemon, or hybridq drain{FOR_GOOD}" if alone else "")
    if alone and (begins := cohort.request.not_before or 0.0) > time.time() and cohort.lane is Lane.NONE:
        return f"no daemon runs: {it} at {clock(begins, time.time())} if hybridq daemon runs then"
    if alone:
        return f"no daemon runs: {it} when you run {_runners(cohort, time.time())}{FOR_GOOD}"
    return ""


def _runners(cohort: Cohort, now: float) -> str:
    """What would run them, and when: `hybridq daemon (then at 22:00) or hybridq drain (at once)`."""
    forecast = cohort.decision.forecast
    start = forecast.start if cohort.lane is Lane.BATCH else None
    if start is None or start - now < 1:
        return "hybridq daemon or hybridq drain"
    then = "by" if foreseen_start(forecast).endswith("by") else "at"
    return f"hybridq daemon (then {then} {clock(start, now)}) or hybridq drain (at once)"
