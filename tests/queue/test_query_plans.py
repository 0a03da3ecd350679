"""What is asked at every turn walks no table of jobs, however long the queue: the plans of SQLite say so."""

import sqlite3
from pathlib import Path

import pytest

from hybridq.job import Lane, Mode
from hybridq.outlook import Outlook
from hybridq.queue import store as store_module
from hybridq.queue.learned import remarked_of
from hybridq.queue.suspects import held_suspects, nothing_else, only_suspects, take
from hybridq.runner.drain import DrainLimits, run_drain
from hybridq.submit import submit
from tests.support.building import asking, submit_all


def test_no_turn_of_a_runner_scans_the_jobs(outlook: Outlook, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of all that a runner asks while it streams, plans, flushes and ends, nothing reads all jobs of the queue."""
    said: list[str] = []
    connect = store_module._connect

    def listening(path: Path) -> sqlite3.Connection:
        connection = connect(path)
        connection.set_trace_callback(said.append)
        return connection

    submit_all(outlook, asking(group="g"), [b'"x"'] * 40)
    submit_all(outlook, asking(mode=Mode.STREAM), [b'"y"'] * 4)
    monkeypatch.setattr(store_module, "_connect", listening)
    run_drain(outlook.store.home, outlook.config, DrainLimits())
    assert len(set(said)) > 50
    assert not scans(outlook, said)


def test_nothing_that_is_asked_about_suspects_scans_the_jobs(outlook: Outlook) -> None:
    """Suspects and remarks are few, the jobs beside them many: the search begins with the few."""
    said: list[str] = []
    outlook.store.connection.set_trace_callback(said.append)
    held_suspects(outlook.store)
    only_suspects(outlook.store)
    nothing_else(outlook.store)
    remarked_of(outlook.store, "g")
    take(outlook.store, 1, Lane.BATCH, ["echo"], 1.0, room=lambda _: None)  # type: ignore[arg-type, return-value]
    outlook.store.connection.set_trace_callback(None)
    assert sum("suspect" in sql for sql in said) > 3
    assert not scans(outlook, said)


def test_a_submission_asks_little(outlook: Outlook, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is held and nobody else runs: a submission reads little, and writes in one transaction."""
    monkeypatch.setattr("hybridq.outlook.machine_load", lambda: 0.0)
    submit(outlook, asking(mode=Mode.STREAM), b'"x"')
    said: list[str] = []
    outlook.store.connection.set_trace_callback(said.append)
    submit(outlook, asking(mode=Mode.STREAM), b'"y"')
    outlook.store.connection.set_trace_callback(None)
    reads = [sql for sql in said if sql.startswith("SELECT")]
    assert sum(sql == "BEGIN IMMEDIATE" for sql in said) == 1
    assert not any(name in sql for sql in reads for name in ("cohort_queued", "planned", "withheld"))
    assert len(reads) <= 9


def scans(outlook: Outlook, said: list[str]) -> list[tuple[str, str]]:
    """(statement, step) of those whose plan reads all jobs, results or drafts."""
    found = []
    for sql in dict.fromkeys(said):
        if sql.startswith(("SELECT", "UPDATE", "DELETE", "WITH", "INSERT")):
            steps = [row[-1] for row in outlook.store.rows(f"EXPLAIN QUERY PLAN {sql}")]
            found += [
                (sql, step) for step in steps if step.split()[:2] in (["SCAN", t] for t in ("job", "result", "draft"))
            ]
    return found
