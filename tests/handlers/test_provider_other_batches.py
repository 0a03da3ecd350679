"""Batches of servers that speak with an accent: each answer comes, each is paid once, or it is said why not."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from hybridq.brain.remote import MEDIAN
from hybridq.config.llm import LlmOptions
from hybridq.handlers.llm.anthropic import Anthropic
from hybridq.handlers.llm.batches import BLIND, LACKING
from hybridq.job import Detached, Failure, Lane, Mode, Output
from tests.support.accents import Answering, page
from tests.support.building import asking, command, submit_all
from tests.support.handling import calls, ends
from tests.support.llm import COST, model, said, served, through
from tests.support.provider import KEY, Provider


def fetch(handler: Any) -> list[Any]:
    """What becomes of three documents in a batch."""

    async def main() -> list[Any]:
        try:
            async with asyncio.timeout(20):
                sent, fetched = await through(handler, "a", "b", "c")
                return [*sent, *fetched]
        finally:
            await handler.close()

    return asyncio.run(main())


def without(*names: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """A batch told without these fields."""
    return lambda batch: {name: value for name, value in batch.items() if name not in names}


def status(word: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """A batch that is over told with this word."""
    return lambda batch: {**batch, "status": word if batch["status"] == "completed" else batch["status"]}


TOLD = {
    "bare": without("created_at", "request_counts", "errors", "error_file_id", "endpoint", "object"),
    "extra": lambda batch: {**batch, "id": batch["id"], "provider": {"x": 1}, "request_counts": "3 of 3"},
    "another word": status("succeeded"),
    "an unknown word": status("all_good"),
    "in capitals": status("COMPLETED"),
    "errors of another kind": lambda batch: {**batch, "errors": ["odd"], "request_counts": {"completed": None}},
}


@pytest.mark.parametrize("how", TOLD)
def test_a_batch_told_otherwise_is_understood(provider: Provider, how: str) -> None:
    """Missing counts and dates, further fields, other words for the end: the answers come, each paid once."""
    provider.script.told, provider.script.after = TOLD[how], 0.05
    assert sorted(map(said, ends(fetch(model(provider))).values())) == ["answer to a", "answer to b", "answer to c"]
    assert set(provider.charged.values()) == {1}


WRITTEN = {
    "a mark and carriage returns": lambda file: b"\xef\xbb\xbf" + file.replace(b"\n", b"\r\n") + b"\r\n\n",
    "no status": lambda file: file.replace(b'"status_code": 200, ', b""),
    "a status in quotes": lambda file: file.replace(b'"status_code": 200', b'"status_code": "200"'),
    "content in parts": lambda file: file.replace(b'"content": "answer', b'"content": [{"text": "answer').replace(
        b'"}, "finish_reason"', b'"}]}, "finish_reason"'
    ),
    "lines of others": lambda file: b'[]\nnull\n7\n{"custom_id": 3}\n{"custom_id": "x"}\n' + file,
}


@pytest.mark.parametrize("how", WRITTEN)
def test_answers_written_otherwise_are_read(provider: Provider, how: str) -> None:
    """Byte order marks, carriage returns, missing or quoted statuses, parts, foreign lines."""
    provider.script.written = WRITTEN[how]
    assert sorted(map(said, ends(fetch(model(provider))).values())) == ["answer to a", "answer to b", "answer to c"]


def test_an_empty_file_of_answers_is_a_failure_and_not_sent_again(provider: Provider) -> None:
    """Completed, with files that hold nothing: each job says so, and nothing is paid twice."""
    provider.script.written = lambda file: b""
    found = ends(fetch(model(provider))).values()
    assert all(isinstance(end, Failure) and not end.retryable and "without any answer" in end.reason for end in found)
    assert len(found) == 3


@pytest.mark.parametrize("listing", [page({}, 404), page("<html>no</html>", 405, "text/html")], ids=["404", "405"])
def test_what_nobody_can_look_up_is_not_made_twice(provider: Provider, listing: Answering) -> None:
    """The create broke after it was carried out, and the server lists nothing: the jobs fail with what to do."""
    provider.script.break_create = 1
    provider.instead["GET", "/v1/batches"] = listing
    found = ends(fetch(model(provider))).values()
    assert all(isinstance(end, Failure) and not end.retryable and "lists no batches" in end.reason for end in found)
    assert len(found) == 3
    assert len(provider.batches) == 1


@pytest.mark.parametrize("how", ["no metadata", "no pages", "a plain list"])
def test_a_lost_batch_is_found_where_lists_are_poor(provider: Provider, how: str) -> None:
    """By the file that it was made of; in a list that ignores pages; in a list without a frame."""
    provider.script.break_create = 1
    if how == "no metadata":
        provider.script.told = without("metadata")
    else:
        provider.instead["GET", "/v1/batches"] = lambda request: listed(provider, request, how)
    assert sorted(map(said, ends(fetch(model(provider))).values())) == ["answer to a", "answer to b", "answer to c"]
    assert len(provider.batches) == 1


async def listed(provider: Provider, request: web.Request, how: str) -> web.StreamResponse:
    """All batches on each page, after a hundred of others; or without a frame."""
    if request.path != "/v1/batches":
        return await provider._retrieve(request)
    others = [{"id": f"other-{number}"} for number in range(100)]
    ours = [provider._told(request, batch) for batch in provider.batches]
    if how == "a plain list":
        return web.json_response([*others, *ours])
    return web.json_response({"data": others if "after" not in request.query else [*others, *ours]})


def test_a_list_that_is_the_same_on_each_page_ends(provider: Provider) -> None:
    """A server that ignores `after` and says nothing of more: the create that was not carried out is made again."""
    provider.script.refuse_create = 1
    others = [{"id": f"other-{number}"} for number in range(100)]

    async def answer(request: web.Request) -> web.StreamResponse:
        if request.path == "/v1/batches":
            return web.json_response({"data": others})
        return await provider._retrieve(request)

    provider.instead["GET", "/v1/batches"] = answer
    assert len([end for end in ends(fetch(model(provider))).values() if isinstance(end, Output)]) == 3
    assert len(provider.batches) == 1


NOTHING_MADE = {
    "an error": page({"error": "Unexpected endpoint or method. (POST /v1/files)"}),
    "an error's message": page({"error": {"message": "batches are off"}}),
    "a page": page("<html>Welcome</html>", kind="text/html"),
    "something else": page({"status": "ok"}),
}


@pytest.mark.parametrize(("kind", "path"), [("openai", "files"), ("openai", "batches"), ("anthropic", "messages/b")])
@pytest.mark.parametrize("how", NOTHING_MADE)
def test_a_good_status_that_names_nothing_made_means_no_batches(
    provider: Provider, kind: str, path: str, how: str
) -> None:
    """Whatever a server says instead under 200: its jobs go as plain requests, nothing is looked for."""
    provider.instead["POST", f"/v1/{path}"] = NOTHING_MADE[how]
    found = ends(fetch(model(provider, kind))).values()
    assert [isinstance(end, Failure) and (end.reason, end.gave_back) for end in found] == [(LACKING, True)] * 3


def test_a_look_that_is_an_error_under_a_good_status_is_told_and_looked_past(provider: Provider) -> None:
    """Once the server is well again the batch's answers come, and none is asked for twice."""
    looks: list[int] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        looks.append(1)
        if len(looks) > 2:
            return await provider._retrieve(request)
        return web.json_response({"error": {"message": "try later"}})

    provider.instead["GET", "/v1/batches/"] = answer
    seen = fetch(model(provider))
    assert [isinstance(end, Output) for end in ends(seen).values()] == [True] * 3
    silent = [each.reference.get("silent") for each in seen if isinstance(each, Detached)]
    assert any("try later" in told["why"] for told in silent if told)
    assert len(provider.batches) == 1


