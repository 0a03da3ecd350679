"""`schedule` as its user types it: what is kept, what is refused, what is told."""

import json
from pathlib import Path
from typing import Any

import pytest

from hybridq.brain.occurrence import Overlap
from hybridq.runner.occurrences import make_all_due
from tests.support.building import run_jobs
from tests.support.recurring import HOUR, recurring
from tests.support.user import ECHO, Queue


@pytest.fixture
def queue(tmp_path: Path) -> Queue:
    """With the handlers `shell` and `echo`."""
    return Queue(tmp_path, ECHO)


def added(queue: Queue, *args: str, **options: Any) -> dict[str, Any]:
    """What `schedule add NAME WHEN ...` keeps."""
    done = queue.run("schedule", "add", *args[:2], "--json", *args[2:], **options)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def listed(queue: Queue) -> list[Any]:
    """What `schedule --json` prints."""
    found = json.loads(queue.run("schedule", "--json").stdout)
    assert isinstance(found, list)
    return found


def test_what_submit_would_have_stored_is_kept(queue: Queue, tmp_path: Path) -> None:
    """The folder, the variables but for secrets, standard input: and the occurrence runs with them."""
    (tmp_path / "here").mkdir()
    env = {"MINE": "1", "MY_TOKEN": "secret"}
    args = ("nightly", "0 2 * * *", "--shell", "cat; pwd; echo $MINE$MY_TOKEN")
    done = queue.run("schedule", "add", *args, env=env, cwd=tmp_path / "here", input="fed\n")
    assert "MY_TOKEN is not passed to the job" in done.stderr
    queue.run("schedule", "run", "nightly", cwd=tmp_path)
    queue.run("drain")
    assert queue.run("output", "1").stdout == f"fed\n{tmp_path}/here\n1\n"


@pytest.mark.parametrize(
    "args",
    [
        (),
        ("nosuch", "text"),
        ("echo",),
        ("echo", "one", "two"),
        ("--mode", "adaptive", "echo", "x"),
        ("--cwd", "/nowhere", "--", "true"),
        ("--env", "NOT_SET_HERE", "--", "true"),
        ("--retries", "-1", "--", "true"),
        ("--timeout", "0", "--", "true"),
        ("--max-cost", "-1", "--", "true"),
        ("--group", "7", "--", "true"),
        ("echo", "@/nowhere"),
    ],
)
def test_what_submit_refuses_is_refused_in_the_same_words(queue: Queue, args: tuple[str, ...]) -> None:
    """The same sentence and exit code, but for the line that is to be typed; nothing is kept."""
    submit = queue.run("submit", *args)
    schedule = queue.run("schedule", "add", "nightly", "@nightly", *args)
    told = schedule.stderr.replace("hybridq schedule add nightly @nightly -- ", "hybridq submit -- ")
    assert (schedule.returncode, told) == (submit.returncode, submit.stderr)
    assert listed(queue) == []


def test_a_hint_is_the_line_that_was_meant(queue: Queue) -> None:
    """A command without `--` before it is shown with it, and with all else that was typed."""
    done = queue.run("schedule", "add", "nightly", "0 2 * * *", "--within", "4h", "ls", "x", "y")
    assert "hybridq schedule add nightly '0 2 * * *' --within 4h -- ls x y" in done.stderr


@pytest.mark.parametrize("name", ["", "-x", "a b", "a@b", "a/b", "x" * 101, "_", "a\x1b"])
def test_a_name_is_one_that_a_key_and_a_shell_can_have(queue: Queue, name: str) -> None:
    """What is none is refused in one sentence."""
    done = queue.run("schedule", "add", "--", name, "@nightly") if name.startswith("-") else None
    done = done or queue.run("schedule", "add", name, "@nightly", "--", "true")
    assert done.returncode == 64
    assert listed(queue) == []


def test_two_have_no_name_in_common(queue: Queue) -> None:
    """The second is refused, with how to change the first."""
    added(queue, "nightly", "@nightly", "--", "true")
    done = queue.run("schedule", "add", "nightly", "@nightly", "--", "false")
    assert done.returncode == 64
    assert "there is a schedule 'nightly' already. To change it: hybridq schedule edit nightly" in done.stderr


