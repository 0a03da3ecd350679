"""The demonstration: a real run over fewer documents, its figures, and every way in which it ends."""

import json
import os
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pexpect
import psutil
import pytest
from rich.console import Console

from hybridq.demo import digest
from hybridq.demo import play as demo
from hybridq.demo.measured import Measured
from hybridq.demo.stage import CHEAP, HANDLER, LIBRARY, Stage
from hybridq.demo.stage import DEAR as FACTOR
from hybridq.errors import HybridqError
from hybridq.job import Lane, Mode, State
from hybridq.queue.results import result
from hybridq_cli.draw import measured as view
from hybridq_cli.tell import document, spoken
from tests.docs.test_json import check

COMMAND = (sys.executable, "-c", "from hybridq_cli.main import run; run()")
DAEMON = (*COMMAND, "daemon")
DEADLINE = 60.0  # seconds that anything here may take
DEAR = 6.0  # seconds until the price falls: more than the queue takes to learn how long a document takes
JOBS = 60


class Seen:
    """One run of the demonstration, and what was in its queue before it went."""

    def __init__(self) -> None:
        self.documents = demo.evenly(demo.library(), JOBS)
        self.began = time.time()
        with Stage(DAEMON, dear=DEAR) as stage:
            self.stage = stage
            with demo.Run(stage, self.documents) as run:
                self.measured = run.measured()
            self.workers = [child.pid for child in psutil.Process(stage.daemon).children(recursive=True)]
            outlook = stage.connect()
            with outlook.store as store:
                self.fall = outlook.tariff.changes(self.began, self.began + 60)[0][0]
                self.asked = {each.job: result(store, each.job) for each in self.measured.questions}
                group = store.rows("SELECT id, busy, value FROM result JOIN job USING (id) WHERE flush IS NOT NULL")
                self.gathered = {number: (busy, value) for number, busy, value in group}


@pytest.fixture(scope="module")
def seen() -> Seen:
    return Seen()


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    return tmp_path


def test_its_figures_as_json_are_as_promised(seen: Seen) -> None:
    """`demo --json` has the fields of its schema."""
    check("demo", json.loads(document(spoken(seen.measured, 0.0, ""))))


def test_the_library_is_more_than_a_toy() -> None:
    """The documents are hundreds of modules, each there once, none of them an installed package."""
    documents = demo.library()
    assert len(set(documents)) == len(documents) > 500
    assert {"queue.py", os.path.join("json", "decoder.py")} <= set(documents)
    assert not [path for path in documents if "site-packages" in path]


def test_every_document_is_digested(seen: Seen) -> None:
    """Each document of the group, and each that was asked for, has a real digest as its result."""
    values = [json.loads(value) for _, value in seen.gathered.values()]
    assert sorted(value["path"] for value in values) == sorted(seen.documents)
    one = next(value for value in values if value["summary"])
    assert one["summary"] == list(digest.summary(digest.prose(str(LIBRARY / one["path"]))))
    assert [each.state for each in seen.measured.questions] == [State.DONE] * len(seen.asked)
    assert all(found is not None and found.cost > 0 for found in seen.asked.values())


def test_the_batch_waits_for_the_price_and_people_do_not(seen: Seen) -> None:
    """The group is accepted dear and starts when it is cheap; people get their answers meanwhile, streamed."""
    figures = seen.measured
    assert figures.accepted < seen.fall <= figures.started < figures.finished
    assert figures.batch.factor == pytest.approx(CHEAP)
    assert [each for each in figures.questions if each.ended < seen.fall]
    assert {(reason.mode, reason.jobs) for reason in figures.reasons if reason.mode is Mode.BATCH} == {
        (Mode.BATCH, JOBS)
    }
    assert sum(reason.jobs for reason in figures.reasons) == JOBS + len(figures.questions)
    assert figures.promised.finish is not None


def test_figures_are_counted_from_what_was_recorded(seen: Seen) -> None:
    """Waits are between asking and the first byte; a batch's cost holds at least its jobs' busy time."""
    figures = seen.measured
    waits = sorted(each.first - each.asked for each in figures.questions)
    assert figures.streamed.worst == waits[-1]
    assert waits[0] <= figures.streamed.p50 <= waits[-1]
    assert figures.gathered.worst == figures.finished - min(each.asked for each in figures.questions)
    assert figures.gathered_best is not None
    assert figures.gathered_best.worst == figures.started - min(each.asked for each in figures.questions)
    busy = sum(busy for busy, _ in seen.gathered.values())
    assert figures.batch.seconds * JOBS * 1.01 >= busy > 0
    assert figures.alone.money == pytest.approx(figures.alone.seconds / 3600 * FACTOR)
    assert figures.alone.documents == demo.SAMPLE


def test_nothing_is_left(seen: Seen) -> None:
    """When it is over, its home, its daemon and its workers are gone."""
    assert not seen.stage.home.folder.exists()
    assert seen.workers
    assert not [pid for pid in (seen.stage.daemon, *seen.workers) if psutil.pid_exists(pid)]


