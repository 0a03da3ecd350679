"""One request for an answer that streams: what has come of it, how long it took, and what went wrong.

Rule: nothing that comes is lost, whether it was told as it came or not.
"""

import asyncio
import math
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from msgspec.structs import replace

from ...brain.llm_prices import CHARACTERS, Tokens
from ...job import Call, Event, Partial
from ..ending import timed_out
from .provider import Cut, Provider, Trouble


class Asking:
    """One request: its answer so far, how long it took, and what went wrong."""

    def __init__(self, call: Call, timeout: float | None, flex: bool, sent: float, limit: int) -> None:
        """`sent` is the monotonic second at which it may be sent, `limit` the bytes that are kept of its answer."""
        self._call, self.flex, self.sent = call, flex, sent
        self._room, self.dropped = limit, 0
        self._timeout = min((t for t in (call.timeout, timeout) if t is not None), default=None)
        self._pieces: list[str] = []
        self._live = False
        self._asked = 0  # characters
        self.tokens: Tokens | None = None
        self.trouble: Trouble | None = None
        self.cut = ""  # the answer was cut for want of room, in the provider's word
        self.busy = 0.0

    @property
    def text(self) -> str:
        """What has come of the answer."""
        return "".join(self._pieces)

    def used(self) -> Tokens | None:
        """What it used; where the server does not tell, or not all of it, by the length of what was asked and said.
        None: nothing came of it."""
        told, answer = self.tokens or Tokens(), self.text
        if self.tokens is None and not answer:
            return None
        output = told.output or math.ceil(len(answer) / CHARACTERS)
        return replace(told, input=told.input or math.ceil(self._asked / CHARACTERS), output=output)

    def _keep(self, piece: str) -> str:
        """What is kept of a piece; the rest is counted."""
        kept, dropped = within(piece, 0 if self.dropped else self._room)
        self._room -= len(kept.encode("utf-8", "replace"))
        self.dropped += dropped
        self._pieces.append(kept)
        return kept

    def unseen(self) -> list[Event]:
        """What has come of the answer and was not told as it came: of one that failed it is kept, too."""
        return [] if self._live or not self.text else [self._partial(self.text)]

    def _partial(self, piece: str) -> Partial:
        return Partial(self._call.id, self._call.attempt, piece.encode("utf-8", "replace"))

    async def events(self, provider: Provider, text: str, live: bool) -> AsyncGenerator[Sequence[Event], None]:
        """Its partial output; at the end `trouble` says whether it went well."""
        began, self._live, self._asked = time.monotonic(), live, len(text)
        end = None if self._timeout is None else asyncio.get_running_loop().time() + self._timeout
        try:
            async with aclosing(provider.stream(text, flex=self.flex)) as pieces:
                while True:
                    async with asyncio.timeout_at(end):
                        piece = await anext(pieces, None)
                    if piece is None:
                        break
                    if isinstance(piece, Tokens):
                        self.tokens = piece
                    elif isinstance(piece, Cut):
                        self.cut = piece.word
                    elif (kept := self._keep(piece)) and live:
                        yield [self._partial(kept)]
        except TimeoutError:
            self.trouble = Trouble(reason=timed_out(self._timeout or 0.0))
        except Exception as error:
            self.trouble = provider.trouble(error)
        finally:
            self.busy = time.monotonic() - began


def within(text: str, limit: int) -> tuple[str, int]:
    """As much of a text as so many bytes hold, without half a letter at its end; and the bytes that are left out."""
    if 4 * len(text) <= limit:
        return text, 0
    data = text.encode("utf-8", "replace")
    kept = data[:limit].decode("utf-8", "ignore") if len(data) > limit else text
    return kept, len(data) - len(kept.encode("utf-8", "replace"))
