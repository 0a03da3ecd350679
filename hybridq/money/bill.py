"""What jobs are charged: each outcome with its cost, and what it would have cost streamed.

Rule: money is counted once, here, with the tariff of now against the tariff at the submission. A cancelled job pays
for its time until then; one that was queued again meanwhile is left alone.
"""

import time
from collections.abc import Iterable
from typing import NamedTuple

from msgspec.structs import replace

from ..brain.outcome import Outcome, settle
from ..errors import NoSuchJob
from ..job import DEAREST, Failure, Lane, Mode, Output
from ..outlook import Outlook
from ..queue import holds
from ..queue.claims import Claim
from ..queue.cohorts import Cohort, cohort, environment
from ..queue.outputs import output_path
from ..queue.store import Store

FEW = 100  # sets of variables that are remembered
KEPT = 10_000  # cohorts whose terms are remembered


class Terms(NamedTuple):
    """What one cohort's jobs cost at factor 1, the factor when they were submitted, and how often they are retried.

    `share` is what they take in their lane of what they would take streamed, and `start` the seconds of the start that
    each would have paid then; None: the one that was really made. `llm`: by what it used.
    """

    retries: int
    per_second: float
    per_job: float
    factor: float
    share: float
    start: float | None
    llm: bool


class Billing:
    """Knows the cohorts of what a runner holds, and on which terms they run."""

    def __init__(self, outlook: Outlook) -> None:
        self._outlook = outlook
        self._known: dict[tuple[int, bool], tuple[Cohort, Terms]] = {}
        self._variables: dict[int, dict[str, str]] = {}

    def used(self, claim: Claim, draft: bool, answer: int) -> float | None:
        """What a stream has cost that ended after so many bytes of its answer, by these; None: by its time."""
        paid = self._by_length(self.cohort(claim), draft, Lane.STREAM, len(claim.input), answer)
        return None if paid is None else paid[0]

    def cohort(self, claim: Claim) -> Cohort:
        """The cohort of a claim, as it was when it was first held."""
        return self._look(claim.cohort)[0]

    def variables(self, of: Cohort) -> dict[str, str]:
        """The variables that a cohort's commands run with."""
        if of.variables is None:
            return of.request.env
        if of.variables not in self._variables:
            if len(self._variables) >= FEW:
                self._variables.clear()
            self._variables[of.variables] = environment(self._outlook.store, of).env
        return self._variables[of.variables]

    def outcomes(
        self,
        ended: Iterable[tuple[Output | Failure, Claim]],
        *,
        first: float | None = None,
        draft: bool = False,
        startup: float = 0.0,
        alone: float | None = None,
    ) -> list[Outcome]:
        """What becomes of these attempts, with what each cost and what it would have cost streamed.

        `startup` seconds of a start that was made for them are paid by the first; streamed, it would have been too.
        `alone`: how many times as long each would have taken without the others in its call; None: as its cohort's
        terms say. A `draft` costs what the jobs of its maker cost.
        """
        now = time.time()
        factor = self._outlook.tariff.factor(now)
        settled = []
        for event, claim in ended:
            try:
                of, terms = self._look(claim.cohort, draft)
            except NoSuchJob:
                continue  # cancelled and cleaned away meanwhile: nobody's
            by_itself = event.busy / terms.share if alone is None else event.busy * alone
            by_itself += startup if terms.start is None else terms.start
            cost = (terms.per_job + (event.busy + startup) * terms.per_second) * factor
            streamed = (terms.per_job + by_itself * terms.per_second) * terms.factor
            startup = 0.0
            if event.cost is not None:
                told = event.streamed if isinstance(event, Output) else None
                cost, streamed = event.cost, event.cost if told is None else told
            elif terms.llm and isinstance(event, Output):  # of a provider that did not say what it used
                answer = len(event.value or b"")
                size = len(claim.input) or int(of.size)  # what runs elsewhere is known without its input
                cost, streamed = self._by_length(of, draft, of.lane, size, answer) or (cost, streamed)
            cost, streamed = min(cost, DEAREST), min(streamed, DEAREST)
            outcome = settle(
                event, claim, retries=terms.retries, now=now, cost=cost, streamed=streamed, first=first, draft=draft
            )
            made = draft and (maker := self._maker(of)) != of.handler
            settled.append(replace(outcome, by=maker) if made else outcome)
        return settled

    def forget(self) -> None:
        """The configuration changed: agree on the terms anew."""
        self._known.clear()

    def _look(self, number: int, draft: bool = False) -> tuple[Cohort, Terms]:
        known = self._known.get((number, draft))
        if known is None:
            if len(self._known) >= KEPT:
                self._known.clear()  # what is still held is looked up again
            of = cohort(self._outlook.store, number)
            known = self._known[number, draft] = (of, self._agreed(of, self._maker(of) if draft else of.handler))
        return known

    def _by_length(self, of: Cohort, draft: bool, lane: Lane, size: int, answer: int) -> tuple[float, float] | None:
        """Money of a call to a model, (as it was, streamed), by its length; None: it is no model, or has no price."""
        name = self._maker(of) if draft else of.handler
        if not self._outlook.handler(name).traits.llm:
            return None
        from ..brain.llm import LlmEstimate

        estimate = self._outlook.estimate(name)
        return estimate.reckoned(lane, size, answer) if isinstance(estimate, LlmEstimate) else None

    def _maker(self, of: Cohort) -> str:
        """Who makes the drafts of these jobs."""
        return self._outlook.handler(of.handler).draft or of.handler

    def _agreed(self, of: Cohort, by: str) -> Terms:
        handler = self._outlook.handler(by)
        price, policy = handler.price, self._outlook.config.policy
        per_second = 0.0 if handler.traits.remote or price is not None else policy.machine_cost / 3600
        estimate, batched = self._outlook.estimate(by), of.lane is Lane.BATCH
        return Terms(
            of.request.retries,
            per_second,
            price or 0.0,
            self._outlook.tariff.factor(of.accepted),
            share=estimate.share if batched else 1.0,
            start=estimate.startup() if batched and handler.traits.starts == "each" else None,
            llm=handler.traits.llm,
        )


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
