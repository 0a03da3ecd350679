"""What a view shows is the queue at one instant, whatever runs and ends while it is read."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from hybridq.job import State
from hybridq.outlook import Outlook
from hybridq.selection import parse_selector
from hybridq.status.detail import detail
from hybridq.submit import connect
from tests.support.building import asking, look, queue, run_jobs, submit_all


def meanwhile(outlook: Outlook, statement: str, change: Callable[[], None]) -> None:
    """Let another process change the queue while the first statement with these words is read."""

    def seen(sql: str) -> None:
        if statement in sql:
            outlook.store.connection.set_trace_callback(None)
            change()

    outlook.store.connection.set_trace_callback(seen)


@pytest.mark.parametrize("statement", ["cohort_queued", "cohort_running", "FROM tally", "FROM cohort"])
def test_a_row_that_ends_while_it_is_read(tmp_path: Path, statement: str) -> None:
    """The head and the rows tell of the same jobs, all of them still waiting."""
    outlook, other = queue(tmp_path), connect({}, home=tmp_path / "home")
    with outlook.store, other.store:
        submit_all(outlook, asking(), [b"1"])
        meanwhile(outlook, statement, lambda: run_jobs(other, 1))
        seen = look(outlook)
        assert seen.head.counts == {State.QUEUED: 1}
        assert [row.counts for row in seen.rows] == [{State.QUEUED: 1}]
        assert look(outlook).head.counts == {State.DONE: 1}


@pytest.mark.parametrize("statement", ["FROM cohort", "FROM result"])
def test_a_job_that_ends_while_it_is_told_of(tmp_path: Path, statement: str) -> None:
    """Nothing of what is told is of later than the rest."""
    outlook, other = queue(tmp_path), connect({}, home=tmp_path / "home")
    with outlook.store, other.store:
        submit_all(outlook, asking(), [b"1"])
        meanwhile(outlook, statement, lambda: run_jobs(other, 1))
        told = detail(outlook, parse_selector("1"), now=time.time())
        assert (told.state, told.attempt, told.result) == (State.QUEUED, 0, None)
