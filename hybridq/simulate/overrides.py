"""What `simulate --set` changes for one simulation: keys of the configuration, and how long handlers take.

Rule: what is changed is read and checked as if the file said it, and wins over the environment. Nothing is written.
"""

import tomllib
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from ..config.read import load_config
from ..config.values import Config
from ..errors import UsageError
from ..home import Home
from ..when import parse_span
from .station import Times


def changed(home: Home, environ: Mapping[str, str], changes: Sequence[str]) -> Config:
    """The configuration in force with these `key=value` changes. Raises UsageError, ConfigError, OSError."""
    wanted = dict(_change(text) for text in changes)
    twins = {f"HYBRIDQ_{key.replace('.', '_').upper()}" for key in wanted}

    def change(table: dict[str, Any]) -> None:
        for key, value in wanted.items():
            _put(table, key, value)

    return load_config(home, {name: value for name, value in environ.items() if name not in twins}, change)


def told(changes: Sequence[str]) -> str:
    """The same changes as a reader sees them: `policy.theta = 0.5, policy.hold = 2h`."""
    return ", ".join(" = ".join(part.strip() for part in text.split("=", 1)) for text in changes)


def handler_times(changes: Sequence[str], times: Times) -> Times:
    """These times with `name=value` changes; seconds may be written as durations. Raises UsageError."""
    for text in changes:
        name, _, value = text.partition("=")
        if name not in Times.__struct_fields__:
            known = ", ".join(Times.__struct_fields__)
            raise UsageError(f"{text!r} is not a handler time: write NAME=VALUE with one of {known}, such as start=20s")
        times = replace(times, **{name: _number(text, value) if name in ("batch", "spread") else parse_span(value)})
    return times


def supposed(times: Times) -> str:
    """The sentence that says which times no history told."""
    return (
        f"run times are assumed, the same for every handler: {times.start:g} s a start, {times.job:g} s a job,"
        f" {times.input:g} s a unit of input and {times.output:g} s one of output; {times.batch:.0%} of that in a large"
        " batch (set your own: --handler-time)"
    )


def _number(text: str, value: str) -> float:
    try:
        number = float(value)
    except ValueError:
        number = -1.0
    if not 0 <= number <= 1:
        raise UsageError(f"{text!r}: expected a number from 0 to 1")
    return number


def _change(text: str) -> tuple[str, Any]:
    """A key with dots, and its value: TOML, or the text itself where it is none."""
    key, sign, value = text.partition("=")
    if not sign or "." not in key.strip():
        raise UsageError(f"{text!r} changes nothing: write section.key=value, such as policy.theta=0.5")
    try:
        return key.strip(), tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return key.strip(), value.strip()


def _put(table: dict[str, Any], key: str, value: object) -> None:
    *path, last = key.split(".")
    for name in path:
        inner = table.setdefault(name, {})
        if not isinstance(inner, dict):
            raise UsageError(f"{key}: no section named {name}")
        table = inner
    table[last] = value
