"""Streams of both kinds against the scripted provider: pieces, tokens, money, and all that may go wrong."""

import asyncio
import os
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from hybridq.job import Failure, Lane, Mode, Output, Started, State, Usage
from hybridq.queue.cohorts import job
from hybridq.queue.outputs import output_path
from hybridq.queue.results import result
from hybridq.queue.store import Store
from hybridq.submit import submit
from tests.support.building import asking, command, daemon, submit_all, until
from tests.support.handling import calls, collect, ends, text
from tests.support.llm import COST, KINDS, model, served
from tests.support.provider import KEY, Fault, Provider


def ask(handler: Any, *inputs: object, lane: Lane = Lane.STREAM, **settings: Any) -> list[Any]:
    """The events of one run, in a loop of its own."""

    async def main() -> list[Any]:
        try:
            return await collect(handler, calls(*(inputs or ("hello",)), **settings), lane)
        finally:
            await handler.close()

    return asyncio.run(main())


@pytest.mark.parametrize("kind", KINDS)
def test_an_answer_streams_with_its_tokens_and_its_cost(provider: Provider, kind: str) -> None:
    """Each piece is told as it comes; the end has the whole text, the tokens, and the cached ones at their price."""
    events = ask(model(provider, kind))
    assert isinstance(events[0], Started)
    assert text(events) == b"answer to hello"
    assert len(events) > 4
    end = ends(events)[1]
    assert isinstance(end, Output)
    assert end.value == b'"answer to hello"'
    assert end.usage == Usage(input_tokens=100, cached_tokens=80, output_tokens=20)
    assert end.cost == pytest.approx(COST)
    assert end.streamed == end.cost


@pytest.mark.parametrize("kind", KINDS)
def test_a_request_says_what_the_configuration_says(
    provider: Provider, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """System prompt, template with the file's text, limits and further fields reach the provider; so does its key,
    and no other that the SDKs know from the environment."""
    for other in ("OPENAI_API_KEY", "OPENAI_ADMIN_KEY", "ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"):
        monkeypatch.setenv(other, "sk-of-another-server")
    document = tmp_path / "doc.txt"
    document.write_text("the {input} text")
    handler = model(
        provider,
        kind,
        system="be brief",
        prompt="Sum up {input}: {file}",
        max_tokens=7,
        temperature=0.5,
        extra_body={"metadata": {"a": "b"}},
    )
    ask(handler, str(document))
    (body,) = provider.requests
    assert body["messages"][-1]["content"] == f"Sum up {document}: the {{input}} text"
    assert (body["max_tokens"], body["temperature"], body["metadata"]) == (7, 0.5, {"a": "b"})
    system = body["messages"][0]["content"] if kind == "openai" else body["system"][0]["text"]
    assert system == "be brief"
    headers = {name.lower(): value for name, value in provider.headers[0].items()}
    assert KEY in (headers.get("authorization", "") + headers.get("x-api-key", ""))
    assert not any("another-server" in value for value in headers.values())


def test_a_file_that_cannot_be_read_fails_that_job_at_once(provider: Provider) -> None:
    """A prompt with {file} and an input that names none is no matter for the provider."""
    (end,) = ends(ask(model(provider, prompt="{file}"), "/no/such/file")).values()
    assert isinstance(end, Failure)
    assert not end.retryable
    assert "No such file" in end.reason
    assert provider.requests == []


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "fault",
    [Fault(drop=2), Fault(malformed=True), Fault(end=2), Fault(error=True)],
    ids=["drop", "malformed", "end", "error"],
)
def test_a_stream_that_breaks_is_another_attempts_to_repeat(provider: Provider, kind: str, fault: Fault) -> None:
    """A dropped connection, an event that is no JSON, an error or an early end in the middle: a retryable failure."""
    provider.faults.append(fault)
    (end,) = ends(ask(model(provider, kind))).values()
    assert isinstance(end, Failure)
    assert end.retryable
    assert not end.gave_back


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("status", [429, 503, 529])
def test_the_whole_handler_waits_as_long_as_it_is_told(provider: Provider, kind: str, status: int) -> None:
    """One refusal with Retry-After: nothing more is sent until then, the call succeeds, others wait with it."""
    provider.faults.append(Fault(status=status, retry_after="0.3"))
    handler = model(provider, kind)

    async def main() -> list[Any]:
        try:
            refused = asyncio.create_task(collect(handler, calls("a"), Lane.STREAM))
            while not provider.times:
                await asyncio.sleep(0.001)
            while handler._limit.wait() <= 0:
                await asyncio.sleep(0.001)
            other = asyncio.create_task(collect(handler, calls("b", first=2), Lane.STREAM))
            return [*await refused, *await other]
        finally:
            await handler.close()

    assert [type(end) for end in ends(asyncio.run(main())).values()] == [Output, Output]
    assert min(provider.times[1:]) - provider.times[0] >= 0.3
    assert len(provider.times) == 3


def test_a_refusal_that_does_not_say_how_long_waits_ever_longer(provider: Provider) -> None:
    """429 without Retry-After: pauses of its own, each twice as long."""
    provider.faults.extend([Fault(status=429)] * 3)
    (end,) = ends(ask(model(provider))).values()
    assert isinstance(end, Output)
    first, second, third = (b - a for a, b in pairwise(provider.times))
    assert first >= 0.25
    assert second >= 2 * 0.25
    assert third >= 4 * 0.25


