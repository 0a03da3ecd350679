"""Shorthands for the queue's verbs, each told what was decided elsewhere, and what its counters must always be."""

from collections.abc import Callable

import msgspec
import pytest

from hybridq.brain.outcome import Outcome, settle
from hybridq.job import Audience, Decision, Failure, Mode, Output, Request
from hybridq.queue.bulk import Bulk
from hybridq.queue.claims import Claim
from hybridq.queue.cohorts import tally
from hybridq.queue.store import Store
from hybridq.reason import said
from tests.support.recounting import check_sums

BACKGROUND = Request(handler="h", audience=Audience.BACKGROUND)


def deciding(mode: Mode) -> Callable[[Request, int, float], tuple[Decision, float]]:
    """A decision that was made elsewhere: this mode."""
    return lambda _request, _jobs, _size: (Decision(mode=mode, reason=said("test")), 0.001)


def many(store: Store, inputs: list[bytes], mode: Mode = Mode.BATCH, request: Request = BACKGROUND) -> list[int]:
    """The ids of one submission of these inputs."""
    with Bulk(store) as bulk:
        for data in inputs:
            bulk.add(request, data)
        accepted = bulk.accept(deciding(mode), now=1.0)
    assert accepted is not None
    return list(range(accepted.first, accepted.last + 1))


def ended(claim: Claim, *, ok: bool = True, retries: int = 0) -> Outcome:
    """How a claim ended."""
    if ok:
        event: Output | Failure = Output(claim.id, claim.attempt, value=b"1")
    else:
        event = Failure(claim.id, claim.attempt, "no")
    return settle(event, claim, retries=retries, now=2.0)


def check_counters(store: Store) -> None:
    """Every counter is what counting the rows gives."""
    counted = store.rows(
        "SELECT c.id, sum(j.state = 'queued'), sum(j.state = 'running'), sum(j.state = 'done'),"
        " sum(j.state = 'failed'), sum(j.state = 'cancelled') FROM cohort c JOIN job j ON j.cohort = c.id"
        " WHERE c.accepted IS NOT NULL GROUP BY c.id ORDER BY c.id"
    )
    kept = store.rows(
        "SELECT id, queued, running, done, failed, cancelled FROM cohort WHERE accepted IS NOT NULL AND jobs > 0"
        " ORDER BY id"
    )
    assert kept == counted
    assert tally(store) == {
        (handler, lane, state): jobs
        for handler, lane, state, jobs in store.rows(
            "SELECT handler, lane, state, count(*) FROM job JOIN cohort ON cohort.id = job.cohort"
            " WHERE accepted IS NOT NULL GROUP BY handler, lane, state"
        )
    }
    assert (
        store.rows(
            "SELECT id FROM cohort"
            " JOIN (SELECT cohort, min(id) AS low, max(id) AS high FROM job GROUP BY cohort) AS seen"
            " ON seen.cohort = cohort.id WHERE accepted IS NOT NULL AND (low < first_id OR high > last_id)"
        )
        == []
    )
    check_classes(store)
    check_gates(store)
    check_sums(store)


def check_gates(store: Store) -> None:
    """Each gate counts what it waits for; nothing waits at an open one, and nothing has begun at a closed one."""
    true = {
        gate: (int(left), int(broken))
        for gate, left, broken in store.rows(
            "SELECT gate.id, total(CASE WHEN awaited IS NULL THEN 0"
            " WHEN whatever THEN state IN ('queued', 'running') ELSE state <> 'done' END)"
            " + (at IS NOT NULL), total(whatever = 0 AND state IN ('failed', 'cancelled'))"
            " FROM gate LEFT JOIN dependency ON dependency.gate = gate.id LEFT JOIN job ON job.id = awaited"
            " WHERE open > 0 GROUP BY gate.id"
        )
    }
    assert {
        gate: (left, broken)
        for gate, left, broken in store.rows("SELECT * FROM (SELECT id, open, broken FROM gate WHERE open > 0)")
    } == true
    behind = "SELECT job.id FROM job JOIN cohort ON cohort.id = cohort JOIN gate ON gate.id = job.gate WHERE accepted"
    assert store.rows(f"{behind} AND open = 0 AND job.state = 'queued' AND lane = 'none'") == []
    assert store.rows(f"{behind} AND open > 0 AND (job.state IN ('running', 'done', 'failed') OR lane <> 'none')") == []
    assert store.rows(f"{behind} AND open > 0 AND broken > 0 AND job.state = 'queued'") == []


def check_classes(store: Store) -> None:
    """Each held cohort without a limit on money of its own is counted in one class, whose sums are those of its own."""
    counted = store.rows(
        "SELECT class, handler, pinned, count(*), sum(queued), sum(size / jobs * queued), sum(accepted * queued),"
        " sum(delay_cost * queued) FROM cohort WHERE lane = 'batch' AND queued > 0 AND class IS NOT NULL"
        " GROUP BY class, handler, pinned ORDER BY class"
    )
    kept = store.rows(
        "SELECT id, handler, pinned, cohorts, jobs, size, came * jobs + since, delay_cost FROM class ORDER BY id"
    )
    assert [row[:5] for row in kept] == [row[:5] for row in counted]
    assert [row[5:] for row in kept] == [pytest.approx(row[5:]) for row in counted]
    single = store.rows("SELECT request FROM cohort WHERE lane = 'batch' AND queued > 0 AND class IS NULL")
    assert all(msgspec.json.decode(request, type=Request).max_cost is not None for (request,) in single)
