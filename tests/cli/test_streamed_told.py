"""What a job would have cost streamed, where that is not known."""

import json
import time

from hybridq.brain.outcome import settle
from hybridq.job import Mode, Output
from hybridq.outlook import Outlook
from hybridq.queue.claims import claim_stream
from hybridq.queue.results import record
from hybridq.queue.runner import Runner
from tests.support.building import asking, command, document, submit_all


def ended(outlook: Outlook, *, busy: float, cost: float, streamed: float) -> None:
    """A job that streamed has ended so."""
    submit_all(outlook, asking(mode=Mode.STREAM), [b'"x"'])
    now, runner = time.time(), Runner(outlook.store, "submit")
    (claim,) = claim_stream(outlook.store, runner.id, "echo", 1, now)
    output = Output(claim.id, claim.attempt, value=b'"fine"', busy=busy)
    record(outlook.store, [settle(output, claim, retries=0, now=now, cost=cost, streamed=streamed)])
    runner.close(outlook.store)


def exported(outlook: Outlook) -> float | None:
    """What `export` says of job 1."""
    streamed: float | None = json.loads(command(outlook.store.home, "export", "1").stdout)["streamed"]
    return streamed


def test_one_that_ran_within_its_start_has_no_price(outlook: Outlook) -> None:
    """Whose seconds cannot be told from its start did not cost 0 streamed: it is not known what it would have."""
    ended(outlook, busy=0.0, cost=0.25, streamed=0.0)
    assert exported(outlook) is None
    assert document(outlook, "show", "1")["streamed"] is None
    assert "would have cost" not in command(outlook.store.home, "show", "1").stdout


def test_what_is_free_costs_0(outlook: Outlook) -> None:
    """A job whose time was told, and cost nothing, would have cost nothing streamed."""
    ended(outlook, busy=2.0, cost=0.0, streamed=0.0)
    assert exported(outlook) == document(outlook, "show", "1")["streamed"] == 0.0
