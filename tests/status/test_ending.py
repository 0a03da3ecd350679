"""The end of what jobs have put out, as a view shows it again and again."""

import json

import pytest

from hybridq.errors import NoSuchJob
from hybridq.job import State
from hybridq.outlook import Outlook
from hybridq.queue.lists import begun_last
from hybridq.queue.outputs import output_path
from hybridq.status.ending import JOBS, ending, endings

from ..support.building import asking, run_jobs, submit_all


def put_out(outlook: Outlook, number: int, data: bytes, stream: int = 1, attempt: int = 1) -> None:
    """Have a job's attempt put this out."""
    path = output_path(outlook.store.home, number, attempt, stream)
    path.parent.mkdir(mode=0o700, exist_ok=True)
    path.write_bytes(data)
    path.chmod(0o600)


def test_of_a_long_output_its_last_lines_are_read(outlook: Outlook) -> None:
    """It begins with a whole line, and what comes before it is counted."""
    submit_all(outlook, asking(), [b"1"])
    run_jobs(outlook, 1, hold=1)
    data = b"".join(b"line %d\n" % number for number in range(10_000))
    put_out(outlook, 1, data)
    put_out(outlook, 1, b"a warning\n", stream=2)
    found = ending(outlook.store, 1, 100)
    assert data.endswith(found.out)
    assert found.out.startswith(b"line ")
    assert found.before + len(found.out) == len(data)
    assert (found.err, found.state, found.value) == (b"a warning\n", State.RUNNING, False)


def test_a_result_is_read_whole(outlook: Outlook) -> None:
    """What a handler returned is the output, and JSON."""
    submit_all(outlook, asking(), [b"1"])
    run_jobs(outlook, 1)
    found = ending(outlook.store, 1, 2)
    assert (json.loads(found.out), found.value, found.before) == ("fine", True, 0)


def test_a_failure_is_read_with_its_error(outlook: Outlook) -> None:
    """A job that failed says why, and that it put out nothing."""
    submit_all(outlook, asking(), [b"1"])
    run_jobs(outlook, 1, fail=1)
    found = ending(outlook.store, 1)
    assert (found.out, found.error, found.state) == (b"", "it went wrong", State.FAILED)


def test_a_job_that_is_not_there_is_an_error(outlook: Outlook) -> None:
    """Its number is named."""
    with pytest.raises(NoSuchJob, match="7"):
        ending(outlook.store, 7)


def test_of_a_group_the_jobs_that_began_last_are_read(outlook: Outlook) -> None:
    """So many at most, the last of those that have begun, in the order of their numbers; none that waits."""
    submit_all(outlook, asking(group="g"), [b"1"] * 100)
    assert endings(outlook.store, "g") == []
    run_jobs(outlook, 60, fail=5, hold=2)
    found = endings(outlook.store, "g")
    assert [number for number, _ in found] == list(range(61 - JOBS, 61))
    assert [each.state for _, each in found[-7:]] == [State.FAILED] * 5 + [State.RUNNING] * 2


def test_of_a_group_of_many_parts_the_last_that_began_are_read(outlook: Outlook) -> None:
    """Parts that were handed in one by one count as one group."""
    for _ in range(30):
        submit_all(outlook, asking(group="g"), [b"1"])
    run_jobs(outlook, 12)
    assert begun_last(outlook.store, "g", 5) == [8, 9, 10, 11, 12]
