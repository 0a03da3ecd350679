"""What a simulated run comes to: money, waiting, deadlines, flushes, and how good the promises were.

Rule: counts what happened, knows no policy. Times are seconds; a share is between 0 and 1; None where there is
nothing to count.
"""

import math
from array import array
from collections import Counter
from collections.abc import Iterable, Sequence
from statistics import median

from msgspec import Struct

from ..config.values import PolicyConfig
from ..job import Audience, Forecast, Lane, Mode
from ..report.figures import NEAR, off, rank, share
from .clock import SimulatedRun
from .station import Task

NOTHING = Forecast(mode=Mode.STREAM)
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
    seconds = {audience: array("d") for audience in Audience}
    costs, waited = array("d"), array("d")
    streamed = deadlines = kept = 0
    for task in outcome.tasks:
        wait = task.first - task.at
        seconds[task.audience].append(wait)
        costs.append(task.cost)
        waited.append(hourly[task.audience] * task.part * wait / 3600)
        streamed += task.lane is Lane.STREAM
        deadlines += task.due < math.inf
        kept += task.finish <= task.due < math.inf
    return Verdict(
        name=name,
        says=says,
        cost=sum(costs) + outcome.starts,
        waited=sum(waited),
        waits={audience: wait_times(seconds[audience]) for audience in Audience},
        streamed=streamed,
        batched=len(costs) - streamed,
        deadlines=deadlines,
        kept=kept / deadlines if deadlines else None,
        flushes=dict(sorted(Counter(flush.rule for flush in outcome.flushes).items())),
        promises=promises(outcome.tasks),
    )


def wait_times(seconds: Sequence[float]) -> WaitTimes:
    """How long these jobs' first results took."""
    seconds = array("d", sorted(seconds))
    return WaitTimes(jobs=len(seconds), p50=rank(seconds, 0.5), p95=rank(seconds, 0.95), p99=rank(seconds, 0.99))


def promises(tasks: Sequence[Task]) -> Promises:
    """How good the promises to these jobs were; one promise for all jobs of a submission."""
    made = _whole(tasks)
    begun = [
        task.begun - said
        for task in tasks
        if task.asks < math.inf and task.promise and (said := task.foreseen or task.promise.start) is not None
    ]
    known = hindsight(tasks) if made else ()
    error, best, covered, past = array("d"), array("d"), 0, 0
    for number in made:
        task = tasks[number]
        promise = task.promise or NOTHING
        finish = promise.finish or 0.0
        covered += task.finish <= (promise.finish90 or 0.0)
        past += finish < task.at or (promise.start or task.at) < task.at
        error.append(_error(task, finish))
        best.append(_error(task, known[number]))
    return Promises(
        made=len(made),
        covered=covered / len(made) if made else None,
        error=middle(error),
        best=middle(best),
        started=share(abs(seconds) <= NEAR for seconds in begun),
        late=share(seconds > NEAR for seconds in begun),
        past=past,
    )


def _whole(tasks: Iterable[Task]) -> "array[int]":
    """The jobs, by number, that were promised a finish: of a group, if so, the one that ended last."""
    found, last = array("q"), dict[str, tuple[float, int, bool]]()
    for task in tasks:
        promise = task.promise
        told = promise is not None and promise.finish is not None and promise.finish90 is not None
        if not task.group:
            if told:
                found.append(task.number)
        elif task.group not in last or task.finish > last[task.group][0]:
            last[task.group] = task.finish, task.number, told
    found.extend(number for _, number, told in last.values() if told)
    return found


def hindsight(tasks: Sequence[Task]) -> "array[float]":
    """When each job, by its number, would be said to finish by somebody who knows when it starts.

    And how long jobs of its handler, lane and size take, ALIKE of them that are nearest in size, but not how long
    this one does.
    """
    found, took, size = (array("d", (0.0,)) * len(tasks) for _ in range(3))
    kinds: dict[tuple[str, Lane], array[int]] = {}
    for task in tasks:
        kinds.setdefault((task.handler, task.lane), array("q")).append(task.number)
        found[task.number], took[task.number], size[task.number] = task.finish, task.took, task.size
    for kind in kinds.values():
        rest = sorted(kind, key=size.__getitem__)
        for first in range(0, len(rest), ALIKE):
            alike = rest[first : first + ALIKE]
            usual = median(took[number] for number in alike)
            for number in alike:
                found[number] = found[number] - took[number] + usual
    return found


def _error(task: Task, promised: float) -> float:
    return off(promised - task.at, task.finish - task.at)


def middle(values: Sequence[float]) -> float | None:
    """The median, where there is one."""
    return median(values) if values else None
