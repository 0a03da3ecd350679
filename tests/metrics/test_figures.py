"""The figures for Prometheus are those of the rows; what is called a total never falls."""

import os
import stat
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_metrics
from prometheus_client.parser import text_string_to_metric_families as plain

from hybridq.errors import UsageError
from hybridq.metrics.exposition import as_text, parse_address, served
from hybridq.outlook import Outlook
from hybridq.queue import measures
from hybridq.queue.cancel_retry import cancel, retry
from hybridq.queue.cleaning import clean
from hybridq.queue.flushes import close_flush, forget_flush, open_flush
from hybridq.queue.lanes import move
from hybridq.queue.runner import Runner
from hybridq.reason import said
from tests.support.building import asking, command, queue, run_jobs, submit_all

Figures = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def figures(outlook: Outlook) -> Figures:
    """Each sample by its name and labels."""
    text = as_text(outlook.store.home, outlook.config, {}).decode()
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in plain(text)
        for sample in family.samples
    }


def one(found: Figures, name: str, **labels: str) -> float:
    """One sample."""
    return found[name, tuple(sorted(labels.items()))]


def test_jobs_are_counted_by_handler_lane_and_state(every_state: Outlook) -> None:
    """As the rows have it."""
    found = figures(every_state)
    for handler, lane, state, jobs in every_state.store.rows(
        "SELECT handler, lane, state, count(*) FROM job JOIN cohort ON cohort.id = cohort GROUP BY 1, 2, 3"
    ):
        assert one(found, "hybridq_jobs", handler=handler, lane=lane, state=state) == jobs
    assert one(found, "hybridq_jobs_accepted_total") == 9
    assert one(found, "hybridq_cost_total", handler="echo", currency="") == 1.0
    assert (
        one(found, "hybridq_streamed_cost_total", handler="echo", currency="") == 3.25
    )  # what failed would have cost no more
    assert one(found, "hybridq_saved", currency="") == 2.25
    assert one(found, "hybridq_daemon_up") == 0


def totals(outlook: Outlook) -> Figures:
    """What is called a total."""
    return {key: value for key, value in figures(outlook).items() if key[0].endswith("_total")}


def test_no_total_ever_falls(every_state: Outlook) -> None:
    """Whatever is retried, cancelled, moved or cleaned away, and whatever flush finds nothing."""
    store, seen = every_state.store, totals(every_state)
    runner = Runner(store, "drain")
    flush = open_flush(store, runner.id, "echo", "full", said("why"), 1.0, 1, time.time())
    steps = (
        lambda: retry(store, [4, 7], time.time()),
        lambda: move(store, [8], "stream", "reclassified", said("why"), time.time()),
        lambda: cancel(store, [4], time.time()),
        lambda: forget_flush(store, flush),
        lambda: close_flush(store, flush, 1, 0, 0.0, 0.0, time.time() + 1),
        lambda: clean(store, time.time() + 9, None),
    )
    for step in steps:
        step()
        now = totals(every_state)
        assert {key: (old, now.get(key, 0.0)) for key, old in seen.items() if now.get(key, 0.0) < old} == {}
        seen = now
    runner.close(store)


def test_a_flush_counts_when_it_has_ended(outlook: Outlook) -> None:
    """By its rule; until then it may find nothing and be forgotten."""
    runner = Runner(outlook.store, "drain")
    flush = open_flush(outlook.store, runner.id, "echo", "full", said("why"), 1.0, 3, 100.0)
    assert ("hybridq_flushes_total", (("rule", "full"),)) not in figures(outlook)
    close_flush(outlook.store, flush, 2, 1, 0.0, 0.0, 107.0)
    found = figures(outlook)
    for name, value in (("flushes", 1), ("flushed_jobs", 3), ("flush_seconds", 7)):
        assert one(found, f"hybridq_{name}_total", rule="full") == value
    runner.close(outlook.store)


def test_waits_and_errors_are_those_of_the_last_jobs(outlook: Outlook) -> None:
    """In seconds, by who waited."""
    submit_all(outlook, asking(), [b'"x"'] * 20)
    run_jobs(outlook, 20)
    with outlook.store.tx() as connection:
        connection.execute("UPDATE cohort SET accepted = 1000, finished = 1300")
        connection.execute("UPDATE result SET first = 1000 + id")
        connection.execute("DELETE FROM promise")
        connection.execute("INSERT INTO promise (cohort, made, finish, finish90) VALUES (1, 1000, 1250, 1280)")
    found = figures(outlook)
    waits = [one(found, "hybridq_recent_wait_seconds", audience="background", percentile=p) for p in ("50", "95")]
    assert waits == [10, 19]
    assert one(found, "hybridq_recent_eta_error_seconds", percentile="50") == 50
    assert one(found, "hybridq_recent_eta_late_ratio") == 1


