"""What a server sends where a stream was asked for, as plain data: its events, or one whole answer.

Rule: the bytes alone tell which it is, never their content type. What says nothing (keep-alives, comments, fields
without data) is passed over; a letter that was cut in two comes out whole, or as U+FFFD. Raises Said and nothing else.
"""

import re
from collections.abc import AsyncGenerator
from typing import Any

from .errors import Said, answered, loose

END: dict[str, Any] = {}  # the last event of a stream whose server said that it was complete
BROKEN = "the server's stream has an event that is not JSON"
LONGEST = 64 * 1024 * 1024  # bytes of one line, or of one whole answer
_MARK = b"\xef\xbb\xbf"
_FIELD = re.compile(rb":|(data|event|id|retry)[:\r\n]")  # how a stream begins
_BREAK = re.compile(rb"\r\n|\n|\r")
_HALVES = re.compile("[\ud800-\udbff][\udc00-\udfff]|[\udc80-\udcff]+|[\ud800-\udfff]")
_HALF = re.compile("(?:[\ud800-\udbff]|(?<![\ud800-\udbff\udc80-\udcff])[\udc80-\udcff]{1,3})\\Z")

Pieces = AsyncGenerator[bytes, None]


async def events(pieces: Pieces) -> AsyncGenerator[dict[str, Any], None]:
    """The events in these bytes, END after `[DONE]` and after a whole answer."""
    head = b""
    async for piece in pieces:
        head = (head + piece).removeprefix(_MARK).lstrip()
        if len(head) > len(b"event:"):
            break
    if not _FIELD.match(head):
        for found in _whole(await _rest(head, pieces)):
            yield found
        yield END
        return
    async for kind, lines in _parted(head, pieces):
        for found in _read(kind, lines):
            yield found
            if found is END:
                return


class Letters:
    """Joins what was cut inside a letter: bytes of UTF-8 that are no letter (as `surrogateescape` has them), or halves
    of a pair of UTF-16."""

    def __init__(self) -> None:
        self._half = ""

    def join(self, piece: str, *, last: bool = False) -> str:
        """A piece of text with what the last one lacked; half a letter at its end is kept for the next."""
        piece, self._half = self._half + piece, ""
        if piece.isascii():
            return piece
        if not last and (half := _HALF.search(piece)):
            piece, self._half = piece[: half.start()], half[0]
        return _HALVES.sub(_letters, piece)


def _letters(found: re.Match[str]) -> str:
    halves = found[0]
    if halves[0] < "\udc00" and len(halves) == 2:
        return halves.encode("utf-16", "surrogatepass").decode("utf-16")
    if halves[0] < "\udc80" or halves[0] > "\udcff":
        return "\ufffd"
    return halves.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


async def _rest(head: bytes, pieces: Pieces) -> bytes:
    body = bytearray(head)
    async for piece in pieces:
        body += piece
        if len(body) > LONGEST:
            raise Said(f"the server's answer is larger than {LONGEST:,} bytes")
    return bytes(body)


def _whole(body: bytes) -> list[dict[str, Any]]:
    """One whole answer; or several objects, one a line, as a few servers send a stream."""
    if loose(body) is None:
        lines = [loose(line.removeprefix(b"data:")) for line in body.splitlines()]
        if found := [each for each in lines if isinstance(each, dict)]:
            return found
    return [answered(body)]


async def _parted(head: bytes, pieces: Pieces) -> AsyncGenerator[tuple[bytes, list[bytes]], None]:
    """Each event that has data: what it is called, and the lines of its data."""
    kind, data = b"", list[bytes]()
    async for line in _lines(head, pieces):
        name, _, value = line.partition(b":")
        if name == b"data":
            data.append(value.strip())
        elif name == b"event":
            kind = value.strip()
        elif not line:
            if any(data):
                yield kind, data
            kind, data = b"", []
    if any(data):
        yield kind, data


async def _lines(head: bytes, pieces: Pieces) -> Pieces:
    rest = bytearray()
    for line in _split(rest, head):
        yield line
    async for piece in pieces:
        for line in _split(rest, piece):
            yield line
    yield bytes(rest)


def _split(rest: bytearray, piece: bytes) -> list[bytes]:
    """The lines that end with this piece after the `rest` of the last ones, which becomes what is left of it."""
    cut = b"\n" in piece or b"\r" in piece or rest.endswith(b"\r")
    rest += piece
    if len(rest) > LONGEST:
        raise Said(f"the server's stream has a line larger than {LONGEST:,} bytes")
    if not cut:
        return []
    late = b"\r" if rest.endswith(b"\r") else b""  # a line feed may follow
    *ended, left = _BREAK.split(bytes(rest.removesuffix(late)))
    rest[:] = left + late
    return ended


def _read(kind: bytes, lines: list[bytes]) -> list[dict[str, Any]]:
    """What one event says. Some servers leave out the empty line between two."""
    found = loose(b"\n".join(lines))
    several = [found] if found is not None or len(lines) == 1 else [loose(line) for line in lines]
    read: list[dict[str, Any]] = []
    for line, said in zip(lines, several, strict=False):
        if line.startswith(b"[DONE]"):
            return [*read, END]
        if kind == b"error" and not (isinstance(said, dict) and said.get("error")):
            read.append({"error": said or line.decode("utf-8", "replace")})
        elif isinstance(said, dict):
            read.append(said)
        elif said is None and line.startswith(b"{"):
            raise Said(BROKEN, passing=True)
    return read
