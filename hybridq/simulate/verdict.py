"""What a simulated run comes to: money, waiting, deadlines, flushes, and how good the promises were.

Rule: counts what happened, knows no policy. Times are seconds; a share is between 0 and 1; None where there is
nothing to count.
"""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import groupby
from statistics import median

from msgspec import Struct

from ..config.values import PolicyConfig
from ..job import Audience, Lane
from ..report.figures import NEAR, off, rank, share
from .clock import SimulatedRun
from .station import Task

ALIKE = 48  # jobs that tell how long jobs of their size take


class WaitTimes(Struct, frozen=True, kw_only=True):
    """Seconds from the arrival of a job to its first result."""

    jobs: int
    p50: float | None
    p95: float | None
    p99: float | None


class Promises(Struct, frozen=True, kw_only=True):
    """How good the promises made at acceptance were.

    `covered`: the share done by the promised 90th percentile. `error`: the median distance between the promised
    and the real finish, relative to the real time to it. `best`: what that would be had every start been known in
    advance, and of run times all but the draw (see `hindsight`): no forecast does better. `started`: of held jobs of
    which somebody asked at some instant, those whose flush began within NEAR of what was said then; `late`: those
    whose flush began later than that. `past`: promises that lay in the past.
    """

    made: int
    covered: float | None
    error: float | None
    best: float | None
    started: float | None
    late: float | None
    past: int


class Verdict(Struct, frozen=True, kw_only=True):
    """All figures of one contender. `kept` is the share of deadlines that were kept."""

    name: str
    says: str
    cost: float
    waited: float  # money that the waiting until each first result cost, by the policy
    waits: dict[Audience, WaitTimes]
    streamed: int
    batched: int
    deadlines: int
    kept: float | None
    flushes: dict[str, int]
    promises: Promises


def judge(name: str, says: str, outcome: SimulatedRun, policy: PolicyConfig) -> Verdict:
    """The figures of one run."""
    hourly = {Audience.USER: policy.user_delay_cost, Audience.BACKGROUND: policy.background_delay_cost}
    tasks = outcome.tasks
    bound = [task for task in tasks if task.due < math.inf]
    streamed = sum(task.lane is Lane.STREAM for task in tasks)
    return Verdict(
        name=name,
        says=says,
        cost=sum(task.cost for task in tasks) + outcome.starts,
        waited=sum(hourly[t.audience] * t.part * (t.first - t.at) / 3600 for t in tasks),
        waits={audience: wait_times([t for t in tasks if t.audience is audience]) for audience in Audience},
        streamed=streamed,
        batched=len(tasks) - streamed,
        deadlines=len(bound),
        kept=share(task.finish <= task.due for task in bound),
        flushes=dict(sorted(Counter(flush.rule for flush in outcome.flushes).items())),
        promises=promises(tasks),
    )


def wait_times(tasks: Sequence[Task]) -> WaitTimes:
    """How long these jobs' first results took."""
    seconds = sorted(task.first - task.at for task in tasks)
    return WaitTimes(jobs=len(tasks), p50=rank(seconds, 0.5), p95=rank(seconds, 0.95), p99=rank(seconds, 0.99))


def promises(tasks: Sequence[Task]) -> Promises:
    """How good the promises to these jobs were; one promise for all jobs of a submission."""
    whole: dict[object, Task] = {}
    for task in tasks:
        key = task.group or task.number
        if key not in whole or task.finish > whole[key].finish:
            whole[key] = task
    made = [(t, p) for t in whole.values() if (p := t.promise) and p.finish is not None and p.finish90 is not None]
    known = hindsight(tasks)
    shown = [(t.begun, t.foreseen or t.promise.start) for t in tasks if t.asks < math.inf and t.promise]
    off = [begun - said for begun, said in shown if said is not None]
    return Promises(
        made=len(made),
        covered=share(t.finish <= (p.finish90 or 0.0) for t, p in made),
        error=middle(_error(t, p.finish or 0.0) for t, p in made),
        best=middle(_error(t, known[t.number]) for t, p in made),
        started=share(abs(seconds) <= NEAR for seconds in off),
        late=share(seconds > NEAR for seconds in off),
        past=sum((p.finish or 0.0) < t.at or (p.start or t.at) < t.at for t, p in made),
    )


def hindsight(tasks: Sequence[Task]) -> dict[int, float]:
    """When each job, by its number, would be said to finish by somebody who knows when it starts.

    And how long jobs of its handler, lane and size take, ALIKE of them that are nearest in size, but not how long
    this one does.
    """
    found: dict[int, float] = {}
    ordered = sorted(tasks, key=lambda task: (task.handler, task.lane, task.size))
    for _, kind in groupby(ordered, key=lambda task: (task.handler, task.lane)):
        rest = list(kind)
        for first in range(0, len(rest), ALIKE):
            alike = rest[first : first + ALIKE]
            usual = median(task.took for task in alike)
            found |= {task.number: task.finish - task.took + usual for task in alike}
    return found


def _error(task: Task, promised: float) -> float:
    return off(promised - task.at, task.finish - task.at)


def middle(values: Iterable[float]) -> float | None:
    """The median, where there is one."""
    found = list(values)
    return median(found) if found else None
