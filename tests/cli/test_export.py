"""`export`: a row a job with all of it, in each format; whole files; nothing lost; each as it ends."""

import base64
import csv
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from hybridq.job import Happening, Lane
from hybridq.queue import export as pages
from hybridq.queue.export import Selected, exported
from hybridq.queue.lanes import move
from hybridq.reason import said
from hybridq.selection import parse_selector
from tests.cli.test_output import WORKERS
from tests.support.building import HYBRIDQ, until
from tests.support.user import Queue


@pytest.fixture
def ran(tmp_path: Path) -> Queue:
    """Group g, jobs 1 to 3: the second failed. 4 printed what is no text and ended with 3. 5 waits."""
    queue = Queue(tmp_path, WORKERS)
    lines = ['{"input": {"a": 1}, "key": "k"}', '{"input": "bad"}', '{"input": "Grüße,\\n\\"x\\""}']
    queue.run("submit", "echo", "--group", "g", "--mode", "batch", "--jsonl", "-", input="\n".join(lines))
    queue.run("submit", "--detach", "--mode", "batch", "--", "sh", "-c", "printf '\\377'; echo no >&2; exit 3")
    queue.run("drain")
    queue.run("submit", "--detach", "--mode", "batch", "--deadline", "20h", "--", "true")
    return queue


def records(queue: Queue, *words: str) -> list[dict[str, Any]]:
    """The lines of `export`."""
    done = queue.run("export", *words)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def table(queue: Queue, *words: str) -> list[dict[str, str]]:
    """The rows of `export --format csv`."""
    return list(csv.DictReader(io.StringIO(queue.run("export", "--format", "csv", *words, text=False).stdout.decode())))


def test_every_job_is_a_line(ran: Queue) -> None:
    """In the order of submission, with inputs and outputs as JSON; what failed and what waits are there, too."""
    first, second, third, fourth, fifth = records(ran)
    assert (first["id"], first["group"], first["key"], first["input"]) == (1, "g", "k", {"a": 1})
    assert (first["state"], first["output"], first["error"], first["exit_code"]) == ("done", {"a": 1}, None, None)
    assert (second["state"], second["error"], second["output"]) == ("failed", "bad", "")
    assert third["output"] == 'Grüße,\n"x"'
    assert (fourth["exit_code"], fourth["input"]["argv"][0], fourth["finished"] > 0) == (3, "sh", True)
    assert (fifth["state"], fifth["output"], fifth["finished"], fifth["deadline"] > 0) == ("queued", None, None, True)


def test_what_is_no_text_survives(ran: Queue) -> None:
    """Bytes that are no UTF-8 come as base64 beside an empty output, in both formats."""
    assert base64.b64decode(records(ran, "4")[0]["base64"]) == b"\xff"
    (row,) = table(ran, "4")
    assert (base64.b64decode(row["base64"]), row["output"]) == (b"\xff", "")


def test_the_end_of_standard_error_is_there(ran: Queue) -> None:
    """Why a command failed is in its row: its last 2,000 characters; of what said nothing it is null."""
    assert [each["stderr"] for each in records(ran, "3-4")] == [None, "no\n"]
    ran.run("submit", "--wait", "--", "sh", "-c", "seq 5000 >&2")
    (said,) = (each["stderr"] for each in records(ran, "last"))
    assert (len(said), said[-5:]) == (2000, "5000\n")


def test_a_name_that_is_no_text_survives(ran: Queue, tmp_path: Path) -> None:
    """A file's name that is no UTF-8 is an escape that Python reads back."""
    (tmp_path / os.fsdecode(b"\xff.txt")).write_text("")
    ran.run("submit", "echo", "--detach", "--group", "n", "--each", os.fsencode(tmp_path) + b"/\xff.txt")
    assert os.fsencode(records(ran, "n")[0]["input"]).endswith(b"/\xff.txt")


