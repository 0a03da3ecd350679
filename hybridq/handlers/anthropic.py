"""The kind `anthropic`: messages and message batches of Anthropic, or of any server that speaks its language.

A message batch carries no mark of ours but its requests' ids, which show when it is over; so a batch whose
id was lost is found among those of its size and time by looking into their first results.
"""

import time
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import anthropic
import msgspec
from anthropic.types.messages import MessageBatch

from ..llm_config import LlmOptions
from ..llm_prices import Tokens
from .provider import Answer, Found, Limits, Look, Trouble, lines, parts
from .sdk import no_answer, refusal, scrubbed

URL = "https://api.anthropic.com"
MAX_TOKENS = 4096  # of an answer, where `max_tokens` does not say; the provider wants a number
SLACK = 3600.0  # seconds by which the provider's clock may differ from ours
LINE_LIMIT = 64 * 1024 * 1024  # bytes of one result
PIECE = 256 * 1024  # bytes of a batch that are read at once
PASSING = frozenset({"api_error", "overloaded_error", "rate_limit_error", "timeout_error"})


class Anthropic:
    """See `Provider`."""

    limits = Limits(100_000, 250_000_000)  # of 256 MB, some are the frame

    def __init__(self, options: LlmOptions, key: str) -> None:
        self._options, self._key = options, key
        self._client = anthropic.AsyncAnthropic(
            api_key=key,
            base_url=options.base_url or URL,
            max_retries=4,  # where it is used: what may be repeated
            # A redirect could lead to another host, and the key with it.
            http_client=anthropic.DefaultAsyncHttpxClient(follow_redirects=False),
        )
        self._once = self._client.with_options(max_retries=0)

    async def stream(self, text: str, *, flex: bool) -> AsyncIterator[str | Tokens]:
        """The answer's pieces as they come. There is no flexible tier."""
        body = self._body(text)
        events = await self._once.messages.create(
            model=body.pop("model"), messages=body.pop("messages"), max_tokens=body.pop("max_tokens"), stream=True,
            extra_body=body,  # as it is: the SDK knows fewer fields than the servers that speak its language
        )  # fmt: skip
        used, ended = Tokens(), False
        async with events:
            async for event in events:
                if event.type == "content_block_delta" and event.delta.type == "text_delta":
                    yield event.delta.text
                elif event.type == "message_start":
                    used = _tokens(event.message.usage.to_dict())
                elif event.type == "message_delta":
                    ended = True
                    used = msgspec.structs.replace(used, output=event.usage.output_tokens or 0)
        if not ended:
            raise EOFError("the stream ended before the answer did")
        yield used

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
        return made.id

    async def find(self, key: str, since: float, jobs: int) -> Found:
        """Look into the batches of this size that are over; those that are not might be ours."""
        unsure = False
        async for batch in self._client.messages.batches.list(limit=100):
            made = batch.created_at.timestamp()
            if made < since - SLACK:
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
        """How a batch stands. Its counts say nothing before its end."""
        found = await self._client.messages.batches.retrieve(batch)
        over = found.processing_status == "ended"
        counts = found.request_counts
        done = counts.succeeded + counts.errored if over else None
        whole = over and not counts.canceled and not counts.expired
        return Look(over=over, whole=whole, finished=done, files=("results",) if over and found.results_url else ())

    async def results(self, batch: str, look: Look) -> AsyncIterator[bytes]:
        """The lines of its results."""
        if look.files:
            async with self._client.messages.batches.with_streaming_response.results(batch) as response:
                async for line in lines(response.iter_bytes(), LINE_LIMIT):
                    yield line

    def read(self, line: bytes) -> Answer | None:
        """One line of the results."""
        try:
            found = msgspec.json.decode(line)
        except (ValueError, RecursionError):
            return None
        result = found.get("result") if isinstance(found, dict) else None
        if not isinstance(result, dict) or not isinstance(found.get("custom_id"), str):
            return None
        custom = found["custom_id"]
        match result:
            case {"type": "succeeded", "message": {"content": list(blocks), **rest}}:
                usage = rest.get("usage")
                tokens = _tokens(usage) if isinstance(usage, dict) else None
                return Answer(custom=custom, text="".join(map(_text, blocks)), tokens=tokens)
            case {"type": "expired" | "canceled" as kind}:
                return Answer(custom=custom, error=f"the provider's batch: {kind}", unbegun=True)
            case {"error": {"error": {"type": kind, "message": why}}}:
                return Answer(custom=custom, error=f"{kind}: {why}"[:2000], passing=kind in PASSING)
        return Answer(custom=custom, error="the provider's answer has no text", passing=True)

    async def cancel(self, batch: str) -> None:
        """Ask for the end of a batch."""
        await self._client.messages.batches.cancel(batch)

    async def check(self) -> str:
        """Try the key and the model's name."""
        began = time.monotonic()
        found = await self._client.models.retrieve(self._options.model)
        return f"{found.id} answers at {self._client.base_url} ({time.monotonic() - began:.2f}s)"

    def trouble(self, error: Exception) -> Trouble:
        """What an exception means."""
        if isinstance(error, anthropic.APIStatusError):
            return refusal(error.status_code, scrubbed(error.message, self._key), error.response.headers)
        if isinstance(error, anthropic.APIConnectionError):  # a timeout is one, too
            return no_answer(self._client.base_url.host, error.__cause__ or error, self._key)
        told = str(error) if isinstance(error, anthropic.AnthropicError) else repr(error)
        return Trouble(reason=scrubbed(told, self._key), passing=True, unsure=True)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def _key_of(self, batch: str) -> str | None:
        """The key in the first result of a batch that is over."""
        look = await self.look(batch)
        async with aclosing(self.results(batch, look)) as found:  # type: ignore[type-var]
            async for line in found:
                answer = self.read(line)
                where = None if answer is None else parts(answer.custom)
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


async def _body(spool: Path) -> AsyncIterator[bytes]:
    """The request that makes a batch, in pieces."""
    yield b'{"requests":['
    first = True
    with spool.open("rb") as file:
        while batch := file.readlines(PIECE):
            yield (b"" if first else b",") + b",".join(line.rstrip(b"\n") for line in batch)
            first = False
    yield b"]}"


def _text(block: Any) -> str:
    text = block.get("text") if isinstance(block, dict) and block.get("type") == "text" else ""
    return text if isinstance(text, str) else ""


def _tokens(usage: dict[str, Any]) -> Tokens:
    names = ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens", "output_tokens")
    plain, cached, written, output = (n if isinstance(n := usage.get(name), int) and n > 0 else 0 for name in names)
    return Tokens(input=plain + cached + written, cached=cached, written=written, output=output)


PROVIDER = Anthropic
