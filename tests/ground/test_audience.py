"""Who waits: each signal, in a process that really has it."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pexpect
import pytest

from hybridq.audience import find_audience
from hybridq.errors import UsageError
from hybridq.job import Audience

PROBE = """
import json, os, sys
import hybridq.audience, hybridq.lineage
from hybridq.audience import find_audience
exec(os.environ.get("CHANGED", ""))
output = sys.stdout.isatty() or sys.stderr.isatty()
found = find_audience(environ=os.environ, waits="", many=False,
                      stdin_tty=sys.stdin.isatty(), output_tty=output)
print("FOUND", json.dumps([found.audience, found.signal]), flush=True)
"""
ROOT = str(Path(__file__).parents[2])
# Nobody here has a service manager's or a CI's variables by accident.
BARE = {"PATH": os.environ["PATH"], "PYTHONPATH": ROOT, "TERM": "xterm"}
PYTHON = [sys.executable, "-c", PROBE]


def found_in(output: str) -> tuple[str, str]:
    """What the probe said."""
    line = next(line for line in output.splitlines() if line.startswith("FOUND"))
    audience, signal = json.loads(line.removeprefix("FOUND "))
    return audience, signal


def without_terminal(environ: dict[str, str], command: list[str] = PYTHON) -> tuple[str, str]:
    """What a process finds out that has no controlling terminal."""
    done = subprocess.run(
        command, env=environ, start_new_session=True, stdin=subprocess.DEVNULL, capture_output=True, check=True
    )
    return found_in(done.stdout.decode())


def in_terminal(environ: dict[str, str], script: str) -> tuple[str, str]:
    """What a process finds out that a shell script starts on a terminal of its own."""
    child = pexpect.spawn("/bin/bash", ["-c", script, "bash", *PYTHON], env=environ, timeout=20, encoding="utf-8")
    child.expect(pexpect.EOF)
    assert child.before is not None
    return found_in(child.before)


def asked(**changes: object) -> tuple[Audience, str]:
    """What is found with these signals alone."""
    given: dict[str, object] = {
        "environ": {},
        "waits": "",
        "many": False,
        "stdin_tty": False,
        "tty": "/nonexistent",
    }
    found = find_audience(**{**given, **changes})  # type: ignore[arg-type]
    return found.audience, found.signal


def test_what_is_said_counts_first() -> None:
    """The variable counts more than CI, that more than `--wait`, that than `--detach`, that than many jobs."""
    said: dict[str, object] = {"environ": {"HYBRIDQ_AUDIENCE": "background", "CI": "1"}, "waits": "--follow"}
    all_at_once = {**said, "detached": True, "many": True}
    assert asked(**all_at_once) == (Audience.BACKGROUND, "HYBRIDQ_AUDIENCE")
    assert asked(**{**all_at_once, "environ": {"HYBRIDQ_AUDIENCE": "", "CI": "1"}}) == (Audience.BACKGROUND, "CI")
    silent = {**all_at_once, "environ": {}}
    assert asked(**silent) == (Audience.USER, "--follow")
    assert asked(**{**silent, "waits": ""}) == (Audience.BACKGROUND, "--detach")
    many = {**silent, "waits": "", "detached": False}
    assert asked(**many) == (Audience.BACKGROUND, "many jobs in one submission")


def test_bad_variable_is_a_sentence() -> None:
    """HYBRIDQ_AUDIENCE with another word says which words there are."""
    with pytest.raises(UsageError, match=r"HYBRIDQ_AUDIENCE is 'me\\x1b': it must be user or background"):
        asked(environ={"HYBRIDQ_AUDIENCE": "me\x1b"})


def test_person_at_a_terminal() -> None:
    """A command in the foreground of a terminal has a user, also with its output in a pipe."""
    assert in_terminal(BARE, '"$@"') == ("user", "a terminal in the foreground")
    assert in_terminal(BARE, '"$@" | cat') == ("user", "a terminal in the foreground")


def test_background_of_a_terminal() -> None:
    """A command that the shell put into the background has nobody waiting."""
    assert in_terminal(BARE, 'set -m; "$@" & wait') == ("background", "a terminal, but in the background")


def test_program_that_talks_through_pipes(tmp_path: Path) -> None:
    """A program started from a terminal that calls hybridq through pipes alone has nobody waiting."""
    script = '"$@" </dev/null 2>/dev/null >"$OUT"; cat "$OUT"'
    assert in_terminal({**BARE, "OUT": str(tmp_path / "out")}, script) == ("background", "no terminal")


def test_nobody_typed_for_long() -> None:
    """A command line that has run for long, and at whose terminal nobody typed meanwhile, has nobody waiting."""
    environ = {**BARE, "CHANGED": "hybridq.audience.UNTOUCHED = 1.0"}
    audience, signal = in_terminal(environ, 'sleep 1.5; "$@"; true')
    assert (audience, signal.rpartition(" ")[0]) == ("background", "nobody typed for")
    assert in_terminal(BARE, 'sleep 1.5; "$@"; true') == ("user", "a terminal in the foreground")


def test_somebody_typed_of_late() -> None:
    """In a program that has run for long a person waits who has typed something just now."""
    environ = {**BARE, "CHANGED": "hybridq.audience.UNTOUCHED = 10.0"}  # a kernel tells it to within 8 s
    script = 'sleep 11; read -r typed; "$@"; true'
    child = pexpect.spawn("/bin/bash", ["-c", script, "bash", *PYTHON], env=environ, timeout=40, encoding="utf-8")
    time.sleep(11)
    child.sendline("go")
    child.expect(pexpect.EOF)
    assert child.before is not None
    assert found_in(child.before) == ("user", "a terminal in the foreground")


def test_where_the_system_shows_no_processes() -> None:
    """Without /proc a terminal in the foreground is enough for a person."""
    environ = {**BARE, "CHANGED": "hybridq.lineage.PROC = '/nonexistent'"}
    assert in_terminal(environ, '"$@"; true') == ("user", "a terminal in the foreground")


def test_no_terminal() -> None:
    """Without a controlling terminal nobody waits, even where there is hardly an environment."""
    assert without_terminal(BARE) == ("background", "no terminal")
    assert without_terminal({"PYTHONPATH": ROOT}) == ("background", "no terminal")


def test_service_manager() -> None:
    """A service has nobody waiting; a terminal that a service manager's variables leaked into has."""
    assert without_terminal({**BARE, "INVOCATION_ID": "1"}) == ("background", "systemd service")
    assert without_terminal({**BARE, "JOURNAL_STREAM": "8:1"}) == ("background", "systemd service")
    assert in_terminal({**BARE, "INVOCATION_ID": "1"}, '"$@"') == ("user", "a terminal in the foreground")


