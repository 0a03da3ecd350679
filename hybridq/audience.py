"""Who waits for a result: a person, or nobody. Found out from how hybridq was called, first signal first.

What the environment says outright counts most, then what the command does, then where it runs; whoever gives
`--audience` has nothing to find out. The signal that decided is returned with the answer, because it is part of
every reason that hybridq gives.
A person needs a terminal whose foreground this is; so a program that calls hybridq (an agent, a script
run by a timer) is background until it says otherwise.
"""

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from .errors import UsageError
from .job import Audience
from .visible import visible_line

_CRONS = frozenset({"cron", "crond", "anacron", "atd", "fcron", "dcron", "bcron-exec"})
_CRON_PATHS = ("/usr/bin:/bin", "/usr/bin:/bin:/usr/sbin:/sbin", "/bin:/usr/bin")
_ANCESTORS = 32  # a chain of parents is shorter; the limit ends a loop in a strange /proc


def find_audience(
    *,
    environ: Mapping[str, str],
    waits: str,
    many: bool,
    stdin_tty: bool,
    output_tty: bool = False,
    tty: str = "/dev/tty",
) -> tuple[Audience, str]:
    """Who waits, and the signal that decided, as text for a reason.

    `waits`: the option by which the command itself waits (`--wait`, `--follow`), or nothing. `many`: one
    submission of many jobs. `output_tty`: standard output or error is a terminal. `tty` is the device of the
    controlling terminal. Raises UsageError for a bad HYBRIDQ_AUDIENCE.
    """
    if said := environ.get("HYBRIDQ_AUDIENCE"):
        return _said(said), "HYBRIDQ_AUDIENCE"
    if waits:
        return Audience.USER, waits
    if many:
        return Audience.BACKGROUND, "many jobs in one submission"
    return _surroundings(environ, stdin_tty or output_tty, tty)


def _said(said: str) -> Audience:
    try:
        return Audience(said.strip().lower())
    except ValueError:
        shown = visible_line(said, 40)
        raise UsageError(f"HYBRIDQ_AUDIENCE is '{shown}': it must be user or background") from None


def _surroundings(environ: Mapping[str, str], any_tty: bool, tty: str) -> tuple[Audience, str]:
    foreground = _foreground(tty)
    # Terminals started by a desktop carry the variables of its service manager, so only a process without
    # a terminal is taken for a service; the same goes for cron.
    if foreground is None and (_under_cron() or _like_cron(environ)):
        return Audience.BACKGROUND, "cron"
    if foreground is None and ("INVOCATION_ID" in environ or "JOURNAL_STREAM" in environ):
        return Audience.BACKGROUND, "systemd service"
    if environ.get("CI", "").lower() not in ("", "0", "false", "no"):
        return Audience.BACKGROUND, "CI"
    if foreground is None or not any_tty:
        return Audience.BACKGROUND, "no terminal"
    if not foreground:
        return Audience.BACKGROUND, "a terminal, but in the background"
    return Audience.USER, "a terminal in the foreground"


def _foreground(tty: str) -> bool | None:
    """Whether this process is in the foreground of its controlling terminal; None: it has none."""
    try:
        fd = os.open(tty, os.O_RDONLY | os.O_NOCTTY | os.O_NONBLOCK)
    except OSError:
        return None
    try:
        return os.tcgetpgrp(fd) == os.getpgrp()
    except OSError:
        return None
    finally:
        os.close(fd)


def _like_cron(environ: Mapping[str, str]) -> bool:
    """The environment that crons give: a short path, /bin/sh, a login name and no kind of terminal."""
    return (
        "TERM" not in environ
        and environ.get("SHELL") == "/bin/sh"
        and "LOGNAME" in environ
        and environ.get("PATH") in _CRON_PATHS
    )


def _under_cron() -> bool:
    """Whether a cron is among the ancestors, where the system shows them in /proc."""
    pid = os.getppid()
    with suppress(OSError, ValueError):
        for _ in range(_ANCESTORS):
            name, _, rest = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")
            if name.partition("(")[2].lower() in _CRONS:
                return True
            pid = int(rest.split()[1])
            if pid <= 1:
                break
    return False
