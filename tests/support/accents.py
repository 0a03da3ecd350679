"""Servers with an accent: streams of any chunks, whole pages, and how a call to one of them ends."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from hybridq.job import Failure, Lane, Output
from tests.support.handling import calls, collect, ends

Answering = Callable[[web.Request], Awaitable[web.StreamResponse]]
CHAT = ("POST", "/v1/chat/completions")
USAGE = {"prompt_tokens": 100, "completion_tokens": 20, "prompt_tokens_details": {"cached_tokens": 80}}


def choice(finish: str | None = None, **delta: Any) -> dict[str, Any]:
    """A chunk with nothing but what is said."""
    return {"choices": [{"delta": delta, "finish_reason": finish}]}


def events(*chunks: Any, done: bool = True, kind: str = "text/event-stream") -> Answering:
    """A stream of these chunks; text is sent as it is."""

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-type": kind})
        await response.prepare(request)
        for chunk in chunks:
            await response.write((chunk if isinstance(chunk, str) else f"data: {json.dumps(chunk)}\n\n").encode())
        if done:
            await response.write(b"data: [DONE]\n\n")
        return response

    return answer


def page(body: Any, status: int = 200, kind: str = "application/json") -> Answering:
    """One whole answer."""

    async def answer(request: web.Request) -> web.StreamResponse:
        text = body if isinstance(body, str) else json.dumps(body)
        return web.Response(text=text, status=status, content_type=kind)

    return answer


def ask(handler: Any) -> Output | Failure:
    """How one streamed call ends."""

    async def main() -> list[Any]:
        try:
            return await collect(handler, calls("hello"), Lane.STREAM)
        finally:
            await handler.close()

    (end,) = ends(asyncio.run(main())).values()
    return end


def counted(asked: list[Any], answering: Answering) -> Answering:
    """Keeps what was asked."""

    async def answer(request: web.Request) -> web.StreamResponse:
        asked.append(await request.json())
        return await answering(request)

    return answer
