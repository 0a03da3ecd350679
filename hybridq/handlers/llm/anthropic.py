"""The kind `anthropic`: messages and message batches of Anthropic, or of any server that speaks its language.

A message batch carries no mark of ours but its requests' ids, which show when it is over; so a batch whose
id was lost is found among those of its size and time by looking into their first results.
"""

from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from pathlib import Path
from typing import Any
from urllib.parse import quote

import anthropic
import msgspec
from anthropic.types.messages import MessageBatch

from ...config.llm import LlmOptions
from .anthropic_words import AnthropicAnswer
from .client import LINE_LIMIT, Client, as_sent, named, whole_answer
from .errors import loose
from .provider import Answer, BatchLimits, Found, Look, Piece, parse_custom_id, read_lines

URL = "https://api.anthropic.com"
MAX_TOKENS = 4096  # of an answer, where `max_tokens` does not say; the provider wants a number
SLACK = 3600.0  # seconds by which the provider's clock may differ from ours
PIECE = 256 * 1024  # bytes of a batch that are read at once
PASSING = frozenset({"api_error", "overloaded_error", "rate_limit_error", "timeout_error"})


class Anthropic(Client):
    """See `Provider`."""

    limits = BatchLimits(100_000, 250_000_000)  # of 256 MB, some are the frame

    def __init__(self, options: LlmOptions, key: str) -> None:
        made, transport = anthropic.AsyncAnthropic, anthropic.DefaultAsyncHttpxClient
        # The SDK's paths begin with /v1, which many know as a part of the address.
        address = options.base_url.rstrip("/").removesuffix("/v1") or URL
        super().__init__(anthropic, made, transport, address, options, key)

    async def stream(self, text: str, *, flex: bool) -> AsyncGenerator[Piece, None]:
        """The answer's pieces as they come. There is no flexible tier."""
        async for piece in self._spoken(AnthropicAnswer(), self._events("/v1/messages", self._body(text))):
            yield piece

    def line(self, custom: str, text: str) -> bytes:
        """One request of a batch; the comma between two is a byte of the next."""
        return msgspec.json.encode({"custom_id": custom, "params": self._body(text)}) + b"\n"

    async def upload(self, spool: Path) -> str | None:
        """Nothing is sent ahead."""
        return None

    async def create(self, key: str, file: str | None, spool: Path | None) -> str:
        """Make the batch, its requests sent as they are read."""
        assert spool is not None  # noqa: S101 - without lines ahead they are always at hand
        made = await self._once.post(
            "/v1/messages/batches",
            cast_to=MessageBatch,
            content=_body(spool),
            options={"headers": {"content-type": "application/json"}},
        )
        return named(made)

    async def find(self, key: str, since: float, jobs: int, file: str | None) -> Found:
        """Look into the batches of this size that are over; those that are not might be ours."""
        unsure = False
        async for batch in self._client.messages.batches.list(limit=100):
            if batch.created_at.timestamp() < since - SLACK:
                break
            counts = batch.request_counts
            total = counts.processing + counts.succeeded + counts.errored + counts.canceled + counts.expired
            if total != jobs:
                continue
            if batch.processing_status != "ended":
                unsure = True
            elif await self._key_of(batch.id) == key:
                return Found(batch.id)
        return Found(unsure=unsure)

    async def look(self, batch: str) -> Look:
        """How a batch stands. The provider's own counts say nothing before its end."""
        found = as_sent(await self._client.messages.batches.retrieve(batch))
        over, counts = found.get("processing_status") == "ended", found.get("request_counts") or {}
        done = (counts.get("succeeded") or 0) + (counts.get("errored") or 0)
        whole = over and not counts.get("canceled") and not counts.get("expired")
        # Where they are told to be is not asked: it may be anywhere, and the key would go there.
        files = ("results",) if over and (whole or done or found.get("results_url")) else ()
        return Look(over=over, whole=whole, finished=done if over or done else None, files=files)

    async def results(self, batch: str, look: Look) -> AsyncGenerator[bytes, None]:
        """The lines of its results."""
        if look.files:
            path = f"/v1/messages/batches/{quote(batch, safe='')}/results"
            reply = await self._client.get(path, cast_to=object, stream=True, stream_cls=anthropic.AsyncStream[object])
            async with reply:
                async for line in read_lines(reply.response.aiter_bytes(), LINE_LIMIT):
                    yield line

    def read(self, line: bytes) -> Answer | None:
        """One line of the results."""
        found = loose(line)
        result = found.get("result") if isinstance(found, dict) else None
        if not isinstance(result, dict) or not isinstance(found.get("custom_id"), str):
            return None
        custom = found["custom_id"]
        match result:
            case {"type": "succeeded", "message": {"content": list(blocks), **rest}}:
                return whole_answer(custom, AnthropicAnswer(), {"content": blocks, **rest})
            case {"type": "expired" | "canceled" as kind}:
                return Answer(custom=custom, error=f"the provider's batch: {kind}", unbegun=True)
            case {"error": {"error": {"type": kind, "message": why}}}:
                return Answer(custom=custom, error=f"{kind}: {why}"[:2000], passing=kind in PASSING)
        return Answer(custom=custom, error="the provider's answer has no text", passing=True)

    async def cancel(self, batch: str) -> None:
        """Ask for the end of a batch."""
        await self._client.messages.batches.cancel(batch)

    async def clear(self, files: Iterable[str]) -> None:
        """No files were sent."""

    async def _key_of(self, batch: str) -> str | None:
        """The key in the first result of a batch that is over."""
        look = await self.look(batch)
        async with aclosing(self.results(batch, look)) as found:
            async for line in found:
                answer = self.read(line)
                where = None if answer is None else parse_custom_id(answer.custom)
                return None if where is None else where[0]
        return None

    def _body(self, text: str) -> dict[str, Any]:
        options = self._options
        body: dict[str, Any] = {
            "model": options.model,
            "max_tokens": options.max_tokens or MAX_TOKENS,
            "messages": [{"role": "user", "content": text}],
            **options.extra_body,
        }
        if options.system:  # marked, so that calls that share it pay for it once
            body["system"] = [{"type": "text", "text": options.system, "cache_control": {"type": "ephemeral"}}]
        if options.temperature is not None:
            body["temperature"] = options.temperature
        return body


async def _body(spool: Path) -> AsyncGenerator[bytes, None]:
    """The request that makes a batch, in pieces."""
    yield b'{"requests":['
    first = True
    with spool.open("rb") as file:
        while batch := file.readlines(PIECE):
            yield (b"" if first else b",") + b",".join(line.rstrip(b"\n") for line in batch)
            first = False
    yield b"]}"


PROVIDER = Anthropic
