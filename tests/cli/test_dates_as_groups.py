"""A group that is called by its day, as every nightly script calls it, is submitted to and selected by that name."""

from pathlib import Path

import pytest

from hybridq.errors import UsageError
from hybridq.selection import Group, Ids, check_group, parse_selector
from tests.support.building import asking, submit_all
from tests.support.user import ECHO, Queue

DATES = ["2026-11", "2026-11-30", "2026-11-30-22", "2026-11-30-2200", "20261130", "20261130-2200", "20261130220000"]


@pytest.mark.parametrize("name", DATES)
def test_a_date_names_a_group(name: str) -> None:
    """What `date` writes may be a group's name, and selects that group."""
    assert check_group(name) == name
    assert parse_selector(name) == Group(name)


@pytest.mark.parametrize("name", ["2026-13", "2026-11-32", "20261131-20261201", "30-11-2026", "261130", "8-5"])
def test_what_is_no_date_means_jobs_still(name: str) -> None:
    """Numbers that are no date are ids or a mistake, and no group's name."""
    with pytest.raises(UsageError, match="Choose another name, such as g"):
        check_group(name)


@pytest.mark.parametrize("name", ["2026-11-30", "20261130"])
def test_a_day_is_selected_in_every_command(name: str, tmp_path: Path) -> None:
    """Each command that takes a selector finds the jobs of that day."""
    queue = Queue(tmp_path, ECHO)
    (tmp_path / "lines").write_text("a\nb\n")
    given = queue.run("submit", "echo", "--lines", str(tmp_path / "lines"), "--group", name, "--mode", "batch")
    assert given.stdout == f"{name}\n"
    for command in ("status", "show", "explain"):
        assert queue.run(command, name).returncode == 0, command
    assert queue.run("cancel", name).stdout == "2 jobs cancelled\n"
    assert queue.run("retry", name).stdout == "2 jobs queued again\n"
    assert queue.run("drain", "--group", name).returncode == 0
    assert queue.run("wait", name).returncode == 0
    assert queue.run("output", name).stdout.count("a") >= 1
    assert queue.run("clean", name, "--yes").stdout == "2 jobs deleted\n"


def test_a_number_that_could_be_a_day_is_the_job_where_no_group_is_called_so(tmp_path: Path) -> None:
    """In a queue that has come to job 20261130 that job is found by its number, until a group takes the name."""
    queue = Queue(tmp_path, ECHO)
    queue.outlook.store.connection.execute("INSERT INTO sqlite_sequence VALUES ('job', 20261129)")
    assert submit_all(queue.outlook, asking(), [b'"a"']) == [20261130]
    assert queue.run("status", "20261130").returncode == queue.run("show", "20261130").returncode == 0
    assert queue.run("cancel", "20261130").stdout == "1 job cancelled\n"
    assert parse_selector("20261130-20261130") == Ids(((20261130, 20261130),))