def test_a_long_output_is_named_by_its_file(ran: Queue) -> None:
    """Beyond a mebibyte the row has the path, and the file has all of it."""
    ran.run("submit", "--wait", "--", "sh", "-c", "head -c 1500000 /dev/zero")
    (row,) = records(ran, "last")
    assert (row["output"], row["base64"]) == (None, None)
    assert Path(row["output_file"]).stat().st_size == 1_500_000


def test_csv_is_read_by_what_reads_csv(ran: Queue) -> None:
    """Python's csv reads as many rows with the same texts; times are ISO 8601, and a flag is 0 or 1."""
    rows = table(ran)
    assert [row["id"] for row in rows] == ["1", "2", "3", "4", "5"]
    assert (rows[0]["output"], rows[2]["output"], rows[2]["draft"]) == ('{"a": 1}', 'Grüße,\n"x"', "0")
    assert rows[3]["input"] == "sh -c 'printf '\"'\"'\\377'\"'\"'; echo no >&2; exit 3'"
    assert rows[0]["finished"].endswith("Z")
    assert list(rows[0]) == list(records(ran, "1")[0])


def test_sqlite_utils_opens_it(ran: Queue, tmp_path: Path) -> None:
    """`sqlite-utils insert --csv` makes a table of it, with numbers for what are numbers."""
    ran.run("export", "-o", str(tmp_path / "jobs.csv"))
    made = [
        sys.executable,
        "-m",
        "sqlite_utils",
        "insert",
        str(tmp_path / "x.db"),
        "jobs",
        str(tmp_path / "jobs.csv"),
        "--csv",
    ]
    subprocess.run(made, check=True, capture_output=True)
    asked = [
        sys.executable,
        "-m",
        "sqlite_utils",
        str(tmp_path / "x.db"),
        "select sum(id) as ids, sum(exit_code) as codes from jobs",
    ]
    found = subprocess.run(asked, check=True, capture_output=True).stdout
    assert json.loads(found) == [{"ids": 15, "codes": 3}]


def test_the_table_has_a_line_a_job(ran: Queue) -> None:
    """A title, then each job in one line of the width, whatever its output holds."""
    title, *lines = ran.run("export", "--format", "table", env={"COLUMNS": "80"}).stdout.splitlines()
    assert title.split()[:3] == ["ID", "GROUP", "STATE"]
    assert len(lines) == 5
    assert max(map(len, lines)) <= 80


def test_each_job_is_given_once_in_the_order_of_submission(ran: Queue) -> None:
    """However selectors overlap, and in whatever order they are named."""
    assert [each["id"] for each in records(ran, "4-5", "g", "2,1", "last")] == [1, 2, 3, 4, 5]
    assert [each["id"] for each in records(ran, "g")] == [1, 2, 3]
    assert ran.run("export", "99").returncode == 66


def test_what_is_not_finished_is_said(ran: Queue) -> None:
    """Jobs that wait are told of on standard error, with the command that waits; the code is 0 all the same."""
    done = ran.run("export", "g", "5")
    assert (done.returncode, done.stderr) == (
        0,
        "hybridq: 1 job has not finished. Wait for all: hybridq export g 5 --follow\n",
    )
    assert ran.run("export", "g").stderr == ""


def test_a_file_is_there_whole_or_as_it_was(ran: Queue, tmp_path: Path) -> None:
    """An export that is broken off leaves the file before, and nothing beside it; a whole one takes its place."""
    file = tmp_path / "out" / "jobs.jsonl"
    file.parent.mkdir()
    file.write_text("before")
    file.chmod(0o640)
    with ran.start("export", "--follow", "-o", str(file)) as process:
        until(lambda: len(list(file.parent.iterdir())) == 2)
        process.send_signal(signal.SIGTERM)
        assert (process.wait(30), process.communicate()[1].endswith("hybridq: nothing was written\n")) == (130, True)
    assert ([path.name for path in file.parent.iterdir()], file.read_text()) == (["jobs.jsonl"], "before")
    ran.run("export", "-o", str(file))
    assert (len(file.read_text().splitlines()), file.stat().st_mode & 0o777) == (5, 0o640)


