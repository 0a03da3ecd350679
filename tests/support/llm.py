"""Builders for tests of language-model handlers: one against the scripted provider, alone or in a queue."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

from hybridq.config.values import HandlerConfig, RunnerConfig
from hybridq.handlers import make_handler
from hybridq.job import Detached, Failure, Lane, Output
from hybridq.outlook import Outlook
from tests.support.building import queue
from tests.support.handling import calls
from tests.support.provider import KEY, Provider

CONFIG = """
[policy]
background_delay_cost = 1e6
[handlers.gpt]
kind = "{kind}"
model = "m"
base_url = "{url}"
api_key_env = "TEST_KEY"
poll = 0.02
price_input = 1
price_cached = 0.1
price_output = 10
{more}
"""
COST = (20 * 1.0 + 80 * 0.1 + 20 * 10) * 1e-6  # of one answer of the scripted provider at these prices
KINDS = ("openai", "anthropic")


def base(provider: Provider, kind: str) -> str:
    """The base URL that a kind's SDK wants."""
    return provider.url if kind == "openai" else provider.url.removesuffix("/v1")


def model(provider: Provider, kind: str = "openai", **settings: Any) -> Any:
    """A handler `gpt` outside of any queue; `settings` are keys of its table."""
    own = {name: settings.pop(name) for name in ("instances", "timeout", "chunk") if name in settings}
    options = {
        "model": "m",
        "base_url": base(provider, kind),
        "api_key_env": "TEST_KEY",
        "poll": 0.02,
        "price_input": 1.0,
        "price_cached": 0.1,
        "price_output": 10.0,
        **settings,
    }
    config = HandlerConfig(kind=kind, options=options, **{"instances": 8, **own})
    return make_handler("gpt", config, runner=RunnerConfig())


@contextmanager
def served(folder: Path, provider: Provider, kind: str = "openai", more: str = "") -> Iterator[Outlook]:
    """A queue whose handler `gpt` is the scripted provider; `more` is TOML that follows in its table."""
    with mock.patch.dict(os.environ, {"TEST_KEY": KEY}):
        outlook = queue(folder, CONFIG.format(kind=kind, url=base(provider, kind), more=more))
        try:
            yield outlook
        finally:
            outlook.store.close()


async def through(handler: Any, *inputs: str) -> tuple[list[Any], list[Any]]:
    """Send these inputs as a batch and fetch it: the events of `run`, and those of every `resume` that it asks for."""
    sent = [event async for bunch in handler.run(calls(*inputs), Lane.BATCH) for event in bunch]
    ended = {event.id for event in sent if isinstance(event, Failure)}
    last = {event.reference["key"]: event for event in sent if isinstance(event, Detached)}
    fetched = []
    for work in (each for each in last.values() if not {job for job, _ in each.ids} <= ended):
        fetched += [event async for bunch in handler.resume(work) for event in bunch]
    return sent, fetched


def said(end: Output | Failure) -> Any:
    """The answer's text. A failure shows its reason."""
    assert isinstance(end, Output), end.reason
    return json.loads(end.value or b"null")
