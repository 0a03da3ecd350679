"""Whether the handlers can run where they are to: their commands, their clients, their keys. Nothing is started."""

import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from importlib.util import find_spec

from ..config.llm import missing_key
from ..config.values import Config, HandlerConfig
from ..installed import install_command
from ..job import Lane
from ..queue.cohorts import waiting
from ..queue.runner import daemon_of
from ..queue.store import Store
from ..when import how_many
from .finding import Finding, problem, warning, well


def check_handlers(config: Config, store: Store | None, environ: Mapping[str, str]) -> Iterator[Finding]:
    """What the handlers need, in the environment of the daemon where one runs, else in this one."""
    where, theirs = _environment(store, environ)
    yield _commands(config, where, theirs)
    yield _keys(config, where, theirs)
    if store is not None:
        yield _served(config, store)


def _environment(store: Store | None, environ: Mapping[str, str]) -> tuple[str, Mapping[str, str]]:
    """Whose environment it is, in words, and that."""
    import psutil

    found = daemon_of(store) if store is not None else None
    if found is not None:
        try:
            return f"the daemon (pid {found[0]})", psutil.Process(found[0]).environ()
        except (psutil.Error, OSError):
            pass
    return "this shell", environ


def _commands(config: Config, where: str, environ: Mapping[str, str]) -> Finding:
    missing = [
        told for name, handler in config.handlers.items() if (told := _lacks(name, handler, environ.get("PATH")))
    ]
    if missing:
        return problem("commands", f"{where} does not find {'; '.join(missing)}", "then see: hybridq handlers --check")
    return well("commands", f"{where} finds what {how_many(len(config.handlers), 'handler')} {_run(config)}")


def _run(config: Config) -> str:
    return "runs" if len(config.handlers) == 1 else "run"


def _lacks(name: str, handler: HandlerConfig, path: str | None) -> str:
    """What a handler needs and is not there; "": nothing."""
    if handler.traits.llm and find_spec(handler.kind) is None:
        return f"the client of {name}: {install_command(handler.kind)}"
    program = handler.command[0] if handler.command else (handler.python or sys.executable) if handler.call else ""
    if not program:
        return ""
    if "/" in program:
        program = os.path.join(os.path.expanduser(handler.cwd), os.path.expanduser(program))
    return "" if shutil.which(program, path=path) else f"the program of {name}, {program}"


def _keys(config: Config, where: str, environ: Mapping[str, str]) -> Finding:
    missing = {
        name: variable for name, handler in config.handlers.items() if (variable := missing_key(handler, environ))
    }
    if missing:
        told = ", ".join(f"{variable} (for {name})" for name, variable in missing.items())
        advice = "set it there and start the daemon again" if "daemon" in where else "export it before you submit"
        return problem("keys", f"{where} lacks {told}", advice)
    return well("keys", f"{where} has every key that a handler needs")


def _served(config: Config, store: Store) -> Finding:
    lost = sorted({name for lane in Lane for name in waiting(store, lane)} - config.handlers.keys())
    if lost:
        them = "add it to config.toml, or cancel them: hybridq cancel"
        return warning("handlers", f"jobs wait for what config.toml does not name: {', '.join(lost)}", them)
    return well("handlers", "no job waits for a handler that config.toml lacks")
