"""The hands: everything that starts processes or talks to a provider, one module a kind.

A kind is imported only when a handler of it is made. Further kinds join through the entry-point group
`hybridq.handlers`: each entry point is a callable like `make_handler` itself, named after its kind.
"""

from importlib import import_module
from importlib.metadata import entry_points
from typing import Any, cast

from ..config.values import HandlerConfig, RunnerConfig
from ..errors import ConfigError
from .protocol import Handler

GROUP = "hybridq.handlers"
BUILT_IN = {
    "shell": "shell:Shell",
    "worker": "worker.worker:Worker",
    "openai": "llm.handler:Llm",
    "anthropic": "llm.handler:Llm",
}
ALWAYS = ("shell", "worker")  # kinds that need nothing else to be made

__all__ = ["ALWAYS", "GROUP", "Handler", "make_handler"]


def make_handler(name: str, config: HandlerConfig, *, runner: RunnerConfig) -> Handler:
    """The handler that `[handlers.NAME]` describes. Raises ConfigError for an unknown kind or bad options."""
    return cast(Handler, _factory(name, config.kind)(name, config, runner=runner))


def _factory(name: str, kind: str) -> Any:
    if place := BUILT_IN.get(kind):
        module, factory = place.split(":")
        return getattr(import_module(f".{module}", __name__), factory)
    plugins = {point.name: point for point in entry_points(group=GROUP)}
    if plugin := plugins.get(kind):
        try:
            return plugin.load()
        except (ImportError, AttributeError) as error:
            raise ConfigError(f"handlers.{name}.kind: {kind!r} cannot be loaded: {error}") from error
    known = ", ".join(sorted({*BUILT_IN, *plugins}))
    raise ConfigError(f"handlers.{name}.kind: unknown kind {kind!r}; there are: {known}")
