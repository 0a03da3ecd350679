"""A daemon that was started without a provider's key: jobs wait for one that has it, and say so."""

from pathlib import Path

import pytest

from hybridq.job import Mode
from hybridq.queue.money import withheld
from hybridq.settings.llm import LlmOptions, missing_key
from tests.building import asking, command, daemon, look, submit_all, until
from tests.llm import served
from tests.provider import KEY, Provider


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


def test_whoever_runs_them_in_sight_fails_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A drain does not wait for a daemon: it says what is missing, and ends."""
    with Provider() as provider, served(tmp_path, provider) as outlook:
        monkeypatch.delenv("TEST_KEY")
        submit_all(outlook, asking("gpt"), [b'"a"'])
        assert command(outlook.store.home, "drain").returncode == 1
        assert "TEST_KEY is not set" in look(outlook, "1").rows[0].why


def test_a_server_on_this_machine_needs_no_key() -> None:
    """What is missing is only what is named, or what the provider itself wants."""
    assert missing_key("openai", LlmOptions(model="m"), {}) == "OPENAI_API_KEY"
    assert missing_key("openai", LlmOptions(model="m", base_url="http://localhost:1/v1"), {}) == ""
