"""`service` writes what systemd and launchd understand, says what it did and what is left to type, copies no secret."""

import json
import os
import plistlib
import re
import shlex
import shutil
import stat
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from hybridq.config.read import load_config
from hybridq.home import Home
from hybridq.queue.runner import daemon_of
from hybridq.service.manager import Manager
from hybridq.service.plan import name_of, service_of
from hybridq.service.unit import launchd_agent, systemd_unit
from hybridq.submit import connect
from tests.support.building import command, until

GPT = '[handlers.gpt]\nkind = "openai"\nmodel = "m"\n'
MINE = "sk-secret-0123456789"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A home whose path has a space, a percent sign and a quote, and a handler with a key."""
    folder = tmp_path / 'my 50% "home"'
    folder.mkdir(0o700)
    (folder / "config.toml").write_text(GPT)
    return Home.find({"HYBRIDQ_HOME": str(folder)})


def surroundings(home: Home, **more: str) -> dict[str, str]:
    """What a user's shell has."""
    return {"HYBRIDQ_HOME": str(home.folder), "PATH": os.environ["PATH"], "OPENAI_API_KEY": MINE, **more}


def made(home: Home) -> Any:
    """The service of this home."""
    environ = surroundings(home)
    return service_of(home, load_config(home, environ), environ)


