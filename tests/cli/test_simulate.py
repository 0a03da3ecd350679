"""`hybridq simulate` as its user meets it: what it is given, what it says."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from hybridq.brain.outcome import settle
from hybridq.errors import ConfigError, UsageError
from hybridq.home import Home
from hybridq.job import Audience, Mode, Output
from hybridq.queue.results import record
from hybridq.simulate.baselines import BASELINES
from hybridq.simulate.overrides import changed, handler_times
from hybridq.simulate.past import TIMES
from hybridq.simulate.station import Times
from tests.support.ledgers import START, Past


def test_a_change_is_tried_and_never_written(tmp_path: Path) -> None:
    """`--set` wins over file and environment, its mistakes are named, and the file stays as it was."""
    home = Home.find({"HYBRIDQ_HOME": str(tmp_path)})
    home.config_file.write_text("[policy]\ntheta = 0.1\n")
    environ = {"HYBRIDQ_POLICY_THETA": "0.2"}
    assert changed(home, environ, ()).policy.theta == 0.2
    assert changed(home, environ, ("policy.theta=0.7", "policy.hold=2h")).policy.theta == 0.7
    assert changed(home, environ, ("policy.hold=2h",)).policy.hold == 7200
    windows = 'tariff.window=[{start="22:00", end="06:00", factor=0.4}]'
    assert changed(home, environ, (windows,)).tariff.window[0].factor == 0.4
    assert home.config_file.read_text() == "[policy]\ntheta = 0.1\n"
    for wrong, error in (("theta=1", UsageError), ("policy.theta", UsageError), ("policy.tehta=1", ConfigError)):
        with pytest.raises(error):
            changed(home, environ, (wrong,))


def test_handler_times_are_spans_or_shares() -> None:
    """Seconds as people write them; a share is a number from 0 to 1; anything else is refused."""
    assert handler_times(("start=1m", "job=50ms", "batch=0.1"), Times()) == Times(start=60.0, job=0.05, batch=0.1)
    for wrong in ("speed=1", "start", "batch=2", "batch=x", "start=soon"):
        with pytest.raises(UsageError):
            handler_times((wrong,), Times())


def simulate(home: Path, *args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "from hybridq_cli.main import run; run()", "simulate", *args],
        env={**os.environ, "HYBRIDQ_HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_command_explains_every_column_and_writes_a_page_of_its_own(tmp_path: Path) -> None:
    """The table has a line for each column and contender; the page loads nothing from anywhere."""
    done = simulate(tmp_path, "--synthetic", "--days", "0.3", "--html", str(tmp_path / "page.html"))
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    for name in ("cost", "with waiting", "a person waits", "deadlines", "flushes", "hybridq", "nightly"):
        assert any(line.startswith(name) and len(line.split()) > 4 for line in lines), name
    html = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "src=" not in html.split("<body>")[1]
    assert '<link rel="stylesheet"' not in html
    assert html.count("Plotly.newPlot(") >= 4


def test_a_trace_is_named_as_people_guess(tmp_path: Path) -> None:
    """`simulate FILE` is `simulate --trace FILE`, and says whose times and prices it took; both at once are refused."""
    path = tmp_path / "t.csv"
    path.write_text("arrival,input_size,output_size\n0,10,10\n9,100,200\n")
    plain, named = simulate(tmp_path, str(path)), simulate(tmp_path, "--trace", str(path))
    assert plain.returncode == 0, plain.stderr
    assert plain.stdout == named.stdout
    for part in ("run times are assumed", "20 s a start", "policy.machine_cost, 1.00 an hour", "no tariff.window"):
        assert part in plain.stdout
    assert simulate(tmp_path, str(path), "--synthetic").returncode == 64


def test_the_command_prints_one_json_document_the_same_each_time(tmp_path: Path) -> None:
    """`--json` is figures alone, and the same command gives the same bytes."""
    one, two = (simulate(tmp_path, "--days", "0.3", "--seed", "4", "--json") for _ in range(2))
    assert one.returncode == 0, one.stderr
    assert one.stdout == two.stdout
    found = json.loads(one.stdout)
    assert [v["name"] for v in found["verdicts"]] == ["hybridq", *(b.name for b in BASELINES)]
    assert set(found["verdicts"][0]["waits"]) == {"user", "background"}


def test_history_without_a_job_says_what_to_try(tmp_path: Path) -> None:
    """An empty queue has nothing to simulate: exit 64, and the next command to type."""
    done = simulate(tmp_path, "--history")
    assert done.returncode == 64
    assert "--synthetic" in done.stderr
    assert simulate(tmp_path, "--history", "--synthetic").returncode == 64


def test_history_keeps_when_the_first_of_a_result_was_there(past: Past) -> None:
    """What spoke 3 s into its minute is waited for so long, and its handler's start of 1 s; the cold start that it
    really had does not count twice."""
    (number,) = past.submit(0, audience=Audience.USER, mode=Mode.STREAM)
    claim = past.claim(number, 20)
    spoke = Output(claim.id, claim.attempt, value=b'"fine"', busy=60.0)
    record(past.store, [settle(spoke, claim, retries=0, now=START + 100, cost=1.0, streamed=1.0, first=START + 43)])
    found = json.loads(simulate(past.home, "--history", "--json").stdout)
    assert found["verdicts"][0]["waits"]["user"]["p50"] == pytest.approx(1.0 + 3.0)


def test_the_span_of_a_simulation_is_that_of_its_arrivals(tmp_path: Path) -> None:
    """Jobs that came within nine seconds came within nine seconds, however long whoever gathers them waits."""
    path = tmp_path / "t.csv"
    path.write_text("arrival,input_size,output_size\n0,10,10\n9,100,200\n")
    done = simulate(tmp_path, str(path), "--people", "0")
    assert "2 jobs submitted within 9s from" in done.stdout


def test_what_was_changed_is_named_above_the_table(tmp_path: Path) -> None:
    """Two pages of figures, one with `--set`, can be told apart, even where the change made no difference."""
    args = ("--synthetic", "--days", "0.1", "--set", "policy.theta=0.5", "--set", "policy.hold=2h")
    assert " with policy.theta = 0.5, policy.hold = 2h " in simulate(tmp_path, *args).stdout.splitlines()[0]


def test_history_is_what_really_ran(tmp_path: Path) -> None:
    """A queue in which three commands were done simulates those three."""
    for _ in range(3):
        done = subprocess.run(
            [sys.executable, "-c", "from hybridq_cli.main import run; run()", "submit", "--wait", "--", "true"],
            env={**os.environ, "HYBRIDQ_HOME": str(tmp_path)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
    done = simulate(tmp_path, "--history", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["jobs"] == 3
    assert found["notes"][0] == TIMES
