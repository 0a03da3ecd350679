"""JSON Lines with a worker: framing with a bound, and replies that are judged, never trusted.

Nothing here raises on what a worker wrote: a line is a `Reply`, or an `Oddity` that says why it is none.
The id counts only as a JSON integer, a value only as JSON that any reader accepts.
"""

import re

import msgspec
from msgspec import Raw, Struct

HEAD = 512  # bytes that are kept of a line that is too long
BOM = b"\xef\xbb\xbf"
LOG = "log"  # the kind of oddity that is none: a line of the worker's own


class Overlong(bytes):
    """The first bytes of a line that went over the limit."""


class LineReader:
    """Cuts a stream of bytes into lines without their ends; holds at most `limit` bytes of an unfinished one."""

    def __init__(self, limit: int, end: bytes = b"\n") -> None:
        self._limit, self._end = limit, end
        self._parts: list[bytes] = []
        self._size = 0

    def push(self, data: bytes) -> list[bytes]:
        """The lines that `data` completes."""
        lines = data.split(self._end)
        rest = lines.pop()
        if lines and self._size:
            lines[0] = self._finish(lines[0])
        self._keep(rest)
        if len(data) <= self._limit:
            return lines
        return [line if len(line) <= self._limit else Overlong(line[:HEAD]) for line in lines]

    @property
    def unfinished(self) -> int:
        """Bytes that came after the last line end."""
        return self._size

    def rest(self) -> bytes:
        """What came after the last line end."""
        return self._finish(b"")

    def _keep(self, part: bytes) -> None:
        if not part:
            return
        self._size += len(part)
        if self._size <= self._limit:
            self._parts.append(part)
        else:
            self._parts = [b"".join([*self._parts[:HEAD], part[:HEAD]])[:HEAD]]

    def _finish(self, part: bytes) -> bytes:
        self._keep(part)
        line, size = b"".join(self._parts), self._size
        self._parts, self._size = [], 0
        return line if size <= self._limit else Overlong(line[:HEAD])


class Reply(Struct, gc=False):
    """One line of a worker about one call. An empty `Raw` stands for a key that is not there."""

    id: int
    attempt: int | None = None
    output: Raw = Raw(b"")
    error: Raw = Raw(b"")
    partial: Raw = Raw(b"")
    usage: Raw = Raw(b"")
    cost: Raw = Raw(b"")


class Oddity(Struct, frozen=True):
    """A line that is no reply as it stands: which kind of oddity it is.

    `id` is the call that it certainly was the answer to; `repaired` the line with its bad characters replaced.
    """

    kind: str
    id: int | None = None
    repaired: bytes = b""


NULL = Raw(b"null")
UNREADABLE = (msgspec.MsgspecError, RecursionError, UnicodeError)
_decode = msgspec.json.Decoder(Reply).decode
_decode_raw = msgspec.json.Decoder(Raw).decode
_meant_for = re.compile(rb'\s*\{\s*"id"\s*:\s*(\d{1,18})\s*,')
_answer = re.compile(rb'\{\s*"(?:id|attempt|output|error|partial|usage|cost)"\s*:')
_QUOTING = b" \t:=,;([{<\"'`"  # what stands before JSON that a log quotes
_escapes = re.compile(rb"\\(?:u[dD][89abAB]..\\u[dD][c-fC-F]..|(u[dD][89a-fA-F]..)|.)", re.DOTALL)


def parse_reply(line: bytes) -> Reply | Oddity:
    """What a worker's line says. Never raises."""
    try:
        reply = _decode(line)
    except UNREADABLE:
        return _judge(line)
    if not line.isascii() and (fixed := line.decode("utf-8", "replace").encode()) != line:
        return Oddity("not UTF-8", repaired=fixed)
    return reply if reply.output or given(reply.error) or given(reply.partial) else Oddity("without an answer")


def given(raw: Raw) -> bool:
    """Whether the key was there and not null."""
    return bool(raw) and raw != NULL


def _judge(line: bytes) -> Oddity:
    if isinstance(line, Overlong):
        return Oddity("too long", _addressee(line))
    if behind := _behind(line):
        return Oddity("behind something else", repaired=behind)
    if not line.lstrip().startswith((b"{", b"[")):
        return Oddity(LOG)
    if is_json(line):
        return Oddity("with a wrong id" if b'"id"' in line else LOG)
    fixed = _escapes.sub(_replace_lone, line)
    if fixed != line and is_json(fixed):
        return Oddity("with a lone surrogate", repaired=fixed)
    return Oddity("not JSON", _addressee(line) if line.rstrip().endswith(b"}") else None)


def _behind(line: bytes) -> bytes:
    """The answer at the end of a line that began with something else: a bar of progress, a mark of the encoding.

    An answer that a log quotes is none: it stands behind a blank or the like, and no carriage return came before.
    """
    found = _answer.search(line, line.rstrip().rfind(b"\r") + 1)
    if found is None or not (place := found.start()):
        return b""
    if b"\r" not in line[:place] and line[place - 1] in _QUOTING:
        return b""
    reply = parse_reply(line[place:])
    return line[place:] if isinstance(reply, Reply) or reply.repaired else b""


def _replace_lone(escape: re.Match[bytes]) -> bytes:
    return b"\\ufffd" if escape[1] else escape[0]


def _addressee(line: bytes) -> int | None:
    match = _meant_for.match(line)
    return int(match[1]) if match else None


def is_json(data: bytes) -> bool:
    """Whether this is one JSON value that every reader accepts."""
    try:
        _decode_raw(data)
    except UNREADABLE:
        return False
    return True
