"""A plug-in that is built and installed as any package is: its kinds do what those of hybridq can."""

import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import fields

from hybridq.config.kinds import Traits
from hybridq.job import State
from hybridq_cli.help.topics import text
from tests.docs.test_help import blocks
from tests.support.user import Queue, until

PACKAGE = Path(__file__).parents[1] / "support" / "farm"
CONFIG = """
[handlers.count]
kind = "farm"
options = {{ folder = "{0}" }}
[handlers.night]
kind = "farm"
modes = ["batch"]
options = {{ folder = "{0}" }}
[handlers.crate]
kind = "box"
"""


def install(source: Path, site: Path) -> None:
    """Build a package and install it into a folder, as pip does without the network."""
    pip = [sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--no-deps", "--no-index"]
    subprocess.run([*pip, "--no-build-isolation", "--target", site, source], check=True)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the package."""
    folder = tmp_path_factory.mktemp("plug-in")
    shutil.copytree(PACKAGE, folder / "source")
    install(folder / "source", folder / "site")
    return folder / "site"


@pytest.fixture
def queue(tmp_path: Path, site: Path) -> Iterator[Queue]:
    """A queue beside which it is installed, with its key; the farm's gate is closed."""
    farm = tmp_path / "farm"
    farm.mkdir()
    queue = Queue(tmp_path, CONFIG.format(farm))
    queue.environment |= {"PYTHONPATH": str(site), "FARM_KEY": "k"}
    yield queue
    for batch in farm.glob("*.batch"):
        batch.unlink()  # what still waits at the gate goes home


def test_what_it_runs_elsewhere_outlives_the_daemon(queue: Queue, tmp_path: Path) -> None:
    """A batch is handed over whole; the daemon is killed; the next one fetches the results and their cost."""
    farm = tmp_path / "farm"
    queue.run("submit", "night", "--lines", "-", "--deadline", "10m", "--detach", input="a\nbb\nccc\n")
    with queue.daemon() as first:
        until(lambda: queue.rows("SELECT 1 FROM detached"))
        first.send_signal(signal.SIGKILL)
        first.wait()
    assert len(list(farm.glob("*.batch"))) == 1
    assert [queue.state(number) for number in (1, 2, 3)] == [State.RUNNING] * 3
    with queue.daemon():
        (farm / "open").touch()
        until(lambda: all(queue.state(number) is State.DONE for number in (1, 2, 3)))
        until(lambda: not queue.rows("SELECT 1 FROM detached"))
    assert queue.run("output", "night-1").stdout.split() == ["1", "2", "3"]
    assert queue.rows("SELECT attempt, cost, streamed FROM result") == [(1, 0.25, 0.5)] * 3
    assert not list(farm.glob("*.done"))  # its own housekeeping was asked for


def test_without_its_key_its_jobs_are_held(queue: Queue) -> None:
    """A daemon that lacks the variable which its traits name says so, and runs what is another's."""
    del queue.environment["FARM_KEY"]
    with queue.daemon():
        queue.run("submit", "count", "word", "--mode", "stream", "--detach")
        until(lambda: "FARM_KEY is not set in the daemon" in queue.run("status", "1").stdout)
        assert queue.run("submit", "--wait", "--", "true").returncode == 0


def test_what_is_streamed_is_run_at_once(queue: Queue) -> None:
    """Without a daemon too; it has the instances that its traits say, and its own price."""
    assert queue.run("submit", "count", "word", "--follow").stdout.strip() == "4"
    assert queue.rows("SELECT cost FROM result") == [(0.5,)]
    assert " 3 at once" in queue.run("handlers").stdout
    assert "ok: a farm in" in queue.run("handlers", "--check").stdout


def test_its_commands_are_commands(queue: Queue, tmp_path: Path) -> None:
    """They are given after `--`, run where they were submitted, with variables and standard input; their exit code is
    the job's."""
    line = "read text; echo $BOX $MORE $text $(pwd -P); exit 3"
    done = queue.run(
        "submit",
        "crate",
        "--stdin",
        "--env",
        "MORE=more",
        "--follow",
        "--",
        "sh",
        "-c",
        line,
        input="in\n",
        cwd=tmp_path,
    )
    assert (done.stdout.split(), done.returncode) == (["crate", "more", "in", str(tmp_path.resolve())], 3)
    lines = '{"input": ["echo", "a"]}\n{"input": {"shell": "echo $BOX"}}\n'
    with queue.daemon():
        assert queue.run("submit", "crate", "--jsonl", "-", "--group", "g", "--wait", input=lines).returncode == 0
    assert queue.run("output", "g").stdout.split() == ["a", "crate"]


def test_the_package_of_the_page_runs(tmp_path: Path) -> None:
    """What `hybridq help plugins` shows is a whole package: it is installed, checked, and runs its jobs."""
    project, config = blocks("toml", "plugins")
    (code,) = blocks("python", "plugins")
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "pyproject.toml").write_text(project)
    (tmp_path / "source" / "my_ocr.py").write_text(code)
    install(tmp_path / "source", tmp_path / "site")
    queue = Queue(tmp_path, config)
    queue.environment["PYTHONPATH"] = str(tmp_path / "site")
    assert "ok: reads deu" in queue.run("handlers", "--check").stdout
    assert queue.run("submit", "scans", "page", "--follow").stdout.strip() == "page in deu"


def test_the_page_has_each_trait() -> None:
    """None can be used that is not told of, and none is told of that is not there."""
    told = re.findall(r"^\| `(\w+)` \|", text("plugins"), re.MULTILINE)
    assert told == [field.name for field in fields(Traits)]
