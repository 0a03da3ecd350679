"""What both SDKs' clients have in common: connections, streams as plain data, errors as data.

Rule: what a server answers is read as plain data, never as the SDK's types: other servers leave out what a type
wants, and send what it does not know. Nothing that makes or costs something is repeated by the SDK.
"""

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from types import ModuleType
from typing import Any

from ...config.llm import LlmOptions
from .connection import connecting, elsewhere
from .errors import NO_SUCH, Said, is_error, may_pass, no_answer, refusal, scrubbed, sentence_in
from .provider import Answer, Cut, Piece, Trouble, read_lines
from .sse import END, Letters, events

IDLE = 20  # connections kept open: the SDK's pool looks at each of them whenever a request begins or ends
LINE_LIMIT = 64 * 1024 * 1024  # bytes of one answer
AFTER = 2.0  # seconds that a stream may stay open after its answer's end, for what was used
DRAIN = 0.1  # seconds for what follows the last event, so that the connection can be used again


class Client(ABC):
    """The client of one SDK, which are made alike."""

    def __init__(self, sdk: ModuleType, made: Any, transport: Any, address: str, options: LlmOptions, key: str) -> None:
        self._sdk, self._options, self._key = sdk, options, key
        usual = sdk.DEFAULT_CONNECTION_LIMITS
        limits = type(usual)(max_connections=usual.max_connections, max_keepalive_connections=IDLE)
        self._client = made(
            api_key=key,
            base_url=address,
            max_retries=4,  # where it is used: what may be repeated
            http_client=transport(limits=limits, **connecting(address)),
        )
        self._once = self._client.with_options(max_retries=0)

    async def check(self) -> str:
        """Try the key and the model's name; where a server has no page about its model, by the first word of an
        answer."""
        began = time.monotonic()
        try:
            found = as_sent(await self._client.models.retrieve(self._options.model))
        except self._sdk.APIStatusError as refused:
            if not self._options.base_url or refused.status_code not in NO_SUCH:
                raise
            found = {"error": refused}
        if is_error(found):
            async with aclosing(self.stream("Hello", flex=False)) as pieces:
                await anext(pieces, None)
        name = found.get("id") or self._options.model
        return f"{name} answers at {self._client.base_url} ({time.monotonic() - began:.2f}s)"

    @abstractmethod
    def stream(self, text: str, *, flex: bool) -> AsyncGenerator[Piece, None]:
        """The answer's pieces as they come."""

    def trouble(self, error: Exception) -> Trouble:
        """What an exception means."""
        if isinstance(error, Said):
            return error.trouble(scrubbed(str(error), self._key))
        if isinstance(error, self._sdk.APIStatusError):
            told = sentence_in(error.body) or sentence_in(error.message)
            if 300 <= error.status_code < 400 and (location := error.response.headers.get("location")):
                told = elsewhere(str(error.request.url), location)
            told = scrubbed(told, self._key)
            return refusal(error.status_code, told, error.response.headers, f"{error.message} {error.body}")
        if isinstance(error.__cause__, Said):  # it was kept from being sent
            return self.trouble(error.__cause__)
        if isinstance(error, self._sdk.APIConnectionError):  # a timeout is one, too
            return no_answer(self._client.base_url.netloc.decode(), error.__cause__ or error, self._key)
        if isinstance(error, self._sdk.APIError):
            told = sentence_in(error.body) or error.message
        else:
            told = str(error) if isinstance(error, EOFError) else repr(error)
        return Trouble(reason=scrubbed(told, self._key), passing=True, unsure=True)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def _events(self, path: str, body: dict[str, Any], **options: Any) -> AsyncGenerator[dict[str, Any], None]:
        """The events of a request that streams, or the one answer of a server that does not. Raises Said."""
        reply = await self._once.post(
            path,
            body={**body, "stream": True},
            cast_to=object,
            stream=True,
            stream_cls=self._sdk.AsyncStream[object],
            options=options,
        )
        # Of the SDK's stream only the bytes are read: its own reader ends at a keep-alive, or at half a letter.
        async with reply, aclosing(self._bytes(reply.response)) as pieces:
            async for event in events(pieces):
                yield event
            with suppress(Exception):
                async with asyncio.timeout(DRAIN):
                    async for _ in pieces:
                        pass

    async def _bytes(self, response: Any) -> AsyncGenerator[bytes, None]:
        try:
            async for piece in response.aiter_bytes():
                yield piece
        except Exception as cause:
            raise self._sdk.APIConnectionError(request=response.request) from cause

    async def _spoken(self, words: Any, told: AsyncGenerator[dict[str, Any], None]) -> AsyncGenerator[Piece, None]:
        """The pieces of an answer, then what it used. `words` reads the events of this SDK's language."""
        letters = Letters()
        async with aclosing(told):
            async for event in _until_over(words, told):
                if event is END:
                    words.ended = words.ended or "done"
                elif piece := letters.join(words.take(event)):
                    yield piece
        if piece := letters.join("", last=True):
            yield piece
        if not words.ended:
            raise EOFError("the stream ended before the answer was complete")
        if words.tokens is not None:
            yield words.tokens
        if rest := words.rest():
            yield rest
        if words.cut:
            yield Cut(words.cut)

    async def _lines(self, opened: Any) -> AsyncGenerator[bytes, None]:
        """The lines of a file of answers."""
        async with opened as response:
            async for line in read_lines(response.iter_bytes(), LINE_LIMIT):
                yield line


async def _until_over(words: Any, told: AsyncGenerator[dict[str, Any], None]) -> AsyncGenerator[dict[str, Any], None]:
    """The events until the answer's end and what was used. What becomes of the connection after it matters to nobody:
    some servers keep it open for ever."""
    end: float | None = None
    while True:
        try:
            async with asyncio.timeout_at(end):
                event = await anext(told, None)
        except Exception:
            if words.ended:
                return
            raise
        if event is None:
            return
        yield event
        if words.ended and end is None:
            end = asyncio.get_running_loop().time() + AFTER


def whole_answer(custom: str, words: Any, message: Any) -> Answer:
    """One answer of a batch, read as a whole by `words`."""
    text = ""
    try:
        text = Letters().join(words.take(message), last=True)
        text += words.rest()
    except Said as instead:
        return Answer(custom=custom, error=str(instead), passing=instead.passing, said=text, tokens=words.tokens)
    return Answer(custom=custom, text=text, tokens=words.tokens, cut=words.cut)


def named(made: Any) -> str:
    """The id of what was made. Raises Said where a good status came with something else: a few servers answer so to
    what they do not have."""
    found = as_sent(made)
    name = found.get("id")
    if isinstance(name, str) and name and not is_error(found):
        return name
    passing = is_error(found) and may_pass(found)
    why = sentence_in(found) or "the server's answer names no batch or file"
    raise Said(why, passing=passing, error=found or None, missing=not passing)


def as_sent(found: Any) -> dict[str, Any]:
    """What the SDK made of an answer, as it was sent."""
    data = found if isinstance(found, dict) else found.to_dict(warnings=False) if hasattr(found, "to_dict") else {}
    return data if isinstance(data, dict) else {}
