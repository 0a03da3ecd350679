"""Wakes whoever waits, at once after a commit: runners for work, viewers for changes.

A bell is a named pipe that its owner keeps open; ringing writes one byte to each. A pipe without an
owner answers at once and is taken away. A lost ring costs a listener's own slow tick, never a job:
what is true is always in the store. (Pipes, not sockets: a socket's path may have 104 bytes only.)
"""

import contextlib
import errno
import os
import select
import uuid
from typing import Self

from ..home import Home

RUNNER = "runner"  # there is work, or something to stop
VIEWER = "viewer"  # something changed that may be seen
FOLLOWER = "viewer.follow"  # a piece of output came: rung with every viewer, and alone where only pieces came


class Doorbell:
    """One listener. Use as a context manager; `fileno()` is readable when it was rung."""

    def __init__(self, home: Home, kind: str) -> None:
        name = uuid.uuid4().hex
        self._path = home.bells / f"{kind}.{name}"
        made = home.bells / f"new.{name}"  # under its own name it would be taken for one whose owner died
        os.mkfifo(made, 0o600)
        made.chmod(0o600)  # the umask may have taken the owner's own rights
        # Opened for both directions, so that the pipe never ends when a ringer closes it.
        self._pipe = os.open(made, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        made.rename(self._path)

    def fileno(self) -> int:
        """The descriptor to watch."""
        return self._pipe

    def wait(self, seconds: float) -> bool:
        """Sleep until rung, at most so long; says whether it was rung."""
        ready, _, _ = select.select([self._pipe], [], [], max(0.0, seconds))
        if ready:
            self.clear()
        return bool(ready)

    def clear(self) -> None:
        """Forget the rings so far. Call it before looking at the store, never after."""
        with contextlib.suppress(BlockingIOError):
            while len(os.read(self._pipe, 4096)) == 4096:
                pass

    def close(self) -> None:
        """Take the bell away."""
        with contextlib.suppress(FileNotFoundError):
            self._path.unlink()
        os.close(self._pipe)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def ring(home: Home, kind: str) -> int:
    """Wake every listener of this kind; returns how many there were. Never blocks, never fails."""
    rung = 0
    try:
        names = os.listdir(home.bells)
    except OSError:
        return 0
    for name in names:
        if name.startswith(kind):
            rung += _ring(f"{home.bells}/{name}")
    return rung


def _ring(path: str) -> bool:
    try:
        pipe = os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno == errno.ENXIO:  # nobody holds it: its owner died
            with contextlib.suppress(OSError):
                os.unlink(path)
        return False
    try:
        os.write(pipe, b"!")
    except OSError:  # full: it has been rung often enough
        pass
    finally:
        os.close(pipe)
    return True
