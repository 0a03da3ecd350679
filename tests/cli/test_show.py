"""`show` and `explain` as a user types them: all that is known of one job or group, and why it runs as it does."""

import json
import os
import re
import time
from pathlib import Path

import pytest

from hybridq.job import Mode
from hybridq.outlook import Outlook
from hybridq.selection import Group
from hybridq.status.detail import explanation
from hybridq.submit import submit
from hybridq.when import money
from hybridq_cli import story
from tests.support.building import (
    ECHO,
    asking,
    command,
    daemon,
    document,
    look,
    night,
    queue,
    run_jobs,
    submit_all,
    typed,
    until,
)
from tests.support.ledgers import START, Past


def test_show_tells_all_that_is_known(outlook: Outlook, tmp_path: Path) -> None:
    """Of a failed command: its input, folder, names of variables, exit code, files, and what to type next."""
    word = "hunter2hunter2"
    request = asking("shell", mode=Mode.STREAM, cwd=str(tmp_path), env={"PATH": os.environ["PATH"], "TOKEN": word})
    submit(outlook, request, b'{"argv": ["sh", "-c", "echo out; echo err >&2; exit 3"]}')
    with daemon(outlook):
        until(lambda: outlook.store.rows("SELECT 1 FROM job WHERE state = 'failed'"))
    text = typed(outlook, "show", "1")
    for part in ("failed", "exit 3", str(tmp_path), "PATH TOKEN", "1.1.out", "1.1.err", "hybridq retry 1"):
        assert part in text
    found = document(outlook, "show", "1")
    assert (found["exit_code"], found["attempt"], found["env"]) == (3, 1, ["PATH", "TOKEN"])
    assert found["files"] == [path for path in found["files"] if Path(path).exists()]
    assert word not in text + json.dumps([found, document(outlook, "explain", "1")])


def test_show_of_a_group_is_about_all_its_jobs(every_state: Outlook) -> None:
    """A group is shown by its name or by `last`, with the count of each state."""
    assert "1 running · 1 queued · 3 done · 1 failed" in typed(every_state, "show", "g").replace("held", "queued")
    submit_all(every_state, asking(group="new one"), [b"1", b"2"])
    assert "hybridq cancel 'new one'" in typed(every_state, "show", "last")


def test_explain_compares_what_was_compared(outlook: Outlook) -> None:
    """Each mode's figures as they were decided on, who waits and by which signal, the promise and what came."""
    with daemon(outlook):
        submit_all(outlook, asking(mode=None, signal="cron", group="g", deadline=time.time() + 9), [b'"x"'] * 20)
    decided = document(outlook, "explain", "g")["decision"]
    assert [each["mode"] for each in decided["considered"]] == ["stream", "batch"]
    assert all(each["total"] is not None for each in decided["considered"])
    before = typed(outlook, "explain", "g")
    assert decided["reason"] in " ".join(before.split())
    for part in ("nobody is waiting (cron)", "promised", "WAITING COSTS"):
        assert part in before
    with daemon(outlook):
        until(lambda: outlook.store.rows("SELECT 1 FROM groups WHERE done = 20"))
    after = document(outlook, "explain", "3")
    assert after["promise"]["finish"] is not None
    if decided["mode"] == "batch":
        assert after["flush"]["reason"] in typed(outlook, "explain", "3")
    assert "was done" in typed(outlook, "explain", "3")


def test_a_group_is_explained_by_its_largest_part(outlook: Outlook) -> None:
    """One odd job speaks for nobody else: what is told is the largest part's, and the odd one is named."""
    submit_all(outlook, asking(group="g", deadline=time.time() + 4000, mode=Mode.STREAM), [b'"x"'])
    submit_all(outlook, asking(group="g"), [b'"x"'] * 9)
    for name in ("show", "explain"):
        text = typed(outlook, name, "g")
        assert "1 part differs: hybridq explain 1" in text
        assert "deadline" not in text
    assert document(outlook, "explain", "g")["decision"]["mode"] == "batch"
    assert document(outlook, "explain", "1")["others"] == []


def test_tries_are_counted_as_retries(every_state: Outlook) -> None:
    """A first try that failed has used no retry; a retry by hand is not held against the promise."""
    assert re.search(r"attempts +1\n", typed(every_state, "show", "4"))
    typed(every_state, "retry", "4")
    every_state.store.connection.execute("UPDATE job SET state = 'done', finished = 1e10 WHERE id = 4")
    assert "was done" not in typed(every_state, "explain", "4")


def test_explain_tells_every_later_change(every_state: Outlook) -> None:
    """What was done to a job after its submission is told in order."""
    typed(every_state, "retry", "4")
    typed(every_state, "cancel", "4")
    texts = [each["text"] for each in document(every_state, "explain", "4")["history"]]
    assert texts == ["queued again by retry", "cancelled"]


