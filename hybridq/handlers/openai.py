"""The kind `openai`: chat completions and batches of OpenAI, or of any server that speaks its language.

The SDK is imported when the first job runs, in a thread, because it takes about a second.
"""

import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import openai

from ..llm_config import LlmOptions
from ..llm_prices import Tokens
from .provider import Answer, Found, Limits, Look, Trouble, lines
from .sdk import no_answer, refusal, scrubbed

URL = "https://api.openai.com/v1"
MARK = "hybridq"  # the metadata field that holds our key
SLACK = 3600.0  # seconds by which the provider's clock may differ from ours
LINE_LIMIT = 64 * 1024 * 1024  # bytes of one answer
OVER = frozenset({"completed", "failed", "expired", "cancelled"})
SILENT = "the provider's batch failed, and it does not say why"
UNBEGUN = frozenset({"batch_expired", "batch_cancelled"})
BUSY = frozenset({"token_limit_exceeded", "rate_limit_exceeded", "batch_limit_exceeded"})


class OpenAI:
    """See `Provider`."""

    limits = Limits(50_000, 200_000_000)

    def __init__(self, options: LlmOptions, key: str) -> None:
        self._options, self._key = options, key
        self._client = openai.AsyncOpenAI(
            api_key=key,
            base_url=options.base_url or URL,
            max_retries=4,  # where it is used: what may be repeated
            # A redirect could lead to another host.
            http_client=openai.DefaultAsyncHttpxClient(follow_redirects=False),
        )
        self._once = self._client.with_options(max_retries=0)

    async def stream(self, text: str, *, flex: bool) -> AsyncIterator[str | Tokens]:
        """The answer's pieces as they come."""
        body = self._body(text, flex)
        chunks = await self._once.chat.completions.create(
            model=body.pop("model"), messages=body.pop("messages"),
            stream=True, stream_options={"include_usage": True},
            extra_body=body,  # as it is: the SDK knows fewer fields than the servers that speak its language
        )  # fmt: skip
        ended = False
        async with chunks:
            async for chunk in chunks:
                for choice in chunk.choices or ():
                    ended = ended or choice.finish_reason is not None
                    if choice.delta and choice.delta.content:
                        yield choice.delta.content
                if chunk.usage is not None:
                    yield _tokens(chunk.usage.to_dict())
        if not ended:
            raise EOFError("the stream ended before the answer did")

    def line(self, custom: str, text: str) -> bytes:
        """One line of a batch's file."""
        line = {"custom_id": custom, "method": "POST", "url": "/v1/chat/completions", "body": self._body(text, False)}
        return msgspec.json.encode(line) + b"\n"

    async def upload(self, spool: Path) -> str | None:
        """Send the file."""
        with spool.open("rb") as file:
            return (await self._client.files.create(file=("batch.jsonl", file), purpose="batch")).id

    async def create(self, key: str, file: str | None, spool: Path | None) -> str:
        """Make the batch of an uploaded file."""
        made = await self._once.batches.create(
            input_file_id=file or "", endpoint="/v1/chat/completions", completion_window="24h", metadata={MARK: key}
        )
        return made.id

    async def find(self, key: str, since: float, jobs: int) -> Found:
        """Look through the newest batches for our key."""
        async for batch in self._client.batches.list(limit=100):
            if (batch.metadata or {}).get(MARK) == key:
                return Found(batch.id)
            if batch.created_at < since - SLACK:
                break
        return Found()

    async def look(self, batch: str) -> Look:
        """How a batch stands."""
        found = await self._client.batches.retrieve(batch)
        counts = found.request_counts
        errors = (found.errors.data or []) if found.errors else []
        files = tuple(name for name in (found.output_file_id, found.error_file_id) if name)
        return Look(
            over=found.status in OVER,
            whole=found.status == "completed",
            finished=None if counts is None else (counts.completed or 0) + (counts.failed or 0),
            files=files,
            problem=("; ".join(str(each.message) for each in errors) or SILENT) if found.status == "failed" else "",
            busy=any(each.code in BUSY for each in errors),
            refused={each.line - 1: str(each.message) for each in errors if each.line},
        )

    async def results(self, batch: str, look: Look) -> AsyncIterator[bytes]:
        """The lines of the output file, then those of the error file."""
        for file in look.files:
            async with self._client.files.with_streaming_response.content(file) as response:
                async for line in lines(response.iter_bytes(), LINE_LIMIT):
                    yield line

    def read(self, line: bytes) -> Answer | None:
        """One line of either file."""
        try:
            found = msgspec.json.decode(line)
        except (ValueError, RecursionError):
            return None
        if not isinstance(found, dict) or not isinstance(found.get("custom_id"), str):
            return None
        custom, response, error = found["custom_id"], found.get("response"), found.get("error")
        if isinstance(response, dict) and response.get("status_code", 200) == 200:
            return _answer(custom, response.get("body"))
        if isinstance(response, dict):
            status = response.get("status_code")
            error = error or _decoded(response.get("body"))
            passing = status in (408, 409, 429) or (isinstance(status, int) and status >= 500)
            return Answer(custom=custom, error=f"{status}: {_message(error)}", passing=passing)
        unbegun = isinstance(error, dict) and error.get("code") in UNBEGUN
        return Answer(custom=custom, error=_message(error), unbegun=unbegun)

    async def cancel(self, batch: str) -> None:
        """Ask for the end of a batch."""
        await self._client.batches.cancel(batch)

    async def check(self) -> str:
        """Try the key and the model's name."""
        began = time.monotonic()
        found = await self._client.models.retrieve(self._options.model)
        return f"{found.id} answers at {self._client.base_url} ({time.monotonic() - began:.2f}s)"

    def trouble(self, error: Exception) -> Trouble:
        """What an exception means."""
        if isinstance(error, openai.APIStatusError):
            return refusal(error.status_code, scrubbed(error.message, self._key), error.response.headers)
        if isinstance(error, openai.APIConnectionError):  # a timeout is one, too
            return no_answer(self._client.base_url.host, error.__cause__ or error, self._key)
        told = str(error) if isinstance(error, openai.OpenAIError) else repr(error)
        return Trouble(reason=scrubbed(told, self._key), passing=True, unsure=True)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    def _body(self, text: str, flex: bool) -> dict[str, Any]:
        options = self._options
        messages = [{"role": "user", "content": text}]
        if options.system:
            messages.insert(0, {"role": "system", "content": options.system})
        body: dict[str, Any] = {"model": options.model, "messages": messages, **options.extra_body}
        if options.max_tokens is not None:
            body["max_completion_tokens" if not options.base_url else "max_tokens"] = options.max_tokens
        if options.temperature is not None:
            body["temperature"] = options.temperature
        if flex:
            body["service_tier"] = "flex"
        return body


