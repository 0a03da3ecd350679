"""The log of a runner on standard error: one line an event, as text or as JSON; a daemon's is kept for `log`, too.

Rule: whatever a job or a worker put into a message, it stays one line, cannot move a cursor and holds no key. No
traceback, unless HYBRIDQ_TRACEBACK=1 asks for one. A terminal that is stopped, or a pipe that nobody reads,
holds up no job: lines are written by a thread of their own, and those that found no room are counted. What is kept
is bounded, and read by its owner alone.
"""

import atexit
import json
import logging
import os
import time
from contextlib import suppress
from datetime import datetime
from logging.handlers import QueueHandler, QueueListener
from queue import Full, Queue

from hybridq.errors import HybridqError
from hybridq.home import Home, open_private
from hybridq.scrub import scrub
from hybridq.visible import visible_line

LINE = 4000  # cells of one event: a longer one is cut
ROOM = 10_000  # events that wait to be written
LAST = 1.0  # seconds that they may take at the end
KEPT = 8 * 1024 * 1024  # bytes of a kept log, behind which another is begun; one before it is kept as well


def to_stderr(*, as_json: bool, warnings_only: bool = False, keep: Home | None = None) -> None:
    """Send what hybridq logs to standard error, and to the log that is kept there; of others only what is wrong."""
    handler = Apart(Queue(ROOM))
    handler.setFormatter(JsonLine() if as_json else TextLine())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("hybridq").setLevel(logging.WARNING if warnings_only else logging.INFO)
    QueueListener(handler.room, Written(), *([Kept(keep)] if keep else [])).start()
    atexit.register(handler.wait)


class Apart(QueueHandler):
    """Hands each line to the thread that writes; `lost` had no room."""

    def __init__(self, room: Queue[logging.LogRecord]) -> None:
        super().__init__(room)
        self.room, self.lost = room, 0

    def prepare(self, record: logging.LogRecord) -> logging.LogRecord:
        """The record with its finished line, and with that by which it is kept."""
        kept = JsonLine().format(record)
        prepared: logging.LogRecord = super().prepare(record)
        prepared.kept = kept
        return prepared

    def enqueue(self, record: logging.LogRecord) -> None:
        """Never waits."""
        try:
            self.room.put_nowait(record)
        except Full:
            self.lost += 1
            return
        if self.lost:
            lost, self.lost = self.lost, 0
            logging.getLogger("hybridq").warning("dropped %d lines of this log: nothing read them in time", lost)

    def wait(self) -> None:
        """Let what waits be written, if anybody reads it."""
        until = time.monotonic() + LAST
        while self.room.unfinished_tasks and time.monotonic() < until:
            time.sleep(0.001)


class Written(logging.Handler):
    """Writes finished lines: past `sys.stderr`, whose lock would hold up the end of the process."""

    def emit(self, record: logging.LogRecord) -> None:
        """One line."""
        data = f"{record.msg}\n".encode(errors="backslashreplace")
        with suppress(OSError):  # nobody is there any more
            while data:
                data = data[os.write(2, data) :]


class Kept(logging.Handler):
    """Keeps each line, as JSON, in the home of the queue. A disk that takes none loses them, and nothing else."""

    def __init__(self, home: Home) -> None:
        super().__init__()
        self._home, self._file = home, -1

    def emit(self, record: logging.LogRecord) -> None:
        """One line, in one write: whoever follows sees it whole."""
        with suppress(OSError, HybridqError):
            if self._file < 0:
                self._file = open_private(self._home.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
            os.write(self._file, f"{record.__dict__['kept']}\n".encode())
            if os.fstat(self._file).st_size > KEPT:
                self._home.log.replace(self._home.earlier_log)
                os.close(self._file)
                self._file = -1


class TextLine(logging.Formatter):
    """`2026-11-23 22:00:00 INFO flush 7: 120 jobs of digest: ...`, in local time."""

    def format(self, record: logging.LogRecord) -> str:
        """One line for one event."""
        return text_line(record.created, record.levelname, _message(record))


def text_line(at: float, level: str, message: str) -> str:
    """An event as text; `at` is epoch seconds."""
    stamp = datetime.fromtimestamp(at).isoformat(" ", "seconds")
    return f"{stamp} {level.upper()} {visible_line(message, LINE)}"


class JsonLine(logging.Formatter):
    """`{"at": epoch seconds, "level": ..., "logger": ..., "message": ...}`."""

    def format(self, record: logging.LogRecord) -> str:
        """One object for one event, in ASCII."""
        event = {
            "at": round(record.created, 6),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": _message(record),
        }
        return json.dumps(event)


def _message(record: logging.LogRecord) -> str:
    text = record.getMessage()
    if record.exc_info and record.exc_info[1] is not None:
        problem = record.exc_info[1]
        text += f": {type(problem).__name__}: {problem}"
        if os.environ.get("HYBRIDQ_TRACEBACK") == "1":
            import traceback

            text += "\n" + "".join(traceback.format_exception(problem))
    return scrub(text)
