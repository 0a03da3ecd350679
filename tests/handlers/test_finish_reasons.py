"""How an answer ended, in both languages and both lanes: whole, cut, refused, withheld, broken off, or empty."""

import asyncio
import json
from typing import Any

import pytest

from hybridq.job import LANES, Failure, Lane, Output, Partial
from tests.handlers.test_provider_other import named
from tests.support.accents import USAGE, choice, counted, events, page
from tests.support.handling import calls, collect, ends, text
from tests.support.llm import COST, model, said, through
from tests.support.provider import Provider

OPENAI, ANTHROPIC = ("POST", "/v1/chat/completions"), ("POST", "/v1/messages")


def told(handler: Any) -> list[Any]:
    """The events of one streamed call."""

    async def main() -> list[Any]:
        try:
            return await collect(handler, calls("hello"), Lane.STREAM)
        finally:
            await handler.close()

    return asyncio.run(main())


def fetched(handler: Any) -> list[Any]:
    """The events of one batch of one job."""

    async def main() -> list[Any]:
        try:
            async with asyncio.timeout(60):
                return (await through(handler, "hello"))[1]
        finally:
            await handler.close()

    return asyncio.run(main())


def spoken(kind: str, words: str, end: str, **more: Any) -> Any:
    """A stream in a kind's language that says this and ends so."""
    if kind == "openai":
        return events(choice(content=words, **more), choice(end), {"choices": [], "usage": USAGE})
    usage = {"input_tokens": 20, "cache_read_input_tokens": 80, "output_tokens": 20}
    return events(
        *([named("content_block_delta", delta={"type": "text_delta", "text": words})] if words else []),
        named("message_delta", delta={"stop_reason": end}, usage=usage),
        named("message_stop"),
        done=False,
    )


def batched(provider: Provider, kind: str, words: str, end: str) -> None:
    """From now on a batch's answers say this and end so."""

    def written(name: str, _: str) -> dict[str, Any]:
        usage = {"input_tokens": 20, "cache_read_input_tokens": 80, "output_tokens": 20}
        body = {"choices": [{"message": {"content": words}, "finish_reason": end}], "usage": USAGE}
        message = {"content": [{"type": "text", "text": words}], "stop_reason": end, "usage": usage}
        return {
            "openai": {"custom_id": name, "response": {"status_code": 200, "body": body}},
            "anthropic": {"custom_id": name, "result": {"type": "succeeded", "message": message}},
        }

    provider._good_line = written


FAILS = [
    ("openai", "", "stop", "has no text", True),
    ("openai", " \n", "stop", "has no text", True),
    ("openai", "half", "content_filter", "withheld the rest", False),
    ("openai", "", "content_filter", "withheld the answer", False),
    ("openai", "half", "error", "cut the answer short (error)", True),
    ("openai", "", "length", "max_tokens", False),
    ("anthropic", "", "end_turn", "has no text", True),
    ("anthropic", "half", "refusal", "the model refused", False),
    ("anthropic", "", "max_tokens", "max_tokens", False),
]


@pytest.mark.parametrize(("kind", "words", "end", "why", "again"), FAILS)
def test_a_stream_that_gave_no_answer_has_failed(
    provider: Provider, kind: str, words: str, end: str, why: str, again: bool
) -> None:
    """With a plain reason; what came is kept and what it used is paid; the provider is not asked again at once."""
    asked: list[Any] = []
    provider.instead[OPENAI if kind == "openai" else ANTHROPIC] = counted(asked, spoken(kind, words, end))
    seen = told(model(provider, kind))
    (failed,) = ends(seen).values()
    assert isinstance(failed, Failure)
    assert why in failed.reason
    assert (failed.retryable, failed.gave_back, len(asked)) == (again, False, 1)
    assert failed.cost == pytest.approx(COST)
    assert text(seen) == words.encode()


@pytest.mark.parametrize(("kind", "words", "end", "why", "again"), FAILS)
def test_a_batch_s_answer_that_is_none_has_failed(
    provider: Provider, kind: str, words: str, end: str, why: str, again: bool
) -> None:
    """The same where a batch gave it."""
    batched(provider, kind, words, end)
    seen = fetched(model(provider, kind))
    (failed,) = ends(seen).values()
    assert isinstance(failed, Failure)
    assert why in failed.reason
    assert failed.retryable is again
    assert text(seen) == words.encode()


