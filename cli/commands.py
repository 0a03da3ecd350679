"""The command line's table of contents: every command, its module and its line of help; imported when called.

A module named here has `app = typer.Typer()` at its top and one function a command, decorated with
`@app.command()` (or `@app.command("name")`), whose docstring's first sentence is the command's line in
`COMMANDS`. Nothing else is needed: rich stays off in help, `-h` works, and each option gets its environment
twin after its longest spelling: of `submit` `HYBRIDQ_<OPTION>` (`--max-cost`: `HYBRIDQ_MAX_COST`), of all others
`HYBRIDQ_<COMMAND>_<OPTION>` (`status --mode`: `HYBRIDQ_STATUS_MODE`), since the same word means another thing there.
Arguments and options are completed by their metavar: SELECTOR, ID, GROUP, SCHEDULE, HANDLER, FILE or FOLDER. A module
whose app has a callback is a command with commands of its own, such as `schedule add`.
"""

import gc
from collections.abc import Sequence
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup, TyperOption

from hybridq import __version__
from hybridq.errors import UsageError

COMMANDS = {
    "submit": ("submit", "Submit one job, or many."),
    "pipe": ("pipe", "Run each line that comes, at once, for as long as lines come."),
    "status": ("status", "Show the queue: what runs, what is held until when, and why."),
    "show": ("status", "Show everything about one job."),
    "explain": ("status", "Explain why a job runs the way it does, with the numbers compared."),
    "output": ("output", "Print a job's output, or the output of every job in a group, in order."),
    "follow": ("output", "Print a job's output as it arrives, and exit with the job's exit code."),
    "wait": ("output", "Wait until jobs finish."),
    "export": ("export", "Export jobs with their inputs, outputs, errors, times and costs."),
    "cancel": ("change", "Cancel jobs that have not finished."),
    "retry": ("change", "Queue failed or cancelled jobs again."),
    "schedule": ("schedule", "Run work again and again: each night, each hour, every 15 minutes."),
    "edit": ("edit", "Change queued jobs: deadline, priority, mode, group, cost limit, waits."),
    "pause": ("pause", "Pause everything, a handler or a group."),
    "resume": ("pause", "Resume what was paused; without a name, all of it."),
    "limit": ("limit", "Limit how many jobs of a handler or a group run at once."),
    "clean": ("clean", "Delete old finished jobs and their results."),
    "daemon": ("run", "Run jobs as they come, until stopped."),
    "drain": ("run", "Run all held jobs now, then exit."),
    "log": ("log", "Show what the daemon has logged."),
    "simulate": ("simulate", "Simulate a workload: hybridq beside streaming or batching everything."),
    "report": ("report", "Report what really ran: cost, savings, waits, promises, failures."),
    "service": ("service", "Keep a daemon running: install, remove or show its service."),
    "metrics": ("metrics", "Print figures of the queue for Prometheus."),
    "doctor": ("doctor", "Check the queue and this machine, and say what to do."),
    "backup": ("backup", "Copy the whole queue into one file, while it works."),
    "restore": ("backup", "Put a queue back from a backup."),
    "handlers": ("configuration", "List the configured handlers."),
    "hooks": ("hooks", "Show who is told when jobs end, and try it."),
    "config": ("configuration", "Show every setting and where it comes from."),
    "completions": ("configuration", "Print a shell completion script."),
    "help": ("help.command", "Explain a topic: handlers, models, settings, exit codes and more."),
    "demo": ("demo", "Watch hybridq work on Python's own library, and see the measured results."),
}
# The headings of the help, each by the command that it stands above.
_HEADINGS = {"submit": "Jobs", "daemon": "Running jobs", "simulate": "Costs and waits"}
_HEADINGS |= {"service": "Looking after it", "handlers": "Setup"}
# Options whose twin is read elsewhere, because it must be told apart from the option.
_OWN_TWIN = frozenset({"--audience", "--version", "--help"})


class LazyGroup(TyperGroup):
    """The commands of `COMMANDS`; no arguments at all mean `status`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse as every group does, with `status` where nothing is asked."""
        return super().parse_args(ctx, args or ["status"])

    def list_commands(self, ctx: Any) -> list[str]:
        """The names, in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> TyperCommand | TyperGroup | None:
        """The command of that name, from its module; None where there is none."""
        return load_command(cmd_name) if cmd_name in COMMANDS else None

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """List the commands in help without importing any."""
        sections: dict[str, list[tuple[str, str]]] = {}
        for name, (_, line) in COMMANDS.items():
            sections.setdefault(_HEADINGS.get(name) or list(sections)[-1], []).append((name, line))
        for heading, rows in sections.items():
            with formatter.section(heading):
                formatter.write_dl(rows)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the command. Of a word that is none, say the whole line that may have been meant."""
        if args[0] not in COMMANDS and not args[0].startswith("-"):
            from .suggestions import meant  # it takes time to import what only a mistake needs

            raise UsageError(meant(args, list(COMMANDS)))
        return super().resolve_command(ctx, args)


app = typer.Typer(
    cls=LazyGroup,
    add_completion=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"hybridq {__version__}")
        raise typer.Exit


@app.callback()
def hybridq(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """One queue for work that is urgent and work that can wait. Without a command, shows the queue."""


def load_command(name: str) -> TyperCommand | TyperGroup:
    """The command of that name, built from its module alone; one with commands of its own has them with it."""
    module = import_module(f".{COMMANDS[name][0]}", __package__)
    gc.freeze()
    gc.enable()
    if module.app.registered_callback is not None:
        return _with_commands(name, typer.main.get_command(module.app))
    alone = typer.Typer(add_completion=False, rich_markup_mode=None)
    alone.registered_commands = [found for found in module.app.registered_commands if _name(found) == name]
    command = typer.main.get_command(alone)
    if not isinstance(command, TyperCommand):
        raise TypeError(f"{name} is no command of {module.__name__}")
    _give_twins(name, command)
    return command


def _with_commands(name: str, group: Any) -> TyperGroup:
    if not isinstance(group, TyperGroup):
        raise TypeError(f"{name} has no commands of its own")
    _give_twins(name, group)
    for own, command in group.commands.items():
        _give_twins(f"{name} {own}", command)
    return group


def within(name: str) -> dict[str, Any]:
    """The commands of a command, by their whole names: `schedule add`; of most there are none."""
    command = load_command(name)
    own = command.commands if isinstance(command, TyperGroup) else {}
    return {f"{name} {word}": each for word, each in own.items()}


def call(args: Sequence[str]) -> None:
    """Run one command line, as `hybridq ARGS` does. Raises what goes wrong, and typer.Exit."""
    command = typer.main.get_command(app)
    with command.make_context("hybridq", list(args)) as context:
        command.invoke(context)


def twin(command: str, option: TyperOption) -> str | None:
    """The environment variable that stands for an option of a command; None where it has none of its own."""
    longest = max(option.opts, key=len)
    if longest in _OWN_TWIN or not longest.startswith("--"):
        return None
    name = longest.removeprefix("--") if command == "submit" else command + longest.removeprefix("-")
    return "HYBRIDQ_" + name.replace("-", "_").replace(" ", "_").upper()


def _give_twins(name: str, command: Any) -> None:
    for option in command.params:
        if isinstance(option, TyperOption) and option.envvar is None:
            option.envvar = twin(name, option)


def _name(info: Any) -> str:
    return str(info.name or info.callback.__name__.replace("_", "-"))
