"""What both SDKs' clients have in common: connections, streams as plain data, errors as data.

Rule: what a server answers is read as plain data, never as the SDK's types: other servers leave out what a type
wants, and send what it does not know. Nothing that makes or costs something is repeated by the SDK.
"""

import time
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator
from contextlib import aclosing
from types import ModuleType
from typing import Any

from ...brain.llm_prices import Tokens
from ...config.llm import LlmOptions
from .connection import connecting, elsewhere
from .errors import NO_SUCH, Said, answered, no_answer, refusal, scrubbed, sentence_in
from .provider import Answer, Trouble, read_lines

IDLE = 20  # connections kept open: the SDK's pool looks at each of them whenever a request begins or ends
LINE_LIMIT = 64 * 1024 * 1024  # bytes of one answer
END: dict[str, Any] = {}  # the last event of a stream whose server said that it was complete


class Client(ABC):
    """The client of one SDK, which are made alike. `stream` is its class of streams of plain data."""

    def __init__(
        self, sdk: ModuleType, made: Any, transport: Any, stream: Any, address: str, options: LlmOptions, key: str
    ) -> None:
        self._sdk, self._stream, self._options, self._key = sdk, stream, options, key
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
            found = {}
            async with aclosing(self.stream("Hello", flex=False)) as pieces:
                await anext(pieces, None)
        name = found.get("id") or self._options.model
        return f"{name} answers at {self._client.base_url} ({time.monotonic() - began:.2f}s)"

    @abstractmethod
    def stream(self, text: str, *, flex: bool) -> AsyncGenerator[str | Tokens, None]:
        """The answer's pieces as they come."""

    def trouble(self, error: Exception) -> Trouble:
        """What an exception means."""
        if isinstance(error, Said):
            return Trouble(reason=scrubbed(str(error), self._key), passing=error.passing, slow=error.passing)
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
            path, body={**body, "stream": True}, cast_to=object, stream=True, stream_cls=self._stream, options=options
        )
        async with reply:
            if reply.response.headers.get("content-type", "").startswith(("application/json", "text/html")):
                yield answered(await reply.response.aread())
                yield END
                return
            async for event in reply:
                if isinstance(event, dict):
                    yield event
            if getattr(reply, "complete", False):
                yield END

    async def _spoken(
        self, words: Any, events: AsyncGenerator[dict[str, Any], None]
    ) -> AsyncGenerator[str | Tokens, None]:
        """The pieces of an answer, then what it used. `words` reads the events of this SDK's language."""
        async for event in events:
            if event is END:
                words.ended = words.ended or "done"
            elif piece := words.take(event):
                yield piece
        if not words.ended:
            raise EOFError("the stream ended before the answer did")
        if words.tokens is not None:
            yield words.tokens
        if rest := words.rest():
            yield rest

    async def _lines(self, opened: Any) -> AsyncGenerator[bytes, None]:
        """The lines of a file of answers."""
        async with opened as response:
            async for line in read_lines(response.iter_bytes(), LINE_LIMIT):
                yield line


def whole_answer(custom: str, words: Any, message: Any) -> Answer:
    """One answer of a batch, read as a whole by `words`."""
    try:
        text = words.take(message) + words.rest()
    except Said as instead:
        return Answer(custom=custom, error=str(instead), passing=instead.passing, tokens=words.tokens)
    return Answer(custom=custom, text=text, tokens=words.tokens)


def as_sent(found: Any) -> dict[str, Any]:
    """What the SDK made of an answer, as it was sent."""
    data = found if isinstance(found, dict) else found.to_dict(warnings=False) if hasattr(found, "to_dict") else {}
    return data if isinstance(data, dict) else {}