def test_what_is_no_plain_file_is_not_replaced(ran: Queue, tmp_path: Path) -> None:
    """A pipe with a name is written to, a link still leads where it led."""
    (tmp_path / "link").symlink_to(tmp_path / "real")
    ran.run("export", "1", "-o", str(tmp_path / "link"))
    assert (tmp_path / "link").is_symlink()
    assert json.loads((tmp_path / "real").read_text())["id"] == 1
    os.mkfifo(tmp_path / "pipe")
    with ran.start("export", "1", "-o", str(tmp_path / "pipe")):
        assert json.loads((tmp_path / "pipe").read_text())["id"] == 1


def test_a_closed_pipe_ends_it_quietly(ran: Queue) -> None:
    """`export | head -1` says nothing, however much is left."""
    ran.run("submit", "echo", "--lines", "-", input="x\n" * 3000)
    line = f"{shutil.which('env')} {' '.join(map(repr, HYBRIDQ))} export all | head -n 1"
    done = subprocess.run(["bash", "-c", line], env=ran.environment, capture_output=True, text=True)
    assert (len(done.stdout.splitlines()), done.stderr) == (1, "")


def test_follow_gives_each_job_as_it_ends(tmp_path: Path) -> None:
    """Beside a daemon: a quick job's line is there while a slow one still runs; it ends when all have."""
    queue = Queue(tmp_path, "")
    with queue.daemon():
        os.mkfifo(tmp_path / "pipe")
        queue.run("submit", "--detach", "--mode", "stream", "--", "sh", "-c", f"cat {tmp_path}/pipe")
        queue.run("submit", "--detach", "--mode", "stream", "--", "sh", "-c", "exit 4")
        with queue.start("export", "--follow") as process:
            assert process.stdout
            first = json.loads(process.stdout.readline())
            assert (first["id"], first["exit_code"], queue.state(1)) == (2, 4, "running")
            (tmp_path / "pipe").write_text("late")
            assert json.loads(process.stdout.readline())["output"] == "late"
            assert process.wait(30) == 0


def test_an_output_that_was_cut_since_is_told(ran: Queue) -> None:
    """A file that lost bytes is counted in its row, and ends the command with 74, as `output` does."""
    ran.run("submit", "--wait", "--", "echo", "hello")
    (path,) = (ran.folder / "outputs").glob("*/6.1.out")
    path.write_bytes(b"he")
    done = ran.run("export", "last")
    assert (done.returncode, json.loads(done.stdout)["missing"]) == (74, 4)
    assert "the output of 1 job is not whole" in done.stderr


def test_jobs_that_move_meanwhile_are_not_lost(ran: Queue, monkeypatch: pytest.MonkeyPatch) -> None:
    """A group's jobs are found wherever they are by then: one that is promoted while pages are written, too."""
    ran.run("submit", "echo", "--group", "m", "--mode", "batch", "--lines", "-", input="x\n" * 3)
    monkeypatch.setattr(pages, "PAGE", 1)
    store = ran.outlook.store
    found = exported(store, Selected(store, [parse_selector("m")]))
    first = next(found)
    move(store, [8], Lane.STREAM, Happening.PROMOTED, said("test"), time.time())
    assert [job.id for page in (first, *found) for job in page] == [6, 7, 8]


def test_a_page_holds_so_many_bytes_at_most(ran: Queue, monkeypatch: pytest.MonkeyPatch) -> None:
    """Large inputs are read a few at a time, whatever there are: memory does not grow with the queue."""
    monkeypatch.setattr(pages, "PAGE_BYTES", 20)
    store = ran.outlook.store
    found = list(exported(store, Selected(store, [parse_selector("all")])))
    assert [job.id for page in found for job in page] == [1, 2, 3, 4, 5]
    assert all(len(page) == 1 or sum(len(job.input) for job in page) <= 20 for page in found)
