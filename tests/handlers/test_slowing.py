"""One trouble slows one job, the provider's trouble its handler, and whoever waits is told why."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from aiohttp import web

from hybridq.handlers.llm.ratelimit import MILD, SEVERAL, RateLimit
from hybridq.job import Failure, Lane, Output, Throttled
from tests.support.accents import CHAT, choice, events, page
from tests.support.handling import calls, collect, ends
from tests.support.llm import model
from tests.support.provider import Provider, unavailable

UNPAID = {"error": {"message": "You exceeded your current quota", "code": "insufficient_quota"}}


def by_prompt(answer: Callable[[str], Any]) -> Any:
    """A server whose answer depends on what it is asked."""

    async def answering(request: web.Request) -> web.StreamResponse:
        text = (await request.json())["messages"][-1]["content"]
        return await answer(text)(request)  # type: ignore[no-any-return]

    return answering


def poisoned(asked: list[str]) -> Any:
    """What begins with `poison` is a server error, always; all else is answered. Keeps what was asked."""

    def answer(text: str) -> Any:
        asked.append(text)
        return unavailable if text.startswith("poison") else events(choice("stop", content="hi"))

    return by_prompt(answer)


def beside(handler: Any, first: list[str], ready: Callable[[], bool], then: list[str]) -> dict[int, Any]:
    """How the calls `then` end, which are begun beside the calls `first` once these are `ready`."""

    async def main() -> dict[int, Any]:
        slow = [
            asyncio.create_task(collect(handler, calls(each, first=n), Lane.STREAM)) for n, each in enumerate(first)
        ]
        try:
            while not ready():
                await asyncio.sleep(0.01)
            found = [await collect(handler, calls(each, first=n), Lane.STREAM) for n, each in enumerate(then, 100)]
            assert not any(each.done() for each in slow)
            return {number: end for each in found for number, end in ends(each).items()}
        finally:
            for each in slow:
                each.cancel()
            await asyncio.gather(*slow, return_exceptions=True)
            await handler.close()

    return asyncio.run(main())


def test_two_poisoned_prompts_hold_up_nobody_else(provider: Provider) -> None:
    """Whatever else is asked meanwhile is answered, while they are still being tried."""
    asked: list[str] = []
    provider.instead[CHAT] = poisoned(asked)
    found = beside(model(provider), ["poison 1", "poison 2"], lambda: len(asked) > 3, [f"good {n}" for n in range(50)])
    assert all(isinstance(end, Output) for end in found.values())


def test_many_poisoned_prompts_hold_up_others_for_moments_only() -> None:
    """A pause that no provider asked for stays short, however often they fail; one that it asked for does not."""
    clock = [1000.0]
    limit = RateLimit(clock=lambda: clock[0])
    for _ in range(20):
        clock[0] += limit.wait()
        wait = limit.slow(limit.take(0), why="boom", most=MILD)
        clock[0] += 0.001
    assert wait <= MILD
    assert limit.slow(clock[0], 40.0, "asked for") == 40.0


def test_several_jobs_in_a_row_that_fail_are_their_handler_s_trouble(provider: Provider) -> None:
    """A server that answers nobody is not asked by each job at its own pace: all wait for the same pause."""
    asked: list[str] = []
    provider.instead[CHAT] = poisoned(asked)
    handler = model(provider, batch_by="calls")

    async def main() -> list[Any]:
        todo = asyncio.create_task(collect(handler, calls(*[f"poison {n}" for n in range(SEVERAL)]), Lane.BATCH))
        while handler._limit.wait() <= 0:
            await asyncio.sleep(0.005)
        other = asyncio.create_task(collect(handler, calls("good", first=9), Lane.STREAM))
        todo.cancel()
        await asyncio.gather(todo, return_exceptions=True)
        try:
            return await other
        finally:
            await handler.close()

    assert all(isinstance(end, Output) for end in ends(asyncio.run(main())).values())


def test_a_job_that_is_asked_again_waits_ever_longer_and_says_why(provider: Provider) -> None:
    """Its own pauses double; those that last are told with the server's words."""
    provider.instead[CHAT] = later(4)
    seen = asyncio.run(_collected(model(provider)))
    told = [event for event in seen if isinstance(event, Throttled)]
    assert [type(end) for end in ends(seen).values()] == [Output]
    assert all("down for now" in event.reason for event in told)
    assert [event.seconds for event in told] == sorted(event.seconds for event in told)
    assert len(told) > 1


def later(failures: int) -> Any:
    """A server that is not well for so many requests."""
    left = [failures]

    async def answer(request: web.Request) -> web.StreamResponse:
        left[0] -= 1
        return await (unavailable if left[0] >= 0 else events(choice("stop", content="hi")))(request)

    return answer


async def _collected(handler: Any) -> list[Any]:
    try:
        return await collect(handler, calls("hello"), Lane.STREAM)
    finally:
        await handler.close()


def test_whoever_waits_for_the_handler_is_told_when_that_moves(provider: Provider) -> None:
    """A pause that grows while a call waits for its turn is told again, with its reason."""
    handler = model(provider)

    async def main() -> list[Any]:
        limit, seen = handler._limit, list[Any]()
        limit.slow(limit.take(0), 2.0, "first reason")
        asking = handler.run(calls("hello"), Lane.STREAM)
        try:
            async for bunch in asking:
                seen += bunch
                if len([event for event in seen if isinstance(event, Throttled)]) == 1 and limit.why == "first reason":
                    limit.slow(limit._clock(), 4.0, "second reason")
            return seen
        finally:
            await handler.close()

    told = [event.reason for event in asyncio.run(main()) if isinstance(event, Throttled)]
    assert told == ["first reason", "second reason"]


@pytest.mark.parametrize(("status", "body"), [(429, UNPAID), (402, {"error": {"message": "Insufficient Balance"}})])
def test_what_nobody_has_paid_for_fails_once_and_holds_the_others(
    provider: Provider, status: int, body: dict[str, Any]
) -> None:
    """The first job has failed with the reason; those after it go back to the queue with the same, not for ever."""
    asked: list[str] = []

    def answer(text: str) -> Any:
        asked.append(text)
        return page(body, status)

    provider.instead[CHAT] = by_prompt(answer)
    handler = model(provider)

    async def main() -> list[Any]:
        try:
            return [await collect(handler, calls(each, first=n), Lane.STREAM) for n, each in enumerate("abc", 1)]
        finally:
            await handler.close()

    first, *others = (end for each in asyncio.run(main()) for end in ends(each).values())
    assert isinstance(first, Failure)
    assert (first.retryable, first.gave_back, asked) == (False, False, ["a"])
    assert [(end.gave_back, end.unbegun) for end in others] == [(True, True)] * 2
    assert all(end.reason == first.reason and (end.retry_after or 0) > 200 for end in others)


def test_a_batch_that_nobody_has_paid_for_is_held_with_the_reason(provider: Provider) -> None:
    """Its jobs go back to the queue, to be tried again later, and not without end."""
    provider.instead["POST", "/v1/files"] = page(UNPAID, 429)

    async def main() -> list[Any]:
        handler = model(provider)
        try:
            return await collect(handler, calls("a", "b"), Lane.BATCH)
        finally:
            await handler.close()

    found = ends(asyncio.run(main())).values()
    assert [(end.gave_back, end.unbegun) for end in found if isinstance(end, Failure)] == [(True, True)] * 2
    assert all("quota" in end.reason for end in found if isinstance(end, Failure))
