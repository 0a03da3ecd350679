"""The jobs of one call to a handler: what becomes of them by the handler's events, and what is learned of their times.

Rule: each job ends once, and only those that are held here; a Detached is stored before the handler goes on.
"""

import time
from collections.abc import Sequence

from ..brain.commands import kind_of
from ..brain.estimate import Observation
from ..brain.lessons import Bursts
from ..brain.outcome import Outcome
from ..job import Call, Detached, Event, Failure, Output, Partial, Remark, Started, State, Throttled
from ..queue.claims import Claim, held_still
from ..queue.outputs import Sink
from ..queue.remote import Away, forget, keep, sent_back
from ..queue.results import Unended
from ..seam import reached
from .engine import Engine


class CallRun:
    """`done`, `failed`, `startup` and `busy` (seconds) and `cost` (money) are sums; `seen` is what is to be learned."""

    def __init__(
        self,
        engine: Engine,
        handler: str,
        claims: list[Claim],
        *,
        again: bool = False,
    ) -> None:
        """`again`: another start of the same flush, which is part of what its jobs take."""
        self.done = self.failed = 0
        self.startup = self.busy = self.cost = 0.0
        self.wrote = False  # pieces of output came since whoever runs this looked
        self.seen: list[Observation] = []
        self.away: dict[str, Away] = {}  # what runs elsewhere now, by its key
        self._handler = handler
        self._started: float | None = None  # a start that no observation has told yet
        self._unpaid = 0.0  # seconds of starts that no job has paid yet
        self._engine = engine
        self._claims = {claim.id: claim for claim in claims}
        self.paid: list[tuple[Claim, float]] = []  # what came for jobs that nobody wants any more has cost
        self._unwanted: dict[int, Claim] = {}
        self._begun: dict[int, float] = {}  # when (epoch seconds) each call was
        self._answered = 0.0  # when the last answer came
        self._bunches = Bursts(len(claims))
        self._together = len(claims)
        self._apart = engine.outlook.handler(handler).traits.commands  # each has a process of its own
        self._again, self._shared = again, 0.0  # seconds of that start that fall on each job
        self._sinks: dict[int, Sink] = {}

    def calls(self) -> list[Call]:
        """The claims as the handler gets them."""
        engine = self._engine
        held = self._claims.values()
        return [engine.call(claim, engine.settling.cohort(claim), together=len(held)) for claim in held]

    def left(self) -> list[Claim]:
        """What has not ended."""
        return list(self._claims.values())

    def drop(self, job: int) -> bool:
        """Somebody else ended this job; says whether it was held here."""
        claim = self._claims.pop(job, None)
        if claim is not None:
            self.unwanted([claim])
        return claim is not None

    def unwanted(self, claims: Sequence[Claim]) -> None:
        """The results of these are not asked for; what they cost is."""
        self._unwanted.update((claim.id, claim) for claim in claims)

    def hear(self, events: Sequence[Event]) -> list[Outcome]:
        """The outcomes among these events."""
        ended: list[tuple[Output | Failure, Claim]] = []
        back: dict[str, set[int]] = {}  # what a provider did not take: why, and whose
        begun: list[Started] = []
        now = time.time()
        for event in events:
            if isinstance(event, Started):
                begun.append(event)
            elif isinstance(event, (Output, Failure)):
                held = self._claims.get(event.id)
                if held is not None and held.attempt == event.attempt:
                    sink = self._sinks.get(event.id)
                    ended.append((sink.counted(event) if sink else event, self._claims.pop(event.id)))
                elif event.cost and (gone := self._unwanted.pop(event.id, None)) and gone.attempt == event.attempt:
                    self.paid.append((gone, event.cost))
            elif isinstance(event, Partial):
                self._sink(event.id, event.attempt).write(event)
                self.wrote = True
            elif isinstance(event, Throttled):
                self._engine.postpone(event)
            elif isinstance(event, Remark):
                self._engine.remark(event)
            else:
                self._detached(event)
        if begun:
            self._begin(begun, now)
        outcomes = self._engine.settling.outcomes(
            ended, startup=self._unpaid if ended else 0.0, together=self._together, since=self._since(ended)
        )
        if ended:
            reached("replied")
            self._answered = now
        self._unpaid = 0.0 if ended else self._unpaid
        self.cost += sum([outcome.cost for outcome in outcomes])
        self.busy += sum([event.busy for event, _ in ended])
        self._count_failed(outcomes, ended)
        for event, claim in ended:
            if type(event) is Output:
                self.done += 1
                self._learn(event, claim)
            elif self.away and event.gave_back and event.retry_after is None:  # type: ignore[union-attr]
                back.setdefault(event.reason, set()).add(claim.cohort)  # type: ignore[union-attr]
        for why, cohorts in back.items():
            sent_back(self._engine.store, cohorts, why, time.time())
        if self._sinks:
            self._let_go(ended)
        return outcomes

    def _count_failed(self, outcomes: Sequence[Outcome], ended: Sequence[tuple[Output | Failure, Claim]]) -> None:
        """But for what was cancelled meanwhile, which ends as if it had failed."""
        failed = {outcome.id for outcome in outcomes if outcome.state is State.FAILED}
        if failed:
            self.failed += len(held_still(self._engine.store, [claim for _, claim in ended if claim.id in failed]))

    def _since(self, ended: Sequence[tuple[Output | Failure, Claim]]) -> float | None:
        """Since when (epoch seconds) a worker has been at what ended now; None: each has run by itself."""
        begun = [at for event, _ in ended if (at := self._begun.get(event.id)) is not None]
        if self._apart or not begun:
            return None
        return max(min(begun), self._answered) - self._unpaid

    def gone(self) -> list[Away]:
        """What has come to run elsewhere, and still does. What was taken back is forgotten."""
        stay = []
        for away in self.away.values():
            if any(job in self._claims for job, _ in away.work.ids):
                stay.append(away)
            else:
                forget(self._engine.store, away.id)
        return stay

    def unended(self) -> list[Unended]:
        """What has begun and not ended, and for how long it ran: of a worker's calls, since its last answer."""
        since, now = 0.0 if self._apart else self._answered, time.time()
        left = [(claim, self._begun[claim.id]) for claim in self._claims.values() if claim.id in self._begun]
        return [(claim.id, claim.attempt, now - max(began, since)) for claim, began in left]

    def close(self) -> None:
        """Learn from the last answers, and let go of the files."""
        self.seen += self._bunches.told()
        for sink in self._sinks.values():
            sink.close()
        self._engine.bounds.ended(self._handler, self._claims.values())

    def _detached(self, event: Detached) -> None:
        engine, now = self._engine, time.time()
        number = keep(engine.store, engine.runner.id, self._handler, event, now)
        self.away[event.reference["key"]] = Away(number, self._handler, now, event)

    def _begin(self, begun: Sequence[Started], now: float) -> None:
        reached("started")
        self._begun.update(dict.fromkeys([event.id for event in begun], now))
        for startup in [event.startup for event in begun if event.startup]:
            self.startup += startup
            self._unpaid += startup
            if self._again:
                self._shared = startup / max(1, len(self._claims))
            else:
                self._started = startup

    def _let_go(self, ended: Sequence[tuple[Output | Failure, Claim]]) -> None:
        for event, _ in ended:
            if sink := self._sinks.pop(event.id, None):
                sink.close()
                if event.kept:
                    self._engine.saver.outputs.add(sink.files())

    def _learn(self, event: Output, claim: Claim) -> None:
        startup, self._started = self._started, None
        of = self._engine.settling.cohort(claim)
        kind = kind_of(claim.input, of.request.cwd) if self._apart else ""
        size, busy = self._engine.size(claim, of), event.busy + self._shared
        self.seen += self._bunches.hear(size, busy, event.cost, startup, kind)

    def _sink(self, job: int, attempt: int) -> Sink:
        if job not in self._sinks:
            self._sinks[job] = Sink(self._engine.home, job, attempt)
        return self._sinks[job]
