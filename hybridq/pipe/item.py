"""Items: how a line becomes a handler's input, and how its result becomes a line again.

Rule: each item has exactly one line of output, whatever became of it; it never holds the mark that ends one.
"""

from enum import StrEnum

import msgspec

from ..files import BOM, UTF_16
from ..handlers.worker.lines import is_json
from ..visible import visible_line

SHED = "shed"  # what became of an item that is to be a job


class Form(StrEnum):
    """What an item is on its way in and out."""

    LINES = "lines"
    JSON = "json"
    NULL = "null"

    @property
    def end(self) -> bytes:
        """What ends an item."""
        return b"\0" if self is Form.NULL else b"\n"


_text = msgspec.json.Decoder(str).decode
_quoted = msgspec.json.encode


def encoded(form: Form, line: bytes) -> bytes | str:
    """The input, as JSON; a text says why there is none."""
    if form is Form.JSON:
        line = line.strip()
        return line if is_json(line) else "not a JSON value"
    try:
        return _quoted((line.rstrip(b"\r") if form is Form.LINES else line).decode())
    except UnicodeDecodeError as problem:
        return f"not UTF-8 text (byte {problem.start + 1})"


def begun(line: bytes) -> bytes | str:
    """The first line without a mark of its encoding; a text says why the whole source cannot be read."""
    if line.startswith(UTF_16):
        return "is UTF-16, not UTF-8 text: convert it first (iconv -f UTF-16 -t UTF-8)"
    return line.removeprefix(BOM)


def shown(form: Form, value: bytes, *, safe: bool) -> bytes:
    """A result as a line without its end: a text as it is, no value as nothing, others as JSON.

    A text that holds an end of line is given as JSON, so that it stays one. `safe`: as a terminal may see it.
    """
    if value == b"null":
        return b""
    if not value.startswith(b'"'):
        return value.replace(b"\n", b" ")  # between its tokens
    found = value[1:-1]
    if b"\\" in found:
        found = _text(value).encode(errors="backslashreplace")
        if form.end in found or (form is Form.LINES and b"\r" in found):
            found = value
    return visible_line(found.decode(), len(found)).encode() if safe else found


def described(number: int, given: bytes, key: str, value: bytes, came: float, went: float) -> bytes:
    """A result as a JSON object in one line: `key` says what became of it, times are epoch seconds."""
    output, error = (value, b"null") if key == "output" else (b"null", value)
    shed = b"true" if key == SHED else b"false"
    told = b'{"id":%d,"input":%b,"output":%b,"error":%b,"shed":%b,"times":{"in":%.6f,"out":%.6f}}'
    return (told % (number, given, output, error, shed, came, went)).replace(b"\n", b" ")
