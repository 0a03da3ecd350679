"""The batch side of the scripted provider: files and batches of both languages, and how they go wrong."""

import json
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from aiohttp import BodyPartReader, web

Body = dict[str, Any]


class Script:
    """How batches fare. Each may be changed at any time."""

    def __init__(self) -> None:
        self.after = 0.0  # seconds until a batch is over
        self.done: float = 1.0  # the share of it that is finished then
        self.status = "completed"  # or expired, failed, cancelled, never
        self.lose = 0  # lines that are left out of the answers
        self.repeat = 0  # lines that come twice
        self.string = False  # `response.body` is JSON in a string
        self.counts = True
        self.refuse: tuple[int, ...] = ()  # lines (from 0) that are errors
        self.no_file = 0  # looks at a finished batch that name no files yet
        self.break_create = 0  # creates that are carried out, but answered with a 500
        self.refuse_create = 0  # creates that are answered with a 500 and not carried out
        self.break_results = 0  # fetches of answers that break in the middle
        self.errors: list[Body] = []  # of a failed batch
        self.slow_list = 0  # lists that do not show the newest batch yet
        self.cancel_takes = 0.0  # seconds
        self.told: Callable[[Body], Body] = lambda batch: batch  # how another server would put it
        self.written: Callable[[bytes], bytes] = lambda file: file  # ... and a file of answers


class Batch:
    """One batch that was made: its requests by custom id, in order."""

    def __init__(self, number: int, requests: dict[str, Body], metadata: Body) -> None:
        self.id, self.requests, self.metadata = f"batch_{number}", requests, metadata
        self.file = ""
        self.made = time.time()
        self.cancelled: float | None = None
        self.answered = False