def test_the_report_fits(seen: Seen, capsys: pytest.CaptureFixture[str]) -> None:
    """The report has every figure, at most 80 columns, and not a space too many."""
    view.draw_measured(seen.measured, Console(width=200))
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    assert [line for line in lines if line != line.rstrip()] == []
    for figure in (
        f"{JOBS} documents",
        "streamed",
        "held until it began",
        "one process each",
        "kept:",
        "hybridq submit",
    ):
        assert [line for line in lines if figure in line], figure


@pytest.mark.parametrize("width", [40, 60, 70, 71])
def test_the_report_fits_a_narrow_terminal(seen: Seen, width: int, capsys: pytest.CaptureFixture[str]) -> None:
    """No line is wider than the terminal, from 40 columns on: it would be cut in the middle of a word."""
    view.draw_measured(seen.measured, Console(width=width))
    assert max(map(len, capsys.readouterr().out.splitlines())) <= width


def test_a_promise_that_was_broken_is_told(seen: Seen) -> None:
    """A batch that ends after its promise's 90th percentile is told as not kept, and none as none."""
    late = msgspec.structs.replace(seen.measured, finished=(seen.measured.promised.finish90 or 0.0) + 1)
    unknown = msgspec.structs.replace(seen.measured, promised=msgspec.structs.replace(late.promised, finish90=None))
    assert _told(late).startswith("not kept: ")
    assert _told(unknown).startswith("none: hybridq knew nothing")


def _told(figures: Measured) -> str:
    lines = [text for text, _ in view._lines(figures, 80)]
    return lines[lines.index("\nPromise") + 1]


@pytest.fixture
def terminal(temporary: Path) -> Iterator[pexpect.spawn]:
    child = pexpect.spawn(COMMAND[0], [*COMMAND[1:], "demo"], timeout=DEADLINE, dimensions=(24, 80), encoding="utf-8")
    yield child
    child.close(force=True)


def test_control_c_leaves_nothing(terminal: pexpect.spawn, temporary: Path) -> None:
    """Control-C in the view: exit 130, the terminal as before, the daemon ended and its home removed."""
    before = termios.tcgetattr(terminal.child_fd)
    terminal.expect(r"pid (\d+), since")
    daemon = int(terminal.match[1])
    terminal.expect("stdlib")
    assert psutil.pid_exists(daemon)
    terminal.sendintr()
    terminal.expect("demo stopped")
    terminal.expect(pexpect.EOF)
    terminal.wait()
    assert terminal.exitstatus == 130
    assert termios.tcgetattr(terminal.child_fd) == before
    assert not psutil.pid_exists(daemon)
    assert list(temporary.iterdir()) == []


def test_q_leaves_the_view_alone(terminal: pexpect.spawn, temporary: Path) -> None:
    """`q` ends the view; the demonstration continues, and SIGTERM ends that too."""
    terminal.expect(r"pid (\d+), since")
    daemon = int(terminal.match[1])
    terminal.send("q")
    terminal.expect("continues")
    assert psutil.pid_exists(daemon)
    terminal.kill(signal.SIGTERM)
    terminal.expect(pexpect.EOF)
    terminal.wait()
    assert terminal.exitstatus == 130
    assert list(temporary.iterdir()) == []


def test_a_daemon_that_dies_is_told(temporary: Path) -> None:
    """When its daemon is killed it says so, exits with 70 and leaves nothing, and without a terminal it has lines."""
    with subprocess.Popen([*COMMAND, "demo"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        line = next(line for line in child.stdout if "pid" in line)
        assert "\x1b" not in line
        os.kill(int(line.split("pid ")[1].split(",")[0]), signal.SIGKILL)
        _, said = child.communicate(timeout=DEADLINE)
    assert child.returncode == 70
    assert "the demo's daemon stopped" in said
    assert "Traceback" not in said
    assert list(temporary.iterdir()) == []


def test_a_daemon_that_never_starts(temporary: Path) -> None:
    """A daemon that ends at once is told with its last words, and its home is removed."""
    dying = ("sh", "-c", "echo no room here; exit 3")
    with pytest.raises(HybridqError, match="no room here"), Stage(dying, dear=1):
        pass
    assert list(temporary.iterdir()) == []


def test_its_queue_can_be_kept(temporary: Path) -> None:
    """With `keep` the queue stays when the daemon has gone, configured as it was."""
    with Stage(DAEMON, dear=60, keep=True) as stage:
        assert stage.connect().tariff.factor(time.time()) == FACTOR
    assert not psutil.pid_exists(stage.daemon)
    assert stage.connect().slots(HANDLER, Lane.BATCH) >= 1


def test_the_users_own_settings_stay_out(temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Variables that set hybridq up for its user change nothing in the demonstration."""
    monkeypatch.setenv("HYBRIDQ_POLICY_MACHINE_COST", "77")
    monkeypatch.setenv("HYBRIDQ_HOME", str(temporary / "own"))
    with Stage(DAEMON, dear=60) as stage:
        assert stage.connect().config.policy.machine_cost == 1.0
        assert stage.home.folder != temporary / "own"
    assert list(temporary.iterdir()) == []
