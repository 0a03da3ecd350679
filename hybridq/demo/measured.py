"""What a demonstration came to: figures that are counted from what the queue recorded, and from nothing else.

Times are epoch seconds, durations seconds, money is in the user's own unit. Asks the queue, changes nothing.
"""

import re
from collections.abc import Sequence
from statistics import fmean, median

from msgspec import Struct

from ..job import Forecast, Lane, Mode, State
from ..outlook import Outlook
from ..queue.cohorts import Cohort, cohort, job
from ..queue.intake import Accepted
from ..sentences import sentence

_NUMBERS = re.compile(r"[\d.,:]+\S*")


class Question(Struct, frozen=True):
    """A document that a person asked for: when, when the first byte of the answer was seen, when it ended."""

    job: int
    path: str
    asked: float
    first: float
    ended: float
    state: State


class PeopleWaits(Struct, frozen=True, kw_only=True):
    """How long people waited, in seconds."""

    questions: int
    p50: float
    worst: float


class Cost(Struct, frozen=True, kw_only=True):
    """What one document took of a worker's time, the price factor then, and what that cost."""

    documents: int
    seconds: float
    factor: float
    money: float


class Reason(Struct, frozen=True, kw_only=True):
    """How many jobs were decided for the same reason; `sentence` is the first one's, with its numbers."""

    jobs: int
    mode: Mode
    sentence: str


class Measured(Struct, frozen=True, kw_only=True):
    """All figures. `gathered`: the same questions held until the batch ended; `gathered_best`: until it began."""

    documents: int
    failed: int
    workers: int
    accepted: float
    started: float
    finished: float
    promised: Forecast
    streamed: PeopleWaits
    gathered: PeopleWaits
    gathered_best: PeopleWaits | None  # None: nobody asked before it began
    batch: Cost
    alone: Cost
    reasons: tuple[Reason, ...]
    questions: tuple[Question, ...]

    @property
    def kept(self) -> bool | None:
        """Whether the group was done by its promise's 90th percentile; None: nothing was promised."""
        return None if self.promised.finish90 is None else self.finished <= self.promised.finish90


def measure(outlook: Outlook, group: Accepted, questions: Sequence[Question], alone: Sequence[float]) -> Measured:
    """Count. `alone` has the seconds of documents that had a process each."""
    store = outlook.store
    batch = cohort(store, job(store, group.first).cohort)
    asked = [cohort(store, job(store, each.job).cohort) for each in questions]
    started, finished = batch.started or 0.0, batch.finished or 0.0
    workers = outlook.slots(batch.handler, Lane.BATCH)
    early = [started - each.asked for each in questions if each.asked < started]
    return Measured(
        documents=batch.jobs,
        failed=batch.counts.get(State.FAILED, 0),
        workers=workers,
        accepted=batch.accepted,
        started=started,
        finished=finished,
        promised=batch.decision.forecast,
        streamed=_waits([each.first - each.asked for each in questions]),
        gathered=_waits([max(0.0, finished - each.asked) for each in questions]),
        gathered_best=_waits(early) if early else None,
        batch=_cost(
            outlook, batch.jobs, (finished - started) * workers / batch.jobs, outlook.tariff.mean(started, finished)
        ),
        alone=_cost(outlook, len(alone), fmean(alone), outlook.tariff.factor(batch.accepted)),
        reasons=_reasons([batch, *asked]),
        questions=tuple(questions),
    )


def _waits(seconds: Sequence[float]) -> PeopleWaits:
    return PeopleWaits(questions=len(seconds), p50=median(seconds), worst=max(seconds))


def _cost(outlook: Outlook, documents: int, seconds: float, factor: float) -> Cost:
    rate = outlook.config.policy.machine_cost / 3600
    return Cost(documents=documents, seconds=seconds, factor=factor, money=seconds * rate * factor)


def _reasons(cohorts: Sequence[Cohort]) -> tuple[Reason, ...]:
    """By mode and sentence; sentences that differ only in their numbers are one."""
    found: dict[tuple[Mode, str], Reason] = {}
    for each in cohorts:
        said = sentence(each.decision.reason, each.accepted)
        key = each.mode, _NUMBERS.sub("#", said)
        before = found.get(key)
        jobs = each.jobs + (before.jobs if before else 0)
        found[key] = Reason(jobs=jobs, mode=each.mode, sentence=before.sentence if before else said)
    return tuple(sorted(found.values(), key=lambda reason: -reason.jobs))
