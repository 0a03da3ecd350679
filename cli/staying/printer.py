"""Puts what jobs put out where it is read: raw to a pipe, made visible on a terminal.

Rule: nothing from a job reaches a terminal as it is unless raw was asked for; nothing reaches a pipe changed.
"""

import codecs
import sys
from typing import IO

from hybridq.queue.follow import Shown
from hybridq.queue.results import text_of
from hybridq.visible import visible

from ..tell import is_tty


class Printer:
    """Standard output and standard error of jobs. `raw`: their bytes as they are, on terminals too."""

    def __init__(self, *, raw: bool) -> None:
        self._raw = raw
        self._to: dict[int, _Plain | _Visible] = {}

    def piece(self, stream: int, data: bytes) -> None:
        """Bytes as they came. `stream` is 1 for standard output, 2 for standard error."""
        if stream not in self._to:
            file = sys.stdout if stream == 1 else sys.stderr
            shown = is_tty(file) and not self._raw
            self._to[stream] = _Visible(file.buffer) if shown else _Plain(file.buffer)
        self._to[stream].write(data)

    def value(self, value: bytes, shown: Shown | None = None) -> None:
        """A result, of which `shown` was printed while it came: what is left of it, or all of it anew."""
        data = text_of(value)
        if shown is None or not shown.bytes:
            self.piece(1, data)
        elif shown.begins(data):
            self.piece(1, data[shown.bytes :])
        else:
            self.piece(1, data if shown.end == b"\n" else b"\n" + data)


class _Plain:
    def __init__(self, to: IO[bytes]) -> None:
        self._to = to

    def write(self, data: bytes) -> None:
        self._to.write(data)
        self._to.flush()


class _Visible:
    """Decodes across pieces, so that a letter that came in two halves is one letter."""

    def __init__(self, to: IO[bytes]) -> None:
        self._to = to
        self._decoder = codecs.getincrementaldecoder("utf-8")("backslashreplace")

    def write(self, data: bytes) -> None:
        self._to.write(visible(self._decoder.decode(data)).encode())
        self._to.flush()