@pytest.mark.parametrize("lane", LANES)
@pytest.mark.parametrize(("kind", "end"), [("openai", "length"), ("anthropic", "max_tokens")])
def test_an_answer_that_was_cut_is_done_and_says_so(provider: Provider, kind: str, end: str, lane: Lane) -> None:
    """It counts, with the provider's word for why it is not whole."""
    if lane is Lane.BATCH:
        batched(provider, kind, "half", end)
        seen = fetched(model(provider, kind))
    else:
        provider.instead[OPENAI if kind == "openai" else ANTHROPIC] = spoken(kind, "half", end)
        seen = told(model(provider, kind))
    (done,) = ends(seen).values()
    assert isinstance(done, Output)
    assert (said(done), done.cut) == ("half", end)


def test_a_model_that_only_reasoned_has_not_answered(provider: Provider) -> None:
    """It is told apart from one that said nothing at all."""
    provider.instead[OPENAI] = events(choice(reasoning_content="hm"), choice("stop"))
    (failed,) = ends(told(model(provider))).values()
    assert isinstance(failed, Failure)
    assert "only reasoned" in failed.reason


def test_what_a_plain_request_of_a_batch_gave_before_it_failed_is_kept(provider: Provider) -> None:
    """Nobody watched it come, so it is told whole before the end."""
    provider.instead[OPENAI] = spoken("openai", "half", "content_filter")

    async def main() -> list[Any]:
        handler = model(provider, batch_by="calls")
        try:
            return await collect(handler, calls("hello"), Lane.BATCH)
        finally:
            await handler.close()

    seen = asyncio.run(main())
    assert [event.data for event in seen if isinstance(event, Partial)] == [b"half"]
    assert isinstance(seen[-1], Failure)


ERRORS = [
    ({"message": "maximum context length is 8", "code": "context_length_exceeded"}, False),
    ({"message": "no", "type": "invalid_request_error"}, False),
    ({"message": "no", "type": "BadRequestError", "code": 400}, False),
    ({"message": "the request exceeds the available context size", "type": "exceed_context_size_error"}, False),
    ({"message": "You exceeded your current quota", "type": "insufficient_quota", "code": "insufficient_quota"}, False),
    ({"message": "no", "type": "authentication_error"}, False),
    ({"message": "upstream died", "type": "server_error", "code": 502}, True),
    ({"message": "Overloaded", "type": "overloaded_error"}, True),
    ({"message": "worker crashed"}, True),
]


@pytest.mark.parametrize(("error", "again"), ERRORS)
def test_an_error_within_a_stream_is_asked_again_only_where_that_may_help(
    provider: Provider, error: dict[str, Any], again: bool
) -> None:
    """Its code or its type says so, the most exact word first; what says nothing may pass."""
    provider.instead[OPENAI] = events(choice(content="half"), {"error": error})
    (failed,) = ends(told(model(provider))).values()
    assert isinstance(failed, Failure)
    assert error["message"] in failed.reason
    assert failed.retryable is again


@pytest.mark.parametrize("status", [400, 429, 500])
def test_too_long_a_prompt_is_asked_once_whatever_its_status(provider: Provider, status: int) -> None:
    """A few servers call it their own error, or too many requests."""
    asked: list[Any] = []
    error = {"error": {"message": "This model's maximum context length is 8", "code": "context_length_exceeded"}}
    provider.instead[OPENAI] = counted(asked, page(error, status))
    (failed,) = ends(told(model(provider))).values()
    assert isinstance(failed, Failure)
    assert (failed.retryable, failed.gave_back, len(asked)) == (False, False, 1)


def test_the_connection_is_not_waited_for_once_the_answer_is_there(provider: Provider) -> None:
    """A server that keeps a stream open after its end, with pings or in silence."""

    async def open_for_ever(request: Any) -> Any:
        from aiohttp import web

        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        await response.write(f"data: {json.dumps(choice('stop', content='hi'))}\n\n".encode())
        while True:
            await response.write(b": ping\n\n")
            await asyncio.sleep(0.2)

    provider.instead[OPENAI] = open_for_ever
    (done,) = ends(told(model(provider, timeout=20.0))).values()
    assert said(done) == "hi"
