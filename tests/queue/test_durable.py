"""What is acknowledged is on the disk, though whoever waits for it was rung before."""

import errno
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from hybridq.config.read import load_config
from hybridq.errors import StorageError
from hybridq.job import Audience, Mode, Output, Request, State
from hybridq.outlook import Outlook
from hybridq.queue import store as store_module
from hybridq.queue.claims import claim_stream
from hybridq.queue.results import NOT_MINE
from hybridq.queue.store import log_file
from hybridq.runner.engine import Engine
from hybridq.submit import connect, submit
from tests.support.building import ECHO

ASKED = Request(handler="echo", audience=Audience.USER, mode=Mode.STREAM)


@pytest.fixture
def outlook(tmp_path: Path) -> Outlook:
    (tmp_path / "config.toml").write_text(ECHO)
    tmp_path.chmod(0o700)
    return connect({}, home=tmp_path)


@pytest.fixture
def synced(outlook: Outlook, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The states of all jobs, as another process sees them, whenever the log is written to the disk."""
    found: list[list[str]] = []
    really: Callable[[int], None] = store_module._sync

    def sync(log: int) -> None:
        assert os.path.samestat(os.fstat(log), log_file(outlook.store.home).stat())
        with sqlite3.connect(outlook.store.home.database) as other:
            found.append([str(state) for (state,) in other.execute("SELECT state FROM job ORDER BY id")])
        other.close()
        really(log)

    monkeypatch.setattr(store_module, "_sync", sync)
    return found


def test_a_submission_is_on_the_disk_before_its_id_is_known(outlook: Outlook, synced: list[list[str]]) -> None:
    """A runner can see the job before, and only the submitter waits for the disk."""
    submit(outlook, ASKED, b'"x"')
    assert synced == [["queued"]]


def test_a_result_is_written_to_the_disk_at_once(outlook: Outlook, synced: list[list[str]]) -> None:
    """Who follows can see it before, and the runner does nothing else until it is there."""
    submit(outlook, ASKED, b'"x"')
    engine = Engine(outlook.store.home, load_config(outlook.store.home, {}), "drain")
    (claim,) = claim_stream(engine.store, engine.runner.id, "echo", 1, 2e9)
    assert len(synced) == 1  # a claim that a power cut takes back is made again
    output = Output(claim.id, claim.attempt, value=b'"fine"')
    engine.saver.finish(engine.settling.outcomes([(output, claim)]))
    assert synced[1:] == [["done"]]


def test_a_disk_that_does_not_confirm_is_told(outlook: Outlook, monkeypatch: pytest.MonkeyPatch) -> None:
    """The job is there, no id is given, and the sentence says both; a runner pauses, and forgets nothing."""

    def broken(_: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(store_module, "_sync", broken)
    with pytest.raises(StorageError, match="in the queue, but a power cut could lose them"):
        submit(outlook, ASKED, b'"x"')
    engine = Engine(outlook.store.home, load_config(outlook.store.home, {}), "drain")
    (claim,) = claim_stream(engine.store, engine.runner.id, "echo", 1, 2e9)
    output = Output(claim.id, claim.attempt, value=b'"fine"')
    engine.saver.finish(engine.settling.outcomes([(output, claim)]))
    assert engine.saver.paused
    assert outlook.store.rows("SELECT state FROM job") == [(State.DONE,)]
    assert outlook.store.rows("SELECT * FROM meta WHERE name = ?", (NOT_MINE,)) == []
