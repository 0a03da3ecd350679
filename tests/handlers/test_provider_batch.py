"""The life of a provider's batch, for both kinds: whatever the provider does, each job has its one right end."""

import asyncio
import time
from typing import Any

import pytest
from aiohttp import web

from hybridq.handlers.llm import openai
from hybridq.handlers.llm.provider import BatchLimits, read_lines
from hybridq.job import Detached, Lane, Output
from tests.support.handling import bad, calls, ends, good
from tests.support.llm import COST, KINDS, model, through
from tests.support.provider import Provider

NAMES = [f"doc {number}" for number in range(10)]
RIGHT = {number: f'"answer to {name}"'.encode() for number, name in enumerate(NAMES, 1)}


def fetch(handler: Any, *names: str) -> tuple[list[Any], list[Any]]:
    """Ten documents sent as a batch and fetched: the events of both."""

    async def main() -> tuple[list[Any], list[Any]]:
        try:
            async with asyncio.timeout(20):
                return await through(handler, *(names or NAMES))
        finally:
            await handler.close()

    return asyncio.run(main())


def sent(provider: Provider) -> int:
    """How many files came to the provider."""
    return sum(name.startswith("file-") for name in provider.files)


@pytest.mark.parametrize("kind", KINDS)
def test_a_batch_gives_each_job_its_answer_at_half_the_price(provider: Provider, kind: str) -> None:
    """Answers come in any order and find their jobs; each says what it cost and what streaming would have."""
    provider.script.after = 0.1
    _, fetched = fetch(model(provider, kind))
    assert good(fetched) == RIGHT
    outputs = [end for end in ends(fetched).values() if isinstance(end, Output)]
    assert all(end.cost == pytest.approx(COST / 2) and end.streamed == pytest.approx(COST) for end in outputs)
    assert all(end.usage is not None and end.usage.cached_tokens == 80 for end in outputs)
    assert len(provider.batches) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_each_step_is_told_before_the_next(provider: Provider, kind: str) -> None:
    """When the first Detached is told nothing has been sent; when a batch is made its file was told."""

    async def main() -> list[tuple[set[str], int, int]]:
        handler = model(provider, kind)
        seen = []
        try:
            async for bunch in handler.run(calls(*NAMES), Lane.BATCH):
                for event in bunch:
                    assert isinstance(event, Detached)
                    seen.append((set(event.reference), sent(provider), len(provider.batches)))
            return seen
        finally:
            await handler.close()

    seen = asyncio.run(main())
    begin = {"key", "at", "jobs"}
    files = int(kind == "openai")
    named = {"file"} if files else set()
    expected = [(begin, 0, 0), (begin | {"file"}, 1, 0), (begin | named | {"batch"}, files, 1)]
    assert seen == (expected if files else [expected[0], expected[2]])


@pytest.mark.parametrize("kind", KINDS)
def test_an_expired_batch_keeps_what_is_done(provider: Provider, kind: str) -> None:
    """Four of ten done at expiry: these are kept, the rest go back to the queue, uncounted."""
    provider.script.status, provider.script.done = "expired", 0.4
    _, fetched = fetch(model(provider, kind))
    assert len(good(fetched)) == 4
    assert good(fetched).items() <= RIGHT.items()
    assert len(bad(fetched)) == 6
    assert all(end.gave_back and end.unbegun for end in bad(fetched).values())


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_cancelled_there_keeps_what_is_done(provider: Provider, kind: str) -> None:
    """A reference that asks for the end: the provider is told, its finished part is fetched, the rest given back."""
    provider.script.status, provider.script.done, provider.script.cancel_takes = "never", 0.3, 0.1

    async def main() -> list[Any]:
        handler = model(provider, kind)
        try:
            told = [event async for bunch in handler.run(calls(*NAMES), Lane.BATCH) for event in bunch]
            work = Detached(told[-1].ids, {**told[-1].reference, "cancel": 1.0})
            async with asyncio.timeout(20):
                return [event async for bunch in handler.resume(work) for event in bunch]
        finally:
            await handler.close()

    fetched = asyncio.run(main())
    assert provider.batches[0].cancelled is not None
    assert (len(good(fetched)), len(bad(fetched))) == (3, 7)
    assert all(end.gave_back for end in bad(fetched).values())


