"""What jobs are charged: each outcome with its cost, and what it would have cost streamed.

Rule: money is counted once, here, at the mean price of the time that a run took. What streamed as it was submitted
would have cost just that; what was held is compared with a run of all jobs of its handler streamed as they came (see
`baseline`), each in a call of its own (see `trials`). A cancelled job pays for its time until then; one that was queued
again meanwhile is left alone.
"""

import time
from collections.abc import Iterable
from typing import NamedTuple

from msgspec.structs import replace

from ..brain.baseline import Begun
from ..brain.outcome import Outcome, settle
from ..brain.tariff import Tariff
from ..errors import NoSuchJob
from ..job import DEAREST, Failure, Lane, Mode, Output
from ..outlook import Outlook
from ..queue import holds
from ..queue.claims import Claim
from ..queue.cohorts import Cohort, cohort, environment
from ..queue.outputs import output_path
from ..queue.store import Store
from .sharing import Sharing
from .streaming import Streaming

FEW = 100  # sets of variables that are remembered
KEPT = 10_000  # cohorts whose terms are remembered


class Terms(NamedTuple):
    """What one cohort's jobs cost at factor 1, at which tariff, and how often, when and after what they are retried.

    `start`: seconds of the start that each would have paid streamed; None: see `Streaming`. `streams`: how the first
    of them would have begun then, and `slots` as many at once; None: they did stream. `llm`: by what it used.
    """

    retries: int
    backoff: float | None
    retry_on: tuple[int, ...]
    per_second: float
    per_job: float
    tariff: Tariff
    start: float | None
    streams: Begun | None
    slots: int
    llm: bool