def test_a_list_that_is_an_error_under_a_good_status_is_no_sign_that_nothing_was_made(provider: Provider) -> None:
    """What may have been made once is not made again: the jobs fail, and it is said where to look."""
    provider.script.break_create = 1
    provider.instead["GET", "/v1/batches"] = page({"error": "Unexpected endpoint or method. (GET /v1/batches)"})
    found = ends(fetch(model(provider))).values()
    assert all(isinstance(end, Failure) and BLIND in end.reason for end in found)
    assert len(provider.batches) == 1


@pytest.mark.parametrize(("kind", "status"), [("openai", 404), ("anthropic", 405), ("anthropic", 501)])
def test_on_a_server_without_batches_they_go_as_plain_requests(
    provider: Provider, tmp_path: Path, kind: str, status: int
) -> None:
    """A drain of 40 jobs: each is asked once by itself, at the full price, and nothing is left behind. From then on
    what is foreseen of a batch is that of plain requests."""
    for path in ("/v1/files", "/v1/batches", "/v1/messages/batches"):
        provider.instead["POST", path] = page({"detail": "Not Found"}, status)
    with served(tmp_path, provider, kind) as outlook:
        submit_all(outlook, asking("gpt", Mode.BATCH), [b'"%d"' % number for number in range(40)])
        told = command(outlook.store.home, "drain")
        assert outlook.store.rows("SELECT state, count(*) FROM job GROUP BY state") == [("done", 40)]
        assert outlook.store.rows("SELECT * FROM detached") == []
        (cost,) = outlook.store.row("SELECT sum(cost) FROM cohort") or (0.0,)
        known = outlook.estimate("gpt")
        assert (known.total_time(Lane.BATCH, 3.0, 40, 0.9) or MEDIAN) < MEDIAN
        assert known.cost(Lane.BATCH, 3.0) == pytest.approx(COST)
    assert cost == pytest.approx(40 * COST)
    assert len(provider.requests) == 40
    assert "has no batches" in told.stderr