def test_what_was_drained_is_told_as_it_went(tmp_path: Path) -> None:
    """Beside what was forecast: that a drain ran it, at which price, what it cost; in lists the same reason."""
    outlook = queue(tmp_path, ECHO + night(time.time(), 7200))
    with daemon(outlook):
        submit_all(outlook, asking(mode=None, group="g"), [b'"x"'] * 500)
    assert command(outlook.store.home, "drain", "--quiet").returncode == 0
    told = " ".join(typed(outlook, "explain", "g").split())
    assert re.search(r"flush 1 at [\d:]+, price x1, 500 done in .*: started by hand", told)
    assert "at submission: held for the night price at" in told
    assert "sooner: drained" in told
    assert re.search(r"cost [<\d. ]+; forecast [<\d. ]+", told)
    assert look(outlook).rows[0].why == ""
    one = " ".join(typed(outlook, "explain", "8").split())
    assert one.startswith("job 8, as all 500 of g batch")
    costs = document(outlook, "explain", "8")
    share = costs["decision"]["considered"][1]["cost"] / 500
    assert f"forecast {money(share, fine=True)}" in one


def test_what_happens_to_its_neighbours_is_not_told_of_a_job_that_ended(every_state: Outlook) -> None:
    """A job that is done was in no dead runner's hands; its group's story tells of all."""
    at, note = time.time() + 1, "100 jobs: the runner died; queued again at once"
    every_state.store.connection.execute(
        "INSERT INTO history (cohort, at, kind, jobs, text) VALUES (1, ?, 'rescued', 100, ?)", (at, note)
    )
    for name, told in (("g", True), ("6", True), ("1", False)):
        assert (note in typed(every_state, "explain", name)) is told


def test_what_was_cancelled_was_not_done(outlook: Outlook) -> None:
    """No promise is said to be kept by a cancel, and nothing of it counts as done."""
    submit_all(outlook, asking(group="g"), [b'"x"'] * 4)
    run_jobs(outlook, 1)
    typed(outlook, "cancel", "g")
    told = typed(outlook, "explain", "g")
    assert "3 jobs cancelled" in told
    assert "was done" not in told
    assert "done\t25%" in typed(outlook, "status")
    assert re.search(r"now +batch · done, ended at [\d:]+ · 1 done, 3 cancelled", told)
    assert "hybridq retry g" in typed(outlook, "show", "g")


def test_a_group_of_several_flushes_tells_of_each(past: Past) -> None:
    """The last few by name and how many went before; one flush's figures are not said to be the whole group's."""
    ids = past.submit(0, 12, group="g")
    for number in range(2):
        past.flush(10 * number + 10, 10 * number + 15, ids[2 * number : 2 * number + 2])
    two = command(past.home, "explain", "g").stdout
    assert re.findall(r"flush +(\d) at .*, 2 done in 5s", two) == ["1", "2"]
    for number in range(2, 6):
        past.flush(10 * number + 10, 10 * number + 15, ids[2 * number : 2 * number + 2], reason="saves 0.5")
    told = command(past.home, "explain", "g").stdout
    assert re.findall(r"flush +(\d) at .*, 2 done in 5s", told) == ["4", "5", "6"]
    assert "3 before these" in told
    assert "batch · done at" in told
    assert told.count("saves 0.5") == 3
    assert "saves 0.5" not in command(past.home, "status", "g").stdout


def test_a_group_too_large_to_look_through_names_its_last_flush(past: Past, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where not all flushes are known, the one that is named is said to be the last."""
    monkeypatch.setattr("hybridq.queue.flushes.LOOKED", 3)
    ids = past.submit(0, 4, group="g")
    past.flush(10, 15, ids[:2])
    past.flush(20, 25, ids[2:])
    found = explanation(past.outlook, Group("g"), now=START + 100)
    assert found.flush is not None
    assert (found.flush.id, found.before, found.earlier) == (2, (), None)
    assert dict(story.reasons(found, START + 100))["last flush"].startswith("2 at")


def test_a_promise_and_its_end_are_told_as_finely(past: Past) -> None:
    """A promise to the second is held against the second, one to the minute against the minute, whenever one looks."""
    for promised, form in ((60, r"\d\d:\d\d:\d\d"), (6000, r"\d\d:\d\d")):
        (number,) = past.submit(0, promised=(5, promised, promised))
        past.flush(10, promised, [number])
        told = command(past.home, "explain", str(number)).stdout
        assert re.search(rf"done {form}; was done ([\d-]+ )?{form}, as promised", told)
