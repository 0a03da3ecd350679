"""A submit that runs its job once the daemon has gone, and what keeps it from that."""

import sqlite3
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest

from hybridq.errors import TryAgain
from hybridq.job import Mode
from hybridq.queue import store as store_module
from hybridq.queue.cohorts import job, state_of
from hybridq.runner.failover import Failover
from tests.support.building import asking, queue, submit_all, until


def test_a_lock_that_another_program_holds_ends_the_stay_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever stays gets the error itself, and no thread prints a traceback; the job is in the queue."""
    monkeypatch.setattr(store_module, "BUSY", 0.2)
    unhandled: list[object] = []
    monkeypatch.setattr(threading, "excepthook", unhandled.append)
    with (outlook := queue(tmp_path)).store as store:
        (number,) = submit_all(outlook, asking("echo", Mode.STREAM), [b'"x"'])
        of = job(store, number).cohort
        other = sqlite3.connect(store.home.database, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        stand_in = Failover(store.home, outlook.config, of, lambda: None, lambda _: None)
        with pytest.raises(TryAgain, match="was busy"), stand_in, suppress(KeyboardInterrupt):
            time.sleep(30)
        other.close()
        assert (unhandled, state_of(store, number)[0]) == ([], "queued")


def test_it_runs_the_job_once_the_lock_is_free(tmp_path: Path) -> None:
    """A lock that is held for a moment changes nothing."""
    with (outlook := queue(tmp_path)).store as store:
        (number,) = submit_all(outlook, asking("echo", Mode.STREAM), [b'"x"'])
        other = sqlite3.connect(store.home.database, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        begun = threading.Event()
        with Failover(store.home, outlook.config, job(store, number).cohort, begun.set, lambda _: None):
            until(begun.is_set)
            other.close()
            until(lambda: state_of(store, number)[0] == "done")
