"""The README is true: its commands exist, its examples run, its configuration is understood."""

import os
import re
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from hybridq.config.read import load_config
from hybridq.config.values import PolicyConfig
from hybridq_cli.commands import COMMANDS
from tests.support.served import Queue

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


def blocks(kind: str) -> list[str]:
    """The fenced examples of one kind."""
    return re.findall(rf"^```{kind}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


@pytest.fixture
def queue(tmp_path: Path) -> Queue:
    """A queue with the tour's own configuration, and the programs that it names beside it."""
    # Other tests load this machine, and nothing here is to wait for that.
    queue = Queue(tmp_path, "[policy]\nload_weight = 0\n" + blocks("toml")[0])
    for name, code in programs().items():
        (queue.home.folder / name).write_text(code.replace("time.sleep(", "float("))  # a model that takes no time
    return queue


def programs() -> dict[str, str]:
    """The Python examples that are files of their own, by the name in their first line."""
    return {found[1]: block for block in blocks("python") if (found := re.match(r"# (\w+\.py): ", block))}


def test_every_command_is_in_the_reference() -> None:
    """The reference names each command, and no other."""
    named = re.findall(r"^\| `hybridq (\w+)` \|", README, re.MULTILINE)
    assert sorted(named) == sorted(COMMANDS)


def test_what_an_hour_of_waiting_counts_is_told_truly() -> None:
    """The README and the page that says how it decides tell the defaults, of background work by the setting's name."""
    policy, sum_ = PolicyConfig(), "(?:as|costs) ([0-9.e-]+)"
    hour = "person's waiting (?:counts as|costs) ([0-9.]+), an hour of the machine"
    for page in (README, (ROOT / "cli" / "help" / "pages" / "deciding.md").read_text()):
        told = " ".join(page.split())
        ((person, machine),) = re.findall(f"{hour} {sum_},", told)
        ((nobody, name),) = re.findall(
            rf"background submission, however many its jobs, {sum_} \(`policy\.(\w+)`\)", told
        )
        assert (float(person), float(machine)) == (policy.user_delay_cost, policy.machine_cost)
        assert float(nobody) == getattr(policy, name)


def test_every_command_has_help() -> None:
    """`--help` of each command says what it does."""
    for name in COMMANDS:
        helped = subprocess.run(
            [sys.executable, "-c", "from hybridq_cli.main import run; run()", name, "--help"],
            capture_output=True,
            text=True,
            check=True,
        )
        assert COMMANDS[name][1] in helped.stdout


def test_the_test_command_is_what_ci_runs() -> None:
    """CI runs the README's test command word for word."""
    (command,) = [block.strip() for block in blocks("sh") if "pytest" in block]
    assert command in (ROOT / ".ci" / "run").read_text()


def test_the_examples_run(queue: Queue, tmp_path: Path) -> None:
    """Each shell example of the tour runs, in order, in a clean environment, and gives what the text says."""
    bin_ = tmp_path / "bin"
    bin_.mkdir()
    (bin_ / "hybridq").write_text(
        f'#!/bin/sh\nexec {sys.executable} -c "from hybridq_cli.main import run; run()" "$@"\n'
    )
    (bin_ / "hybridq").chmod(0o755)
    env = {**queue.environment, "PATH": f"{bin_}:{os.environ['PATH']}"}
    ends = {"sh -c 'echo hello; exit 3'": 3}
    said = ""
    with queue.daemon():
        for line in (line for block in blocks("sh") if "venv" not in block for line in block.splitlines()):
            person = {} if "--lines" in line or "--each" in line else {"HYBRIDQ_AUDIENCE": "user"}  # as on a terminal
            done = _typed(line, {**env, **person}, queue)
            expected = next((code for part, code in ends.items() if part in line), 0)
            assert done.returncode == expected, (line, done.stdout, done.stderr)
            said += done.stdout
    assert queue.store.row("SELECT done FROM cohort WHERE name = 'library'") == (10_000,)
    words = [len((ROOT / name).read_text().split()) for name in ("README.md", "CHANGELOG.md")]
    for part in ("hello\n", "line 1\nline 2\n", "ONE TEXT\n", f"{words[0]}\n{words[1]}\n", "[15, 3]\n", "[5, 0]\n"):
        assert part in said


def _typed(line: str, env: dict[str, str], queue: Queue) -> "subprocess.CompletedProcess[str]":
    """One line of the tour, as typed. Where it does not end, the queue says why."""
    run = partial(subprocess.run, env=env, cwd=ROOT, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    try:
        return run(["bash", "-c", line], timeout=60)
    except subprocess.TimeoutExpired:
        told = [run(["bash", "-c", f"hybridq {asked}"], timeout=60).stdout for asked in ("status", "explain last")]
        pytest.fail("\n".join([f"{line!r} did not end", *told, queue.log()]))


def test_the_configuration_is_understood(queue: Queue) -> None:
    """The example of configuration loads, and says what the text beside it says."""
    config = load_config(queue.home, {})
    assert config.handlers["upper"].protocol == "lines"
    assert config.handlers["embed"].call == "my_models:embed"
    assert config.tariff.window[0].factor == 0.4


def test_each_page_that_it_names_is_there() -> None:
    """Every link leads to a file of the repository."""
    for target in re.findall(r"\]\(([^)]+)\)", README):
        assert (ROOT / target).is_file(), target


def test_the_python_example_follows_a_job(queue: Queue) -> None:
    """The README's program prints what its job printed, with a daemon."""
    (code,) = [block for block in blocks("python") if block.startswith("import hybridq")]
    with queue.daemon():
        done = subprocess.run([sys.executable, "-c", code], env=queue.environment, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("hello\n", "")
