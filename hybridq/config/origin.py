"""Where each setting in force comes from: a default, a line of `config.toml`, or the environment.

Lines are found by reading table headers and keys as text, after the file has been read as TOML; where that
is not certain, the file alone is named.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct
from msgspec.structs import fields

from ..home import Home
from .lines import place
from .read import SECTIONS, environment_twins, parse, read_text
from .values import Config, HandlerConfig, HooksConfig


class Setting(Struct, frozen=True):
    """One value in force; `source` is `default`, `FILE:LINE`, `FILE` or the variable's name."""

    key: str  # `handlers.digest.instances`
    value: Any
    source: str


def origins(config: Config, home: Home, environ: Mapping[str, str]) -> list[Setting]:
    """Every value of `config`, as `load` made it from the same home and environment, with its source.

    Raises ConfigError, as `load` does.
    """
    text = read_text(home.config_file)
    table = parse(home.config_file, text)
    variables = environment_twins(environ)
    found = []
    for key, value in _values(config):
        section, _, name = key.partition(".")
        if variable := variables.get((section, name)):
            source = variable
        elif _holds(table, key):
            source = place(home.config_file, text, key)
        else:
            source = "default"
        found.append(Setting(key, value, source))
    return found


def _values(config: Config) -> Iterator[tuple[str, Any]]:
    for section in SECTIONS:
        struct = getattr(config, section)
        for info in fields(struct):
            secret = isinstance(struct, HooksConfig) and info.name == "notify"
            yield f"{section}.{info.name}", config.hooks.shown if secret else getattr(struct, info.name)
    for name, there in config.resources.items():
        yield f"resources.{name}", there.written
    for name, handler in config.handlers.items():
        for info in fields(HandlerConfig):
            yield f"handlers.{name}.{info.name}", getattr(handler, info.name)


def _holds(table: Mapping[str, Any], key: str) -> bool:
    """Whether the file says this key; a handler's name may itself have dots, never its keys."""
    section, _, rest = key.partition(".")
    handler, _, name = rest.rpartition(".")
    inner = table.get(section, {})
    return name in (inner.get(handler, {}) if handler else inner)
