"""How calls become lines for a worker, and its lines become replies: JSON Lines, or plain lines.

JSON Lines: an object is a stream call, an array a chunk of a batch, or of a pipe. Plain lines: one line in, one line
out, in order; the input is closed after each chunk, because most filters hold their output back until then.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec
from msgspec import Raw

from ...errors import BadData
from ...job import Call, Lane
from .lines import Oddity, Overlong, Reply, is_json, parse_reply


class Dialect(Protocol):
    """One way to talk with a worker."""

    closes: bool  # a worker serves one chunk: its input is closed after it

    def encode(self, call: Call) -> bytes:
        """The call as a part of a chunk. Raises BadData for an input that cannot be sent."""
        ...

    def chunk(self, parts: Sequence[bytes], lane: Lane) -> bytes:
        """What to write for these calls."""
        ...

    def parse(self, line: bytes, pending: Mapping[int, Call]) -> Reply | Oddity:
        """What a line of the worker says about a pending call. Never raises."""
        ...


class JsonLines:
    """Objects and arrays of objects."""

    closes = False

    def encode(self, call: Call) -> bytes:
        """See `Dialect`."""
        data = call.input
        if not is_json(data):
            _load(data)
        if b"\n" in data:  # between JSON tokens: inside a string it would be no JSON
            data = data.replace(b"\n", b" ")
        return b'{"id":%d,"attempt":%d,"input":%b}' % (call.id, call.attempt, data)

    def chunk(self, parts: Sequence[bytes], lane: Lane) -> bytes:
        """See `Dialect`."""
        alone = lane is Lane.STREAM and len(parts) == 1
        return parts[0] + b"\n" if alone else b"[" + b",".join(parts) + b"]\n"

    def parse(self, line: bytes, pending: Mapping[int, Call]) -> Reply | Oddity:
        """See `Dialect`."""
        return parse_reply(line)


class PlainLines:
    """A text is sent as it is, any other input as JSON; each answer is a text."""

    closes = True

    def encode(self, call: Call) -> bytes:
        """See `Dialect`."""
        value = _load(call.input)
        if not isinstance(value, str):
            return call.input.replace(b"\n", b" ") + b"\n"
        if "\n" in value:
            raise BadData('the input has more than one line; protocol = "lines" allows only one')
        try:
            return value.encode("utf-8", "surrogateescape") + b"\n"
        except UnicodeEncodeError as error:
            raise BadData(f"the input is not text: {error.reason}") from None

    def chunk(self, parts: Sequence[bytes], lane: Lane) -> bytes:
        """See `Dialect`."""
        return b"".join(parts)

    def parse(self, line: bytes, pending: Mapping[int, Call]) -> Reply | Oddity:
        """See `Dialect`."""
        first = next(iter(pending), None)
        if first is None:
            return Oddity("too many")
        if isinstance(line, Overlong):
            return Oddity("too long", first)
        try:
            return Reply(first, output=Raw(msgspec.json.encode(line.removesuffix(b"\r").decode())))
        except UnicodeDecodeError:
            return Oddity("not UTF-8", repaired=line.decode("utf-8", "replace").encode())


def _load(data: bytes) -> object:
    """The value, with lone surrogates as they are: they stand for file names that are no UTF-8."""
    try:
        return json.loads(data, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise BadData(f"the input is not JSON: {error}") from None


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not a JSON value")
