"""The command line as a whole: its table, its help, its environment twins, its speed by what it leaves out."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.core import TyperOption

from hybridq.config.resources import resource
from hybridq.errors import UsageError
from hybridq_cli.commands import COMMANDS, load_command, twin


def hybridq(*args: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """`hybridq ARGS` as a process with these variables."""
    program = "import sys; sys.argv[0] = 'hybridq'; from hybridq_cli.main import run; run()"
    return subprocess.run(
        [sys.executable, "-c", program, *args],
        env={**os.environ, **environ},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )


def imported_by(program: str) -> set[str]:
    """The modules that a program has imported when it ends."""
    report = f"{program}\nimport sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", report], capture_output=True, text=True, check=True, timeout=60)
    return set(done.stdout.splitlines()[-1].split())


def test_table_says_what_the_commands_say() -> None:
    """Each command's line in the table is the first line of its own help."""
    own = {name: (load_command(name).help or "").partition("\n")[0] for name in COMMANDS}
    assert own == {name: line for name, (_, line) in COMMANDS.items()}


@pytest.mark.parametrize("name", list(COMMANDS))
def test_every_command_explains_itself(name: str) -> None:
    """Each command has help without markup, and each of its options has help and a twin."""
    done = hybridq(name, "--help")
    assert done.returncode == 0
    assert done.stdout.startswith(f"Usage: hybridq {name}")
    options = [param for param in load_command(name).params if isinstance(param, TyperOption)]
    assert all(option.hidden or (option.help and (option.envvar == twin(name, option))) for option in options)


@pytest.mark.parametrize("name", list(COMMANDS))
def test_no_resource_is_called_as_an_option(name: str) -> None:
    """A job sees what it was given as HYBRIDQ_<NAME>, which must mean nothing to the commands that it runs."""
    command = load_command(name)
    options = [*command.params, *(each for sub in getattr(command, "commands", {}).values() for each in sub.params)]
    for twin_of in {str(option.envvar).removeprefix("HYBRIDQ_").lower() for option in options if option.envvar}:
        with pytest.raises(UsageError, match=r"cannot be called|32 at most"):
            resource(twin_of, 1)


def test_help_lists_every_command_and_imports_none() -> None:
    """The listing shows each command, `-h` too, without importing one."""
    done = hybridq("-h")
    assert done.returncode == 0
    listed = re.findall(r"^  (\w+) ", done.stdout.partition("\nJobs:\n")[2], re.MULTILINE)
    assert listed == list(COMMANDS)
    listing = "from hybridq_cli.commands import call\nfrom contextlib import suppress\nimport typer\n"
    modules = imported_by(f"{listing}with suppress(typer.Exit): call(['--help'])")
    assert not {f"hybridq_cli.{module}" for module, _ in COMMANDS.values()} & modules


def test_nothing_heavy_is_imported_before_a_command() -> None:
    """Until a command is called, nothing is imported that would slow `submit` down."""
    modules = imported_by(
        "import hybridq_cli.commands, hybridq_cli.errors, hybridq.when, hybridq.home, hybridq.audience,"
        " hybridq.config.read, hybridq.selection"
    )
    heavy = {"rich", "asyncio", "sqlite_utils", "apscheduler", "psutil", "platformdirs", "zoneinfo", "tomllib"}
    assert not modules & heavy


def test_version() -> None:
    """`--version` prints the version alone."""
    from hybridq import __version__

    assert hybridq("--version").stdout == f"hybridq {__version__}\n"


def test_unknown_command_suggests_the_nearest() -> None:
    """A typing mistake is a usage error that names the command that was meant."""
    done = hybridq("stauts")
    assert (done.returncode, done.stdout) == (64, "")
    assert done.stderr == "hybridq: no command named 'stauts'. Did you mean: hybridq status\n"


def test_unknown_option_is_a_usage_error() -> None:
    """An option that does not exist names itself and the help that lists what does."""
    done = hybridq("config", "--pth")
    assert done.returncode == 64
    assert "--pth" in done.stderr
    assert "See hybridq config --help" in done.stderr


def test_bare_call_is_status(tmp_path: Path) -> None:
    """`hybridq` alone does what `hybridq status` does."""
    home = str(tmp_path / "home")
    bare, status = hybridq(HYBRIDQ_HOME=home), hybridq("status", HYBRIDQ_HOME=home)
    assert (bare.returncode, bare.stdout, bare.stderr) == (status.returncode, status.stdout, status.stderr)
    assert bare.returncode == 0


def test_option_has_an_environment_twin(tmp_path: Path) -> None:
    """`HYBRIDQ_<COMMAND>_<OPTION>` does what the option does, and a bad one is named."""
    done = hybridq("config", HYBRIDQ_HOME=str(tmp_path), HYBRIDQ_CONFIG_PATH="1")
    assert done.stdout == f"{tmp_path}/config.toml\n"
    bad = hybridq("config", HYBRIDQ_HOME=str(tmp_path), HYBRIDQ_CONFIG_PATH="perhaps")
    assert bad.returncode == 64
    assert "HYBRIDQ_CONFIG_PATH" in bad.stderr


def test_no_two_options_share_a_twin(tmp_path: Path) -> None:
    """What `submit` takes for its jobs (HYBRIDQ_MODE, HYBRIDQ_TIMEOUT) changes no other command."""
    twins = [
        option.envvar for name in COMMANDS for option in load_command(name).params if getattr(option, "envvar", None)
    ]
    assert len(set(twins)) == len(twins)
    assert "HYBRIDQ_TIMEOUT" in twins
    done = hybridq("status", HYBRIDQ_HOME=str(tmp_path), HYBRIDQ_MODE="nonsense", HYBRIDQ_LIMIT="0")
    assert (done.returncode, "HYBRIDQ_AUDIENCE" in hybridq("submit", "--help").stdout) == (0, True)
