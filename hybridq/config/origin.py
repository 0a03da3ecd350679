"""Where each setting in force comes from: a default, a line of `config.toml`, or the environment.

Lines are found by reading table headers and keys as text, after the file has been read as TOML; where that
is not certain, the file alone is named.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct
from msgspec.structs import fields

from ..home import Home
from .read import SECTIONS, environment_twins, parse, read_text
from .values import Config, HandlerConfig

_HEADER = re.compile(r"\s*(\[\[?)\s*([^\[\]]+?)\s*\]\]?\s*(?:#.*)?")
_KEY = re.compile(r"\s*([A-Za-z0-9_.\"'-]+(?:\s*\.\s*[A-Za-z0-9_\"'-]+)*)\s*=")


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


def place(path: Path, text: str, key: str) -> str:
    """`FILE:LINE` of a key or table, `FILE` alone where the line is not certain."""
    lines = [line for line, found in _lines(text) if found in (key, f"{key}[0]")]
    return f"{path}:{lines[0]}" if len(lines) == 1 else str(path)


def _values(config: Config) -> Iterator[tuple[str, Any]]:
    for section in SECTIONS:
        struct = getattr(config, section)
        for info in fields(struct):
            yield f"{section}.{info.name}", getattr(struct, info.name)
    for name, handler in config.handlers.items():
        for info in fields(HandlerConfig):
            yield f"handlers.{name}.{info.name}", getattr(handler, info.name)


def _holds(table: Mapping[str, Any], key: str) -> bool:
    """Whether the file says this key; a handler's name may itself have dots, never its keys."""
    section, _, rest = key.partition(".")
    handler, _, name = rest.rpartition(".")
    inner = table.get(section, {})
    return name in (inner.get(handler, {}) if handler else inner)


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """Each table header and key with its line number, by reading lines one by one."""
    table = ""
    seen: Counter[str] = Counter()
    for number, line in enumerate(text.splitlines(), 1):
        if header := _HEADER.fullmatch(line):
            table = _plain(header[2])
            if header[1] == "[[":
                seen[table] += 1
                table = f"{table}[{seen[table] - 1}]"
            yield number, table
        elif key := _KEY.match(line):
            yield number, f"{table}.{_plain(key[1])}" if table else _plain(key[1])


def _plain(key: str) -> str:
    return re.sub(r"\s*\.\s*", ".", key.replace('"', "").replace("'", ""))
