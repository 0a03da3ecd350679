"""Who waits for a result: a person, or nobody. Found out from how hybridq was called, first signal first.

What the environment says outright counts most, then where the command runs, then what it does; whoever gives
`--audience` has nothing to find out. The signal that decided is returned with the answer, because it is part of
every reason that hybridq gives.
A person needs a terminal whose foreground this is, and one command line for each job: a loop, or a program that
calls others once for each of many things, is no person, and neither is a terminal at which nobody types or looks.
"""

import os
import stat
import time
from collections.abc import Callable, Mapping
from contextlib import suppress

from msgspec import Struct

from .errors import UsageError
from .job import Audience, Caller
from .lineage import DEPTH, Lineage, Process, lineage, process
from .visible import visible_line
from .when import span

RETYPED = 2.0  # seconds within which nobody types another command
TOGETHER = 10.0  # seconds within which one command line that submits again makes a crowd
UNTOUCHED = 60.0  # seconds in which nobody typed and no command began, after which nobody is there

_CRONS = frozenset({"cron", "crond", "anacron", "atd", "fcron", "dcron", "bcron-exec"})
_CRON_PATHS = ("/usr/bin:/bin", "/usr/bin:/bin:/usr/sbin:/sbin", "/bin:/usr/bin")
_CROWDS = frozenset({"xargs", "find", "fd", "fdfind", "parallel", "watch", "entr", "watchexec"})
_MAKES = frozenset({"make", "gmake"})
_HOOKS = ("pre-", "post-", "commit-msg", "prepare-", "applypatch-", "update", "reference-", "push-")


class Before(Struct, frozen=True):
    """The last submission of a caller, and when it was over: it was accepted, or what streamed ended."""

    caller: Caller
    over: float  # epoch seconds


class Found(Struct, frozen=True):
    """Who waits, the signal that decided, as text for a reason, and on a terminal who called."""

    audience: Audience
    signal: str
    caller: Caller | None = None


def find_audience(
    *,
    environ: Mapping[str, str],
    waits: str,
    many: bool,
    stdin_tty: bool,
    output_tty: bool = False,
    detached: bool = False,
    tty: str = "/dev/tty",
    before: Callable[[Caller], Before | None] = lambda _: None,
) -> Found:
    """Who waits, and the signal that decided.

    `waits`: the option by which the command itself waits (`--wait`, `--follow`), or nothing. `many`: one
    submission of many jobs. `output_tty`: standard output or error is a terminal. `detached`: `--detach` was given.
    `tty` is the device of the controlling terminal; `before` tells what a caller submitted last.
    Raises UsageError for a bad HYBRIDQ_AUDIENCE.
    """
    if said := environ.get("HYBRIDQ_AUDIENCE"):
        return Found(_said(said), "HYBRIDQ_AUDIENCE")
    foreground = _foreground(tty)
    if automatic := _automatic(environ, foreground is not None):
        return Found(Audience.BACKGROUND, automatic)
    if waits:
        return Found(Audience.USER, waits)
    caller = None
    if detached:
        signal = "--detach"
    elif many:
        signal = "many jobs in one submission"
    elif foreground is None or not (stdin_tty or output_tty):
        signal = "no terminal"
    else:
        of = lineage()  # also in the background, where a shell puts a part of a loop at times: the next is told by it
        caller, signal = of.caller, "a terminal, but in the background"
        if foreground and not (signal := _nobody_there(environ, of, before(caller))):
            return Found(Audience.USER, "a terminal in the foreground", caller)
    return Found(Audience.BACKGROUND, signal, caller)


def _said(said: str) -> Audience:
    try:
        return Audience(said.strip().lower())
    except ValueError:
        shown = visible_line(said, 40)
        raise UsageError(f"HYBRIDQ_AUDIENCE is '{shown}': it must be user or background") from None


def _automatic(environ: Mapping[str, str], terminal: bool) -> str:
    """The machinery that runs this, whatever waits for it; nothing where there may be a person."""
    # Terminals started by a desktop carry the variables of its service manager, so only a process without
    # a terminal is taken for a service; the same goes for cron.
    if not terminal and (_like_cron(environ) or _under_cron()):
        return "cron"
    if not terminal and ("INVOCATION_ID" in environ or "JOURNAL_STREAM" in environ):
        return "systemd service"
    return "CI" if environ.get("CI", "").lower() not in ("", "0", "false", "no") else ""


def _nobody_there(environ: Mapping[str, str], of: Lineage, before: Before | None) -> str:
    """Why nobody waits in the foreground of a terminal; nothing where a person does."""
    for below, program in zip((None, *of.above), of.above, strict=False):
        if crowd := _crowd(program, below, environ):
            return crowd
    if before is not None and (again := _again(of, before)):
        return again
    name, typed = _terminal()
    idle = min(of.age, time.time() - typed)
    if idle > UNTOUCHED:
        return f"nobody typed for {span(idle)}"
    return _unseen(environ, name) if "TMUX" in environ else ""


def _unseen(environ: Mapping[str, str], name: str) -> str:
    from .tmux import unseen  # few submissions come from there

    return "nobody looks at this tmux pane" if unseen(environ, name) else ""


def _crowd(program: Process, below: Process | None, environ: Mapping[str, str]) -> str:
    """The name of a program that runs others once for each of many things, or when something happens."""
    if program.name in _CROWDS:
        return program.name
    if program.name in _MAKES and "--jobserver" in environ.get("MAKEFLAGS", ""):
        return "make -j"
    return "a git hook" if program.name == "git" and below and below.name.startswith(_HOOKS) else ""


def _again(of: Lineage, before: Before) -> str:
    """That a submission follows another of its caller as no person's does; nothing where it may."""
    gap, now, last = time.time() - of.began - before.over, of.caller, before.caller
    if now.group == last.group:
        alone = now.group != now.pid  # else the shell itself may be typed into
        return "several jobs from one command" if gap < (TOGETHER if alone else RETYPED) else ""
    untyped = now.read is not None and now.read == last.read  # the shell has read no other line since
    return "a loop in your shell" if untyped else "two jobs within a few seconds" if gap < RETYPED else ""


def _terminal() -> tuple[str, float]:
    """The name of the controlling terminal, and when something was last read from it (epoch seconds)."""
    for descriptor in (0, 1, 2):
        with suppress(OSError):
            found = os.fstat(descriptor)
            if stat.S_ISCHR(found.st_mode) and os.tcgetpgrp(descriptor) == os.getpgrp():
                return os.ttyname(descriptor), found.st_atime
    return "", time.time()


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
    for _ in range(DEPTH):
        if pid <= 1 or (found := process(pid)) is None:
            break
        if found.name.lower() in _CRONS:
            return True
        pid = found.parent
    return False
