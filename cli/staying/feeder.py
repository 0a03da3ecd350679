"""What feeds a session: standard input, kept as it arrives.

Rule: what was read is in the session's file before more is read, on the disk within a second, and all of it when the
input ends. It never looks at what it reads.
"""

import os
import select
import threading
import time

from hybridq.queue.kept import Keeping

READ = 64 * 1024  # bytes
SYNC = 1.0  # seconds within which the disk has what was read


class Feeder(threading.Thread):
    """Keeps what comes from a descriptor until it ends or `stop` is called.

    With `every`, what comes within so many seconds is kept as one piece. `trouble` says what the disk refused.
    """

    def __init__(self, source: int, keeping: Keeping, every: float) -> None:
        super().__init__(daemon=True)
        self.trouble = ""
        self.stopped = False  # it was told to end
        self._source, self._keeping, self._every = source, keeping, every
        self._awake, self._wake = os.pipe()
        self._synced = time.monotonic()

    @property
    def size(self) -> int:
        """Bytes that were kept."""
        return self._keeping.size

    def stop(self) -> None:
        """End the input here; what was read is kept."""
        self.stopped = True
        os.write(self._wake, b"!")

    def run(self) -> None:
        """Keep what comes."""
        try:
            self._keep_all()
            self._keeping.sync()
        except OSError as error:
            self.trouble = error.strerror or str(error)
        finally:
            self._keeping.end()

    def _keep_all(self) -> None:
        unsynced = False
        while True:
            wait = max(0.0, self._synced + SYNC - time.monotonic()) if unsynced else None
            if self._comes(wait):
                data, more = self._gathered()
                self._keeping.add(data)
                unsynced = unsynced or bool(data)
                if not more:
                    return
            elif self.stopped:
                return
            if unsynced and time.monotonic() >= self._synced + SYNC:
                self._keeping.sync()
                self._synced, unsynced = time.monotonic(), False

    def _comes(self, seconds: float | None) -> bool:
        """Whether there is something to read, or the end, within so many seconds; not when it is to stop."""
        ready, _, _ = select.select([self._source, self._awake], [], [], seconds)
        return self._source in ready and not self.stopped

    def _gathered(self) -> tuple[bytes, bool]:
        """What came within `every`, and whether more may."""
        until, parts = time.monotonic() + self._every, []
        while True:
            data = os.read(self._source, READ)
            parts.append(data)
            left = until - time.monotonic()
            if not data or left <= 0 or sum(map(len, parts)) >= READ or not self._comes(left):
                return b"".join(parts), bool(data)