def test_the_list_has_three_instants_and_the_last_outcome(queue: Queue) -> None:
    """The next ones are a day apart; what ran is told with its job."""
    found = added(queue, "nightly", "0 2 * * *", "--zone", "UTC", "--within", "4h", "--", "sh", "-c", "exit 3")
    assert [b - a for a, b in zip(found["next"], found["next"][1:], strict=False)] == [86400.0, 86400.0]
    assert (found["within"], found["zone"], found["last"]) == (4 * HOUR, "UTC", None)
    queue.run("schedule", "run", "nightly")
    queue.run("drain")
    (found,) = listed(queue)
    assert (found["last"]["state"], found["last"]["job"], found["last"]["exit_code"], found["failed"]) == (
        "failed",
        1,
        3,
        1,
    )
    assert "\tfailed " in queue.run("schedule").stdout
    assert ", failed with exit code 3" in queue.run("schedule", "show", "nightly").stdout


def test_pause_and_resume(queue: Queue) -> None:
    """A paused one has no next instant, and gets one again; both are told."""
    added(queue, "nightly", "@nightly", "--", "true")
    assert queue.run("schedule", "pause", "nightly").stdout == "nightly · paused\n"
    assert (listed(queue)[0]["paused"], listed(queue)[0]["next"]) == (True, [])
    assert queue.run("schedule", "resume", "nightly").stdout.startswith("nightly · next ")


def test_edit_changes_what_is_named_and_no_more(queue: Queue) -> None:
    """The time, an option or the command; the rest stays. Nothing at all is a mistake."""
    before = added(queue, "nightly", "0 2 * * *", "--within", "4h", "--priority", "2", "--", "true")
    assert queue.run("schedule", "edit", "nightly").returncode == 64
    queue.run("schedule", "edit", "nightly", "--overlap", "skip", "--retries", "3", "--", "echo", "new")
    after = json.loads(queue.run("schedule", "show", "nightly", "--json").stdout)
    changed = {key for key in before if before[key] != after[key] and key not in ("eta", "eta90", "env")}
    assert changed == {"overlap", "retries", "what"}
    assert json.loads(queue.run("schedule", "edit", "nightly", "--within", "none", "--json").stdout)["within"] is None


def test_remove_leaves_the_jobs(queue: Queue) -> None:
    """And names those that have not ended."""
    added(queue, "nightly", "@nightly", "--mode", "batch", "--", "true")
    queue.run("schedule", "run", "nightly")
    done = queue.run("schedule", "remove", "nightly")
    assert (done.stdout, done.stderr) == ("nightly removed\n", "hybridq: job 1 has not ended: hybridq cancel 1\n")
    assert queue.state(1) == "queued"
    assert queue.run("schedule", "show", "nightly").returncode == 66


def test_what_was_left_out_is_told_everywhere(queue: Queue) -> None:
    """In the list, in `status`, and in the story of the job that was in the way."""
    import time

    now = time.time()
    recurring(queue.outlook, "poll", "every 1h", since=now - 4 * HOUR - 60, overlap=Overlap.SKIP)
    make_all_due(queue.outlook, now)
    make_all_due(queue.outlook, now + HOUR)
    (found,) = listed(queue)
    assert (found["instants_missed"], found["instants_overlapped"], found["unended"]) == (3, 1, [1])
    head = json.loads(queue.run("status", "--json").stdout)["head"]
    assert (head["left_out"], head["next_schedule"]) == ({"missed": 3, "overlap": 1}, "poll")
    told = queue.run("explain", "1").stdout
    assert "3 earlier instants were missed" in told
    assert "left out, for this had not ended (--overlap skip)" in told


def test_what_it_saved_is_told(queue: Queue) -> None:
    """What its jobs would have cost streamed, less what they did."""
    import time

    recurring(queue.outlook, "poll", "every 1h", since=time.time() - HOUR - 60)
    make_all_due(queue.outlook, time.time())
    run_jobs(queue.outlook, 1)
    (found,) = listed(queue)
    assert (found["cost"], found["saved"]) == (0.25, 0.75)


def test_the_schedules_commands_are_completed_and_explained(queue: Queue) -> None:
    """Each has help, and a word that is none of them is told with those that are."""
    for name in ("add", "show", "pause", "resume", "run", "remove", "edit"):
        assert queue.run("schedule", name, "--help").stdout.startswith(f"Usage: hybridq schedule {name} ")
    done = queue.run("schedule", "ad")
    assert (done.returncode, "it has add, show" in done.stderr) == (64, True)
