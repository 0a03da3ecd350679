"""Handlers: everything that starts processes or talks to a provider, one module a kind.

A kind is imported only when a handler of it is made. What each is like stands in `config.kinds`; further kinds join
through its entry points.
"""

from importlib import import_module
from typing import Any, cast

from ..config.kinds import plugin, plugins, wrong
from ..config.values import HandlerConfig, RunnerConfig
from ..errors import ConfigError
from .protocol import Handler

FACTORIES = {
    "shell": "shell:Shell",
    "worker": "worker.worker:Worker",
    "openai": "llm.handler:Llm",
    "anthropic": "llm.handler:Llm",
}

__all__ = ["Handler", "make_handler"]


def make_handler(name: str, config: HandlerConfig, *, runner: RunnerConfig) -> Handler:
    """The handler that `[handlers.NAME]` describes. Raises ConfigError for an unknown kind or bad options."""
    return cast("Handler", _factory(name, config.kind)(name, config, runner=runner))


def _factory(name: str, kind: str) -> Any:
    if place := FACTORIES.get(kind):
        module, factory = place.split(":")
        return getattr(import_module(f".{module}", __name__), factory)
    others = plugins()
    if why := wrong(kind):
        raise ConfigError(f"handlers.{name}.kind: {kind!r} cannot be used: {why}")
    if kind in others:
        try:
            return plugin(kind)
        except (ImportError, AttributeError) as error:
            raise ConfigError(f"handlers.{name}.kind: {kind!r} cannot be loaded: {error}") from error
    known = ", ".join(sorted({*FACTORIES, *others}))
    raise ConfigError(f"handlers.{name}.kind: unknown kind {kind!r}; there are: {known}")
