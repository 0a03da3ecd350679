"""The README is true: its commands exist, its examples run, its configuration is understood."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from hybridq.config_read import load
from hybridq_cli.lazy import COMMANDS
from tests.served import Queue

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def blocks(kind: str) -> list[str]:
    """The fenced examples of one kind."""
    return re.findall(rf"^```{kind}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


@pytest.fixture
def queue(tmp_path: Path) -> Queue:
    """A queue with the README's own configuration."""
    (config,) = blocks("toml")
    return Queue(tmp_path, config)


def test_every_command_is_in_the_reference() -> None:
    """The reference names each command, and no other."""
    named = re.findall(r"^\| `hybridq (\w+)` \|", README, re.MULTILINE)
    assert sorted(named) == sorted(COMMANDS)


def test_every_command_has_help() -> None:
    """`--help` of each command says what it does."""
    for name in COMMANDS:
        helped = subprocess.run(
            [sys.executable, "-c", "from hybridq_cli.main import run; run()", name, "--help"],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert COMMANDS[name][1] in helped.stdout


def test_the_two_commands_are_what_ci_runs() -> None:
    """CI runs the README's test command word for word."""
    (command,) = [block.strip() for block in blocks("sh") if "pytest" in block]
    assert command in (ROOT / ".ci" / "run").read_text()


def test_the_examples_run(queue: Queue, tmp_path: Path) -> None:
    """Each shell example of the tour runs, in order, in a clean environment."""
    bin_ = tmp_path / "bin"
    bin_.mkdir()
    (bin_ / "hybridq").write_text(
        f'#!/bin/sh\nexec {sys.executable} -c "from hybridq_cli.main import run; run()" "$@"\n'
    )
    (bin_ / "hybridq").chmod(0o755)
    env = {**queue.environment, "PATH": f"{bin_}:{os.environ['PATH']}"}
    ends = {"sh -c 'echo hello; exit 3'": 3}
    with queue.daemon():
        for block in blocks("sh"):
            if "venv" in block:
                continue
            for line in block.splitlines():
                done = subprocess.run(
                    ["bash", "-c", line], env=env, cwd=ROOT, capture_output=True, text=True, timeout=60,
                    stdin=subprocess.DEVNULL,
                )  # fmt: skip
                expected = next((code for part, code in ends.items() if part in line), 0)
                assert done.returncode == expected, (line, done.stdout, done.stderr)
    assert queue.store.row("SELECT done FROM cohort WHERE name = 'thousand'") == (1000,)


def test_the_configuration_is_understood(queue: Queue) -> None:
    """The example configuration loads, and says what the text beside it says."""
    config = load(queue.home, {})
    assert config.handlers["embed"].fixed == 8.0
    assert config.handlers["upper"].protocol == "lines"
    assert config.tariff.window[0].factor == 0.4


def test_the_python_example_runs(queue: Queue) -> None:
    """The library example submits a job."""
    (code,) = blocks("python")
    done = subprocess.run(
        [sys.executable, "-c", code], env=queue.environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("1 ")