def test_a_cancelled_call_of_a_batch_is_not_asked_any_more(provider: Provider) -> None:
    """Plain requests, two at once: of fifty the last forty are cancelled while the first ones run."""
    provider.first = 0.05
    handler = model(provider, batch_by="calls", instances=2)

    async def main() -> list[Any]:
        told = []
        try:
            async for bunch in handler.run(calls(*map(str, range(50))), Lane.BATCH):
                if not told:
                    for job in range(11, 51):
                        handler.cancel(job)
                told += bunch
        finally:
            await handler.close()
        return told

    found = ends(asyncio.run(main()))
    assert sorted(job for job, end in found.items() if isinstance(end, Output)) == list(range(1, 11))
    assert len(found) == 50
    assert len(provider.requests) == 10


def test_a_failure_in_capitals_is_one(provider: Provider) -> None:
    """The batch is over although it has no files, and the jobs have the server's reason."""
    failed = {"status": "FAILED", "errors": {"data": [{"message": "no such model"}]}}
    provider.script.told = lambda batch: {**without("output_file_id", "error_file_id")(batch), **failed}
    found = ends(fetch(model(provider)))
    assert [end.reason for end in found.values() if isinstance(end, Failure)] == ["no such model"] * 3


def test_a_message_that_is_an_error_is_no_empty_answer() -> None:
    """A batch's request that is said to have succeeded, with an error where the message should be."""
    message = {"type": "error", "error": {"type": "overloaded_error", "message": "too busy"}, "content": []}
    line = {"custom_id": "k-1-1", "result": {"type": "succeeded", "message": message}}
    found = Anthropic(LlmOptions(model="m"), KEY).read(json.dumps(line).encode())
    assert found is not None
    assert (found.text, found.error, found.passing) == (None, "too busy", True)