def _answer(custom: str, body: Any) -> Answer:
    """An answer's text and tokens; some servers send the body as JSON inside a string."""
    body = _decoded(body)
    try:
        choice = body["choices"][0]
        text = choice["message"]["content"] or ""
    except (LookupError, TypeError):
        return Answer(custom=custom, error="the provider's answer has no text", passing=True)
    if not isinstance(text, str):
        return Answer(custom=custom, error="the provider's answer has no text", passing=True)
    usage = body.get("usage")
    return Answer(custom=custom, text=text, tokens=_tokens(usage) if isinstance(usage, dict) else None)


def _tokens(usage: dict[str, Any]) -> Tokens:
    details = usage.get("prompt_tokens_details")
    cached = details.get("cached_tokens") if isinstance(details, dict) else 0
    counts = (usage.get("prompt_tokens"), cached, usage.get("completion_tokens"))
    whole, cached, output = (n if isinstance(n, int) and n > 0 else 0 for n in counts)
    return Tokens(input=whole, cached=min(cached, whole), output=output)


def _decoded(body: Any) -> Any:
    if not isinstance(body, str):
        return body
    try:
        return msgspec.json.decode(body)
    except (ValueError, RecursionError):
        return body


def _message(error: Any) -> str:
    """The sentence in an error, however deep it lies."""
    while isinstance(error, dict):
        inner = error.get("error") or error.get("message")
        if inner is None:
            break
        error = inner
    return str(error)[:2000]


PROVIDER = OpenAI
