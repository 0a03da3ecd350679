"""The command line as plain data, for the completion scripts: commands, options, and what may stand where.

Everything is read from the commands themselves, so a script cannot promise what the command refuses.
Making a script imports every command; completing with one does not.
"""

from typing import Any, NamedTuple

from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption

from ..commands import COMMANDS, load_command, within

MADE_BY = "made by `hybridq completions --write FOLDER`"

# What completes a value, by the metavar or name of the option or argument that takes it.
_KINDS = {
    "SELECTOR": "selectors",
    "SELECTORS": "selectors",
    "ID": "ids",
    "JOB": "ids",
    "GROUP": "groups",
    "HANDLER": "handlers",
    "SCHEDULE": "schedules",
    "FILE": "files",
    "PATH": "files",
    "INPUT": "files",
    "FOLDER": "folders",
    "CWD": "folders",
}


class Option(NamedTuple):
    """One option; `kind` is what completes its value: empty for a flag, `nothing` where nothing can."""

    names: tuple[str, ...]
    help: str
    kind: str
    words: tuple[str, ...]  # the values themselves, where `kind` is `words`
    repeats: bool


class Place(NamedTuple):
    """One positional argument, the last of which may repeat."""

    name: str
    kind: str
    words: tuple[str, ...]


class Command(NamedTuple):
    """One command with what follows it; one of another's own is called by both names: `schedule add`."""

    name: str
    help: str
    options: tuple[Option, ...]
    places: tuple[Place, ...]
    repeats: bool  # the last place stands for any number of words
    runs: bool  # what follows `--` is a command to run


def commands() -> list[Command]:
    """Every command of the table, read from its module."""
    found = []
    for name, (_, line) in COMMANDS.items():
        own = within(name)
        found.append(_command(name, line, load_command(name), tuple(each.partition(" ")[2] for each in own)))
        found += [_command(each, (of.help or "").partition("\n")[0], of) for each, of in own.items()]
    return found


def _command(name: str, line: str, command: TyperCommand | TyperGroup, own: tuple[str, ...] = ()) -> Command:
    shown = [param for param in command.params if not getattr(param, "hidden", False)]
    options = [_option(param) for param in shown if isinstance(param, TyperOption)]
    options.append(Option(("-h", "--help"), "Show this message and exit.", "", (), False))
    arguments = [param for param in shown if isinstance(param, TyperArgument)]
    places = tuple(place for argument in arguments for place in _places(argument))
    places += (Place("command", "words", own),) if own else ()
    repeats = any(argument.nargs == -1 for argument in arguments)
    runs = any("-- CMD" in (argument.metavar or "") for argument in arguments)
    return Command(name, line, tuple(options), places, repeats, runs)


def _option(option: TyperOption) -> Option:
    names = (*option.opts, *option.secondary_opts)
    first_line = " ".join((option.help or "").split()).split(". ")[0]
    if option.is_flag or option.count:
        return Option(names, first_line, "", (), False)
    longest = max(option.opts, key=len).removeprefix("--")
    kind, words = _kind(option, [option.metavar or "", longest])
    return Option(names, first_line, kind, words, option.multiple)


def _places(argument: TyperArgument) -> list[Place]:
    """An argument's places: a metavar of several words names several."""
    metavar = (argument.metavar or argument.name or "").replace("[", " ").replace("]", " ").replace("…", " ")
    found = []
    for name in metavar.replace("...", " ").split("|")[0].split():
        kind, words = _kind(argument, [name])
        found.append(Place(name.lower(), kind, words))
    return found


def _kind(param: Any, names: list[str]) -> tuple[str, tuple[str, ...]]:
    if choices := getattr(param.type, "choices", None):
        return "words", tuple(str(choice) for choice in choices)
    for name in names:
        if kind := _KINDS.get(name.upper()):
            return kind, ()
    return ("files" if param.type.name in ("path", "file", "filename") else "nothing"), ()
