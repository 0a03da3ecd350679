"""The kind `openai`: chat completions and batches of OpenAI, or of any server that speaks its language.

The SDK is imported when the first job runs, in a thread, because it takes about a second. What a server says is
read by `openai_words`; here is what is asked of it.
"""

from collections.abc import AsyncGenerator, Iterable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
import openai

from ...config.llm import LlmOptions
from .client import Client, as_sent, named, whole_answer
from .errors import Said, is_error, loose, may_pass, refusal, sentence_in, told_instead, too_large
from .openai_words import OpenAIAnswer, decoded, dicts
from .provider import Answer, BatchLimits, Found, Look, Piece

URL = "https://api.openai.com/v1"
AUTH = {"security": {"bearer_auth": True}}  # the key that was named, and none that the SDK finds elsewhere
MARK = "hybridq"  # the metadata field that holds our key
PAGE = 100  # batches that are listed at once
SLACK = 3600.0  # seconds by which the provider's clock may differ from ours
WHOLE = frozenset({"completed", "succeeded", "ended", "finished", "done"})
FAILED = frozenset({"failed", "error", "errored"})
OVER = WHOLE | FAILED | {"expired", "cancelled", "canceled"}
GOING = frozenset({"validating", "queued", "pending", "in_progress", "running", "finalizing", "cancelling"})
SILENT = "the provider's batch failed without a reason"
UNBEGUN = frozenset({"batch_expired", "batch_cancelled"})
BUSY = frozenset({"token_limit_exceeded", "rate_limit_exceeded", "batch_limit_exceeded"})


