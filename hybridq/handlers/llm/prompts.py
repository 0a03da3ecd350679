"""From a job's input to the text of a request: the template's `{input}` and `{file}` filled in.

Rule: what is filled in is data and never looked at for further fields.
"""

import json
import re
from pathlib import Path

from ...errors import BadData
from ...job import Call

LARGEST_FILE = 64 * 1024 * 1024  # bytes
_FIELD = re.compile(r"\{(input|file)\}")


def prompt(template: str, call: Call) -> str:
    """The text of a call. Raises BadData for an input that is no file where one is asked for."""
    text = _text(call.input)
    return _FIELD.sub(lambda field: text if field[1] == "input" else _file(text), template)


def _text(data: bytes) -> str:
    """A JSON string is its text; any other input is its JSON."""
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        found = None
    text = found if isinstance(found, str) else data.decode("utf-8", "replace")
    return text.encode("utf-8", "replace").decode()  # lone surrogates cannot be sent


def _file(name: str) -> str:
    path = Path(name)
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise BadData(f"{name} is larger than {LARGEST_FILE:,} bytes")
        return path.read_text(encoding="utf-8", errors="replace")
    except (OSError, ValueError) as problem:
        what = problem.strerror if isinstance(problem, OSError) else problem
        raise BadData(f"the prompt asks for the file that the input names, and it cannot be read: {what}") from None
