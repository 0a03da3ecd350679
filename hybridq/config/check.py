"""One value of `config.toml` against its type: what is wrong with it, in the words of somebody who writes such a file.

Rule: pure; where a mistake stands is added by whoever reads the file.
"""

import re
from collections.abc import Mapping
from typing import Any, Literal, get_args, get_origin

import msgspec
from msgspec.structs import FieldInfo, fields

from ..errors import UsageError
from ..job import DEAREST
from ..when import CENTURY, parse_factor, parse_span
from .values import DAYS, Window

_WORDS = {
    "int": "a whole number",
    "float": "a number",
    "str": "text in quotes",
    "bool": "true or false",
    "array": "a list",
    "object": "a table",
    "null": "nothing",
}


def nearest(name: str, known: list[str], what: str = "keys") -> str:
    """The known name that was probably meant, or all of them, by `what` they are."""
    from difflib import get_close_matches  # only a mistake needs it

    near = get_close_matches(name, known, 1)
    return f": did you mean {near[0]}?" if near else f"; known {what}: {', '.join(known)}"


def in_words(problem: str, kind: Any) -> str:
    """Msgspec's sentence in the words of a configuration file; `kind` is the type that was wanted."""
    if "enum value" in problem:
        choices = get_args(kind) if get_origin(kind) is Literal else list(get_args(kind)[0])
        return f"expected {', '.join(choices)}: i" + problem.partition(" - at")[0][1:]
    text = re.sub(r"`(\w+(?: \| \w+)*?)(?: \| null)?`", _types, problem)
    text = re.sub(r" - at `\$(.*?)`$", "", text).replace(", got ", ", not ")
    return text[0].lower() + text[1:]


def _types(found: re.Match[str]) -> str:
    """The types that are named, in words."""
    return " or ".join(_WORDS.get(each, each) for each in found[1].split(" | "))


DURATIONS = frozenset(
    {"hold", "stop_grace", "stream_target", "idle", "timeout", "backoff", "expected", "fixed", "poll"}
)


_AT_LEAST_ONE = frozenset({"instances", "output_limit"})


_TIME = r"([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?"


_URL = r"[A-Za-z][A-Za-z0-9+.-]*://.|\$\{[A-Za-z_][A-Za-z0-9_]*\}"


class KeyedError(Exception):
    """What is wrong with one value, before its place is known: the key, and the sentence about it."""

    def __init__(self, key: str, problem: str) -> None:
        super().__init__(f"{key}: {problem}")
        self.key, self.problem = key, problem


def checked(kind: type[Any], value: object, key: str) -> Any:
    """One table as its struct. Raises KeyedError."""
    table = as_table(value, key)
    infos = {info.encode_name: info for info in fields(kind)}
    check_known(table, list(infos), key)
    found = {name: checked_field(infos[name], item, f"{key}.{name}") for name, item in table.items()}
    missing = [name for name, info in infos.items() if info.required and name not in found]
    if missing:
        raise KeyedError(key, f"{missing[0]} is missing")
    if kind is Window and found["start"] == found["end"]:
        raise KeyedError(key, "start and end are the same time: remove the window, or set tariff.factor")
    return kind(**found)


def checked_field(info: FieldInfo, value: object, key: str, strict: bool = True) -> Any:
    """One value, checked and in its type. Raises KeyedError."""
    if info.name == "window":
        return tuple(checked(Window, entry, f"{key}[{i}]") for i, entry in enumerate(_list(value, key)))
    if info.name == "notify" and isinstance(value, str):
        value = [value]
    if info.name in DURATIONS and isinstance(value, str) and not _is_factor(info.name, value, key):
        value = _duration(value, key)
    if type(value) is int and abs(value) > DEAREST:  # which no float may hold
        _check(info.name, value, key)
    try:
        found = msgspec.convert(value, info.type, strict=strict)
    except msgspec.ValidationError as problem:
        raise KeyedError(key, in_words(str(problem), info.type)) from None
    _check(info.name, found, key)
    return found


def _check(name: str, value: object, key: str) -> None:
    """What a type does not say. Raises KeyedError."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        least = 1 if name in _AT_LEAST_ONE else 0
        most = CENTURY if name in DURATIONS else DEAREST
        if not value >= least:
            raise KeyedError(key, f"expected a number of at least {least}, not {value}")
        if value > most:
            what = "a duration of at most a hundred years" if name in DURATIONS else f"a number of at most {most:g}"
            raise KeyedError(key, f"expected {what}, not {str(value)[:40]}")
    if (
        name in ("start", "end", "daily_at")
        and not re.fullmatch(_TIME, str(value), re.ASCII)
        and (name, value) != ("end", "24:00")
    ):
        raise KeyedError(key, f"expected a time of day such as 22:00 or 22:00:30, not {value!r}")
    if name == "days" and isinstance(value, tuple):
        for day in value:
            if day.lower() not in DAYS:
                raise KeyedError(key, f"expected {', '.join(DAYS)}, not {day!r}")
    if name == "retry_on" and isinstance(value, tuple):
        for code in value:
            if not 1 <= code <= 255:
                raise KeyedError(key, f"expected exit codes from 1 to 255, not {code}")
    if name == "currency" and not _is_unit(str(value)):
        raise KeyedError(key, f"expected a unit such as EUR or $, of 8 characters at most, not {str(value)[:40]!r}")
    if name == "notify" and not all(re.match(_URL, url) for url in as_urls(value)):
        raise KeyedError(key, "expected URLs such as ntfy://TOPIC or ${SLACK_URL}")  # none is shown: they hold tokens
    if name == "zone":
        _check_zone(str(value), key)


def as_urls(value: object) -> tuple[str, ...]:
    """The URLs of `notify`, which is one or several."""
    return value if isinstance(value, tuple) else ()


def _is_unit(text: str) -> bool:
    """Whether this is a word or a sign by which no amount is read wrong: a minus or an accent is none."""
    from unicodedata import category

    kinds = {category(char) for char in text}
    return len(text) <= 8 and (all(kind[0] == "L" for kind in kinds) or kinds <= {"Sc", "So"})


def _check_zone(zone: str, key: str) -> None:
    if zone == "UTC":  # the default; zoneinfo costs 8 ms to import
        return
    from zoneinfo import ZoneInfo

    try:
        ZoneInfo(zone)
    except (ValueError, OSError, KeyError):
        raise KeyedError(key, f"no time zone named {zone!r}: expected one such as Europe/Berlin") from None


def _is_factor(name: str, text: str, key: str) -> bool:
    """Whether it is a time limit in times of what is usual."""
    try:
        return name == "timeout" and parse_factor(text) is not None
    except UsageError as problem:
        raise KeyedError(key, str(problem)) from None


def _duration(text: str, key: str) -> float:
    try:
        return parse_span(text)
    except UsageError as problem:
        raise KeyedError(key, str(problem)) from None


def check_known(table: Mapping[str, object], known: list[str], key: str) -> None:
    """Raise KeyedError for a key of this table that is not known, with the nearest that is."""
    for name in table:
        if name not in known:
            where = f"no such key in [{key}]" if key else "no such section"
            raise KeyedError(f"{key}.{name}" if key else name, where + nearest(name, known))


def as_table(value: object, key: str) -> dict[str, Any]:
    """The value as a table. Raises KeyedError for another type."""
    if not isinstance(value, dict):
        raise KeyedError(key, f"expected a table, [{key}]")
    return value


def _list(value: object, key: str) -> list[Any]:
    if not isinstance(value, list):
        raise KeyedError(key, f"expected tables, [[{key}]]")
    return value
