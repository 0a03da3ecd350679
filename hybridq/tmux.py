"""Whether anybody looks at the tmux pane that a process runs in.

Rule: asks the tmux server once and for a moment; whatever it does not tell counts as seen.
"""

import os
import select
import signal
from collections.abc import Mapping
from contextlib import suppress

PATIENCE = 0.5  # seconds that an answer may take
_ASKED = "#{pane_tty} #{session_attached} #{window_active} #{window_active_clients}"


def unseen(environ: Mapping[str, str], tty: str) -> bool:
    """Whether the terminal of this name is a tmux pane that no client shows."""
    socket, pane = environ.get("TMUX", "").rsplit(",", 2)[0], environ.get("TMUX_PANE", "")
    if not socket or not pane:
        return False
    told = _answer(["tmux", "-S", socket, "display-message", "-p", "-t", pane, _ASKED], environ).split()
    if len(told) < 3 or told[0] != tty:  # another terminal inherited the variables of a pane
        return False
    attached, active = told[1] != "0", told[2] != "0"
    shown = told[3] != "0" if len(told) > 3 else active  # before tmux 3.1 nobody counts the clients of a window
    return not (attached and shown)


def _answer(words: list[str], environ: Mapping[str, str]) -> str:
    """What a program prints, as far as it does so in time; without the 5 ms that `subprocess` takes to import."""
    ours, theirs = os.pipe()
    try:
        actions = [
            (os.POSIX_SPAWN_DUP2, theirs, 1),
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDWR, 0),
            (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_RDWR, 0),
        ]
        try:
            pid = os.posix_spawnp(words[0], words, environ, file_actions=actions)
        except OSError:
            return ""
        finally:
            os.close(theirs)
        return _heard(ours, pid)
    finally:
        os.close(ours)


def _heard(pipe: int, pid: int) -> str:
    """The first piece that comes, which is all of one line; whoever prints it, or is silent for too long, is ended."""
    told = b""
    if select.select([pipe], [], [], PATIENCE)[0]:
        told = os.read(pipe, 4096)
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return told.decode(errors="replace")