@pytest.mark.parametrize("kind", KINDS)
def test_a_lost_line_is_tried_again_and_a_repeated_one_counts_once(provider: Provider, kind: str) -> None:
    """Two answers are missing, three come twice: eight ends, and two retryable failures."""
    provider.script.lose, provider.script.repeat = 2, 3
    _, fetched = fetch(model(provider, kind))
    assert len(good(fetched)) == 8
    assert len(bad(fetched)) == 2
    assert all(end.retryable and not end.gave_back for end in bad(fetched).values())


@pytest.mark.parametrize("kind", KINDS)
def test_a_refused_line_fails_alone(provider: Provider, kind: str) -> None:
    """An error for one request is that job's, with the provider's words, and is not tried again."""
    provider.script.refuse = (3,)
    _, fetched = fetch(model(provider, kind))
    assert len(good(fetched)) == 9
    ((_, end),) = bad(fetched).items()
    assert "this line is refused" in end.reason
    assert not end.retryable


@pytest.mark.parametrize("odd", ["string", "counts"])
def test_bodies_in_strings_and_missing_counts_are_read(provider: Provider, odd: str) -> None:
    """`response.body` as JSON inside a string, or `request_counts` null: all the same."""
    setattr(provider.script, odd, odd == "string")
    _, fetched = fetch(model(provider))
    assert good(fetched) == RIGHT


def test_a_batch_that_fails_validation_names_its_lines(provider: Provider) -> None:
    """The named line's job fails for good; the others were never begun and go again, however often that happens."""
    provider.script.status = "failed"
    provider.script.errors = [{"code": "invalid", "message": "no such field", "line": 2}]
    told, fetched = fetch(model(provider))
    wrong = told[-1].ids[1][0]
    found = bad(fetched)
    assert len(found) == 10
    assert not found[wrong].gave_back
    assert found[wrong].reason == "no such field"
    assert all(end.gave_back and not end.unbegun for number, end in found.items() if number != wrong)


@pytest.mark.parametrize(("code", "again"), [("token_limit_exceeded", True), ("model_not_found", False)])
def test_a_batch_that_fails_as_a_whole_waits_or_fails(provider: Provider, code: str, again: bool) -> None:
    """No room at the provider: later. Anything else: failed, in the provider's words."""
    provider.script.status = "failed"
    provider.script.errors = [{"code": code, "message": "it cannot be", "line": None}]
    _, fetched = fetch(model(provider))
    assert len(bad(fetched)) == 10
    assert all(end.gave_back is again and end.reason == "it cannot be" for end in bad(fetched).values())
    assert all((end.retry_after is not None) is again for end in bad(fetched).values())


def test_an_output_file_may_come_late(provider: Provider) -> None:
    """Completed, but no file is named yet: it is asked for again."""
    provider.script.no_file = 3
    _, fetched = fetch(model(provider))
    assert good(fetched) == RIGHT


def test_an_output_file_that_never_comes_is_a_failure(provider: Provider) -> None:
    """Completed without any file: after some looks each job fails, and is not sent again, for it may be paid."""
    provider.script.no_file = 1000
    _, fetched = fetch(model(provider))
    assert len(bad(fetched)) == 10
    assert all(not end.retryable and "hybridq retry" in end.reason for end in bad(fetched).values())


@pytest.mark.parametrize("kind", KINDS)
def test_a_fetch_that_breaks_is_made_again(provider: Provider, kind: str) -> None:
    """A connection that ends in the middle of the answers: they are fetched again, each job ends once."""
    provider.script.break_results = 2
    _, fetched = fetch(model(provider, kind))
    assert good(fetched) == RIGHT


@pytest.mark.parametrize("kind", KINDS)
def test_a_create_that_was_carried_out_but_not_answered_is_found(provider: Provider, kind: str) -> None:
    """A 500 for a batch that was made all the same: it is found by its key, and not made again."""
    provider.script.break_create, provider.script.slow_list, provider.script.after = 1, 1, 0.05
    _, fetched = fetch(model(provider, kind))
    assert good(fetched) == RIGHT
    assert len(provider.batches) == 1
    assert set(provider.charged.values()) == {1}


