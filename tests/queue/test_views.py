"""The views of the file, read as datasette and sqlite-utils read them: what is there, what is not, and who waits."""

import re
import sqlite3
import time
from pathlib import Path

import pytest
from sqlite_utils import Database

from hybridq.job import Mode
from hybridq.outlook import Outlook
from hybridq.queue.export import Selected, exported
from hybridq.selection import parse_selector
from hybridq_cli.help.topics import text
from tests.support.building import asking, run_jobs, submit_all
from tests.support.user import Queue

VIEWS = ("v_job", "v_group", "v_flush")
ISO = re.compile(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


@pytest.fixture
def ran(outlook: Outlook) -> Outlook:
    """Group g: jobs 1 and 2 done, 3 failed, 4 runs, 5 waits; 6 waits alone, with a deadline."""
    submit_all(outlook, asking(group="g"), [b'"one"', b'{"a": [1]}', b'"x"', b'"x"', b'"x"'])
    run_jobs(outlook, 4, fail=1, hold=1)
    submit_all(outlook, asking(mode=Mode.BATCH, deadline=time.time() + 9e4), [b'"y"'])
    return outlook


def rows(outlook: Outlook, view: str) -> list[dict[str, object]]:
    """All of a view."""
    return list(Database(outlook.store.home.database)[view].rows)


@pytest.mark.parametrize("view", VIEWS)
def test_each_column_is_documented(outlook: Outlook, view: str) -> None:
    """The help topic has each column of the view in its order, and no other."""
    part = text("sql").partition(f"## {view}:")[2].partition("\n## ")[0]
    named = re.findall(r"^\| `(\w+)` \|", part, re.MULTILINE)
    assert named == list(Database(outlook.store.home.database)[view].columns_dict)


def test_a_job_is_a_row(ran: Outlook) -> None:
    """Each job with its state, input, output and error; JSON stays JSON, a text is itself."""
    jobs = rows(ran, "v_job")
    assert [each["state"] for each in jobs] == ["done", "done", "failed", "running", "queued", "queued"]
    assert [each["input"] for each in jobs[:2]] == ["one", '{"a": [1]}']
    assert (jobs[0]["output"], jobs[0]["cost"], jobs[0]["streamed_cost"]) == ("fine", 0.25, 1.0)
    assert (jobs[2]["error"], jobs[2]["exit_code"], jobs[2]["group_name"]) == ("it went wrong", 3, "g")


def test_times_are_text_that_sqlite_understands(ran: Outlook) -> None:
    """Times are ISO 8601 in UTC, to the millisecond; what has not happened, or was not asked for, is NULL."""
    database = Database(ran.store.home.database)
    done, *_, waiting = rows(ran, "v_job")
    assert all(ISO.fullmatch(str(done[name])) for name in ("submitted", "started", "finished"))
    assert (done["deadline"], waiting["started"], waiting["finished"]) == (None, None, None)
    assert ISO.fullmatch(str(waiting["deadline"]))
    ((age,),) = database.execute("SELECT (julianday() - julianday(submitted)) * 86400 FROM v_job WHERE id = 1")
    assert -1 < age < 60


def test_a_group_is_a_row(ran: Outlook) -> None:
    """With its counts, and no end before it has one."""
    (group,) = rows(ran, "v_group")
    assert [group[state] for state in ("jobs", "done", "failed", "running", "queued")] == [5, 2, 1, 1, 1]
    assert (group["state"], group["finished"], group["cost"]) == ("running", None, 0.75)


def test_a_flush_is_a_row(tmp_path: Path) -> None:
    """With its rule and its figures."""
    queue = Queue(tmp_path, "")
    queue.run("submit", "--mode", "batch", "--", "true")
    queue.run("drain")
    (flush,) = Database(queue.folder / "queue.db")["v_flush"].rows
    assert [flush[name] for name in ("handler", "rule", "jobs", "done", "failed")] == ["shell", "drain", 1, 1, 0]


def test_the_views_and_an_export_say_the_same(ran: Outlook) -> None:
    """What `export` reads of a job is what its row says."""
    (page,) = exported(ran.store, Selected(ran.store, [parse_selector("all")]))
    for job, row in zip(page, rows(ran, "v_job"), strict=True):
        same = ("id", "state", "mode", "handler", "attempt", "error", "exit_code", "cost")
        assert [getattr(job, name) for name in same] == [row[name] for name in same]


def test_no_view_shows_what_show_hides(tmp_path: Path) -> None:
    """Variables and what a command was given to read are in no view, wherever in its input they stand."""
    queue = Queue(tmp_path, "")
    queue.run("submit", "--detach", "--env", "TOKEN=hidden1", "--", "true")
    queue.run("submit", "--detach", "--stdin", "--", "cat", input="hidden2")
    queue.run("submit", "shell", "--jsonl", "-", input='{"input": {"stdin": "hidden3", "shell": "cat"}}\n')
    said = repr([list(Database(queue.folder / "queue.db")[view].rows) for view in VIEWS])
    assert "cat" in said
    assert "hidden" not in said
    assert "hidden1" in repr(queue.rows("SELECT * FROM environment"))


def test_a_name_that_is_no_text_ends_no_reader(outlook: Outlook) -> None:
    """A file's name that is no UTF-8 stays JSON: as text it would fail whoever reads the view."""
    submit_all(outlook, asking(), [b'"/tmp/\\udcff"', b'{"shell": "cat \\udcff", "stdin": "hidden"}'])
    assert [each["input"] for each in rows(outlook, "v_job")] == ['"/tmp/\\udcff"', '{"shell":"cat \\udcff"}']


def test_a_reader_in_the_midst_of_a_view_holds_up_no_writer(ran: Outlook) -> None:
    """A query that stands half-way keeps its answer, while the queue is written at once."""
    reader = sqlite3.connect(ran.store.home.database)
    cursor = reader.execute("SELECT id FROM v_job")
    assert cursor.fetchone() == (1,)
    ran.store.connection.execute("PRAGMA busy_timeout = 0")
    with ran.store.tx() as connection:
        connection.execute("UPDATE job SET ready = 1 WHERE id = 5")
    assert [number for (number,) in cursor] == [2, 3, 4, 5, 6]
    reader.close()


def test_a_job_by_its_number_is_found_without_a_scan(outlook: Outlook) -> None:
    """Whoever follows a link to a job waits for no other."""
    plan = Database(outlook.store.home.database).execute("EXPLAIN QUERY PLAN SELECT * FROM v_job WHERE id = 7")
    assert not [step for *_, step in plan if step.startswith("SCAN")]
