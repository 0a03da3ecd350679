"""Servers that speak the makers' languages with an accent: the user gets the answer, or one clear sentence."""

import asyncio
import json
from contextlib import suppress
from typing import Any

import openai
import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from hybridq.config.llm import LlmOptions
from hybridq.errors import HybridqError
from hybridq.handlers.llm.errors import Said, sentence_in
from hybridq.handlers.llm.openai import OpenAI
from hybridq.handlers.llm.openai_words import OpenAIAnswer
from hybridq.job import Failure, Lane
from tests.support.accents import CHAT, USAGE, ask, choice, counted, events, page
from tests.support.handling import calls, collect, ends
from tests.support.llm import COST, KINDS, model, said
from tests.support.provider import KEY, Provider

TOOL = [{"index": 0, "id": "c", "function": {"name": "look", "arguments": '{"a"'}}]
TOOL_REST = [{"index": 0, "function": {"arguments": ":1}"}}]


STREAMS = {
    "no usage": ([choice(content="hi"), choice("stop")], True, "hi"),
    "no [DONE]": ([choice(content="hi"), choice("stop")], False, "hi"),
    "no finish reason": ([choice(content="hi")], True, "hi"),
    "content in parts": ([choice(content=[{"type": "text", "text": "h"}, {"text": "i"}]), choice("stop")], True, "hi"),
    "null deltas, comments": (
        [": ping\n\n", {"choices": [{"delta": None}]}, {"choices": None}, {"id": 7}, choice("stop", content="hi")],
        True,
        "hi",
    ),
    "no space after data": (['data:{"choices":[{"delta":{"content":"hi"},"finish_reason":"stop"}]}\n\n'], True, "hi"),
    "carriage returns": (['data: {"choices":[{"delta":{"content":"hi"}}]}\r\n\r\n', choice("stop")], True, "hi"),
    "reasoning first": ([choice(reasoning_content="hm"), choice(content="hi"), choice("stop")], True, "hi"),
    "tools in pieces": (
        [choice(tool_calls=TOOL), choice(tool_calls=TOOL_REST), choice("tool_calls")],
        True,
        '[{"name":"look","arguments":"{\\"a\\":1}"}]',
    ),
    "whole messages": ([{"choices": [{"message": {"content": "hi"}, "finish_reason": "stop"}]}], False, "hi"),
    "old completions": ([{"choices": [{"text": "hi", "finish_reason": "stop"}]}], False, "hi"),
}


@pytest.mark.parametrize("how", STREAMS)
def test_a_stream_with_an_accent_is_understood(provider: Provider, how: str) -> None:
    """Whatever other servers leave out, add or put otherwise, the text is what was said, asked for once."""
    chunks, done, text = STREAMS[how]
    asked = []
    provider.instead[CHAT] = counted(asked, events(*chunks, done=done))
    assert said(ask(model(provider))) == text
    assert len(asked) == 1


@pytest.mark.parametrize("kind", ["openai", "anthropic"])
def test_a_server_that_does_not_stream_answers_all_the_same(provider: Provider, kind: str) -> None:
    """One whole JSON answer where a stream was asked for: its text, its tokens, its price."""
    message = {"choices": [{"message": {"content": "hi"}, "finish_reason": "stop"}], "usage": USAGE}
    blocks = {
        "type": "message",
        "content": [{"type": "text", "text": "hi"}],
        "stop_reason": "end_turn",
        "usage": {"input_tokens": 20, "cache_read_input_tokens": 80, "output_tokens": 20},
    }
    provider.instead["POST", "/v1/"] = page(message if kind == "openai" else blocks)
    end = ask(model(provider, kind))
    assert said(end) == "hi"
    assert end.cost == pytest.approx(COST)


def named(kind: str, **body: Any) -> str:
    """One event as Anthropic's language names it."""
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **body})}\n\n"


MESSAGES = {
    "bare": ([named("content_block_delta", delta={"type": "text_delta", "text": "hi"}), named("message_stop")], "hi"),
    "odd events": (
        [
            named("message_start", message={"usage": None}),
            named("ping"),
            named("thinking", delta={"thinking": "hm"}),
            named("content_block_delta", delta={"type": "text_delta", "text": "hi"}),
            named("message_delta", delta=None),
            named("message_delta", delta={"stop_reason": "end_turn"}, usage={"output_tokens": "20"}),
        ],
        "hi",
    ),
    "tools in pieces": (
        [
            named("content_block_start", content_block={"type": "tool_use", "name": "look"}),
            named("content_block_delta", delta={"type": "input_json_delta", "partial_json": '{"a"'}),
            named("content_block_delta", delta={"type": "input_json_delta", "partial_json": ":1}"}),
            named("message_delta", delta={"stop_reason": "tool_use"}),
        ],
        '[{"name":"look","input":{"a":1}}]',
    ),
}


@pytest.mark.parametrize("how", MESSAGES)
def test_messages_with_an_accent_are_understood(provider: Provider, how: str) -> None:
    """The same for the other language."""
    chunks, text = MESSAGES[how]
    provider.instead["POST", "/v1/messages"] = events(*chunks, done=False)
    assert said(ask(model(provider, "anthropic"))) == text


