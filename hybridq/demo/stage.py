"""Where a demonstration takes place: a home that lasts as long as it, and a daemon process on it.

Rule: it leaves nothing behind, however it ends, and neither reads nor changes a setting of the user's own.
"""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Self

from ..errors import HybridqError
from ..home import Home
from ..outlook import Outlook
from ..queue.runner import daemon_of
from ..sentences import how_ended
from ..submit import connect

LIBRARY = Path(sysconfig.get_path("stdlib"))
HANDLER = "digest"
WORKER = (sys.executable, "-m", "hybridq.demo.digest")
DEAR, CHEAP = 1.0, 0.4  # the tariff's factors
STARTING, ENDING = 30.0, 5.0  # seconds that the daemon may take

_CONFIG = """\
# Written by `hybridq demo`: dear until a few seconds from the start, then cheap.
[tariff]
factor = {cheap}

[[tariff.window]]
name = "peak"
start = "{start}"
end = "{end}"
factor = {dear}

[policy]
load_weight = 0  # the load is a mean of the last minute: it would speak of what was before
theta = 0  # nobody adds to the batch, so that it need not wait for more once it is cheap

[runner]
stop_grace = "2s"

[handlers.{handler}]
command = {command}
instances = {instances}
cwd = {library}
"""


class Stage:
    """A home that lasts as long as the demonstration, and its daemon. A context manager: leaves nothing behind."""

    def __init__(self, daemon: Sequence[str], *, dear: float, keep: bool = False) -> None:
        """`daemon` is the command that runs one; `dear` the seconds until the price falls; `keep` the home."""
        self._command, self._dear, self._keep = daemon, dear, keep

    def __enter__(self) -> Self:
        folder = Path(tempfile.mkdtemp(prefix="hybridq-demo-"))
        own = {name: value for name, value in os.environ.items() if not name.startswith("HYBRIDQ_")}
        self.environ = {**own, "HYBRIDQ_HOME": str(folder)}
        self.home = Home.find(self.environ)
        self.home.config_file.write_text(_config(time.time(), self._dear), encoding="utf-8")
        self._log = folder / "daemon.log"
        try:
            with self._log.open("wb") as log:
                # A session of its own: Control-C is for us alone, and we end it by its id.
                self._daemon = subprocess.Popen(  # noqa: S603 - the caller's own program
                    self._command,
                    env=self.environ,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
            self._wait()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        try:
            if daemon := getattr(self, "_daemon", None):
                _end(daemon)
        finally:
            if not self._keep:
                shutil.rmtree(self.home.folder, ignore_errors=True)

    @property
    def daemon(self) -> int:
        """The daemon's process id."""
        return self._daemon.pid

    def connect(self) -> Outlook:
        """The queue, for the thread that asks."""
        return connect(self.environ)

    def check(self) -> None:
        """Raise HybridqError, with its last words, when the daemon has ended."""
        code = self._daemon.poll()
        if code is not None:
            words = self._log.read_text(encoding="utf-8", errors="replace").strip().split("\n")[-1]
            raise HybridqError(f"the demo's daemon stopped ({how_ended(code)}): {words}")

    def _wait(self) -> None:
        until = time.monotonic() + STARTING
        with self.connect().store as store:
            while daemon_of(store) is None:
                self.check()
                if time.monotonic() > until:
                    raise HybridqError(f"the demo's daemon did not start within {STARTING:.0f} s")
                time.sleep(0.02)


def _config(now: float, dear: float) -> str:
    start = datetime.fromtimestamp(now, UTC)
    end = start + timedelta(seconds=max(1.0, dear))
    return _CONFIG.format(
        cheap=CHEAP,
        dear=DEAR,
        handler=HANDLER,
        command=json.dumps(WORKER),
        library=json.dumps(str(LIBRARY)),
        instances=max(1, (os.cpu_count() or 1) // 2),  # the rest is for the daemon, the views and the person
        start=f"{start - timedelta(minutes=1):%H:%M:%S}",
        end=f"{end:%H:%M:%S}",
    )


def _end(daemon: "subprocess.Popen[bytes]") -> None:
    """End the daemon gently, then not; a second Control-C does not wait."""
    try:
        daemon.terminate()
        with suppress(subprocess.TimeoutExpired):
            daemon.wait(ENDING)
    finally:
        daemon.kill()
        daemon.wait()
