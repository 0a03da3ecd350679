"""The times ahead that a snapshot tells: never in the past, none that nobody can keep, the loop's own plan first."""

import time
from itertools import pairwise
from pathlib import Path

import pytest

from hybridq.brain.plan import plan
from hybridq.job import Flush, Mode, State
from hybridq.outlook import Outlook
from hybridq.queue.claims import claim_stream
from hybridq.queue.cohorts import cohort, job
from hybridq.queue.flushes import open_flush
from hybridq.queue.learned import intend
from hybridq.queue.runner import Runner
from hybridq.reason import NOBODY, said
from hybridq.status.overview import take
from hybridq.submit import submit
from hybridq.when import clock
from hybridq_cli.draw import words
from tests.support.building import ECHO, asking, look, night, queue, run_jobs, submit_all


def test_without_a_runner_nothing_is_promised(outlook: Outlook) -> None:
    """Held and queued work has no ETA while nobody runs the queue, and says what it waits for."""
    submit_all(outlook, asking(group="g"), [b"1"] * 3)
    submit(outlook, asking(mode=Mode.STREAM), b"1")
    for row in look(outlook).rows:
        assert (row.start, row.eta, row.why_kind) == (None, None, NOBODY)
    assert look(outlook).head.next_flush is None


def test_a_held_row_starts_when_its_flush_is_planned(tmp_path: Path) -> None:
    """With a daemon, what is held until the night starts then, as the head says too, with a spread after it."""
    now = time.time()
    outlook = queue(tmp_path, night(now, 1800) + ECHO)
    with outlook.store:
        submit_all(outlook, asking(group="g"), [b"1"] * 3000)
        runner = Runner(outlook.store, "daemon")
        found = look(outlook)
        runner.close(outlook.store)
    row = found.rows[0]
    assert row.start == found.head.next_flush == int(now + 1800)
    assert row.start is not None
    assert row.eta is not None
    assert row.eta90 is not None
    assert row.start < row.eta <= row.eta90
    assert row.why.startswith("held for the night price at")
    assert found.head.next_flush_why == f"night price: {row.why.partition(': ')[2]}"


def test_of_several_flushes_at_one_instant_the_first_name_is_told(tmp_path: Path) -> None:
    """Whoever looks sees the same: the first by name, and how many more are due then."""
    now = time.time()
    outlook = queue(tmp_path, night(now, 1800) + ECHO + ECHO.replace("handlers.echo", "handlers.abc"))
    with outlook.store:
        for handler in ("echo", "abc"):
            submit_all(outlook, asking(handler, group=handler), [b"1"] * 3000)
        runner = Runner(outlook.store, "daemon")
        found = look(outlook).head
        runner.close(outlook.store)
    assert found.next_flush_why.startswith("abc: night price: costs")
    assert found.next_flush_why.endswith("; and 1 more")


def test_a_held_row_tells_its_own_costs(tmp_path: Path) -> None:
    """Of two that one flush runs each says what itself costs then and now; the head says what both do."""
    outlook = queue(tmp_path, night(time.time(), 1800) + ECHO.replace("20ms", "3.6s"))
    with outlook.store:
        submit_all(outlook, asking(group="one"), [b"1"] * 100)
        submit_all(outlook, asking(group="three"), [b"1"] * 300)
        runner = Runner(outlook.store, "daemon")
        found = look(outlook)
        runner.close(outlook.store)
    told = {row.group: row.why.partition(": ")[2] for row in found.rows}
    assert told == {"one": "costs 0.02 then, 0.10 now", "three": "costs 0.06 then, 0.30 now"}
    assert found.head.next_flush_why == "night price: costs 0.08 then, 0.40 now"


def test_the_daemons_own_plan_counts(outlook: Outlook) -> None:
    """Where the loop has written down when it flushes and why, that is what is shown."""
    submit_all(outlook, asking(group="g"), [b"1"] * 3)
    at = time.time() + 4321
    intend(outlook.store, "echo", (Flush(at=at, keys=(), jobs=3, rule="plan", reason=said("as the loop says")),), at)
    runner = Runner(outlook.store, "daemon")
    found = look(outlook)
    runner.close(outlook.store)
    assert (found.rows[0].start, found.rows[0].why) == (at, "as the loop says")
    assert (found.head.next_flush, found.head.next_flush_why) == (at, "as the loop says")
    assert (found.rows[0].eta or 0) > at


