"""Accepted jobs that nobody serves: no runner is there, or a limit on money keeps them.

Rule: imports nothing that a quick `submit` does not need.
"""

import time

from hybridq.job import Lane
from hybridq.queue.cohorts import Cohort
from hybridq.when import clock


def why_waiting(it: str, cohort: Cohort, alone: bool, held: str) -> str:
    """What just accepted jobs wait for, as far as it is no plan: a limit on money, or a runner; else "".

    `it`: `it waits`; `held`: why a limit keeps them.
    """
    if held:
        return held + ("; and no daemon runs: hybridq daemon, or hybridq drain" if alone else "")
    if alone:
        return f"no daemon runs, so {it} for hybridq daemon or hybridq drain{until(cohort, time.time())}"
    return ""


def until(cohort: Cohort, now: float) -> str:
    """`; a daemon would hold it until 22:00` where it would."""
    start = cohort.decision.forecast.start if cohort.lane is Lane.BATCH else None
    it = "it" if cohort.jobs == 1 else "them"
    return f"; a daemon would hold {it} until {clock(start, now)}" if start is not None and start - now >= 1 else ""
