"""The live view in a terminal of its own, or in a pipe, beside what a person would see there."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import pexpect
import pyte

from hybridq.home import Home
from hybridq.queue.doorbell import VIEWER, ring
from hybridq.status.snapshot import Snapshot

PROGRAM = Path(__file__).with_name("watched.py")
Process = subprocess.Popen[bytes]
PATIENCE = 20.0  # seconds; a deadline for a condition, never a time to wait


class Screen:
    """A terminal with the live view in it, and what a person would see there.

    The view is that of the snapshot in the folder, or what `command` starts.
    """

    def __init__(
        self, folder: Path, width: int = 100, height: int = 24, command: Sequence[str] = (), **environ: str
    ) -> None:
        self.home = Home(folder, folder / "config.toml")
        self.terminal = pyte.Screen(width, height)
        self.stream = pyte.ByteStream(self.terminal)
        self.raw = b""
        env = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "80", "LINES": "24", **environ}
        program, *words = command or (sys.executable, str(PROGRAM), str(folder))
        self.child = pexpect.spawn(program, words, dimensions=(height, width), env=env)

    @property
    def text(self) -> str:
        return "\n".join(self.terminal.display)

    def until(self, condition: Callable[[], bool]) -> None:
        """Read what comes until this is so."""
        deadline = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < deadline, self.text
            self._read()

    def _read(self) -> None:
        try:
            data = self.child.read_nonblocking(65536, timeout=0.2)
        except (pexpect.TIMEOUT, pexpect.EOF):
            return
        self.raw += data
        self.stream.feed(data)

    def put(self, snapshot: Snapshot) -> None:
        """Change what there is to see, and ring."""
        put(self.home.folder, snapshot)
        ring(self.home, VIEWER)

    def resize(self, width: int, height: int) -> None:
        self.terminal.resize(height, width)
        self.child.setwinsize(height, width)

    def end(self) -> int:
        """Wait for the view's end; returns its exit code."""
        self.until(lambda: not self.child.isalive())
        self._read()
        assert self.child.exitstatus is not None, self.child.signalstatus
        return self.child.exitstatus

    @property
    def given_back(self) -> bool:
        """The first screen is there again and the cursor can be seen."""
        screen = self.raw.rfind(b"\x1b[?1049l") > self.raw.rfind(b"\x1b[?1049h")
        return screen and self.raw.rfind(b"\x1b[?25h") > self.raw.rfind(b"\x1b[?25l")


def put(folder: Path, snapshot: Snapshot) -> None:
    fresh = folder / "snapshot.new"
    fresh.write_bytes(msgspec.json.encode(snapshot))
    fresh.rename(folder / "snapshot")


def start(folder: Path, *, stdin: int = subprocess.DEVNULL, stdout: int = subprocess.PIPE, **environ: str) -> Process:
    """The view without a controlling terminal."""
    return subprocess.Popen(
        [sys.executable, str(PROGRAM), str(folder)],
        stdin=stdin,
        stdout=stdout,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONUNBUFFERED": "", **environ},
        start_new_session=True,
    )
