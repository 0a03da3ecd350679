"""A queue whose past is made by hand: the real verbs, each told the time, so that every figure can be foreseen."""

import math
from collections.abc import Sequence
from pathlib import Path

from hybridq.brain.outcome import settle
from hybridq.job import Audience, Decision, Failure, Forecast, Lane, Mode, Output, Request
from hybridq.queue import flushes
from hybridq.queue.account import Ledger
from hybridq.queue.bulk import Bulk
from hybridq.queue.claims import Claim, claim_batch, claim_stream
from hybridq.queue.cohorts import job
from hybridq.queue.ledger import read
from hybridq.queue.results import record
from hybridq.queue.runner import Runner
from hybridq.reason import said
from hybridq.report.report import Report, report
from tests.support.building import queue

CONFIG = '[handlers.echo]\ncommand = ["cat"]\nprotocol = "lines"\nexpected = "20ms"\nfixed = "1s"\n'
START = 1_795_400_000.0  # all times that a test names are seconds after this


class Past:
    """Jobs of the handler `echo`; times are seconds after START."""

    def __init__(self, folder: Path) -> None:
        self.outlook = queue(folder, CONFIG)
        self.store = self.outlook.store
        self.home = self.store.home.folder
        self._runner = Runner(self.store, "submit")
        self.runner = self._runner.id

    def submit(
        self,
        at: float,
        jobs: int = 1,
        *,
        audience: Audience = Audience.BACKGROUND,
        mode: Mode = Mode.BATCH,
        due: float = math.inf,
        promised: Sequence[float] = (),
        group: str | None = None,
    ) -> list[int]:
        """One submission; `promised` are its start, its finish and its finish at the 90th percentile."""
        request = Request(
            handler="echo", audience=audience, group=group, deadline=None if due == math.inf else START + due
        )
        told = dict(zip(("start", "finish", "finish90"), (START + each for each in promised), strict=False))
        decision = Decision(mode=mode, reason=said("a test"), considered=(Forecast(mode=mode, **told),))  # type: ignore[arg-type]
        with Bulk(self.store) as bulk:
            for _ in range(jobs):
                bulk.add(request, b'"x"')
            accepted = bulk.accept(lambda *_: (decision, 0.0), now=START + at)
        assert accepted is not None
        return list(range(accepted.first, accepted.last + 1))

    def stream(
        self,
        number: int,
        began: float,
        first: float,
        ended: float,
        *,
        cost: float = 1.0,
        error: str = "",
        draft: bool = False,
    ) -> None:
        """Run a job of the stream lane; streamed, it cost what it would have cost streamed."""
        claims = claim_stream(self.store, self.runner, "echo", 1, START + began, only=[job(self.store, number).cohort])
        assert [claim.id for claim in claims] == [number]
        self.end(claims[0], ended, cost=cost, streamed=cost, first=START + first, error=error, draft=draft)

    def flush(
        self,
        began: float,
        ended: float,
        jobs: Sequence[int],
        *,
        rule: str = "plan",
        reason: str = "it was cheap",
        ends: Sequence[float] = (),
        errors: Sequence[str] = (),
        cost: float = 0.25,
        streamed: float = 1.0,
    ) -> None:
        """Run held jobs together; `ends` are their ends where they are not `ended`, `errors` of the first of them."""
        cohorts = list(dict.fromkeys(job(self.store, number).cohort for number in jobs))
        number = flushes.open_flush(self.store, self.runner, "echo", rule, said(reason), 0.4, len(jobs), START + began)
        claims = claim_batch(self.store, self.runner, number, "echo", cohorts, len(jobs), START + began)
        assert {claim.id for claim in claims} == set(jobs)
        for place, claim in enumerate(claims):
            error = errors[place] if place < len(errors) else ""
            at = ends[place] if place < len(ends) else ended
            self.end(claim, at, cost=cost, streamed=streamed, error=error, lane=Lane.BATCH)
        done = len(jobs) - len(errors)
        flushes.close_flush(self.store, number, done, len(errors), 0.0, cost * len(jobs), START + ended)

    def end(
        self,
        claim: Claim,
        at: float,
        *,
        cost: float = 1.0,
        streamed: float = 1.0,
        first: float | None = None,
        error: str = "",
        draft: bool = False,
        dropped: int = 0,
        lane: Lane = Lane.STREAM,
    ) -> None:
        """Store what became of a claim."""
        event = (
            Failure(claim.id, claim.attempt, error)
            if error
            else Output(claim.id, claim.attempt, value=b'"fine"', dropped=dropped)
        )
        outcome = settle(
            event, claim, retries=0, now=START + at, cost=cost, streamed=streamed, first=first, draft=draft
        )
        record(self.store, [outcome])

    def claim(self, number: int, at: float) -> Claim:
        """Take a job of the stream lane, and leave it running."""
        (claim,) = claim_stream(self.store, self.runner, "echo", 1, START + at, only=[job(self.store, number).cohort])
        return claim

    def ledger(self, now: float = 1000.0, since: float = -START) -> Ledger:
        """What a report reads."""
        return read(self.store, START + since, START + now)

    def report(self, now: float = 1000.0, since: float = -START) -> Report:
        """What it says."""
        return report(self.ledger(now, since), START + now)


def asked(past: Past, at: float, first: float, ended: float, **more: object) -> int:
    """A job that a person waited for: asked for at `at`, first byte and end at the others."""
    (number,) = past.submit(at, audience=Audience.USER, mode=Mode.STREAM)
    past.stream(number, at, first, ended, **more)  # type: ignore[arg-type]
    return number
