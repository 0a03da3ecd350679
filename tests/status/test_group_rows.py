"""A group's row says what the rows of its jobs would: why some failed, with which codes, and what is tried again."""

import json
from pathlib import Path

from hybridq.brain.outcome import settle
from hybridq.job import Failure, Mode
from hybridq.outlook import Outlook
from hybridq.queue.claims import claim_batch
from hybridq.queue.cohorts import cohorts
from hybridq.queue.results import record
from hybridq.queue.runner import Runner
from hybridq.status.snapshot import Failed
from tests.support.building import asking, look, submit_all, typed
from tests.support.user import Queue

COMMANDS = [["sh", "-c", "exit 3"], ["true"], ["nosuchcommand"], ["sh", "-c", "exit 3"]]


def drained(tmp_path: Path, commands: list[list[str]]) -> Queue:
    """A queue in which the group `g` of these commands has run."""
    made = Queue(tmp_path)
    lines = "\n".join(json.dumps({"input": {"argv": argv}}) for argv in commands)
    made.run("submit", "shell", "--jsonl", "-", "--group", "g", "--mode", "batch", input=lines)
    made.run("drain")
    return made


def test_a_group_tells_why_its_jobs_failed(tmp_path: Path) -> None:
    """Its row has each reason with its exit code and number, and its line says them."""
    made = drained(tmp_path, COMMANDS)
    found = json.loads(made.run("show", "g", "--json").stdout)["causes"]
    assert [(each["exit_code"], each["jobs"]) for each in found] == [(3, 2), (127, 1)]
    line = made.run("status").stdout.splitlines()[1]
    assert "1 done, 3 failed · exit code 3 (x2), no such command: nosuchcommand (exit code 127)" in line


def test_what_ran_well_ended_with_zero(tmp_path: Path) -> None:
    """A command that is done has the exit code 0, alone and as a group, in `status` and `show`."""
    made = drained(tmp_path, [["true"], ["true"]])
    rows = json.loads(made.run("status", "g", "1", "--json").stdout)["rows"]
    assert [(each["id"], each["group"], each["exit_code"]) for each in rows] == [(1, "g", 0), (1, None, 0)]
    assert json.loads(made.run("show", "2", "--json").stdout)["exit_code"] == 0


def test_a_group_whose_jobs_wait_to_be_tried_again_says_so(outlook: Outlook) -> None:
    """When, and why: of all its jobs, or of how many."""
    submit_all(outlook, asking(group="g", mode=Mode.BATCH, retries=2), [b"1", b"2"])
    now = cohorts(outlook.store, "name = 'g'")[0].accepted
    claims = claim_batch(outlook.store, Runner(outlook.store, "submit").id, 1, "echo", [1], 2, now)
    ends = [settle(Failure(each.id, each.attempt, "no room"), each, retries=2, now=now + 1e6) for each in claims]
    record(outlook.store, ends[:1])
    assert look(outlook, "g").rows[0].why.startswith("1 tries again at ")
    record(outlook.store, ends[1:])
    assert look(outlook, "g").rows[0].why.startswith("try again at ")
    assert "no room" in typed(outlook, "show", "g").replace("\n", " ")


def test_causes_are_counted_with_the_most_frequent_first(every_state: Outlook) -> None:
    """A group's causes are those of its failed jobs alone."""
    assert look(every_state, "g").rows[0].causes == (Failed(reason="it went wrong", exit_code=3, jobs=1),)
