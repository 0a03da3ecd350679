"""What is foreseen of work that waits: its times run forward through what it waits for."""

import time
from itertools import pairwise
from pathlib import Path

import pytest

from hybridq.job import Mode, Waits
from hybridq.outlook import Outlook
from hybridq.queue.runner import Runner
from hybridq.queue.select import chosen
from hybridq.selection import Group
from hybridq.status.snapshot import Row
from hybridq.submit import submit, submit_many
from tests.support.building import ECHO, asking, look, night, queue, submit_all

HOUR = 3600.0


def after(*jobs: int) -> Waits:
    """Waiting for these to be done."""
    return Waits(done=tuple((job, job) for job in jobs))


def watched(outlook: Outlook) -> list[Row]:
    """All rows by id, while a daemon is there."""
    runner = Runner(outlook.store, "daemon")
    rows = look(outlook).rows
    runner.close(outlook.store)
    return sorted(rows, key=lambda row: row.id)


@pytest.mark.parametrize("mode", [Mode.STREAM, Mode.BATCH])
def test_a_chain_runs_forward(outlook: Outlook, mode: Mode) -> None:
    """The first begins at its time, each other one when the one before it is done."""
    at = time.time() + HOUR
    first = submit(outlook, asking(mode=mode, not_before=at), b"1").first
    second = submit(outlook, asking(mode=mode), b"1", behind=after(first)).first
    submit(outlook, asking(mode=mode), b"1", behind=after(first, second))
    rows = watched(outlook)
    assert rows[0].start is not None
    assert at - 1 <= rows[0].start < at + 120  # a batch may wait for others to share its start
    for before, row in pairwise(rows):
        assert row.start is not None
        assert row.eta is not None
        assert row.eta90 is not None
        assert before.eta is not None
        assert before.eta <= row.start < row.eta <= row.eta90


def test_what_waits_for_a_group_begins_after_its_last(outlook: Outlook) -> None:
    """Held jobs are waited for as they are planned."""
    submit_all(outlook, asking(group="g"), [b"1"] * 500)
    jobs = list(chosen(outlook.store, [Group("g")]))
    submit(outlook, asking(mode=Mode.STREAM), b"1", behind=Waits(done=((jobs[0], jobs[-1]),), name="g"))
    group, one = watched(outlook)
    assert one.start is not None
    assert group.eta is not None
    assert one.start >= group.eta
    assert one.why == "waits for g"


def test_a_batch_that_waits_is_planned_from_then_on(tmp_path: Path) -> None:
    """What may begin only at night has the night's price, and its start."""
    now = time.time()
    outlook = queue(tmp_path, night(now, 1800) + ECHO)
    with outlook.store:
        accepted = submit(outlook, asking(not_before=now + 2000), b"1")
        (row,) = watched(outlook)
        assert row.start is not None
        assert row.start >= now + 2000
        assert (accepted.decision.forecast.start or 0) >= now + 2000


def test_a_chain_too_long_to_be_foreseen_is_unknown(outlook: Outlook) -> None:
    """A view costs the same however long a chain is."""
    job = submit(outlook, asking(mode=Mode.STREAM), b"1").first
    for _ in range(60):
        job = submit(outlook, asking(mode=Mode.STREAM), b"1", behind=after(job)).first
    runner = Runner(outlook.store, "daemon")
    assert look(outlook, str(job)).rows[0].eta is None
    assert look(outlook, "5").rows[0].eta is not None
    runner.close(outlook.store)


def test_nothing_is_promised_for_what_depends_on_others(outlook: Outlook) -> None:
    """Their lateness is not its own: no promise is kept that would be judged."""
    runner = Runner(outlook.store, "daemon")
    first = submit(outlook, asking(mode=Mode.STREAM), b"1").first
    kept = outlook.store.rows("SELECT count(*) FROM promise")
    accepted = submit_many(outlook, [(asking(mode=Mode.STREAM), b"1", None, after(first))] * 3)
    assert accepted is not None
    assert outlook.store.rows("SELECT count(*) FROM promise") == kept
    runner.close(outlook.store)
