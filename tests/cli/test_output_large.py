"""Long answers of a model: printed once, however long, and cut where the user's own limit is."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from hybridq.config.values import HandlerConfig, RunnerConfig
from hybridq.handlers import make_handler
from hybridq.handlers.llm.asking import within
from hybridq.job import LANES, Lane, Mode
from hybridq.queue.follow import Shown
from hybridq.submit import submit
from tests.support.building import asking, command, daemon
from tests.support.handling import calls, collect, ends, text
from tests.support.llm import base, said, served, through
from tests.support.provider import Provider

LONG = "0123456789abcdé" * 90_000  # 1.4 MB


def test_an_answer_of_more_than_a_megabyte_is_printed_once(provider: Provider, tmp_path: Path) -> None:
    """By who follows while it comes: each byte of it, and none twice."""
    provider.answer, provider.pieces, provider.gap = lambda _: LONG, 40, 0.01
    with served(tmp_path, provider) as outlook, daemon(outlook):
        number = submit(outlook, asking("gpt", Mode.STREAM), b'"hello"').first
        done = command(outlook.store.home, "follow", str(number))
    assert done.returncode == 0
    assert done.stdout == LONG + "\n"


def test_what_was_shown_is_known_again_at_any_length() -> None:
    """By length and digest: a result that begins so, one that does not, one that is shorter."""
    shown = Shown()
    for piece in (b"a" * 3_000_000, b"b"):
        shown.add(piece)
    assert shown.begins(b"a" * 3_000_000 + b"bc")
    assert not shown.begins(b"a" * 3_000_001)
    assert not shown.begins(b"a" * 3_000_000)


def limited(provider: Provider, limit: int) -> Any:
    """A handler `gpt` in a runner that keeps so many bytes of an output."""
    options = {"model": "m", "base_url": base(provider, "openai"), "api_key_env": "TEST_KEY", "poll": 0.02}
    config = HandlerConfig(kind="openai", options=options, instances=8)
    return make_handler("gpt", config, runner=RunnerConfig(output_limit=limit))


@pytest.mark.parametrize("lane", LANES)
def test_an_answer_beyond_the_limit_is_cut_and_counted(provider: Provider, lane: Lane) -> None:
    """In either lane as many bytes are kept as may be, without half a letter, and the others are told."""
    provider.answer, provider.pieces = lambda _: "é" * 100, 7

    async def main() -> list[Any]:
        handler = limited(provider, 51)
        try:
            if lane is Lane.BATCH:
                return (await through(handler, "hello"))[1]
            return await collect(handler, calls("hello"), lane)
        finally:
            await handler.close()

    seen = asyncio.run(main())
    (end,) = ends(seen).values()
    assert (said(end), end.dropped) == ("é" * 25, 150)
    assert text(seen) == ("é" * 25).encode() * (lane is Lane.STREAM)


def test_a_text_within_the_limit_is_whole() -> None:
    """To the byte."""
    assert within("éa", 3) == ("éa", 0)
    assert within("éa", 2) == ("é", 1)
    assert within("éa", 1) == ("", 3)
