"""A job that its provider keeps waiting: whoever follows it, or looks at it, is told why and until when."""

import json
from pathlib import Path

import pytest

from hybridq.job import Mode, State
from hybridq.queue.cohorts import job
from hybridq.queue.results import result
from hybridq.submit import submit
from tests.support.building import asking, command, daemon, look, staying, submit_all, until
from tests.support.llm import served
from tests.support.provider import Fault, Provider, unavailable

SAID = "hybridq: job 1 tries again at "


def test_who_follows_is_told_why_a_job_waits_in_its_runners_hands(provider: Provider, tmp_path: Path) -> None:
    """429 for half a minute: the job runs, and its follower, status, show and explain all say the same of it."""
    provider.faults.append(Fault(status=429, retry_after="30"))
    with served(tmp_path, provider) as outlook, daemon(outlook):
        home = outlook.store.home
        submit(outlook, asking("gpt", Mode.STREAM), b'"q"')
        with staying(outlook, "follow", "1") as follower:
            assert follower.stderr is not None
            said = follower.stderr.readline()
        assert said.startswith(SAID)
        assert said.endswith(": 429: refused\n")
        assert job(outlook.store, 1).attempt == 1
        (row,) = json.loads(command(home, "status", "--json").stdout)["rows"]
        assert row["state"] == "running"
        assert f"hybridq: job 1 {row['why']}\n" == said
        assert row["why"] in command(home, "explain", "1").stdout
        shown = json.loads(command(home, "show", "1", "--json").stdout)
        assert shown["error"] == "429: refused"
        assert shown["not_before"] > shown["started"]
        command(home, "cancel", "1")


def test_a_submit_that_runs_its_job_says_the_same_words_and_says_them_once(tmp_path: Path) -> None:
    """No daemon, and a port that nobody listens at: each wait is told in one line, and by nobody else; the first asks
    whether the server runs."""
    with Provider() as gone:
        pass
    with (
        served(tmp_path, gone) as outlook,
        staying(outlook, "submit", "gpt", "q", "--follow", "--mode", "stream") as submitter,
    ):
        assert submitter.stderr is not None
        first, second = (submitter.stderr.readline() for _ in range(2))
    assert first != second
    advice = f". Is the server running? base_url is {gone.url}\n"
    assert first.endswith(advice)
    assert not second.endswith(advice)
    for line in (first, second):
        assert line.startswith(SAID)
        assert f": the connection to 127.0.0.1:{gone.port} failed" in line


def test_a_wait_that_is_over_is_told_no_more(provider: Provider, tmp_path: Path) -> None:
    """Refused once, then answered: the job is done and nothing of the refusal is left."""
    provider.faults.append(Fault(status=429, retry_after="2.5"))
    with served(tmp_path, provider) as outlook, daemon(outlook):
        submit(outlook, asking("gpt", Mode.STREAM), b'"q"')
        until(lambda: job(outlook.store, 1).ready > 0)
        until(lambda: job(outlook.store, 1).state is State.DONE)
        found = result(outlook.store, 1)
        assert found is not None
        assert (found.error, found.value) == (None, b'"answer to q"')
        assert job(outlook.store, 1).ready == 0


@pytest.mark.parametrize("path", ["/v1/batches/", "/v1/batches"], ids=["looked at", "looked for"])
def test_a_batch_that_cannot_be_asked_about_says_so_until_it_can(provider: Provider, tmp_path: Path, path: str) -> None:
    """The provider fails while a batch is there, or while it is not known whether one is: each view says since when and
    why, and nothing of it once the provider answers."""
    provider.script.refuse_create = 1 if path == "/v1/batches" else 0
    provider.instead["GET", path] = unavailable
    with served(tmp_path, provider) as outlook, daemon(outlook):
        submit_all(outlook, asking("gpt", Mode.BATCH, group="docs"), [b'"a"', b'"b"'])
        until(lambda: any("cannot be asked since" in row.why for row in look(outlook).rows))
        (row,) = look(outlook).rows
        assert "503: down for now" in row.why
        assert row.why in " ".join(command(outlook.store.home, "explain", "docs").stdout.split())
        del provider.instead["GET", path]
        until(lambda: look(outlook).rows[0].counts.get("done") == 2)
        assert "cannot be asked" not in look(outlook).rows[0].why
