"""The real SDKs against servers that nobody here wrote: aimock (npm) and mock-ai-api (PyPI).

They are installed by `.ci/run`; elsewhere `npm install --no-save @copilotkit/aimock` and
`pip install mock-ai-api` get them.
"""

import asyncio
import http.client
import importlib.util
import json
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from hybridq.job import Failure, Lane, Output
from tests.support.handling import calls, collect, ends, text, values
from tests.support.llm import model, through

ROOT = Path(__file__).parents[2]
LLMOCK = shutil.which("llmock") or shutil.which("llmock", path=str(ROOT / "node_modules" / ".bin"))
needs_aimock = pytest.mark.skipif(not LLMOCK, reason="needs aimock: npm install --no-save @copilotkit/aimock")
needs_mock_ai_api = pytest.mark.skipif(
    importlib.util.find_spec("fastapi") is None, reason="needs mock-ai-api: pip install mock-ai-api"
)
FIXTURES = {"fixtures": [{"match": {"userMessage": "hello"}, "response": {"content": "Hello! How can I help you?"}}]}


class Elsewhere:
    """Where another server listens: `url` with /v1, as a scripted provider has it."""

    def __init__(self, port: int) -> None:
        self.port, self.url = port, f"http://127.0.0.1:{port}/v1"


@contextmanager
def serving(folder: Path, *command: str) -> Iterator[Elsewhere]:
    """Another server, up; `{port}` in its command is a free one."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [word.replace("{port}", str(port)) for word in command],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + 30
        while True:
            with socket.socket() as trial:
                if trial.connect_ex(("127.0.0.1", port)) == 0:
                    break
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield Elsewhere(port)
    finally:
        process.kill()
        process.wait()


@contextmanager
def aimock(folder: Path, *options: str) -> Iterator[Elsewhere]:
    """aimock with one fixture."""
    (folder / "fixtures.json").write_text(json.dumps(FIXTURES))
    with serving(folder, str(LLMOCK), "-p", "{port}", "-f", "fixtures.json", "--log-level", "silent", *options) as up:
        yield up


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_KEY", "sk-test")


def ask(handler: Any, *inputs: str) -> list[Any]:
    """The events of these inputs, each streamed, side by side."""

    async def main() -> list[Any]:
        try:
            runs = [collect(handler, calls(each, first=i), Lane.STREAM) for i, each in enumerate(inputs, 1)]
            return [event for events in await asyncio.gather(*runs) for event in events]
        finally:
            await handler.close()

    return asyncio.run(main())


def fetch(handler: Any, *inputs: str) -> list[Any]:
    """The events of fetching these inputs' batch."""

    async def main() -> list[Any]:
        try:
            async with asyncio.timeout(30):
                return (await through(handler, *inputs))[1]
        finally:
            await handler.close()

    return asyncio.run(main())


@needs_aimock
@pytest.mark.parametrize("kind", ["openai", "anthropic"])
def test_aimock_streams(tmp_path: Path, kind: str) -> None:
    """Its streams, in both languages, come through piece by piece."""
    with aimock(tmp_path) as there:
        events = ask(model(there, kind), "hello")  # type: ignore[arg-type]
    assert text(events) == b"Hello! How can I help you?"
    assert values(events) == {1: "Hello! How can I help you?"}


@needs_aimock
def test_aimock_batches(tmp_path: Path) -> None:
    """Its files and batches: each job has its answer."""
    with aimock(tmp_path) as there:
        found = values(fetch(model(there), *(f"doc {number}" for number in range(20))))  # type: ignore[arg-type]
    assert found == dict.fromkeys(range(1, 21), "Mock batch completion")


@needs_aimock
def test_aimock_chaos_costs_tries_and_nothing_else(tmp_path: Path) -> None:
    """With refusals and broken connections at random, each call ends once: well, or to be tried again."""
    with aimock(tmp_path, "--chaos-ratelimit", "0.2", "--chaos-disconnect", "0.2") as there:
        found = ends(ask(model(there, instances=4), *(["hello"] * 12)))  # type: ignore[arg-type]
    assert len(found) == 12
    assert any(isinstance(end, Output) for end in found.values())
    assert all(end.retryable or end.gave_back for end in found.values() if isinstance(end, Failure))


@needs_mock_ai_api
def test_mock_ai_api_streams_and_batches(tmp_path: Path) -> None:
    """Its message batches end when their results are asked for: ours is found by its key, and fetched."""
    command = [sys.executable, "-m", "uvicorn", "app.anthropic_app:app", "--port", "{port}", "--log-level", "error"]
    with serving(tmp_path, *command) as there:
        streamed = values(ask(model(there, "anthropic"), "hello"))  # type: ignore[arg-type]
        assert streamed[1]

        async def main() -> list[Any]:
            handler = model(there, "anthropic")  # type: ignore[arg-type]
            try:
                told = [event async for bunch in handler.run(calls("a", "b", "c"), Lane.BATCH) for event in bunch]
                lost = told[0]  # as if its id had never been stored
                asked = http.client.HTTPConnection("127.0.0.1", there.port)
                asked.request("GET", f"/v1/messages/batches/{told[-1].reference['batch']}/results")
                asked.getresponse().read()
                asked.close()
                async with asyncio.timeout(30):
                    return [event async for bunch in handler.resume(lost) for event in bunch]
            finally:
                await handler.close()

        assert sorted(values(asyncio.run(main()))) == [1, 2, 3]