def test_a_flush_that_runs_is_the_next(outlook: Outlook) -> None:
    """While a flush has more to take, the head says since when, and its reason, whatever a plan of the rest would be;
    the instant stays as time goes."""
    runner, began = Runner(outlook.store, "daemon"), time.time() - 8
    submit_all(outlook, asking(group="g"), [b"1"] * 30)
    open_flush(outlook.store, runner.id, "echo", "plan", said("run now: it is cheap"), 0.4, 30, began)
    run_jobs(outlook, 10, hold=5)
    intend(outlook.store, "echo", (Flush(at=2e9, keys=(), jobs=20, rule="plan", reason=said("later")),), time.time())
    found = look(outlook)
    assert f"runs since {clock(began, time.time())}" in words.next_flush(found.head, time.time())
    assert words.planned_flush(found.head, time.time()).startswith("since 20")
    runner.close(outlook.store)
    assert (found.head.next_flush, found.head.next_flush_why) == (began, "run now: it is cheap")
    assert found.rows[0].why == found.head.next_flush_why


def test_no_eta_lies_in_the_past(outlook: Outlook) -> None:
    """A job that has run for longer than any was seen has no ETA, or one ahead."""
    submit(outlook, asking(), b"1")
    submit_all(outlook, asking(group="g"), [b"1"] * 4)
    run_jobs(outlook, 3, hold=3)
    for later in (0.0, *(n / 200 for n in range(30, 90)), 60.0, 86400.0):
        now = time.time() + later
        for row in take(outlook, now=now, limit=10).rows:
            assert row.eta is None or row.eta >= now
            assert row.start is None or row.start >= now or row.state is State.RUNNING


def test_queued_stream_jobs_come_one_after_another(outlook: Outlook) -> None:
    """Each job's ETA counts those before it, and no more."""
    for _ in range(5):
        submit(outlook, asking(mode=Mode.STREAM), b'"x"')
    runner = Runner(outlook.store, "daemon")
    etas = [row.eta for row in look(outlook).rows]
    alone = look(outlook, "3").rows[0].eta
    runner.close(outlook.store)
    assert None not in etas
    assert etas == sorted(etas, key=lambda eta: eta or 0.0)
    assert (etas[-1] or 0.0) - (etas[0] or 0.0) == pytest.approx(4 * 0.02, rel=0.2)
    assert alone == pytest.approx(etas[2], abs=0.5)


def test_a_queued_stream_job_waits_for_those_before_it_alone(tmp_path: Path) -> None:
    """Of three that wait behind one that runs on the only instance, each is done about a run later than the one before;
    the first waits for the rest of what runs."""
    outlook = queue(tmp_path, '[handlers.echo]\ncommand = ["cat"]\nexpected = "10s"\nfixed = "0s"\n')
    with outlook.store:
        for _ in range(4):
            submit(outlook, asking(mode=Mode.STREAM), b"1")
        runner = Runner(outlook.store, "daemon")
        claim_stream(outlook.store, runner.id, "echo", 1, time.time())
        rows = sorted(look(outlook).rows, key=lambda row: row.id)
        runner.close(outlook.store)
    ends = [row.eta or 0.0 for row in rows]
    assert [row.state for row in rows] == [State.RUNNING, *[State.QUEUED] * 3]
    assert [after - before for before, after in pairwise(ends)] == pytest.approx([10.0] * 3, abs=1.5)


def test_a_submission_is_told_the_plan_that_it_makes(tmp_path: Path) -> None:
    """The second to come is itself one more that comes: what is decided for it is what is then planned."""
    outlook = queue(tmp_path, '[handlers.gpt]\nkind = "openai"\nmodel = "gpt-5-mini"\n')
    first, second = (submit(outlook, asking("gpt"), b'"x"') for _ in range(2))
    now = cohort(outlook.store, job(outlook.store, second.first).cohort).accepted
    planned = plan(outlook.conditions("gpt", now).held, outlook.conditions("gpt", now))
    assert first.decision.forecast.note is not None
    assert first.decision.forecast.note.runs
    assert second.decision.forecast.start == pytest.approx((*planned.due, *planned.later)[0].at, abs=0.1)
