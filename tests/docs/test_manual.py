"""The man page: made from the pages of help, current, clean for groff, and in the wheel where `man` looks for it."""

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from hybridq_cli.commands import COMMANDS
from hybridq_cli.help.manual import page, write

ROOT = Path(__file__).parents[2]
KEPT = ROOT / "man" / "hybridq.1"


def shown(file: Path) -> str:
    """What `man` would show, without its marks."""
    done = subprocess.run(
        ["groff", "-man", "-Kutf8", "-Tutf8", "-P-cbou", "-rLL=100n", str(file)],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def needed(program: str) -> None:
    """Skip where this is not there."""
    if shutil.which(program) is None:
        pytest.skip(f"needs {program}: apt-get install {program}")


def test_what_is_kept_is_what_is_made(tmp_path: Path) -> None:
    """python -m hybridq_cli.help.manual man would change nothing."""
    assert KEPT.read_text() == page() == write(tmp_path).read_text()


def test_it_is_written_by_its_module(tmp_path: Path) -> None:
    """As `make docs` does."""
    subprocess.run([sys.executable, "-m", "hybridq_cli.help.manual", str(tmp_path)], check=True)
    assert (tmp_path / "hybridq.1").read_text() == page()


def test_groff_finds_nothing_wrong() -> None:
    """With all of its warnings."""
    needed("groff")
    done = subprocess.run(["groff", "-man", "-Kutf8", "-Tutf8", "-ww", "-z", str(KEPT)], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_mandoc_finds_nothing_wrong() -> None:
    """Of errors and unsupported macros none."""
    needed("mandoc")
    done = subprocess.run(["mandoc", "-T", "lint", "-W", "error", str(KEPT)], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")


def test_a_reader_finds_every_command_and_setting() -> None:
    """Each command with its options, each exit code, each key; no mark of Markdown is left."""
    needed("groff")
    text = shown(KEPT)
    assert all(f"hybridq {name}" in text for name in COMMANDS)
    for said in ("--retry-on", "HYBRIDQ_RETRIES", "EXIT CODES", "daily_budget", "hybridq help json", "config.toml"):
        assert said in text
    assert "**" not in text
    assert "| ---" not in text


def test_the_wheel_brings_it_where_man_looks() -> None:
    """share/man/man1 of whatever it is installed into; the completions are beside it."""
    files = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["data-files"]
    assert files["share/man/man1"] == ["man/hybridq.1"]
    assert all((ROOT / name).exists() for names in files.values() for name in names)
