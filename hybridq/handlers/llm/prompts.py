"""From a job's input to the text of a request: the template's `{input}` and `{file}` filled in.

Rule: what is filled in is data and never looked at for further fields.
"""

import json
import re

from ...errors import BadData
from ...files import UTF_16, read_file
from ...job import Call

LARGEST_FILE = 64 * 1024 * 1024  # bytes
_FIELD = re.compile(r"\{(input|file)\}")


def prompt(template: str, call: Call) -> str:
    """The text of a call. Raises BadData for an input that is no file where one is asked for."""
    text = _text(call.input)
    return _FIELD.sub(lambda field: _sendable(text) if field[1] == "input" else _file(text), template)


def _text(data: bytes) -> str:
    """A JSON string is its text, with the bytes of a file's name that is no UTF-8 as lone surrogates; any other input
    is its JSON."""
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        found = None
    return found if isinstance(found, str) else data.decode("utf-8", "replace")


def _sendable(text: str) -> str:
    """Lone surrogates cannot be sent."""
    return text.encode("utf-8", "replace").decode()


def _file(name: str) -> str:
    try:
        data = read_file(name, LARGEST_FILE)
        text = data.decode("utf-16" if data.startswith(UTF_16) else "utf-8-sig", "replace")
        return text.replace("\r\n", "\n").replace("\r", "\n")
    except (OSError, ValueError) as problem:
        what = problem.strerror if isinstance(problem, OSError) else problem
        raise BadData(f"the prompt's {{file}} cannot be read: {what}") from None