def test_a_create_that_was_not_carried_out_is_made_again(provider: Provider) -> None:
    """A 500 for nothing: when no batch has our key, it is made of the file that is there."""
    provider.script.refuse_create = 1
    _, fetched = fetch(model(provider))
    assert good(fetched) == RIGHT
    assert sent(provider) == 1
    assert len(provider.batches) == 1


def test_other_batches_are_never_taken_for_ours(provider: Provider) -> None:
    """A message batch of the same size that is not ours is looked into and left alone."""
    fetch(model(provider, "anthropic"))
    provider.script.refuse_create = 1
    _, fetched = fetch(model(provider, "anthropic"))
    assert len(bad(fetched)) == 10
    assert all(end.gave_back and end.reason == "it was never sent" for end in bad(fetched).values())


def test_a_batch_is_split_by_the_provider_limits(provider: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    """Too many lines or bytes for one: several; a request that is larger than any may be fails alone."""
    monkeypatch.setattr(openai.OpenAI, "limits", BatchLimits(4, 1000))
    told, fetched = fetch(model(provider), *NAMES, "x" * 2000)
    assert len(provider.batches) == 3
    assert [len(batch.requests) <= 4 for batch in provider.batches] == [True] * 3
    assert good(fetched) == RIGHT
    assert "larger than a batch can be" in bad(told)[11].reason


def test_prompts_that_begin_alike_go_together(provider: Provider) -> None:
    """Jobs of one flush are sent in the order of their prompts, so that prompt caching bites."""
    fetch(model(provider), "b one", "a one", "b two", "a two")
    asked = [body["messages"][-1]["content"] for body in provider.batches[0].requests.values()]
    assert asked == ["a one", "a two", "b one", "b two"]


def test_a_batch_that_the_provider_forgot_ends(provider: Provider) -> None:
    """404 for a batch that was made: after some looks its jobs fail and may be tried again."""
    provider.script.after = 100

    async def main() -> list[Any]:
        handler = model(provider)
        try:
            told = [event async for bunch in handler.run(calls(*NAMES), Lane.BATCH) for event in bunch]
            provider.batches.clear()
            async with asyncio.timeout(20):
                return [event async for bunch in handler.resume(told[-1]) for event in bunch]
        finally:
            await handler.close()

    fetched = asyncio.run(main())
    assert len(bad(fetched)) == 10
    assert all(end.retryable and "no longer knows" in end.reason for end in bad(fetched).values())


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_dead_runner_never_sent_is_sent_however_often(provider: Provider, kind: str) -> None:
    """Runners that die before they send anything are no refusal of the provider: the job goes back each time."""
    attempt = 100
    never = Detached(((1, attempt),), {"key": "k", "at": time.time(), "jobs": 1})

    async def main() -> list[Any]:
        handler = model(provider, kind)
        try:
            return [event async for bunch in handler.resume(never) for event in bunch]
        finally:
            await handler.close()

    (end,) = asyncio.run(main())
    assert (end.id, end.attempt, end.gave_back, end.reason) == (1, attempt, True, "it was never sent")


def test_one_line_without_end_fills_no_memory() -> None:
    """A line longer than the limit is left out; those around it are read."""

    async def main() -> list[bytes]:
        async def chunks() -> Any:
            yield b"one\ntw"
            yield b"o\n"
            for _ in range(100):
                yield b"x" * 100
            yield b"\nthree"

        return [line async for line in read_lines(chunks(), 1000)]

    assert asyncio.run(main()) == [b"one", b"two", b"three"]


def test_a_refused_create_fails_the_jobs_in_the_providers_words(provider: Provider) -> None:
    """A file of batches that this account may not have (403): the jobs say so and are not tried for ever."""

    async def refuse(request: web.Request) -> web.StreamResponse:
        return web.json_response({"error": {"message": "not for you"}}, status=403)

    provider.instead["POST", "/v1/files"] = refuse
    told, _ = fetch(model(provider))
    assert len(bad(told)) == 10
    assert all(not end.retryable and "403: not for you" in end.reason for end in bad(told).values())
