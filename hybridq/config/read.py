"""Reads `config.toml` and its environment twins into a Config.

Rule: a mistake is named with its key, its place and what was probably meant, in the words of somebody who writes
such a file; nothing is guessed.
"""

import errno
import re
import shlex
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import msgspec
from msgspec import to_builtins
from msgspec.structs import FieldInfo, fields, replace

from ..errors import ConfigError, UsageError
from ..files import as_text, read_file
from ..home import Home
from ..job import DEAREST, Mode
from ..when import CENTURY, parse_span
from .values import DAYS, Config, HandlerConfig, PolicyConfig, RunnerConfig, TariffConfig, Window

_WORDS = {
    "int": "a whole number",
    "float": "a number",
    "str": "text in quotes",
    "bool": "true or false",
    "array": "a list",
    "object": "a table",
    "null": "nothing",
}


def nearest(name: str, known: list[str]) -> str:
    """The known name that was probably meant, or all of them."""
    from difflib import get_close_matches  # only a mistake needs it

    near = get_close_matches(name, known, 1)
    return f": did you mean {near[0]}?" if near else f"; there is {', '.join(known)}"


def in_words(problem: str, kind: Any) -> str:
    """msgspec's sentence in the words of a configuration file; `kind` is the type that was wanted."""
    if "enum value" in problem:
        choices = get_args(kind) if get_origin(kind) is Literal else list(get_args(kind)[0])
        return f"expected {', '.join(choices)}: i" + problem.partition(" - at")[0][1:]
    text = re.sub(r"`(\w+)( \| null)?`", lambda found: _WORDS.get(found[1], found[1]), problem)
    text = re.sub(r" - at `\$(.*?)`$", "", text).replace(", got ", ", not ")
    return text[0].lower() + text[1:]


Change = Callable[[dict[str, Any]], None]
SECTIONS: dict[str, type[msgspec.Struct]] = {
    "policy": PolicyConfig,
    "tariff": TariffConfig,
    "runner": RunnerConfig,
}
WORKER_ONLY = frozenset({"command", "call", "python", "protocol", "cwd", "env", "idle", "options"})
SHELL = HandlerConfig(kind="shell", modes=(Mode.STREAM, Mode.BATCH))
LARGEST = 16 * 1024 * 1024  # bytes of the file
_DURATIONS = frozenset({"hold", "stop_grace", "stream_target", "idle", "timeout", "expected", "fixed", "poll"})
_AT_LEAST_ONE = frozenset({"instances", "output_limit"})
_TIME = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?", re.ASCII)
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)


class KeyedError(Exception):
    """What is wrong with one value, before its place is known: the key, and the sentence about it."""

    def __init__(self, key: str, problem: str) -> None:
        super().__init__(f"{key}: {problem}")
        self.key, self.problem = key, problem


def load_config(home: Home, environ: Mapping[str, str], change: Change | None = None) -> Config:
    """The configuration in force: defaults, then the file where there is one, then the environment.

    `change` may alter what the file says before it is read. Raises ConfigError for every mistake, OSError where
    the file cannot be read.
    """
    text = read_text(home.config_file)
    table = parse(home.config_file, text)
    if change is not None:
        change(table)
    try:
        config = _config(table, home.config_file.parent)
    except KeyedError as mistake:
        from .lines import place

        raise ConfigError(f"{place(home.config_file, text, mistake.key)}: {mistake}") from None
    return _with_environment(config, environ)


def read_text(path: Path) -> str:
    """The file's text; empty where there is no file. Raises ConfigError for what is none, OSError where the system
    lets nobody read it."""
    try:
        return as_text(read_file(path, LARGEST))
    except (FileNotFoundError, NotADirectoryError):  # of a folder that is none, whoever opens the queue tells
        return ""
    except IsADirectoryError:
        raise ConfigError(f"{path} is a folder: it must be a file") from None
    except OSError as problem:
        if problem.errno not in (errno.EINVAL, errno.EFBIG):
            raise
        raise ConfigError(f"{path} cannot be read: {problem.strerror}") from None
    except ValueError as problem:
        raise ConfigError(f"{path} {problem}") from None


