"""`handlers` and `config`: what is configured, tried and explained."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from hybridq.outlook import CORES
from tests.support.user import Queue, ended

GOOD = """\
[policy]
hold = "2h"

[handlers.echo]
command = "cat"
protocol = "lines"
instances = 2
"""
BROKEN = GOOD + '\n[handlers.gone]\ncommand = "./no-such-program"\n'


def hybridq(folder: Path, *args: str) -> subprocess.CompletedProcess[str]:
    """`hybridq ARGS` with this folder as its home."""
    program = "from hybridq_cli.main import run; run()"
    return subprocess.run(
        [sys.executable, "-c", program, *args],
        env={**os.environ, "HYBRIDQ_HOME": str(folder)},
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_handlers_are_listed(tmp_path: Path) -> None:
    """Each handler is one line with its kind, modes, how many run at once, and what it runs."""
    (tmp_path / "config.toml").write_text(GOOD)
    done = hybridq(tmp_path, "handlers")
    assert [line.split() for line in done.stdout.splitlines()] == [
        ["shell", "shell", "stream,", "batch", str(2 * CORES), "at", "once", "any", "command"],
        ["echo", "worker", "stream,", "batch", "2", "at", "once", "cat"],
    ]


@pytest.mark.parametrize("width", [40, 80, 100, 130])
def test_a_narrow_terminal_breaks_no_word(tmp_path: Path, width: int) -> None:
    """What a check says of a handler is in the last column of all, or below all rows where that has no room."""
    queue = Queue(tmp_path, GOOD + '\n[handlers.gone]\ncommand = "no-such-program"\n')
    with queue.terminal("handlers", "--check", width=width) as screen:
        assert ended(screen) == 78
        rows = (screen.before or "").splitlines()
    assert max(map(len, rows)) <= width
    places = {found.start() for row in rows if (found := re.search(r"(ok|failed): ", row))}
    assert len(places) == 1
    assert places == {4} or width >= 80


def test_handlers_are_tried(tmp_path: Path) -> None:
    """A check says of each handler how it runs, and fails as a mistake of configuration where one does not."""
    (tmp_path / "config.toml").write_text(GOOD)
    done = hybridq(tmp_path, "handlers", "--check", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    assert {entry["name"]: entry["ok"] for entry in json.loads(done.stdout)} == {"shell": True, "echo": True}
    (tmp_path / "config.toml").write_text(BROKEN)
    broken = hybridq(tmp_path, "handlers", "--check")
    assert broken.returncode == 78
    assert "gone" in broken.stderr
    assert [line.split()[0] for line in broken.stdout.splitlines() if "failed:" in line] == ["gone"]


def test_config_path_works_when_the_file_does_not(tmp_path: Path) -> None:
    """`--path` prints the path alone, so that a broken file can be opened."""
    (tmp_path / "config.toml").write_text("[broken")
    assert hybridq(tmp_path, "config", "--path").stdout == f"{tmp_path}/config.toml\n"
    assert hybridq(tmp_path, "config").returncode == 78


def test_config_shows_values_and_sources(tmp_path: Path) -> None:
    """Each value in force is one line with its source, as text and as JSON; nothing is made by asking."""
    (tmp_path / "config.toml").write_text(GOOD)
    text = hybridq(tmp_path, "config").stdout
    assert text.startswith(f"{tmp_path}/config.toml\n")
    rows = [line.split(maxsplit=2) for line in text.splitlines()[2:]]
    assert ["policy.hold", f"{tmp_path}/config.toml:2", "2h"] in rows
    assert ["policy.theta", "default", "1.0"] in rows
    found = json.loads(hybridq(tmp_path, "config", "--json").stdout)
    assert [setting["key"] for setting in found["settings"]] == [row[0] for row in rows]
    assert [path.name for path in tmp_path.iterdir()] == ["config.toml"]


def test_what_a_configuration_says_steers_no_terminal(tmp_path: Path) -> None:
    """Control and bidi characters of a window's name are escapes, in the table and in the document."""
    name, window = "\x9b31m\u202ex", 'start = "01:00"\nend = "02:00"\nfactor = 0.5\n'
    (tmp_path / "config.toml").write_text(f'[[tariff.window]]\nname = "{name}"\n{window}')
    table, document = hybridq(tmp_path, "config").stdout, hybridq(tmp_path, "config", "--json").stdout
    assert not {"\x9b", "\u202e"} & {*table, *document}
    (windows,) = [found["value"] for found in json.loads(document)["settings"] if found["key"] == "tariff.window"]
    assert windows[0]["name"] == name


def test_config_without_a_file_says_so(tmp_path: Path) -> None:
    """Where there is no file the output says that all is as by default."""
    done = hybridq(tmp_path, "config")
    assert done.returncode == 0
    assert "no such file" in done.stdout.splitlines()[0]


def test_a_check_that_fails_is_one_line(tmp_path: Path) -> None:
    """Of a traceback the table shows the last line, with where the module was looked for; --json has all of it."""
    (tmp_path / "broken.py").write_text("import no_such_dependency\n")
    (tmp_path / "config.toml").write_text(
        '[handlers.gone]\ncall = "nowhere:f"\n[handlers.broken]\ncall = "broken:f"\n'
        '[handlers.none]\ncommand = "no-such-x"\n'
    )
    text = hybridq(tmp_path, "handlers", "--check")
    shell, gone, broken, none = text.stdout.splitlines()
    assert "ok: " in shell
    assert "No module named 'nowhere'" in gone
    assert f"looked in {tmp_path} and where {sys.executable}" in gone
    assert "ModuleNotFoundError: No module named 'no_such_dependency'" in broken
    assert "Traceback" not in text.stdout
    assert "no such command: no-such-x in PATH; for one in the folder of config.toml, write ./no-such-x" in none
    says = {
        entry["name"]: entry["says"] for entry in json.loads(hybridq(tmp_path, "handlers", "--check", "--json").stdout)
    }
    assert "Traceback (most recent call last)" in says["broken"]