def test_who_must_wait_long_goes_back_to_the_queue(provider: Provider) -> None:
    """A pause of an hour is no reason to hold a slot: the job is queued again, uncounted, and not before then."""
    provider.faults.append(Fault(status=429, retry_after="3600"))
    (end,) = ends(ask(model(provider))).values()
    assert isinstance(end, Failure)
    assert end.gave_back
    assert 3500 < (end.retry_after or 0) <= 3600


@pytest.mark.parametrize("kind", KINDS)
def test_a_key_shows_up_in_no_reason(provider: Provider, kind: str) -> None:
    """A provider that repeats the key in its refusal: the failure has no key, and is not tried again."""
    provider.faults.append(Fault(status=401, echo=True))
    (end,) = ends(ask(model(provider, kind))).values()
    assert isinstance(end, Failure)
    assert not end.retryable
    assert KEY not in end.reason
    assert "***" in end.reason


def test_a_missing_key_is_named_by_its_variable(provider: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the variable that was named the job fails with a sentence that says which one."""
    monkeypatch.delenv("TEST_KEY")
    (end,) = ends(ask(model(provider))).values()
    assert isinstance(end, Failure)
    assert "TEST_KEY is not set" in end.reason


def test_a_timeout_ends_the_call(provider: Provider) -> None:
    """A first token that does not come within the attempt's time ends it."""
    provider.faults.append(Fault(first=30))
    (end,) = ends(ask(model(provider), timeout=0.2)).values()
    assert isinstance(end, Failure)
    assert end.reason == "timed out after 0.2s"


def test_a_batch_by_plain_requests_runs_side_by_side_and_can_be_cancelled(provider: Provider) -> None:
    """`batch_by = "calls"` for servers without batches: as many as there are slots; one is ended alone."""
    provider.first = 0.05
    handler = model(provider, batch_by="calls", instances=4)

    async def main() -> list[Any]:
        found = []
        try:
            async for bunch in handler.run(calls(*"abcdefgh"), Lane.BATCH):
                found += bunch
                if len(found) == 4:
                    handler.cancel(4)
            return found
        finally:
            await handler.close()

    found = ends(asyncio.run(main()))
    assert sorted(found) == [1, 2, 3, 4, 5, 6, 7, 8]
    assert [number for number, end in found.items() if isinstance(end, Failure)] == [4]
    assert provider.batches == []


def test_a_tiny_batch_goes_to_the_flexible_tier(provider: Provider) -> None:
    """With `flex_up_to`, so few jobs are plain requests of that tier, at its price."""
    found = ends(ask(model(provider, flex_up_to=2, flex_factor=0.4), "a", "b", lane=Lane.BATCH))
    assert [body["service_tier"] for body in provider.requests] == ["flex", "flex"]
    assert all(isinstance(end, Output) and end.cost == pytest.approx(COST * 0.4) for end in found.values())
    assert provider.batches == []


def test_a_broken_stream_is_repeated_from_the_start(provider: Provider, tmp_path: Path) -> None:
    """In a queue: the second attempt has the whole answer, what the first had told is its own, superseded."""
    provider.faults.append(Fault(drop=2))
    with served(tmp_path, provider) as outlook, daemon(outlook):
        number = submit(outlook, asking("gpt", Mode.STREAM, retries=3), b'"hello"').first
        until(lambda: job(outlook.store, number).state is State.DONE)
        found = result(outlook.store, number)
        assert found is not None
        assert (found.attempt, found.value) == (2, b'"answer to hello"')
        assert found.first is not None
        assert output_path(outlook.store.home, number, 1).read_bytes() == b"answer t"


def test_no_file_of_ours_ever_holds_a_key(provider: Provider, tmp_path: Path) -> None:
    """After streams, a batch and refusals that repeat it, the key is in no file of the queue and in no `--json`."""
    provider.faults.extend([Fault(status=401, echo=True), Fault(drop=1)])
    with served(tmp_path, provider) as outlook:
        with daemon(outlook):
            submit_all(outlook, asking("gpt", Mode.STREAM), [b'"a"', b'"b"', b'"c"'])
            submit_all(outlook, asking("gpt", Mode.BATCH), [b'"d"', b'"e"'])
            until(lambda: ended(outlook.store) == 5)
        shown = [
            command(outlook.store.home, *words)
            for words in (("status", "--all", "--json"), ("show", "1", "--json"), ("config", "--json"))
        ]
        assert all(each.returncode == 0 for each in shown)
        files = [path.read_bytes() for path in outlook.store.home.folder.rglob("*") if path.is_file()]
        assert any(b"***" in data for data in files)
        for data in [*files, *(each.stdout.encode() + each.stderr.encode() for each in shown)]:
            assert KEY.encode() not in data


def ended(store: Store) -> int:
    row = store.row("SELECT count(*) FROM job WHERE state IN ('done', 'failed')")
    return int(row[0]) if row else 0


def test_importing_the_handlers_imports_no_sdk() -> None:
    """Whoever only submits does not pay for an SDK."""
    import subprocess
    import sys

    code = (
        "import sys, hybridq.handlers, hybridq.outlook, hybridq.runner.batch, hybridq.handlers.llm.handler;"
        "print([name for name in ('openai', 'anthropic', 'httpx', 'pydantic') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=dict(os.environ)
    )
    assert done.stdout == "[]\n"