def parse(path: Path, text: str) -> dict[str, Any]:
    """The file as nested tables. Raises ConfigError with line and column."""
    if not text:
        return {}
    import tomllib

    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as problem:  # of a number with thousands of digits, too
        raise ConfigError(f"{path}: not valid TOML: {problem}") from None


def environment_twins(environ: Mapping[str, str]) -> dict[tuple[str, str], str]:
    """What the environment sets, `(section, key)` to variable. Raises ConfigError for an unknown key."""
    found = {}
    for variable in environ:
        section, _, key = variable.removeprefix("HYBRIDQ_").lower().partition("_")
        if not variable.startswith("HYBRIDQ_") or section not in SECTIONS or not key:
            continue
        known = [field.name for field in fields(SECTIONS[section]) if field.name != "window"]
        if key not in known:
            raise ConfigError(f"{variable}: [{section}] has no {key}{nearest(key, known)}")
        found[section, key] = variable
    return found


def _config(table: dict[str, Any], folder: Path) -> Config:
    _known(table, [*SECTIONS, "handlers"], "")
    sections: dict[str, Any] = {}
    for name, kind in SECTIONS.items():
        sections[name] = _struct(kind, table[name], name) if name in table else kind()
    handlers = {"shell": SHELL}
    for name, entry in _table(table.get("handlers", {}), "handlers").items():
        handlers[name] = _handler(name, entry, folder)
    for name, handler in handlers.items():
        if handler.draft and (handler.draft not in handlers or handler.draft == name):
            others = [other for other in handlers if other != name]
            what = f"expected another handler's name, not {handler.draft!r}"
            raise KeyedError(f"handlers.{name}.draft", what + nearest(handler.draft, others))
    return Config(**sections, handlers=handlers)


def _handler(name: str, entry: object, folder: Path) -> HandlerConfig:
    key = f"handlers.{name}"
    if not _NAME.fullmatch(name):
        raise KeyedError(key, "a handler's name has letters, digits, . _ and - (64 at most)")
    table = dict(_table(entry, key))
    if name == "shell":
        table.setdefault("kind", "shell")
    if isinstance(table.get("command"), str):
        table["command"] = _split(table["command"], f"{key}.command")
    if HandlerConfig(kind=str(table.get("kind"))).remote:
        table = _llm(table, key)
    handler = _struct(HandlerConfig, table, key)
    _check_handler(handler, key)
    return _with_paths(handler, folder)


def _llm(table: dict[str, Any], key: str) -> dict[str, Any]:
    """A language model's table: its own keys checked and put into `options`, with the defaults of its kind."""
    from . import llm

    own, common = [[field.name for field in fields(kind)] for kind in (llm.LlmOptions, HandlerConfig)]
    _known(table, [*own, *(name for name in common if name not in WORKER_ONLY)], key)
    options = {name: table.pop(name) for name in own if name in table}
    chosen = _struct(llm.LlmOptions, options, key)
    if wrong := llm.mistake(chosen):
        raise KeyedError(f"{key}.{wrong[0]}", wrong[1])
    defaults = {"instances": llm.STREAMS, "retries": llm.RETRIES, "chunk": llm.BATCH_LINES[table["kind"]]}
    return defaults | table | {"options": to_builtins(chosen)}


def _check_handler(handler: HandlerConfig, key: str) -> None:
    if handler.kind == "worker" and bool(handler.command) == bool(handler.call):
        what = "both command and call are given" if handler.call else "command or call is missing"
        raise KeyedError(key, f"{what}: a worker needs one of them")
    if handler.call and not re.fullmatch(r"[\w.]+:[\w.]+", handler.call):
        raise KeyedError(f"{key}.call", f"expected module:function, not {handler.call!r}")
    if not handler.modes:
        raise KeyedError(f"{key}.modes", "expected at least one of stream, batch, adaptive")
    for variable in handler.env:
        if not _VARIABLE.fullmatch(variable):
            raise KeyedError(f"{key}.env", f"expected names of variables, not {variable!r}")


