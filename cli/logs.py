"""The log of a runner on standard error: one line an event, as text or as JSON.

Rule: whatever a job or a worker put into a message, it stays one line and cannot move a cursor. No
traceback, unless HYBRIDQ_TRACEBACK=1 asks for one.
"""

import json
import logging
import os
import sys
from datetime import datetime

from hybridq.visible import visible_line

LINE = 4000  # cells of one event: a longer one is cut


def to_stderr(*, as_json: bool, warnings_only: bool = False) -> None:
    """Send what hybridq logs to standard error; of others only what is wrong."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLine() if as_json else Line())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("hybridq").setLevel(logging.WARNING if warnings_only else logging.INFO)


class Line(logging.Formatter):
    """`2026-11-23 22:00:00 INFO flush 7: 120 jobs of digest: ...`, in local time."""

    def format(self, record: logging.LogRecord) -> str:
        """One line for one event."""
        stamp = datetime.fromtimestamp(record.created).isoformat(" ", "seconds")
        return f"{stamp} {record.levelname} {visible_line(_message(record), LINE)}"


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
    return text
