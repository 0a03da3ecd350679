"""The scripted provider: an HTTP server on loopback that speaks both SDKs' languages and does to us what providers do.

`with Provider() as provider:` serves on a port of its own, in a thread. `provider.faults` holds what goes wrong with
the next requests for a completion, `provider.script` how batches fare; what was asked, made and charged is kept.
"""

import asyncio
import json
import logging
import random
import threading
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, Self

from aiohttp import web

from tests.support.provider_batches import Batches, Body

logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)  # clients that are killed are the point here
KEY = "sk-test-0123456789-secret"


Answering = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Fault:
    """What goes wrong with one request for a completion; all of it is optional."""

    def __init__(
        self,
        *,
        status: int = 0,
        retry_after: str = "",
        first: float = 0.0,
        drop: int = -1,
        malformed: bool = False,
        end: int = -1,
        error: bool = False,
        echo: bool = False,
    ) -> None:
        """`status` is answered with `retry_after`; `first`: seconds until the first token; after `drop` pieces the
        connection breaks, after `end` the stream ends; `malformed` and `error` are events after the first piece;
        `echo`: the refusal repeats the key."""
        self.status, self.retry_after, self.first, self.drop = status, retry_after, first, drop
        self.malformed, self.end, self.error, self.echo = malformed, end, error, echo


class Provider(Batches):
    """See the module."""

    def __init__(self, port: int = 0) -> None:
        super().__init__()
        self.port = port
        self.faults: deque[Fault] = deque()
        self.instead: dict[tuple[str, str], Answering] = {}  # (method, beginning of a path) -> what answers there
        self.answer: Callable[[str], str] = lambda text: f"answer to {text}"
        self.pieces = 4
        self.gap = 0.0  # seconds between two pieces
        self.first = 0.0  # seconds until the first token
        self.spread = 0.0  # seconds that it may take longer, at random
        self.requests: list[Body] = []
        self.times: list[float] = []  # when each request for a completion came (monotonic)
        self.tokens = (100, 80, 20)  # input, cached of it, output of each answer

    @property
    def url(self) -> str:
        """The base URL for the kind `openai`; without `/v1` it is that for `anthropic`."""
        return f"http://127.0.0.1:{self.port}/v1"

    def __enter__(self) -> Self:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._serve(), self._loop).result(10)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._runner.cleanup(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _serve(self) -> None:
        app = web.Application(client_max_size=400_000_000, middlewares=[self._other])
        app.add_routes(
            [
                web.post("/v1/chat/completions", self._chat),
                web.post("/v1/messages", self._messages),
                web.get("/v1/models/{model}", self._model),
                *self.batch_routes(),
            ]
        )
        self._runner = web.AppRunner(app, shutdown_timeout=0.2, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port)
        await site.start()
        self.port = site._server.sockets[0].getsockname()[1]  # type: ignore[union-attr]

    @web.middleware
    async def _other(self, request: web.Request, handler: Answering) -> web.StreamResponse:
        for (method, path), answering in self.instead.items():
            if request.method == method and request.path.startswith(path):
                return await answering(request)
        return await handler(request)

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        text = body["messages"][-1]["content"]
        pieces = [
            _event({"choices": [{"index": 0, "delta": {"content": piece}, "finish_reason": None}]})
            for piece in self._split(text)
        ]
        last = [
            _event({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}),
            _event({"choices": [], "usage": self._usage()}),
            b"data: [DONE]\n\n",
        ]
        return await self._stream(request, body, text, [], pieces, last)

    async def _messages(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        text = body["messages"][-1]["content"]
        whole, cached, output = self.tokens
        usage = {"input_tokens": whole - cached, "cache_read_input_tokens": cached, "output_tokens": 1}
        message = {"id": "m", "type": "message", "role": "assistant", "model": "m", "content": [], "usage": usage}
        first = [
            _named("message_start", message=message),
            _named("content_block_start", index=0, content_block={"type": "text", "text": ""}),
        ]
        pieces = [
            _named("content_block_delta", index=0, delta={"type": "text_delta", "text": piece})
            for piece in self._split(text)
        ]
        last = [
            _named("content_block_stop", index=0),
            _named("message_delta", delta={"stop_reason": "end_turn"}, usage={"output_tokens": output}),
            _named("message_stop"),
        ]
        return await self._stream(request, body, text, first, pieces, last)

    async def _stream(
        self, request: web.Request, body: Body, text: str, first: list[bytes], pieces: list[bytes], last: list[bytes]
    ) -> web.StreamResponse:
        self.requests.append(body)
        self.headers.append(dict(request.headers))
        self.times.append(time.monotonic())
        fault = self.faults.popleft() if self.faults else Fault()
        if fault.status:
            message = f"refused{f' for {KEY}' if fault.echo else ''}"
            headers = {"retry-after": fault.retry_after} if fault.retry_after else {}
            return web.json_response({"error": {"message": message}}, status=fault.status, headers=headers)
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        await asyncio.sleep(fault.first or self.first + random.uniform(0, self.spread))
        self.charged[text] += 1
        for part in first:
            await response.write(part)
        if text.startswith("when "):
            pieces[0] = pieces[0].replace(b"answer", f"{time.time()} ".encode(), 1)
        for number, piece in enumerate(pieces):
            if number == fault.drop:
                assert request.transport is not None
                request.transport.abort()
                return response
            if number == fault.end:
                return response
            if number == 1 and fault.malformed:
                await response.write(b"event: message\ndata: {not json\n\n")
            if number == 1 and fault.error:
                await response.write(
                    b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error",'
                    b'"message":"overloaded"}}\n\n'
                )
            await response.write(piece)
            await asyncio.sleep(self.gap)
        for part in last:
            await response.write(part)
        return response

    def _split(self, text: str) -> list[str]:
        answer = self.answer(text)
        size = max(1, -(-len(answer) // self.pieces))
        return [answer[i : i + size] for i in range(0, len(answer), size)]

    async def _model(self, request: web.Request) -> web.Response:
        return web.json_response(
            {
                "id": request.match_info["model"],
                "object": "model",
                "type": "model",
                "created": 1,
                "owned_by": "us",
                "display_name": "M",
                "created_at": "2026-01-01T00:00:00Z",
            }
        )


async def missing(_: web.Request) -> web.StreamResponse:
    """A path that the server does not have (see `instead`)."""
    return web.json_response({"error": {"message": "not found"}}, status=404)


async def unavailable(_: web.Request) -> web.StreamResponse:
    """A server that is not well (see `instead`)."""
    return web.json_response({"error": {"message": "down for now"}}, status=503)


def _event(body: Body) -> bytes:
    whole = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", **body}
    return f"data: {json.dumps(whole)}\n\n".encode()


def _named(kind: str, **body: Any) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **body})}\n\n".encode()