class OpenAI(Client):
    """See `Provider`."""

    limits = BatchLimits(50_000, 200_000_000)

    def __init__(self, options: LlmOptions, key: str) -> None:
        made, transport = openai.AsyncOpenAI, openai.DefaultAsyncHttpxClient
        super().__init__(openai, made, transport, _address(options.base_url), options, key)
        self._counts = True  # the server counts tokens in a stream when it is asked to

    async def stream(self, text: str, *, flex: bool) -> AsyncGenerator[Piece, None]:
        """The answer's pieces as they come."""
        async for piece in self._spoken(OpenAIAnswer(), self._chunks(self._body(text, flex))):
            yield piece

    def line(self, custom: str, text: str) -> bytes:
        """One line of a batch's file."""
        line = {"custom_id": custom, "method": "POST", "url": "/v1/chat/completions", "body": self._body(text, False)}
        return msgspec.json.encode(line) + b"\n"

    async def upload(self, spool: Path) -> str | None:
        """Send the file."""
        with spool.open("rb") as file:
            return named(await self._client.files.create(file=("batch.jsonl", file), purpose="batch"))

    async def create(self, key: str, file: str | None, spool: Path | None) -> str:
        """Make the batch of an uploaded file."""
        made = await self._once.batches.create(
            input_file_id=file or "", endpoint="/v1/chat/completions", completion_window="24h", metadata={MARK: key}
        )
        return named(made)

    async def find(self, key: str, since: float, jobs: int, file: str | None) -> Found:
        """Look through the newest batches for our key, or for our file where a server keeps no keys."""
        if file is None:  # a batch is made of a file
            return Found()
        async for batch in self._listed():
            if (batch.get("metadata") or {}).get(MARK) == key or batch.get("input_file_id") == file:
                return Found(named(batch))
            made = batch.get("created_at")
            if isinstance(made, int | float) and made < since - SLACK:
                break
        return Found()

    async def look(self, batch: str) -> Look:
        """How a batch stands."""
        found = as_sent(await self._client.batches.retrieve(batch))
        if is_error(found):
            raise told_instead(found)
        files = tuple(name for name in (found.get("output_file_id"), found.get("error_file_id")) if name)
        status = str(found.get("status")).lower()
        over = status in OVER or (status not in GOING and bool(files))
        told = found.get("errors")
        errors = dicts(told.get("data") if isinstance(told, dict) else told)
        busy = any(each.get("code") in BUSY for each in errors)
        sizes = [f"{each.get('code')} {sentence_in(each)}" for each in errors if not each.get("line")]
        return Look(
            over=over,
            whole=over and (status in WHOLE or status not in OVER),
            finished=_finished(found.get("request_counts")),
            files=files,
            problem=("; ".join(filter(None, map(sentence_in, errors))) or SILENT) if status in FAILED else "",
            busy=busy,
            large=not busy and any(map(too_large, sizes)),
            refused={each["line"] - 1: sentence_in(each) for each in errors if isinstance(each.get("line"), int)},
        )

    async def results(self, batch: str, look: Look) -> AsyncGenerator[bytes, None]:
        """The lines of the output file, then those of the error file."""
        for file in look.files:
            async for line in self._lines(self._client.files.with_streaming_response.content(file)):
                yield line

    def read(self, line: bytes) -> Answer | None:
        """One line of either file."""
        found = loose(line.removeprefix(b"\xef\xbb\xbf"))
        if not isinstance(found, dict) or not isinstance(found.get("custom_id"), str):
            return None
        custom, response, error = found["custom_id"], found.get("response"), found.get("error")
        if isinstance(response, dict) and (status := _status(response)) != 200:
            error = error or decoded(response.get("body"))
            trouble = refusal(status, sentence_in(error), {}, str(error))
            return Answer(custom=custom, error=trouble.reason, passing=trouble.passing)
        if isinstance(response, dict):
            return whole_answer(custom, OpenAIAnswer(), decoded(response.get("body", response)))
        unbegun = isinstance(error, dict) and error.get("code") in UNBEGUN
        return Answer(custom=custom, error=sentence_in(error) or SILENT, unbegun=unbegun, passing=may_pass(error))

    async def cancel(self, batch: str) -> None:
        """Ask for the end of a batch."""
        await self._client.batches.cancel(batch)

    async def clear(self, files: Iterable[str]) -> None:
        """Delete these files."""
        for file in files:
            await self._client.files.delete(file)

    async def _listed(self) -> AsyncGenerator[dict[str, Any], None]:
        """The batches, the newest first, as far as the server tells them apart."""
        seen: set[str] = set()
        more: dict[str, str] = {}
        while True:
            params = {"limit": PAGE, **more}
            page = await self._client.get("/batches", cast_to=object, options={"params": params, **AUTH})
            if isinstance(page, dict) and is_error(page):  # which says nothing of what was made
                raise Said(sentence_in(page), error=page, missing=not may_pass(page))
            found = dicts(page.get("data") if isinstance(page, dict) else page)
            fresh = [each for each in found if each.get("id") not in seen]
            for each in fresh:
                yield each
            if not fresh or not isinstance(page, dict) or not page.get("has_more", len(found) >= PAGE):
                return
            seen.update(str(each.get("id")) for each in fresh)
            more = {"after": str(fresh[-1].get("id"))}

    async def _chunks(self, body: dict[str, Any]) -> AsyncGenerator[dict[str, Any], None]:
        """The events of a streamed completion, with its tokens where the server counts them in a stream."""
        counting = {"stream_options": {"include_usage": True}} if self._counts else {}
        try:
            async for chunk in self._events("/chat/completions", {**body, **counting}, **AUTH):
                yield chunk
            return
        except openai.APIStatusError as refused:
            unknown = refused.status_code in (400, 422) and "stream_options" in f"{refused.message} {refused.body}"
            if not counting or not unknown:
                raise
        self._counts = False
        async for chunk in self._chunks(body):
            yield chunk

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


def _address(base_url: str) -> str:
    """Where the SDK sends; a server that was named without a path is asked under `/v1`."""
    return f"{base_url.rstrip('/')}/v1" if base_url and not urlsplit(base_url).path.strip("/") else base_url or URL


def _finished(counts: Any) -> int | None:
    """How many requests of a batch have ended, where that is told."""
    told = [counts.get(name) for name in ("completed", "failed")] if isinstance(counts, dict) else []
    known = [number for number in told if isinstance(number, int)]
    return sum(known) if known else None


def _status(response: dict[str, Any]) -> int:
    """The status of one line; one that has none went well."""
    try:
        status = int(response.get("status_code") or 200)
    except (TypeError, ValueError):
        return 200
    return 200 if status < 300 else status


PROVIDER = OpenAI
