"""What a daily budget lets run until it is renewed: told before and after a submission, and in every view."""

import json
from pathlib import Path

import pytest

from hybridq.job import State
from tests.support.building import look
from tests.support.user import Queue, until

CONFIG = '[handlers.echo]\ncommand = ["cat"]\nprotocol = "lines"\nprice = 1.0\nexpected = "1s"\ndaily_budget = 10\n'
SOME = "about 10 run today, the rest after tomorrow 00:00: the daily budget of echo"


@pytest.fixture
def queue(tmp_path: Path) -> Queue:
    """A queue whose budget is for ten jobs a day."""
    return Queue(tmp_path, CONFIG)


def lines(number: int) -> str:
    """So many inputs."""
    return "".join(f"{each}\n" for each in range(number))


def test_a_submission_says_how_far_the_budget_reaches(queue: Queue) -> None:
    """More than fits into the day: a dry run, the submission, explain and JSON name the budget, and none of them
    promises a finish; what fits is promised as ever."""
    many = ("submit", "echo", "--lines", "-", "--mode", "batch")
    fits = queue.run(*many, "--dry-run", input=lines(10)).stdout
    assert "the daily budget" not in fits
    assert "done: unknown" not in fits
    dry = queue.run(*many, "--dry-run", input=lines(30)).stdout
    assert SOME in dry
    assert "waits for a daemon or a drain · costs 30.00" in dry
    (part,) = json.loads(queue.run(*many, "--dry-run", "--json", input=lines(30)).stdout)["parts"]
    assert (part["finish"], part["finish90"], part["cost"]) == (None, None, 30.0)
    assert part["warning"].startswith(SOME)
    assert queue.run(*many, "--group", "g", input=lines(30)).stderr.startswith(f"hybridq: g: {SOME}")
    assert SOME in " ".join(queue.run("explain", "g").stdout.split())


def test_what_waits_already_comes_first(queue: Queue) -> None:
    """Eight jobs are queued: of five more two fit into the day, and of one after these none."""
    queue.run("submit", "echo", "--lines", "-", "--mode", "batch", input=lines(8))
    assert "about 2 run today" in queue.run("submit", "echo", "--lines", "-", "--dry-run", input=lines(5)).stdout
    queue.run("submit", "echo", "--lines", "-", "--mode", "batch", input=lines(2))
    last = queue.run("submit", "echo", "x", "--mode", "batch", "--dry-run").stdout
    assert "it will run after tomorrow 00:00: the daily budget of echo goes to others first" in last


def test_parts_of_one_submission_share_the_budget(queue: Queue) -> None:
    """Decided part by part, the first fit into the day and the last are told that they do not."""
    parts = "".join(json.dumps({"input": "x", "priority": number}) + "\n" for number in range(12))
    done = queue.run("submit", "echo", "--jsonl", "-", "--mode", "batch", "--dry-run", "--json", input=parts)
    told = [part["warning"] for part in json.loads(done.stdout)["parts"]]
    assert [bool(each) for each in told] == [False] * 10 + [True] * 2


def test_a_group_that_the_budget_splits_is_promised_no_end(queue: Queue) -> None:
    """Before any of it runs, while some of it runs, and when the rest is held until tomorrow: no end is foreseen, and
    status and explain name the budget."""
    queue.run("submit", "echo", "--lines", "-", "--group", "g", "--mode", "batch", input=lines(30))
    with queue.daemon():
        until(lambda: json.loads(queue.run("status", "g", "--json").stdout)["rows"][0]["counts"].get("done") == 10)
        until(lambda: "held: " in queue.run("status", "g").stdout)
        (row,) = json.loads(queue.run("status", "g", "--json").stdout)["rows"]
        assert row["eta"] is None
        assert "the daily budget of echo is 10.00, 10.00 is spent" in row["why"]
        assert "the daily budget of echo" in " ".join(queue.run("explain", "g").stdout.split())


@pytest.mark.parametrize("mode", ["stream", "batch"])
def test_while_some_of_a_group_runs_the_held_rest_is_told(tmp_path: Path, mode: str) -> None:
    """Some run and never end, most have no room in the budget: the group has no end, and its held jobs are
    counted with the reason; so has each of them."""
    mute = CONFIG.replace('["cat"]', '["sh", "-c", "while read -r it; do :; done"]').replace('protocol = "lines"\n', "")
    queue = Queue(tmp_path, mute)
    queue.run("submit", "echo", "--lines", "-", "--group", "g", "--mode", mode, input=lines(30))
    with queue.daemon() as process:
        until(lambda: any(row.group == "g" and row.counts.get(State.RUNNING) for row in look(queue.outlook).rows))
        (row,) = look(queue.outlook, "g").rows
        assert row.eta is None
        assert "the daily budget of echo" in row.why
        last = look(queue.outlook, "30").rows[0]
        assert last.eta is None
        assert "the daily budget of echo" in last.why
        process.kill()  # it would wait for what runs
        process.wait()


def test_who_follows_a_group_is_told_what_holds_its_rest(queue: Queue) -> None:
    """On a terminal and in a pipe `follow` names the budget, however little changes."""
    queue.run("submit", "echo", "--lines", "-", "--group", "g", "--mode", "batch", input=lines(30))
    with queue.daemon(), queue.terminal("follow", "g", width=300) as person, queue.start("follow", "g") as pipe:
        person.expect("g: (20 )?held: the daily budget of echo is 10.00, ")
        assert pipe.stderr is not None
        assert any("held: the daily budget of echo is 10.00, " in line for line in pipe.stderr)


def test_the_log_names_what_the_budget_lets_run(queue: Queue) -> None:
    """A flush of thirty jobs of which four have room, after six have cost what they should, says what a view does."""
    queue.run("submit", "echo", "--lines", "-", "--mode", "batch", input=lines(6))
    assert queue.run("drain").returncode == 0
    queue.run("submit", "echo", "--lines", "-", "--mode", "batch", input=lines(30))
    with queue.daemon() as process:
        assert process.stderr is not None
        told = next(line for line in process.stderr if "jobs of echo" in line)
    assert "30 jobs of echo: " in told
    assert told.endswith("; about 4 run today, the rest after tomorrow 00:00: the daily budget of echo\n")