@pytest.fixture
def user(tmp_path: Path) -> dict[str, str]:
    """A user's own folders, and a key in the shell."""
    return {"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path / "config"), "OPENAI_API_KEY": MINE}


def unit_of(tmp_path: Path) -> Path:
    """The unit that was installed."""
    (found,) = (tmp_path / "config" / "systemd" / "user").iterdir()
    return found


def test_systemd_finds_nothing_wrong_with_it(home: Home, tmp_path: Path) -> None:
    """Its own tool reads the unit, also of a home with odd letters in its path."""
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("no systemd-analyze is here to verify the unit with; get it with: apt-get install -y systemd")
    unit = tmp_path / "hybridq-test.service"
    unit.write_text(systemd_unit(made(home)))
    done = subprocess.run(
        [analyze, "--user", "--recursive-errors=no", "verify", str(unit)],
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_systemd_analyze_would_find_a_mistake(home: Home, tmp_path: Path) -> None:
    """A unit with a word that systemd does not know is told of: the test above can fail."""
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("no systemd-analyze is here to verify the unit with; get it with: apt-get install -y systemd")
    unit = tmp_path / "hybridq-test.service"
    unit.write_text(systemd_unit(made(home)).replace("KillMode=mixed", "KillMode=sometimes"))
    done = subprocess.run(
        [analyze, "--user", "verify", str(unit)],
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert "sometimes" in done.stderr


def test_no_secret_is_in_what_is_written(home: Home, user: dict[str, str], tmp_path: Path) -> None:
    """The key is named in a file of mode 600, for the user to fill; its value is nowhere."""
    done = command(home, "service", "install", **user)
    assert done.returncode == 0, done.stderr
    keys = home.folder / "service.env"
    assert stat.S_IMODE(keys.stat().st_mode) == 0o600
    assert "#OPENAI_API_KEY=\n" in keys.read_text()
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and MINE.encode() in path.read_bytes()]


def test_keys_that_were_filled_in_stay(home: Home, user: dict[str, str]) -> None:
    """Installed again, the service gets a new unit and the same keys."""
    command(home, "service", "install", **user)
    keys = home.folder / "service.env"
    keys.write_text("OPENAI_API_KEY=mine\n")
    assert f"kept {keys}" in command(home, "service", "install", **user).stdout
    assert keys.read_text() == "OPENAI_API_KEY=mine\n"


def test_without_systemd_it_says_what_to_type(home: Home, user: dict[str, str], tmp_path: Path) -> None:
    """The unit is there all the same; where systemd runs, one line starts it."""
    nowhere = {**user, "PATH": str(tmp_path / "nowhere")}
    done = command(home, "service", "install", **nowhere)
    name = unit_of(tmp_path).name
    start = f"systemctl --user daemon-reload && systemctl --user enable --now {name}"
    assert f"systemd was not reachable: where it runs, type {start}\n" in done.stdout
    assert "loginctl enable-linger" in done.stdout
    state = json.loads(command(home, "service", "status", "--json", **nowhere).stdout)
    assert (state["installed"], state["reachable"], state["running"]) == (True, False, False)
    assert command(home, "service", "remove", **nowhere).returncode == 0
    assert command(home, "service", "status", **nowhere).returncode == 1
    assert command(home, "service", "remove", **nowhere).returncode == 64


def test_where_systemd_answers_it_is_started(home: Home, user: dict[str, str], tmp_path: Path) -> None:
    """It is loaded, enabled and begun; removed, it is ended first."""
    (tmp_path / "bin").mkdir()
    for program in ("systemctl", "loginctl"):  # no systemd runs where tests do: these write down what they are told
        (tmp_path / "bin" / program).write_text(
            f'#!/bin/sh\necho "{program} $*" >> {shlex.quote(str(tmp_path / "told"))}\n'
            'case "$2" in is-active) exit 3;; esac\nexit 0\n'
        )
        (tmp_path / "bin" / program).chmod(0o755)
    answering = {**user, "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}"}
    assert "the daemon runs now, and whenever you log in" in command(home, "service", "install", **answering).stdout
    name = unit_of(tmp_path).name
    command(home, "service", "remove", **answering)
    told = [line for line in (tmp_path / "told").read_text().splitlines() if "able" in line or "reload" in line]
    assert [line for line in told if "is-enabled" not in line] == [
        "systemctl --user daemon-reload",
        f"systemctl --user enable --now {name}",
        f"systemctl --user disable --now {name}",
    ]
    assert not list((tmp_path / "config" / "systemd" / "user").iterdir())


@contextmanager
def begun(words: list[str], environ: dict[str, str], home: Home) -> Iterator[int]:
    """What a service manager would start, with nothing but this environment; the pid of its daemon."""
    with subprocess.Popen(words, env=environ, stderr=subprocess.DEVNULL) as process:
        try:
            with connect({}, home=home.folder).store as store:
                until(lambda: daemon_of(store) or process.poll() is not None)
                found = daemon_of(store)
                assert found is not None
                yield found[0]
        finally:
            process.terminate()


def test_the_command_of_the_unit_starts_the_daemon_of_this_home(home: Home) -> None:
    """With the environment that the unit gives, and nothing else."""
    unit = systemd_unit(made(home))
    (start,) = re.findall(r"^ExecStart=(.*)$", unit, re.MULTILINE)
    told = [shlex.split(line)[0].replace("%%", "%") for line in re.findall(r"^Environment=(.*)$", unit, re.MULTILINE)]
    with begun(
        shlex.split(start.replace("$$", "$").replace("%%", "%")), dict(each.split("=", 1) for each in told), home
    ):
        pass


def test_the_agent_for_launchd_starts_it_with_the_keys(home: Home) -> None:
    """launchd reads no file of variables, so its command does; the daemon has what is in there."""
    home.prepare()
    (home.folder / "service.env").write_text("# mine\nOPENAI_API_KEY='sk-x y'\n")
    agent = plistlib.loads(launchd_agent(made(home)))
    assert (agent["RunAtLoad"], agent["KeepAlive"]) == (True, {"SuccessfulExit": False})
    with begun(agent["ProgramArguments"], agent["EnvironmentVariables"], home) as pid:
        assert b"OPENAI_API_KEY=sk-x y" in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")


def test_each_home_has_a_service_of_its_own(tmp_path: Path) -> None:
    """Two folders of one name have two; the usual home has the plain one."""
    names = {name_of(Home.find({"HYBRIDQ_HOME": str(tmp_path / part / "queue")})) for part in ("a", "b")}
    assert len(names) == 2
    assert all(re.fullmatch(r"hybridq-queue-[0-9a-f]{8}", name) for name in names)
    assert name_of(Home.find({})) == "hybridq"


def test_a_file_of_each_kind_is_where_its_manager_looks(tmp_path: Path) -> None:
    """As systemd and launchd document it."""
    environ = {"HOME": str(tmp_path)}
    assert Manager(environ, mac=False).file("hybridq") == tmp_path / ".config/systemd/user/hybridq.service"
    assert Manager(environ, mac=True).file("hybridq") == tmp_path / "Library/LaunchAgents/hybridq.plist"


def test_nothing_that_would_break_jobs_is_in_the_unit(home: Home) -> None:
    """What runs there are the user's own commands: no setting takes their files, devices or rights away."""
    settings = re.findall(r"^(\w+)=", systemd_unit(made(home)), re.MULTILINE)
    assert not [
        name for name in settings if name.startswith(("Protect", "Private", "NoNew", "System", "Memory", "UMask"))
    ]
    assert {"KillMode", "Restart", "OOMPolicy", "LimitCORE"} <= set(settings)