class Billing:
    """Knows the cohorts of what a runner holds, and on which terms they run."""

    def __init__(self, outlook: Outlook) -> None:
        self._outlook = outlook
        self._known: dict[tuple[int, bool], tuple[Cohort, Terms]] = {}
        self._variables: dict[int, dict[str, str]] = {}
        self._streaming = Streaming(outlook)
        self.sharing = Sharing(outlook)

    def used(self, claim: Claim, draft: bool, answer: int) -> float | None:
        """What a stream has cost that ended after so many bytes of its answer, by these; None: by its time."""
        paid = self._by_length(self.cohort(claim), draft, Lane.STREAM, len(claim.input), answer)
        return None if paid is None else paid[0]

    def cohort(self, claim: Claim) -> Cohort:
        """The cohort of a claim, as it was when it was first held."""
        return self._look(claim.cohort)[0]

    def variables(self, cohort: Cohort) -> dict[str, str]:
        """The variables that a cohort's commands run with."""
        if cohort.variables is None:
            return cohort.request.env
        if cohort.variables not in self._variables:
            if len(self._variables) >= FEW:
                self._variables.clear()
            self._variables[cohort.variables] = environment(self._outlook.store, cohort).env
        return self._variables[cohort.variables]

    def outcomes(
        self,
        ended: Iterable[tuple[Output | Failure, Claim]],
        *,
        first: float | None = None,
        draft: bool = False,
        startup: float = 0.0,
        together: int = 1,
        since: float | None = None,
    ) -> list[Outcome]:
        """What becomes of these attempts, with what each cost and what it would have cost streamed.

        `startup` seconds of a start that was made for them are paid by the first; streamed, those that would have been
        made then.
        `together`: how many shared each one's call. `since`: when (epoch seconds) these were begun, one after another;
        None: each as long ago as it took. A `draft` costs what the jobs of its maker cost.
        """
        now = time.time()
        settled, number = [], None
        for event, claim in ended:
            if claim.cohort != number:  # thousands of one cohort end together
                try:
                    of, terms = self._look(claim.cohort, draft)
                except NoSuchJob:
                    continue  # cancelled and cleaned away meanwhile: nobody's
                number, flat = claim.cohort, terms.tariff.factor(now) if terms.tariff.flat else None
            took = event.busy + startup
            factor = flat or terms.tariff.mean(now - took if since is None else since, now)
            cost = streamed = (terms.per_job + took * terms.per_second) * factor
            if terms.streams is not None:
                streamed = self._streamed(event, claim, draft, startup, together)
            elif startup and not draft:
                streamed -= (
                    (startup - self._streaming.own(of, startup, claim.id - of.first)) * terms.per_second * factor
                )
            startup = 0.0
            if event.cost is not None:
                told = event.streamed if isinstance(event, Output) else None
                cost, streamed = event.cost, event.cost if told is None else told
            elif terms.llm and isinstance(event, Output):  # of a provider that did not say what it used
                answer = len(event.value or b"")
                size = len(claim.input) or int(of.size)  # what runs elsewhere is known without its input
                cost, streamed = self._by_length(of, draft, of.lane, size, answer) or (cost, streamed)
            if cost > DEAREST or streamed > DEAREST:
                cost, streamed = min(cost, DEAREST), min(streamed, DEAREST)
            outcome = settle(
                event,
                claim,
                retries=terms.retries,
                backoff=terms.backoff,
                retry_on=terms.retry_on,
                now=now,
                cost=cost,
                streamed=streamed,
                first=first,
                draft=draft,
            )
            made = draft and (maker := self._maker(of)) != of.handler
            settled.append(replace(outcome, by=maker) if made else outcome)
        if settled:
            self._streaming.used(of.handler)
        return settled

    def forget(self) -> None:
        """The configuration changed: agree on the terms anew."""
        self._known.clear()
        self._streaming.forget()

    def _look(self, number: int, draft: bool = False) -> tuple[Cohort, Terms]:
        known = self._known.get((number, draft))
        if known is None:
            if len(self._known) >= KEPT:
                self._known.clear()  # what is still held is looked up again
            of = cohort(self._outlook.store, number)
            known = self._known[number, draft] = (of, self._agreed(of, self._maker(of) if draft else of.handler))
        return known

    def _by_length(self, cohort: Cohort, draft: bool, lane: Lane, size: int, answer: int) -> tuple[float, float] | None:
        """Money of a call to a model, (as it was, streamed), by its length; None: it is no model, or has no price."""
        name = self._maker(cohort) if draft else cohort.handler
        if not self._outlook.handler(name).traits.llm:
            return None
        from ..brain.llm import LlmEstimate

        estimate = self._outlook.estimate(name)
        return estimate.reckoned(lane, size, answer) if isinstance(estimate, LlmEstimate) else None

    def _maker(self, cohort: Cohort) -> str:
        """Who makes the drafts of these jobs."""
        return self._outlook.handler(cohort.handler).draft or cohort.handler

    def _streamed(self, event: Output | Failure, claim: Claim, draft: bool, startup: float, together: int) -> float:
        """Money that a job would have cost streamed as it came, in a call of its own."""
        of, terms = self._look(claim.cohort, draft)
        gain, apart = self.sharing.gain(of.handler), 1 - 1 / together
        alone = max(0.0, event.busy + (gain or 0.0) * apart) + self._start(claim, of, terms, startup)
        begun = (terms.streams.at if terms.streams else 0.0) + (claim.id - of.first) // terms.slots * alone
        factor = terms.tariff.mean(begun, begun + alone)
        if gain is None and apart and isinstance(event, Output):
            self.sharing.owe(of.handler, of.id, apart * terms.per_second * factor)
        return (terms.per_job + alone * terms.per_second) * factor

    def _agreed(self, cohort: Cohort, by: str) -> Terms:
        outlook, handler = self._outlook, self._outlook.handler(by)
        price, policy = handler.price, outlook.config.policy
        per_second = 0.0 if handler.traits.remote or price is not None else policy.machine_cost / 3600
        as_it_came = cohort.lane is Lane.STREAM and cohort.mode is cohort.decision.mode
        each, tariff = cohort.lane is Lane.BATCH and handler.traits.starts == "each", outlook.tariff_of(by)
        return Terms(
            cohort.request.retries,
            cohort.request.backoff,
            cohort.request.retry_on,
            per_second,
            price or 0.0,
            tariff,
            start=outlook.estimate(by).startup() if each else None,
            streams=None if as_it_came else self._streaming.begun(cohort),
            slots=outlook.slots(cohort.handler, Lane.STREAM),
            llm=handler.traits.llm,
        )

    def _start(self, claim: Claim, of: Cohort, terms: Terms, startup: float) -> float:
        """Seconds of the start that a job would have paid streamed; `startup`: what it has paid."""
        if terms.start is not None:
            return terms.start
        place = claim.id - of.first if not claim.tries else of.jobs  # one that is tried again has told its start
        return self._streaming.needed(of, startup, place)


def charge_cancelled(store: Store, settling: Billing, job: int, attempt: int) -> None:
    """Book what this attempt has cost by now."""
    found = holds.cancelled_since(store, job, attempt)
    if found is None:
        return
    cohort, started, data = found
    claim = Claim(id=job, attempt=attempt, tries=0, cohort=cohort, input=data)
    draft = settling.cohort(claim).mode is Mode.ADAPTIVE
    answer = output_path(store.home, job, attempt, 1)
    cost = settling.used(claim, draft, answer.stat().st_size if answer.exists() else 0)
    busy = max(0.0, time.time() - started)
    ended = Failure(job, attempt, "cancelled", retryable=False, busy=busy, cost=cost)
    with store.tx() as connection:
        holds.book_cancelled(connection, settling.outcomes([(ended, claim)], draft=draft))