def _with_paths(handler: HandlerConfig, folder: Path) -> HandlerConfig:
    """The handler with its relative paths resolved against the folder of the file that names them.

    A worker without `cwd` runs in that folder too, so that it does not matter where a runner was started.
    """
    cwd = handler.cwd or ("" if handler.kind == "shell" else ".")
    return replace(
        handler,
        cwd=_path(cwd, folder) if cwd else "",
        python=_program(handler.python, folder),
        command=tuple(_program(word, folder) if i == 0 else word for i, word in enumerate(handler.command)),
    )


def _program(word: str, folder: Path) -> str:
    """A program's path; a name without a slash is looked up in PATH, and stays."""
    return _path(word, folder) if "/" in word else word


def _path(path: str, folder: Path) -> str:
    return str(folder / Path(path).expanduser())


def _split(text: str, key: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError as problem:
        raise KeyedError(key, f"expected a command line: {problem}".lower()) from None


def _struct(kind: type[Any], value: object, key: str) -> Any:
    """One table as its struct. Raises KeyedError."""
    table = _table(value, key)
    infos = {info.encode_name: info for info in fields(kind)}
    _known(table, list(infos), key)
    found = {name: _field(infos[name], item, f"{key}.{name}") for name, item in table.items()}
    missing = [name for name, info in infos.items() if info.required and name not in found]
    if missing:
        raise KeyedError(key, f"{missing[0]} is missing")
    if kind is Window and found["start"] == found["end"]:
        raise KeyedError(key, "start and end are the same time: leave the window out, or set tariff.factor")
    return kind(**found)


def _field(info: FieldInfo, value: object, key: str, strict: bool = True) -> Any:
    """One value, checked and in its type. Raises KeyedError."""
    if info.name == "window":
        return tuple(_struct(Window, entry, f"{key}[{i}]") for i, entry in enumerate(_list(value, key)))
    if info.name in _DURATIONS and isinstance(value, str):
        value = _duration(value, key)
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
        most = CENTURY if name in _DURATIONS else DEAREST
        if not value >= least:
            raise KeyedError(key, f"expected a number of at least {least}, not {value}")
        if value > most:
            what = "a duration of at most a hundred years" if name in _DURATIONS else f"a number of at most {most:g}"
            raise KeyedError(key, f"expected {what}, not {str(value)[:40]}")
    if name in ("start", "end") and not _TIME.fullmatch(str(value)) and (name, value) != ("end", "24:00"):
        raise KeyedError(key, f"expected a time of day such as 22:00 or 22:00:30, not {value!r}")
    if name == "days" and isinstance(value, tuple):
        for day in value:
            if day.lower() not in DAYS:
                raise KeyedError(key, f"expected {', '.join(DAYS)}, not {day!r}")
    if name == "zone":
        _check_zone(str(value), key)


def _check_zone(zone: str, key: str) -> None:
    if zone == "UTC":  # the default; zoneinfo costs 8 ms to import
        return
    from zoneinfo import ZoneInfo

    try:
        ZoneInfo(zone)
    except (ValueError, OSError, KeyError):
        raise KeyedError(key, f"there is no time zone {zone!r}: expected one such as Europe/Berlin") from None


def _with_environment(config: Config, environ: Mapping[str, str]) -> Config:
    changes: dict[str, dict[str, Any]] = {}
    for (section, name), variable in environment_twins(environ).items():
        info = next(info for info in fields(SECTIONS[section]) if info.name == name)
        try:
            changes.setdefault(section, {})[name] = _field(info, environ[variable], variable, strict=False)
        except KeyedError as mistake:
            raise ConfigError(str(mistake)) from None
    replaced = {section: replace(getattr(config, section), **values) for section, values in changes.items()}
    return replace(config, **replaced) if replaced else config


def _duration(text: str, key: str) -> float:
    try:
        return parse_span(text)
    except UsageError as problem:
        raise KeyedError(key, str(problem)) from None


def _known(table: Mapping[str, object], known: list[str], key: str) -> None:
    for name in table:
        if name not in known:
            where = f"[{key}] has no such key" if key else "there is no such section"
            raise KeyedError(f"{key}.{name}" if key else name, where + nearest(name, known))


def _table(value: object, key: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise KeyedError(key, f"expected a table, [{key}]")
    return value


def _list(value: object, key: str) -> list[Any]:
    if not isinstance(value, list):
        raise KeyedError(key, f"expected tables, [[{key}]]")
    return value