def test_money_has_its_currency_and_budgets_are_told(tmp_path: Path) -> None:
    """As a label, escaped as Prometheus reads it."""
    config = '[policy]\ncurrency = "€"\n[handlers.echo]\ncommand = "cat"\nprotocol = "lines"\ndaily_budget = 2.5\n'
    outlook = queue(tmp_path, config)
    submit_all(outlook, asking(), [b'"x"'] * 2)
    run_jobs(outlook, 2)
    found = figures(outlook)
    assert one(found, "hybridq_daily_budget", handler="echo", currency="€") == 2.5
    assert one(found, "hybridq_daily_budget_spent", handler="echo", currency="€") == 0.5
    outlook.store.close()


def test_a_file_is_there_whole(every_state: Outlook, tmp_path: Path) -> None:
    """As node_exporter's textfile collector reads it; nothing is left beside it, and others may read it."""
    (tmp_path / "prom").mkdir()
    file = tmp_path / "prom" / "hybridq.prom"
    for _ in range(2):
        done = command(every_state.store.home, "metrics", "-o", str(file))
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert list(plain(file.read_text()))
    assert os.listdir(file.parent) == ["hybridq.prom"]
    assert stat.S_IMODE(file.stat().st_mode) & 0o044 == 0o044


@pytest.fixture
def address(every_state: Outlook) -> Iterator[str]:
    """Where the queue is served."""
    with served(every_state.store.home, every_state.config, {}, parse_address(":0")) as url:
        yield url


def test_what_is_served_is_open_metrics_for_who_asks(address: str) -> None:
    """On this machine alone."""
    assert address.startswith("http://127.0.0.1:")
    asked = urllib.request.Request(address, headers={"Accept": "application/openmetrics-text; version=1.0.0"})  # noqa: S310
    with urllib.request.urlopen(asked, timeout=30) as answer:  # noqa: S310
        names = {family.name for family in open_metrics(answer.read().decode())}
    assert {"hybridq_jobs", "hybridq_cost", "hybridq_flushes", "hybridq_daemon_up", "hybridq"} <= names


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        (":9464", ("127.0.0.1", 9464)),
        ("9464", ("127.0.0.1", 9464)),
        ("0.0.0.0:1", ("0.0.0.0", 1)),  # noqa: S104
        ("[::1]:9464", ("::1", 9464)),
        ("localhost:80", ("localhost", 80)),
    ],
)
def test_an_address_without_a_host_is_this_machine(text: str, meant: tuple[str, int]) -> None:
    """Only who names another serves others."""
    assert parse_address(text) == meant


@pytest.mark.parametrize("text", ["", "localhost", ":99999", "::1:80", "http://x:80"])
def test_what_is_no_address_is_refused(text: str) -> None:
    """With the form that it should have."""
    with pytest.raises(UsageError, match="is no address: write :9464"):
        parse_address(text)


def test_a_port_that_is_taken_ends_the_daemon_in_a_sentence(address: str, tmp_path: Path) -> None:
    """With 64, and its runner is signed off."""
    outlook = queue(tmp_path / "other")
    done = command(outlook.store.home, "daemon", "--metrics", address.removeprefix("http://").removesuffix("/metrics"))
    assert (done.returncode, "cannot serve metrics on 127.0.0.1" in done.stderr) == (64, True)
    assert outlook.store.rows("SELECT 1 FROM runner") == []
    outlook.store.close()


def test_nothing_of_it_is_imported_by_a_submit(outlook: Outlook) -> None:
    """The client is there for who asks for metrics alone."""
    words = ("submit", "echo", "x", "--mode", "batch", "--detach")
    done = command(outlook.store.home, *words, PYTHONPROFILEIMPORTTIME="1")
    assert done.returncode == 0
    assert "typer" in done.stderr
    assert "prometheus" not in done.stderr


def test_a_look_walks_through_no_jobs(every_state: Outlook, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each statement goes by a kept sum, by the newest rows, or by the index of what is queued."""
    store, plans = every_state.store, set[str]()
    read = store.rows

    def explained(sql: str, parameters: object = ()) -> list[tuple[object, ...]]:
        plans.update(str(detail) for *_, detail in read(f"EXPLAIN QUERY PLAN {sql}", parameters))
        return read(sql, parameters)

    monkeypatch.setattr(store, "rows", explained)
    for look in (measures.by_handler, measures.accepted, measures.newest_waits, measures.newest_errors):
        look(store)
    measures.oldest_waiting(store)
    walked = {plan.removeprefix("SCAN ") for plan in plans if plan.startswith("SCAN")}
    assert walked <= {"tally", "newest", "result", "promise", "cohort USING INDEX cohort_queued"}
