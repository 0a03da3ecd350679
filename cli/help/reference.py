"""The page `commands`: every command with its arguments and options, made from the command line itself."""

from collections.abc import Iterator

from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption

from ..commands import COMMANDS, load_command, within

AnyCommand = TyperCommand | TyperGroup

_INTRODUCTION = """# Commands

What `hybridq COMMAND --help` prints for each command. You can set an option by its environment variable instead.
"""


def page() -> str:
    """The whole page, as Markdown."""
    return "\n".join([_INTRODUCTION, *(section for name in COMMANDS for section in _sections(name))])


def _sections(name: str) -> Iterator[str]:
    yield _command(name, load_command(name), "##")
    for inner, command in within(name).items():
        yield _command(inner, command, "###")


def _command(name: str, command: AnyCommand, heading: str) -> str:
    arguments = [param for param in command.params if isinstance(param, TyperArgument)]
    usage = " ".join(["hybridq", name, *(_place(argument) for argument in arguments)])
    parts = [f"{heading} hybridq {name}", "", "```text", usage, "", _paragraphs(command), "```", ""]
    options = list(_options(command))
    if options:
        parts += ["| option | variable | what it does |", "|---|---|---|", *options, ""]
    return "\n".join(parts)


def _place(argument: TyperArgument) -> str:
    return argument.metavar or (argument.name or "").upper()


def _paragraphs(command: AnyCommand) -> str:
    """Its help, without the marks that keep lines as they are."""
    lines = [line.strip() for line in (command.help or "").replace("\b", "").strip().splitlines()]
    return "\n".join(line for line, before in zip(lines, ["", *lines], strict=False) if line or before)


def _options(command: AnyCommand) -> Iterator[str]:
    for param in command.params:
        if isinstance(param, TyperOption) and not param.hidden:
            takes = "" if param.is_flag or param.count else f" {_takes(param)}"
            said = (param.help or "").replace("|", "\\|").replace("\n", " ")
            variable = f"`{param.envvar}`" if isinstance(param.envvar, str) else ""
            yield f"| `{', '.join([*param.opts, *param.secondary_opts])}{takes}` | {variable} | {said} |"


def _takes(param: TyperOption) -> str:
    choices = getattr(param.type, "choices", None)
    return (param.metavar or ("\\|".join(map(str, choices)) if choices else param.type.name)).upper()
