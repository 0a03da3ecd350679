"""A daemon that was started without a provider's key: jobs wait for one that has it, and say so."""

from pathlib import Path

import psutil
import pytest

from hybridq.config.llm import missing_key
from hybridq.config.values import HandlerConfig
from hybridq.job import Mode
from hybridq.queue.holds import withheld
from tests.support.building import asking, command, daemon, look, staying, submit_all, until
from tests.support.llm import served
from tests.support.provider import KEY, Provider

GONE = "the daemon has stopped, and TEST_KEY is not set here: job 1 waits for a daemon that has it"


def test_jobs_wait_for_a_daemon_with_the_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In both lanes, in classes and alone, they are held with the variable's name and the daemon's pid; the next
    daemon, which has it, runs them all."""
    with Provider() as provider, served(tmp_path, provider) as outlook:
        monkeypatch.delenv("TEST_KEY")
        with daemon(outlook) as process:
            for mode in (Mode.STREAM, Mode.BATCH):
                submit_all(outlook, asking("gpt", mode, group=mode), [b'"a"', b'"b"'])
                until(lambda mode=mode: "TEST_KEY is not set" in look(outlook, mode).rows[0].why)
            why = look(outlook, "batch").rows[0].why
            assert f"the daemon (pid {process.pid}): export it and start the daemon again" in why
            assert why in command(outlook.store.home, "wait", "batch", "--timeout", "0").stderr
        assert not provider.requests
        monkeypatch.setenv("TEST_KEY", KEY)
        with daemon(outlook):
            until(lambda: not outlook.store.rows("SELECT 1 FROM job WHERE state <> 'done'"))
        assert withheld(outlook.store) == {}


@pytest.mark.parametrize("stay", ["--follow", "--wait"])
def test_who_stays_is_told_of_the_missing_key_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stay: str
) -> None:
    """Staying from the very submission, or following later: one sentence with the variable's name and the daemon's pid,
    once; the answer when a daemon has the key."""
    with Provider() as provider, served(tmp_path, provider) as outlook:
        monkeypatch.delenv("TEST_KEY")
        submitting = ("submit", "gpt", "q", stay, "--mode", "stream")
        with daemon(outlook) as process, staying(outlook, *submitting) as first:
            lacks = f"TEST_KEY is not set in the daemon (pid {process.pid}): export it and start the daemon again"
            assert first.stderr is not None
            assert first.stderr.readline().endswith(f"held: {lacks}\n")
            with staying(outlook, "follow", "1") as second:
                assert second.stderr is not None
                assert second.stderr.readline() == f"hybridq: job 1: held: {lacks}\n"
                process.terminate()
                process.wait(20)
                monkeypatch.setenv("TEST_KEY", KEY)
                with daemon(outlook):
                    ends = [each.communicate(timeout=20) for each in (first, second)]
                gone = f"hybridq: {GONE}\n" if ends[0][1] else ""  # where the second daemon took its time
                assert ends == [("answer to q\n" if stay == "--follow" else "1\n", gone), ("answer to q\n", "")]


def test_who_stays_without_the_key_leaves_the_job_to_a_daemon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the daemon stops, somebody who follows without the key does not take the job: it stays queued, which is
    said, and a daemon with the key answers it."""
    with Provider() as provider, served(tmp_path, provider) as outlook:
        provider.first = 600.0
        with daemon(outlook) as process, monkeypatch.context() as without:
            without.delenv("TEST_KEY")
            with staying(outlook, "submit", "gpt", "q", "--follow", "--mode", "stream") as follower:
                until(lambda: outlook.store.rows("SELECT 1 FROM job WHERE state = 'running'"))
                until(lambda: psutil.Process(follower.pid).num_threads() > 1)  # one of which looks after the daemon
                process.kill()
                process.wait()
                assert follower.stderr is not None
                assert GONE in follower.stderr.readline()
                assert outlook.store.rows("SELECT state FROM job") == [("queued",)]
                provider.first = 0.0
                without.setenv("TEST_KEY", KEY)
                with daemon(outlook):
                    assert follower.communicate(timeout=30)[0] == "answer to q\n"


def test_whoever_runs_them_in_sight_fails_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A drain does not wait for a daemon: it says what is missing, and ends."""
    with Provider() as provider, served(tmp_path, provider) as outlook:
        monkeypatch.delenv("TEST_KEY")
        submit_all(outlook, asking("gpt"), [b'"a"'])
        assert command(outlook.store.home, "drain").returncode == 1
        assert "TEST_KEY is not set" in look(outlook, "1").rows[0].why


def test_a_server_on_this_machine_needs_no_key() -> None:
    """What is missing is only what is named, or what the provider itself wants."""
    own = {"model": "m"}
    assert missing_key(HandlerConfig(kind="openai", options=own), {}) == "OPENAI_API_KEY"
    local = own | {"base_url": "http://localhost:1/v1"}
    assert missing_key(HandlerConfig(kind="openai", options=local), {}) == ""
