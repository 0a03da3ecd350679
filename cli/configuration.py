"""`handlers`, `config`, `completions`: what is configured, where it comes from, and help for the shell.

They read and try; they never change the queue or the configuration.
"""

import os
import shutil
import sys
import textwrap
from pathlib import Path
from typing import Annotated, Literal

import msgspec
import typer

from hybridq.config.check import DURATIONS
from hybridq.config.origin import Setting, origins
from hybridq.config.read import load_config
from hybridq.config.values import Config, HandlerConfig, RunnerConfig
from hybridq.errors import ConfigError, HybridqError, UsageError
from hybridq.home import Home
from hybridq.outlook import CORES
from hybridq.visible import visible
from hybridq.when import written

from .documents import Configuration, Listed
from .tell import is_tty, print_document

app = typer.Typer()
BELOW = "    "  # before what has no room in its row
LAST = 16  # cells that the last column has at least, unless it is narrower

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command()
def handlers(
    check: Annotated[bool, typer.Option("--check", help="Test each handler.")] = False,
    json: Json = False,
) -> None:
    """List the configured handlers."""
    config = load_config(Home.find(os.environ), os.environ)
    listed = [_listed(name, handler, config.runner) for name, handler in config.handlers.items()]
    if check:
        import asyncio

        listed = asyncio.run(_check_all(listed, config))
    print_document(listed) if json else _print_columns([_columns(entry) for entry in listed])
    failed = [entry.name for entry in listed if entry.ok is False]
    if failed:
        raise ConfigError(f"cannot run as configured: {', '.join(failed)}")


@app.command()
def config(
    path: Annotated[bool, typer.Option("--path", help="Print only the path of config.toml.")] = False,
    json: Json = False,
) -> None:
    """Show every setting and where it comes from."""
    home = Home.find(os.environ)
    if path:
        print(visible(str(home.config_file)))
        return
    settings = origins(load_config(home, os.environ), home, os.environ)
    if json:
        file = str(home.config_file)
        print_document(Configuration(path=file, database=str(home.database), settings=settings))
        return
    absent = "" if home.config_file.exists() else "  (no such file: using defaults)"
    print(visible(f"{home.config_file}{absent}\n"))
    _print_columns([(setting.key, setting.source, _value(setting)) for setting in settings])


@app.command()
def completions(
    shell: Annotated[Literal["bash", "zsh", "fish"] | None, typer.Argument(metavar="SHELL")] = None,
    write: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Write the scripts for all shells to this folder.", file_okay=False),
    ] = None,
) -> None:
    """Print a shell completion script.

    Without a name, uses the shell in $SHELL.

    \b
    bash: hybridq completions bash > ~/.local/share/bash-completion/completions/hybridq
    """
    from .shells import scripts

    if write is not None:
        for written in scripts.write(write):
            print(visible(str(written)))
        return
    name = shell or os.path.basename(os.environ.get("SHELL", ""))
    if name not in ("bash", "zsh", "fish"):
        raise UsageError("name a shell: bash, zsh or fish")
    print(scripts.script(name), end="")


async def _check_all(listed: list[Listed], config: Config) -> list[Listed]:
    return [await _checked(entry, config.handlers[entry.name], config) for entry in listed]


async def _checked(entry: Listed, handler: HandlerConfig, config: Config) -> Listed:
    """The entry with what a try of its handler said."""
    from hybridq.handlers.guard import guarded

    try:
        made = guarded(entry.name, handler, runner=config.runner)
        try:
            says = await made.check()
        finally:
            await made.close()
    except HybridqError as problem:
        return msgspec.structs.replace(entry, ok=False, says=str(problem))
    return msgspec.structs.replace(entry, ok=True, says=says)


def _listed(name: str, handler: HandlerConfig, runner: RunnerConfig) -> Listed:
    runs = " ".join(handler.command) or handler.call or ("any command" if handler.traits.commands else "")
    slots = handler.instances if handler.traits.slots == "instances" else runner.stream_slots or 2 * CORES
    modes = tuple(mode.value for mode in handler.modes)
    return Listed(name, handler.kind, modes, handler.instances, slots, runs)


def _columns(entry: Listed) -> tuple[str, ...]:
    verdict = {True: f"ok: {entry.says}", False: f"failed: {_brief(entry.says)}", None: ""}[entry.ok]
    return entry.name, entry.kind, ", ".join(entry.modes), f"{entry.at_once} at once", entry.runs, verdict


def _brief(says: str) -> str:
    """How it ended, and of its log the last line, which names the exception; `--json` has all of it."""
    first, *log = says.strip().splitlines() or [""]
    return f"{first}: {log[-1].strip()}" if log else first


def _value(setting: Setting) -> str:
    """As one writes it in the file; a duration with its unit."""
    if setting.key.rpartition(".")[2] in DURATIONS and isinstance(setting.value, float):
        return written(setting.value)
    return "none" if setting.value is None else msgspec.json.encode(setting.value).decode()


def _print_columns(rows: list[tuple[str, ...]]) -> None:
    """Print rows with aligned columns, as plain text that other programs can cut.

    On a terminal that is too narrow the last cells are folded in their column; where that has no room, each is below
    its row.
    """
    shown = [[visible(cell) for cell in row] for row in rows]
    widths = [max(len(row[i]) for row in shown) for i in range(len(shown[0]))]
    lines = ["".join(f"{cell:<{width}}  " for cell, width in zip(row[:-1], widths, strict=False)) for row in shown]
    room = shutil.get_terminal_size().columns if is_tty(sys.stdout) else sys.maxsize
    beside = len(lines[0])
    below = beside + min(widths[-1], LAST) > room
    for line, row in zip(lines, shown, strict=True):
        indent = BELOW if below else " " * beside
        told = textwrap.fill(row[-1], max(LAST, room), initial_indent=indent, subsequent_indent=indent)
        head = textwrap.fill(line.rstrip(), room, subsequent_indent=BELOW[2:]) if below else line
        print(f"{head}\n{told}".rstrip() if below else f"{head}{told[beside:]}".rstrip())
