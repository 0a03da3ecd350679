"""`--json` of the commands that change, wait for and print jobs: stable shapes, errors apart, the same exit codes."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from hybridq_cli.commands import COMMANDS, load_command
from tests.cli.test_output import WORKERS
from tests.support.user import Queue

WITHOUT = {"daemon", "completions", "help", "export", "metrics"}  # logs, scripts, and what has a format of its own


@pytest.fixture
def ran(tmp_path: Path) -> Queue:
    """Job 1 is done, 2 failed with 3; of group `g` (3 and 4) the second failed."""
    made = Queue(tmp_path, WORKERS)
    made.run("submit", "--wait", "--", "sh", "-c", "printf '\\377'; echo no >&2")
    made.run("submit", "--wait", "--", "sh", "-c", "echo out; exit 3")
    made.run(
        "submit",
        "echo",
        "--group",
        "g",
        "--mode",
        "batch",
        "--jsonl",
        "-",
        input='{"input": {"a": 1}}\n{"input": "bad"}\n',
    )
    made.run("drain")
    return made


def said(queue: Queue, *words: str, code: int = 0) -> Any:
    """The one document that a command prints, which ends so."""
    done = queue.run(*words, "--json")
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout)


def test_every_command_has_it() -> None:
    """Each command that prints facts takes `--json`."""
    have = {name for name in COMMANDS if any("--json" in each.opts for each in load_command(name).params)}
    assert have == COMMANDS.keys() - WITHOUT


def test_output_gives_each_job_its_place(ran: Queue) -> None:
    """Every job of a group has a line, failed ones too; JSON is JSON, and bytes that are no text come as base64."""
    first, second = outputs(ran, "g")
    assert (first["id"], first["state"], first["output"], first["exit_code"]) == (3, "done", {"a": 1}, None)
    assert (second["id"], second["state"], second["error"]) == (4, "failed", "bad")
    (one,) = outputs(ran, "1")
    assert (one["exit_code"], one["output"], base64.b64decode(one["base64"])) == (0, None, b"\xff")
    assert outputs(ran, "1", "--stderr")[0]["output"] == "no\n"
    assert outputs(ran, "2", code=3)[0]["output"] == "out\n"


def outputs(queue: Queue, *words: str, code: int = 0) -> list[dict[str, Any]]:
    """The lines of `output --json`."""
    done = queue.run("output", *words, "--json")
    assert done.returncode == code, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_follow_tells_each_event_on_a_line(ran: Queue) -> None:
    """Of a job what it puts out, then its end; of a group how far it is, then its end."""
    lines = [json.loads(line) for line in ran.run("follow", "2", "--json").stdout.splitlines()]
    assert [(each["event"], each["id"]) for each in lines] == [("state", 2), ("output", 2), ("end", 2)]
    assert (lines[1]["stream"], lines[1]["text"], lines[2]["exit_code"]) == ("stdout", "out\n", 3)
    (group,) = [json.loads(line) for line in ran.run("follow", "g", "--json").stdout.splitlines()]
    assert (group["event"], group["counts"]) == ("end", {"done": 1, "failed": 1})


def test_the_others_count(ran: Queue) -> None:
    """`wait`, `retry`, `cancel`, `drain` and `clean` give numbers, and end as they do without it."""
    assert said(ran, "wait", "g", code=1)["counts"] == {"done": 1, "failed": 1}
    assert said(ran, "wait", "2", code=3) == {
        "id": 2,
        "jobs": 1,
        "counts": {"failed": 1},
        "drafts": 0,
        "exit_code": 3,
    }
    assert said(ran, "retry", "g", "2") == {"queued": 2, "ids": [4, 2]}
    assert said(ran, "cancel", "2") == {"cancelled": 1, "ids": [2]}
    drained = said(ran, "drain", code=1)
    assert (drained["jobs"], drained["failed"], drained["left"], drained["unserved"]) == (1, 1, 0, [])
    assert said(ran, "clean", "g", "--dry-run")["cleaned"] == 2
    assert said(ran, "clean", "g", "--yes")["dry_run"] is False


@pytest.mark.parametrize("words", [("output", "99"), ("follow", "99"), ("wait", "99"), ("cancel", "1"), ("retry", "1")])
def test_errors_stay_apart(ran: Queue, words: tuple[str, ...]) -> None:
    """What goes wrong is a sentence on standard error with its exit code, and standard output is empty."""
    done = ran.run(*words, "--json")
    assert (done.returncode, done.stdout) == (66, "")
    assert done.stderr.startswith("hybridq: ")