class Batches:
    """What is kept of batches. `charged` counts what was paid for, by the prompt's text."""

    port: int
    answer: Callable[[str], str]
    tokens: tuple[int, int, int]  # input, cached of it, output of each answer

    def __init__(self) -> None:
        self.script = Script()
        self.batches: list[Batch] = []
        self.files: dict[str, bytes] = {}
        self.uploads = 0
        self.deleted: list[str] = []
        self.charged: Counter[str] = Counter()
        self.counting: Callable[[Body], Any] = lambda usage: usage  # how it tells what was used
        self.headers: list[dict[str, str]] = []

    def batch_routes(self) -> list[web.RouteDef]:
        """Where all this is served."""
        return [
            web.post("/v1/files", self._upload),
            web.get("/v1/files/{file}/content", self._content),
            web.delete("/v1/files/{file}", self._delete),
            web.post("/v1/batches", self._create),
            web.get("/v1/batches", self._list),
            web.get("/v1/batches/{batch}", self._retrieve),
            web.post("/v1/batches/{batch}/cancel", self._cancel),
            web.post("/v1/messages/batches", self._create),
            web.get("/v1/messages/batches", self._list),
            web.get("/v1/messages/batches/{batch}", self._retrieve),
            web.post("/v1/messages/batches/{batch}/cancel", self._cancel),
            web.get("/v1/messages/batches/{batch}/results", self._results),
        ]

    def _usage(self) -> Any:
        whole, cached, output = self.tokens
        return self.counting(
            {
                "prompt_tokens": whole,
                "completion_tokens": output,
                "total_tokens": whole + output,
                "prompt_tokens_details": {"cached_tokens": cached},
            }
        )

    async def _upload(self, request: web.Request) -> web.Response:
        name = f"file-{self.uploads}"
        self.uploads += 1
        async for part in await request.multipart():
            if isinstance(part, BodyPartReader) and part.name == "file":
                self.files[name] = bytes(await part.read())
        return web.json_response(
            {
                "id": name,
                "object": "file",
                "bytes": 1,
                "created_at": 1,
                "filename": "b",
                "purpose": "batch",
                "status": "processed",
            }
        )

    async def _delete(self, request: web.Request) -> web.Response:
        name = request.match_info["file"]
        if self.files.pop(name, None) is None:
            raise web.HTTPNotFound(text='{"error": {"message": "no such file"}}', content_type="application/json")
        self.deleted.append(name)
        return web.json_response({"id": name, "object": "file", "deleted": True})

    async def _create(self, request: web.Request) -> web.Response:
        body = json.loads(await request.read())
        self.headers.append(dict(request.headers))
        if self.script.refuse_create:
            self.script.refuse_create -= 1
            return web.json_response({"error": {"message": "try later"}}, status=500)
        if "requests" in body:
            requests = {each["custom_id"]: each["params"] for each in body["requests"]}
        else:
            lines = self.files[body["input_file_id"]].splitlines()
            requests = {each["custom_id"]: each["body"] for each in map(json.loads, lines)}
        batch = Batch(len(self.batches), requests, body.get("metadata") or {})
        batch.file = body.get("input_file_id", "")
        self.batches.append(batch)
        if self.script.break_create:
            self.script.break_create -= 1
            return web.json_response({"error": {"message": "it broke"}}, status=500)
        return web.json_response(self.script.told(self._told(request, batch)))

    async def _list(self, request: web.Request) -> web.Response:
        shown = self.batches[::-1]
        if self.script.slow_list:
            self.script.slow_list -= 1
            shown = shown[1:]
        data = [self.script.told(self._told(request, batch)) for batch in shown]
        return web.json_response({"object": "list", "data": data, "has_more": False, "first_id": None, "last_id": None})

    async def _retrieve(self, request: web.Request) -> web.Response:
        batch = self._batch(request)
        return web.json_response(self.script.told(self._told(request, batch)))

    async def _cancel(self, request: web.Request) -> web.Response:
        batch = self._batch(request)
        if batch.cancelled is None:
            batch.cancelled = time.time()
        return web.json_response(self._told(request, batch))

    def _batch(self, request: web.Request) -> Batch:
        found = [batch for batch in self.batches if batch.id == request.match_info["batch"]]
        if not found:
            raise web.HTTPNotFound(text='{"error": {"message": "no such batch"}}', content_type="application/json")
        return found[0]

    def _state(self, batch: Batch) -> str:
        if batch.answered:
            return "cancelled" if batch.cancelled is not None else self.script.status
        if batch.cancelled is not None:
            return "cancelled" if time.time() >= batch.cancelled + self.script.cancel_takes else "cancelling"
        if self.script.status == "never" or time.time() < batch.made + self.script.after:
            return "in_progress"
        return self.script.status

    def _told(self, request: web.Request, batch: Batch) -> Body:
        state = self._state(batch)
        over = state in ("completed", "expired", "failed", "cancelled")
        if "messages" in request.path:
            return self._anthropic_told(request, batch, state, over)
        if over and not batch.answered:
            self._answer_all(batch, state)
        files = self.script.no_file <= 0
        if over and not files:
            self.script.no_file -= 1
        done = len(self._finished(batch, state))
        counts = {"total": len(batch.requests), "completed": done, "failed": 0}
        return {
            "id": batch.id,
            "object": "batch",
            "endpoint": "/v1/chat/completions",
            "completion_window": "24h",
            "created_at": int(batch.made),
            "input_file_id": batch.file,
            "status": state,
            "metadata": batch.metadata,
            "request_counts": counts if self.script.counts and state != "failed" else None,
            "output_file_id": f"{batch.id}-out" if over and files and f"{batch.id}-out" in self.files else None,
            "error_file_id": f"{batch.id}-err" if over and files and f"{batch.id}-err" in self.files else None,
            "errors": {"object": "list", "data": self.script.errors} if state == "failed" else None,
        }

    def _anthropic_told(self, request: web.Request, batch: Batch, state: str, over: bool) -> Body:
        if over and not batch.answered:
            self._answer_all(batch, state)
        made = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(batch.made))
        counts = {"processing": 0, "succeeded": 0, "errored": 0, "canceled": 0, "expired": 0}
        counts["succeeded" if over else "processing"] = len(batch.requests)
        results = f"http://127.0.0.1:{self.port}/v1/messages/batches/{batch.id}/results"
        return {
            "id": batch.id,
            "type": "message_batch",
            "created_at": made,
            "expires_at": made,
            "processing_status": "ended" if over else "canceling" if state == "cancelling" else "in_progress",
            "request_counts": counts,
            "results_url": results if over else None,
            "cancel_initiated_at": None,
            "ended_at": made if over else None,
            "archived_at": None,
        }

    def _finished(self, batch: Batch, state: str) -> list[str]:
        names = list(batch.requests)
        if state in ("in_progress", "cancelling", "cancelled", "expired"):
            return names[: int(len(names) * self.script.done)]
        return names

    def _answer_all(self, batch: Batch, state: str) -> None:
        """Run the batch: charge what is done, and write its files."""
        batch.answered = True
        if state == "failed":
            return
        finished = self._finished(batch, state)
        good, bad = [], []
        for place, (name, body) in enumerate(batch.requests.items()):
            text = body["messages"][-1]["content"]
            if place in self.script.refuse:
                bad.append(self._error_line(name, 400, "invalid_request", "this line is refused"))
            elif name in finished:
                self.charged[text] += 1
                good.append(self._good_line(name, text))
            else:
                code = "batch_expired" if state == "expired" else "batch_cancelled"
                bad.append(self._error_line(name, 0, code, state))
        good = good[self.script.lose :]
        good += good[: self.script.repeat]
        good.reverse()
        self.files[f"{batch.id}-out"] = b"".join(json.dumps(line["openai"]).encode() + b"\n" for line in good)
        self.files[f"{batch.id}-err"] = b"".join(json.dumps(line["openai"]).encode() + b"\n" for line in bad)
        self.files[f"{batch.id}-all"] = b"".join(json.dumps(line["anthropic"]).encode() + b"\n" for line in good + bad)

    def _good_line(self, name: str, text: str) -> Body:
        answer = self.answer(text)
        whole, cached, output = self.tokens
        body: Any = {
            "choices": [{"index": 0, "message": {"role": "assistant", "content": answer}, "finish_reason": "stop"}],
            "usage": self._usage(),
        }
        sent = json.dumps(body) if self.script.string else body
        message = {
            "id": "m",
            "type": "message",
            "role": "assistant",
            "model": "m",
            "stop_reason": "end_turn",
            "content": [{"type": "text", "text": answer}],
            "usage": {"input_tokens": whole - cached, "cache_read_input_tokens": cached, "output_tokens": output},
        }
        return {
            "openai": {
                "id": "r",
                "custom_id": name,
                "error": None,
                "response": {"status_code": 200, "request_id": "q", "body": sent},
            },
            "anthropic": {"custom_id": name, "result": {"type": "succeeded", "message": message}},
        }

    def _error_line(self, name: str, status: int, code: str, message: str) -> Body:
        kind = {"batch_expired": "expired", "batch_cancelled": "canceled"}.get(code, "errored")
        error = {"type": "error", "error": {"type": "invalid_request_error", "message": message}}
        openai: Body = {"id": "r", "custom_id": name, "response": None, "error": {"code": code, "message": message}}
        if status:
            refused = {"status_code": status, "body": {"error": {"code": code, "message": message}}}
            openai |= {"response": refused, "error": None}
        return {"openai": openai, "anthropic": {"custom_id": name, "result": {"type": kind, "error": error}}}

    async def _content(self, request: web.Request) -> web.StreamResponse:
        return await self._send(request, self.script.written(self.files[request.match_info["file"]]))

    async def _results(self, request: web.Request) -> web.StreamResponse:
        return await self._send(request, self.files[f"{self._batch(request).id}-all"])

    async def _send(self, request: web.Request, data: bytes) -> web.StreamResponse:
        if not self.script.break_results:
            return web.Response(body=data)
        self.script.break_results -= 1
        response = web.StreamResponse(headers={"content-length": str(len(data))})
        await response.prepare(request)
        await response.write(data[: len(data) // 2])
        assert request.transport is not None
        request.transport.close()
        return response
