"""Reads `config.toml` and its environment twins into a Config.

Rule: a mistake is named with its key, its place and what was probably meant, in the words of somebody who writes
such a file; nothing is guessed.
"""

import errno
import re
import shlex
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from msgspec import to_builtins
from msgspec.structs import fields, replace

from ..errors import ConfigError, UsageError
from ..files import as_text, read_file
from ..home import Home
from . import kinds
from .check import KeyedError, as_table, check_known, checked, checked_field, nearest
from .rate import parse_rate
from .resources import Resources, needed, resource
from .values import Config, HandlerConfig, HooksConfig, PolicyConfig, RunnerConfig, TariffConfig

Change = Callable[[dict[str, Any]], None]
T = TypeVar("T")
SECTIONS: dict[str, type[msgspec.Struct]] = {
    "policy": PolicyConfig,
    "tariff": TariffConfig,
    "runner": RunnerConfig,
    "hooks": HooksConfig,
}
WORKER_ONLY = frozenset({"command", "call", "python", "protocol", "session", "cwd", "env", "idle", "options"})
SHELL = HandlerConfig(kind="shell")
LARGEST = 16 * 1024 * 1024  # bytes of the file
_VARIABLE = r"[A-Za-z_][A-Za-z0-9_]*"
_NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"


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
        raise ConfigError(f"{path} is a folder, but must be a file") from None
    except OSError as problem:
        if problem.errno not in (errno.EINVAL, errno.EFBIG):
            raise
        raise ConfigError(f"cannot read {path}: {problem.strerror}") from None
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
    check_known(table, [*SECTIONS, "resources", "handlers"], "")
    sections: dict[str, Any] = {}
    for name, kind in SECTIONS.items():
        sections[name] = checked(kind, table[name], name) if name in table else kind()
    listed = as_table(table.get("resources", {}), "resources").items()
    there = {name: _understood(f"resources.{name}", partial(resource, name, value)) for name, value in listed}
    handlers = {"shell": SHELL}
    for name, entry in as_table(table.get("handlers", {}), "handlers").items():
        handlers[name] = _handler(name, entry, folder, there)
    for name, handler in handlers.items():
        if handler.draft and (handler.draft not in handlers or handler.draft == name):
            others = [other for other in handlers if other != name]
            what = f"expected another handler's name, not {handler.draft!r}"
            raise KeyedError(f"handlers.{name}.draft", what + nearest(handler.draft, others))
    return Config(**sections, resources=there, handlers=handlers)


def _understood(key: str, made: Callable[[], T]) -> T:
    """What a value means. Raises KeyedError."""
    try:
        return made()
    except UsageError as problem:
        raise KeyedError(key, str(problem)) from None


def _handler(name: str, entry: object, folder: Path, there: Resources) -> HandlerConfig:
    key = f"handlers.{name}"
    if not re.fullmatch(_NAME, name, re.ASCII):
        raise KeyedError(key, "a handler's name may have letters, digits, . _ and - (64 at most)")
    table = dict(as_table(entry, key))
    if name == "shell":
        table.setdefault("kind", "shell")
    if isinstance(table.get("command"), str):
        table["command"] = _split(table["command"], f"{key}.command")
    if "needs" in table:
        asked = as_table(table["needs"], f"{key}.needs")
        table["needs"] = _understood(f"{key}.needs", lambda: needed(asked, there))
    traits = _traits(str(table.get("kind", HandlerConfig().kind)))
    handler = checked(HandlerConfig, traits.defaults | (_llm(table, key) if traits.llm else table), key)
    _check_handler(handler, key)
    return _with_paths(handler, folder)


def _traits(kind: str) -> kinds.Traits:
    """What a kind is like. Defaults that no table may have are the fault of its plug-in, and of no line of the file."""
    traits = kinds.meet(kind)
    try:
        checked(HandlerConfig, traits.defaults, "defaults")
    except KeyedError as mistake:
        return kinds.disown(kind, str(mistake))
    return traits


def _llm(table: dict[str, Any], key: str) -> dict[str, Any]:
    """A language model's table: its own keys checked and put into `options`."""
    from . import llm

    own, common = [[field.name for field in fields(kind)] for kind in (llm.LlmOptions, HandlerConfig)]
    check_known(table, [*own, *(name for name in common if name not in WORKER_ONLY)], key)
    options = {name: table.pop(name) for name in own if name in table}
    chosen = checked(llm.LlmOptions, options, key)
    if wrong := llm.mistake(chosen):
        raise KeyedError(f"{key}.{wrong[0]}", wrong[1])
    return table | {"options": to_builtins(chosen)}


def _check_handler(handler: HandlerConfig, key: str) -> None:
    if handler.traits.program and bool(handler.command) == bool(handler.call):
        what = "both command and call are set" if handler.call else "command or call is missing"
        raise KeyedError(key, f"{what}: a {handler.kind} needs exactly one")
    if handler.session and not (handler.traits.program and handler.protocol == "jsonl"):
        raise KeyedError(f"{key}.session", 'only a worker with protocol = "jsonl" takes the pieces of a session')
    if handler.call and not re.fullmatch(r"[\w.]+:[\w.]+", handler.call):
        raise KeyedError(f"{key}.call", f"expected module:function, not {handler.call!r}")
    if handler.rate:
        _understood(f"{key}.rate", lambda: parse_rate(handler.rate))
    if handler.needs and handler.traits.remote:
        raise KeyedError(f"{key}.needs", "a provider runs its jobs: they take nothing of this machine")
    if handler.retry_on and not handler.traits.commands:
        raise KeyedError(f"{key}.retry_on", "only commands have exit codes: remove it")
    if not handler.modes:
        raise KeyedError(f"{key}.modes", "expected at least one of stream, batch, adaptive")
    for variable in handler.env:
        if not re.fullmatch(_VARIABLE, variable, re.ASCII):
            raise KeyedError(f"{key}.env", f"expected names of variables, not {variable!r}")


def _with_paths(handler: HandlerConfig, folder: Path) -> HandlerConfig:
    """The handler with its relative paths resolved against the folder of the file that names them.

    A worker without `cwd` runs in that folder too, so that it does not matter where a runner was started.
    """
    cwd = handler.cwd or ("" if handler.traits.commands else ".")
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


def _with_environment(config: Config, environ: Mapping[str, str]) -> Config:
    changes: dict[str, dict[str, Any]] = {}
    for (section, name), variable in environment_twins(environ).items():
        info = next(info for info in fields(SECTIONS[section]) if info.name == name)
        try:
            changes.setdefault(section, {})[name] = checked_field(info, environ[variable], variable, strict=False)
        except KeyedError as mistake:
            raise ConfigError(str(mistake)) from None
    replaced = {section: replace(getattr(config, section), **values) for section, values in changes.items()}
    return replace(config, **replaced) if replaced else config