REFUSALS = {
    "an error with status 200": (page({"error": {"message": "no such model"}}), "no such model"),
    "an error in the stream": (events({"object": "error", "message": "too long", "code": 400}), "too long"),
    "a page with status 200": (page("<html><title>x</title>Log in</html>", kind="text/html"), "Is base_url right"),
    "a page with status 401": (page("<html><body><h1>Go away</h1></body></html>", 401, "text/html"), "401: Go away"),
    "only a detail": (page({"detail": [{"msg": "field required"}]}, 422), "422: field required"),
    "nothing but reasoning": (events(choice(reasoning_content="hm"), choice("length")), "max_tokens"),
    "withheld": (events(choice("content_filter")), "filter"),
    "a refusal": (events(choice(refusal="I may"), choice(refusal=" not"), choice("stop")), "refused: I may not"),
}


@pytest.mark.parametrize("how", REFUSALS)
def test_a_refusal_is_one_clear_sentence(provider: Provider, how: str) -> None:
    """It is told in the server's words, without markup, and nothing is asked twice."""
    answering, words = REFUSALS[how]
    asked: list[Any] = []
    provider.instead[CHAT] = counted(asked, answering)
    end = ask(model(provider))
    assert isinstance(end, Failure)
    assert words in end.reason
    assert "<" not in end.reason
    assert "{" not in end.reason
    assert not end.retryable
    assert len(asked) == 1


def test_tokens_that_gave_no_text_are_paid_all_the_same(provider: Provider) -> None:
    """An answer that ended before its first word cost what its tokens cost."""
    provider.instead[CHAT] = events(choice(reasoning_content="hm"), choice("length"), {"choices": [], "usage": USAGE})
    end = ask(model(provider))
    assert isinstance(end, Failure)
    assert end.cost == pytest.approx(COST)


def test_a_server_that_refuses_stream_options_is_asked_without(provider: Provider) -> None:
    """Once: later calls know it."""
    asked: list[dict[str, Any]] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        asked.append(await request.json())
        if "stream_options" in asked[-1]:
            return await page({"detail": "stream_options: extra fields not permitted"}, 422)(request)
        return await events(choice("stop", content="hi"))(request)

    async def main() -> list[Any]:
        handler = model(provider)
        try:
            return [await collect(handler, calls(text), Lane.STREAM) for text in "ab"]
        finally:
            await handler.close()

    provider.instead[CHAT] = answer
    assert [said(*ends(told).values()) for told in asyncio.run(main())] == ["hi", "hi"]
    assert ["stream_options" in body for body in asked] == [True, False, False]


@pytest.mark.parametrize("kind", ["openai", "anthropic"])
@pytest.mark.parametrize("ending", ["", "/", "/v1", "/v1/"])
def test_an_address_may_be_given_with_and_without_its_version(provider: Provider, kind: str, ending: str) -> None:
    """Whatever habit the configuration follows, the same server is asked."""
    assert said(ask(model(provider, kind, base_url=provider.url.removesuffix("/v1") + ending))) == "answer to hello"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "choices",
                    "delta",
                    "message",
                    "content",
                    "usage",
                    "tool_calls",
                    "function",
                    "arguments",
                    "refusal",
                    "index",
                    "finish_reason",
                    "prompt_tokens",
                    "prompt_tokens_details",
                    "error",
                    "text",
                    "detail",
                    "msg",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(JSON)
def test_no_chunk_breaks_the_reading(chunk: Any) -> None:
    """Whatever a server sends is text, nothing, or an error in words."""
    words = OpenAIAnswer()
    with suppress(Said):
        assert isinstance(words.take(chunk), str)
        assert isinstance(words.rest(), str)
    assert isinstance(sentence_in(chunk), str)


MODELS = ("GET", "/v1/models")


def check(handler: Any) -> str:
    """What trying a handler says."""

    async def main() -> str:
        try:
            return str(await handler.check())
        finally:
            await handler.close()

    return asyncio.run(main())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("status", [404, 405])
def test_a_server_without_pages_about_models_is_tried_by_a_question(provider: Provider, kind: str, status: int) -> None:
    """It answers, so it works; one that does not answer either is told with its own reason."""
    provider.instead[MODELS] = page({"error": {"message": "no such page"}}, status)
    assert "m answers at http://127.0.0.1" in check(model(provider, kind))
    assert len(provider.requests) == 1
    provider.instead["POST", "/v1"] = page({"error": {"message": "no such model"}}, 404)
    with pytest.raises(HybridqError, match="gpt: 404: no such model"):
        check(model(provider, kind))


def test_a_check_says_where_money_will_not_be_counted(provider: Provider) -> None:
    """A server of one's own, without prices: said when it is tried; with prices nothing is said."""
    assert "its cost is unknown: set price_input" in check(model(provider, price_input=None))
    assert "not known" not in check(model(provider))


def test_a_server_that_is_not_there_is_named_with_its_port() -> None:
    """Of several on one machine the user knows which one."""
    there = OpenAI(LlmOptions(model="m", base_url="http://127.0.0.1:4999/v1"), KEY)
    error = openai.APIConnectionError(request=there._client._client.build_request("POST", "http://127.0.0.1:4999/v1"))
    assert there.trouble(error).reason.startswith("the connection to 127.0.0.1:4999 failed")