def test_ci() -> None:
    """CI counts with and without a terminal; CI=false does not."""
    assert without_terminal({**BARE, "CI": "true"}) == ("background", "CI")
    assert in_terminal({**BARE, "CI": "1"}, '"$@"') == ("background", "CI")
    assert in_terminal({**BARE, "CI": "false"}, '"$@"') == ("user", "a terminal in the foreground")


def test_cron_by_its_environment() -> None:
    """The environment that cron gives is recognised, whoever is the parent."""
    environ = {"SHELL": "/bin/sh", "PATH": "/usr/bin:/bin", "HOME": "/", "LOGNAME": "me", "PYTHONPATH": ROOT}
    assert without_terminal(environ) == ("background", "cron")


def test_cron_by_its_ancestor(tmp_path: Path) -> None:
    """Below a cron nobody waits, whatever its crontab sets; but for a terminal that a cron opened."""
    cron = tmp_path / "crond"
    cron.symlink_to("/bin/bash")
    command = [str(cron), "-c", 'bash -c \'"$@"; true\' bash "$@"; true', "crond", *PYTHON]
    assert without_terminal(BARE, command) == ("background", "cron")
    script = f'{cron} -c \'"$@"; true\' crond "$@"; true'
    assert in_terminal(BARE, script) == ("user", "a terminal in the foreground")
