"""What a provider takes and leaves unbegun: how often that may be, and batches that it has no room for."""

import asyncio
from pathlib import Path

import pytest
from aiohttp import web

from hybridq.brain.outcome import GIVE_UP, Outcome, settle
from hybridq.handlers.llm import results
from hybridq.handlers.llm.errors import refusal
from hybridq.job import Failure, Mode, State
from hybridq.queue.claims import Claim
from tests.handlers.test_provider_batch import NAMES
from tests.runner.test_rescue_promotion import states
from tests.support.building import asking, command, daemon, submit_all, until
from tests.support.handling import bad
from tests.support.llm import KINDS, model, served, through
from tests.support.provider import Provider


def left_unbegun(unbegun: int, attempt: int) -> Outcome:
    claim = Claim(id=1, attempt=attempt, tries=0, cohort=1, input=b"", unbegun=unbegun)
    return settle(results.unbegun(1, attempt, "expired"), claim, retries=3, now=1000.0)


def test_what_a_provider_leaves_unbegun_again_and_again_fails() -> None:
    """The eighth time is the last; attempts that ended with their runner are none of the provider's."""
    assert (left_unbegun(6, attempt=100).state, left_unbegun(6, attempt=100).unbegun) == (State.QUEUED, True)
    last = left_unbegun(7, attempt=8)
    assert (last.state, last.counted, last.error) == (State.FAILED, True, "expired (8 times)")


def test_only_what_the_provider_leaves_unbegun_is_counted(provider: Provider, tmp_path: Path) -> None:
    """A job in its hundredth attempt whose batch expires goes again, and fails at the eighth; retry begins anew."""
    provider.script.status, provider.script.done = "expired", 0.0
    with served(tmp_path, provider) as outlook:
        submit_all(outlook, asking("gpt", Mode.BATCH), [b'"a"'])
        with outlook.store.tx() as connection:
            connection.execute("UPDATE job SET attempt = 100")
        with daemon(outlook):
            until(lambda: states(outlook) == {"failed": 1}, 30)
            assert len(provider.batches) == GIVE_UP
            until(lambda: outlook.store.rows("SELECT sum(failed) FROM flush") == [(1,)])
            provider.script.status, provider.script.done = "completed", 1.0
            assert command(outlook.store.home, "retry", "1").returncode == 0
            until(lambda: states(outlook) == {"done": 1})
        assert outlook.store.rows("SELECT unbegun FROM job") == [(0,)]


@pytest.mark.parametrize("status", [429, 413, 400])
@pytest.mark.parametrize("kind", KINDS)
def test_a_batch_that_there_is_no_room_for_goes_in_halves(provider: Provider, kind: str, status: int) -> None:
    """429, 413 by a proxy, or 400 with words for it, for whatever holds more than three requests: each refusal halves
    what is sent next, however often that is no job has failed, and when the provider takes it batches grow again."""

    async def refuse(request: web.Request) -> web.StreamResponse:
        body = await request.json()
        lines = body.get("requests") or provider.files[body["input_file_id"]].splitlines()
        if len(lines) > 3:
            full = {"error": {"message": "the batch exceeds the maximum of 3 requests"}}
            return web.json_response(full, status=status, headers={"retry-after": "0"})
        return await provider._create(request)

    provider.instead["POST", "/v1/batches" if kind == "openai" else "/v1/messages/batches"] = refuse

    async def main() -> list[dict[int, Failure]]:
        handler = model(provider, kind)
        try:
            return [bad((await through(handler, *NAMES))[0]) for _ in range(3)]
        finally:
            await handler.close()

    rounds = asyncio.run(main())
    assert [len(found) for found in rounds] == [10, 5, 4]
    assert all(end.gave_back and not end.unbegun for found in rounds for end in found.values())
    assert [len(batch.requests) for batch in provider.batches] == [2, 2, 1, 2, 2, 2]


LARGE = [
    "File is too large. Max 200MB",
    "max_requests_per_batch is 100, got 20000",
    "at most 500 requests are allowed",
    "The file exceeds the maximum allowed size of 209715200 bytes",
    "Number of lines (20000) is more than 10000",
]
OTHERWISE = [
    "maximum context length is 8 tokens",
    "prompt is too long: 9 tokens > 8 maximum",
    "invalid model",
    "max_tokens is too large: 5000000",
]


@pytest.mark.parametrize(
    ("words", "large"), [*((each, True) for each in LARGE), *((each, False) for each in OTHERWISE)]
)
def test_a_400_is_taken_for_a_batch_s_size_by_its_words_alone(words: str, large: bool) -> None:
    """Smaller batches help against that; against a wrong prompt or model they are only more of them."""
    assert refusal(400, words, {}).large is large


def test_a_batch_that_fails_for_its_size_once_it_is_made_goes_in_halves(provider: Provider) -> None:
    """The same where the provider looks at the file only then."""
    provider.script.status = "failed"
    provider.script.errors = [{"code": "file_too_large", "message": "the file has too many lines", "line": None}]

    async def main() -> dict[int, Failure]:
        handler = model(provider)
        try:
            first = bad((await through(handler, *NAMES))[1])
            provider.script.status = "completed"
            await through(handler, *NAMES)
            return first
        finally:
            await handler.close()

    assert all(end.gave_back and not end.unbegun for end in asyncio.run(main()).values())
    assert [len(batch.requests) for batch in provider.batches] == [10, 5, 5]
