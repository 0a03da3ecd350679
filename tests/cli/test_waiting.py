"""Work that waits, as a user types it: pipelines, their failures and repair, times, results as files."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from hybridq.job import Lane, State
from hybridq.outlook import Outlook
from hybridq.queue.cleaning import clean
from tests.support.building import command, daemon, document, look, queue, until

SH = ("--", "sh", "-c")


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Outlook]:
    """An empty queue."""
    outlook = queue(tmp_path)
    yield outlook
    outlook.store.close()


def run(outlook: Outlook, *args: str, code: int = 0) -> str:
    """What the command prints, whatever it says beside."""
    done = command(outlook.store.home, *args)
    assert done.returncode == code, done.stderr
    return done.stdout


def say(outlook: Outlook, *args: str) -> str:
    """What the command says beside."""
    return command(outlook.store.home, *args).stderr


def test_a_drain_runs_a_pipeline_in_order(made: Outlook) -> None:
    """Three steps that were submitted before anything ran, each with what the one before it printed."""
    run(made, "submit", "--detach", "--", "echo", "one")
    run(made, "submit", "--detach", "--after", "1", *SH, "cat {after}; echo two")
    run(made, "submit", "--detach", "--after", "last", *SH, "cat {after}; echo three")
    run(made, "drain")
    assert run(made, "output", "3") == "one\ntwo\nthree\n"


def test_a_submit_that_waits_runs_what_it_waits_for(made: Outlook) -> None:
    """Without a daemon the whole chain runs in this process, in order; nothing else does."""
    run(made, "submit", "--detach", "echo", "first")
    run(made, "submit", "--detach", "--", "echo", "other")
    run(made, "submit", "--detach", "--after", "1", *SH, "cat {after}; echo second")
    assert run(made, "submit", "--follow", "--after", "3", *SH, "cat {after}") == "first\nsecond\n"
    assert look(made, "2").rows[0].state is State.QUEUED


def test_one_job_of_many_is_run_alone(made: Outlook) -> None:
    """A submit that waits for one of a held group leaves the rest of it held."""
    (made.store.home.folder / "lines").write_text("a\nb\nc\n")
    run(made, "submit", "echo", "--mode", "batch", "--lines", str(made.store.home.folder / "lines"), "--group", "g")
    run(made, "submit", "--wait", "--after", "2", "--", "true")
    assert look(made, "g").rows[0].counts == {State.QUEUED: 2, State.DONE: 1}


def test_a_daemon_runs_each_after_its_own(made: Outlook) -> None:
    """A pipeline of one submission, by keys; two of its files fail, and retry repairs them."""
    missing = made.store.home.folder / "missing"
    lines = [{"input": ["cat", str(missing)] if n in (3, 7) else ["echo", "x"], "key": f"a{n}"} for n in range(9)]
    lines += [{"input": ["cp", "{after}", "/dev/stdout"], "after": f"a{n}", "key": f"b{n}"} for n in range(9)]
    lines += [{"input": ["ls", "{after}"], "after": [f"b{n}", 1]} for n in range(9)]
    shared = {"group": "p", "mode": "stream", "priority": 1}
    file = made.store.home.folder / "jobs"
    file.write_text("\n".join(json.dumps(line | shared) for line in lines))
    run(made, "submit", "shell", "--jsonl", str(file), "--cwd", str(made.store.home.folder))
    ended = {State.DONE: 21, State.FAILED: 2, State.CANCELLED: 4}
    with daemon(made):
        until(lambda: look(made, "p").rows[0].counts == ended)
        assert look(made, "13").rows[0].why == "cancelled: 4 failed"
        missing.write_text("here")
        assert run(made, "retry", "--failed", "p") == "6 jobs queued again\n"
        until(lambda: look(made, "p").rows[0].counts == {State.DONE: 27})
    folder = made.store.home.outputs / "after"
    assert (folder / "4" / "4.out").read_text() == "here"


def test_rows_tell_what_is_waited_for(made: Outlook) -> None:
    """In words, and as ids for programs; neither lane has it."""
    run(made, "submit", "--detach", "--group", "g", "--", "true")
    run(made, "submit", "--detach", "--after", "g", "--", "true")
    run(made, "submit", "--detach", "--after-ended", "1,2", "--delay", "2h", "--", "true")
    _, second, third = look(made).rows
    assert (second.why, second.waits_for, second.lane) == ("waits for g", "1", Lane.NONE)
    assert third.why.startswith("waits for 1-2, starts ")
    assert document(made, "status", "3")["rows"][0]["waits_for"] == "1-2"
    assert document(made, "show", "3")["not_before"] > time.time() + 7000


def test_a_group_after_a_failed_one_names_it(made: Outlook) -> None:
    """Its row says how many were cancelled, and for which job; a retry of those names what is to be retried."""
    run(made, "submit", "--detach", "--group", "g", "--", "false")
    run(made, "submit", "--detach", "--after", "g", "--group", "h", "--", "true")
    run(made, "submit", "--detach", "--after", "h", "--", "true")
    run(made, "drain", code=1)
    assert look(made, "h").rows[0].why == "cancelled: 1 failed"
    assert "job 3 waits for 2, which was cancelled. Retry the first: hybridq retry 1" in say(made, "retry", "3")
    assert "job 3 was cancelled: 2 was cancelled; to run it as well: hybridq retry 1" in say(made, "wait", "3")


def test_a_submission_after_a_failure_is_told(made: Outlook) -> None:
    """It is accepted, for a retry will run it, and cancelled at once."""
    run(made, "submit", "--wait", "--", "false", code=1)
    assert "job 2 was cancelled: 1 failed" in say(made, "submit", "--detach", "--after", "1", "--", "true")
    assert run(made, "retry", "1") == "2 jobs queued again\n"


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--after", "9"), "no job 9"),
        (("--after", "nobody"), "no group 'nobody'"),
        (("--at", "21:00", "--delay", "1h"), "--at and --delay cannot be used together"),
        (("--delay", "2h", "--deadline", "1h"), "before which it may not start"),
        (("--at", "2020-01-01T00:00Z"), "a start must be in the future"),
    ],
)
def test_what_cannot_be_is_refused(made: Outlook, options: tuple[str, ...], told: str) -> None:
    """With a sentence, and nothing is submitted."""
    assert told in say(made, "submit", *options, "--", "true")
    assert look(made).rows == ()


def test_a_drain_does_not_wait_for_a_time(made: Outlook) -> None:
    """What may not start yet is left, and told."""
    run(made, "submit", "--detach", "--delay", "2h", "--", "true")
    assert "1 job is left: starts " in say(made, "drain")


def test_a_daemon_starts_at_the_time(made: Outlook) -> None:
    """Not before it, and soon after."""
    with daemon(made):
        at = time.time() + 2
        run(made, "submit", "--delay", "2s", "--mode", "stream", "--detach", "--", "true")
        assert look(made, "1").rows[0].why_kind == "starts"
        until(lambda: look(made, "1").rows[0].state is State.DONE)
    assert at <= (look(made, "1").rows[0].started or 0) < at + 30


def test_results_as_files_go_with_the_jobs(made: Outlook) -> None:
    """A folder with a file for each job that was waited for; nothing is left when both are cleaned away."""
    run(made, "submit", "--wait", "--group", "g", "--", "echo", "a")
    run(made, "submit", "--wait", "--group", "g", "echo", "b")
    assert run(made, "submit", "--follow", "--after", "g", *SH, "cat {after}/*.out") == "a\nb\n"
    clean(made.store, time.time() + 1)
    assert list((made.store.home.outputs / "after").iterdir()) == []


def test_a_brace_without_anything_to_wait_for_stays(made: Outlook) -> None:
    """It is a word like others."""
    assert run(made, "submit", "--follow", "--", "echo", "{after}") == "{after}\n"
