"""Standard input as the input of a command: `data | hybridq submit -- CMD`, `hybridq submit -- CMD < FILE`.

Rule: only what was meant for this very process is read. A terminal, a device, a file that somebody has begun to read
and whatever the calling script reads itself (the rest of a loop's lines) stay untouched, and what is left is told.
Nobody waits for ever: a pipe in which nothing comes is left alone, one that begins and does not end is refused.
`--stdin` reads whatever it is to its end, `--no-stdin` nothing.
"""

import os
import select
import stat
from collections.abc import Iterator

from hybridq.errors import BadData, UsageError
from hybridq.lineage import DEPTH, process

LARGEST = 32 * 1024 * 1024  # bytes: as base64 they are still an input
FIRST, FIRST_OURS = 3.0, 0.3  # seconds until the first byte: from a pipeline, and from whoever started us
NEXT = 10.0  # seconds between two bytes of a pipe
PIECE = 1 << 16
# They start one command and read nothing themselves: what they were given is for that command.
WRAPPERS = frozenset(
    (
        *("timeout", "time", "nice", "ionice", "nohup", "setsid", "env", "sudo", "doas", "flock", "unshare", "strace"),
        *("ltrace", "perf", "chronic", "stdbuf", "faketime", "taskset", "chrt", "prlimit", "uv", "uvx", "pipx"),
        *("poetry", "hatch", "pdm", "direnv"),
    )
)
BOTH = "--stdin passes it, --no-stdin silences this"


class Piped:
    """What standard input holds for a command: `data`, and `told`: what is to be said of it."""

    def __init__(self, asked: bool | None) -> None:
        """`asked`: read it, whatever it is; do not; or None, find out. Raises UsageError, BadData."""
        self.data, self.told = b"", ""
        try:
            found = os.fstat(0)
        except OSError:
            return  # it is closed
        if asked:
            self.data = _whole(None)
        elif asked is None and stat.S_ISREG(found.st_mode):
            self._file(found)
        elif asked is None and (stat.S_ISFIFO(found.st_mode) or stat.S_ISSOCK(found.st_mode)):
            self._pipe(found)

    def _file(self, found: os.stat_result) -> None:
        left = found.st_size - os.lseek(0, 0, os.SEEK_CUR)
        if left == found.st_size and not _shared(found):
            self.data = _whole(NEXT)
        elif left > 0:
            self.told = f"the rest of standard input is not passed to the command, because others read it too: {BOTH}"

    def _pipe(self, found: os.stat_result) -> None:
        if _shared(found):
            if select.select([0], [], [], 0)[0] and not _ended():
                self.told = (
                    f"standard input is not passed to the command, because the calling script reads it too: {BOTH}"
                )
            return
        patience = FIRST if stat.S_ISFIFO(found.st_mode) and not _from_above(found) else FIRST_OURS
        if select.select([0], [], [], patience)[0]:
            self.data = _whole(NEXT)
        elif patience == FIRST:
            self.told = (
                f"nothing came on standard input within {FIRST:g} s, so the command gets none. To wait for it: --stdin"
            )


def _whole(patience: float | None) -> bytes:
    """All that comes until the end."""
    parts: list[bytes] = []
    size = 0
    while True:
        if patience is not None and not select.select([0], [], [], patience)[0]:
            raise UsageError(
                f"standard input stalled for {patience:g} s: nothing was submitted."
                " To wait for its end: --stdin. To ignore it: --no-stdin"
            )
        try:
            part = os.read(0, PIECE)
        except OSError as problem:
            raise BadData(f"cannot read standard input: {problem.strerror}") from None
        if not part:
            return b"".join(parts)
        parts.append(part)
        size += len(part)
        if size > LARGEST:
            raise BadData(
                f"standard input is larger than {LARGEST:,} bytes: nothing was submitted."
                " Give the command a file instead, or ignore it with --no-stdin"
            )


def _ended() -> bool:
    """Whether a pipe that can be read is at its end: nothing is in it."""
    import fcntl
    import termios

    try:
        return not any(fcntl.ioctl(0, termios.FIONREAD, b"\0" * 4))
    except OSError:
        return False


def _shared(found: os.stat_result) -> bool:
    """Whether whoever started us has the same standard input, and so may read it. Unknown counts as yes, for a pipe."""
    for above in _above():
        try:
            theirs = os.stat(f"/proc/{above}/fd/0")
        except FileNotFoundError:
            return not os.path.isdir("/proc/self/fd") and stat.S_ISFIFO(found.st_mode)
        except OSError:
            return False  # another user's: it does not read for us
        if (theirs.st_dev, theirs.st_ino) != (found.st_dev, found.st_ino):
            return False
        if _name(above) not in WRAPPERS:
            return True
    return False


def _from_above(found: os.stat_result) -> bool:
    """Whether the other end of the pipe is held by whoever started us, not by a neighbour in a pipeline."""
    for above in _above():
        try:
            held = [os.stat(f"/proc/{above}/fd/{each}") for each in os.listdir(f"/proc/{above}/fd") if int(each) > 2]
        except OSError:
            continue
        if any((each.st_dev, each.st_ino) == (found.st_dev, found.st_ino) for each in held):
            return True
    return False


def _above() -> Iterator[int]:
    """Our parent, its parent and so on, as far as the system tells."""
    pid = os.getppid()
    for _ in range(DEPTH):
        if pid <= 1:
            return
        yield pid
        if (found := process(pid)) is None:
            return
        pid = found.parent


def _name(pid: int) -> str:
    return "" if (found := process(pid)) is None else found.name
