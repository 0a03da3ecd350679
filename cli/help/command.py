"""`help`: a topic's page, or the list of topics; of a command, what its `--help` says."""

import sys
from typing import Annotated

import typer

from hybridq.errors import UsageError

from ..tell import is_tty

app = typer.Typer()


@app.command("help")
def show_help(
    topic: Annotated[str, typer.Argument(metavar="[TOPIC]", help="A topic, or a command.", show_default=False)] = "",
    schema: Annotated[bool, typer.Option("--schema", help="With json: print its JSON Schema.")] = False,
) -> None:
    """Explain a topic: handlers, models, settings, exit codes and more.

    Without a topic, lists the topics. For a command, prints its --help.
    """
    from ..commands import COMMANDS, call
    from .topics import TOPICS, text

    if schema:
        _print_schema(topic)
        return

    if topic in COMMANDS and topic not in TOPICS:
        call([topic, "--help"])
    elif topic in TOPICS:
        _print(text(topic))
    elif topic:
        from hybridq.config.check import nearest

        raise UsageError(f"no help topic {topic!r}{nearest(topic, [*TOPICS, *COMMANDS], 'topics')}")
    else:
        wide = max(map(len, TOPICS))
        print("Topics for hybridq help TOPIC:\n")
        print("\n".join(f"  {name:{wide}}  {line}" for name, line in TOPICS.items()))
        print("\nhybridq help COMMAND is the same as hybridq COMMAND --help.")


def _print_schema(topic: str) -> None:
    if topic != "json":
        raise UsageError("only one topic has a schema: hybridq help json --schema")
    from ..tell import print_document
    from .schema import schema

    print_document(schema())


def _print(page: str) -> None:
    """Markdown as it is into a pipe; drawn on a terminal."""
    if not is_tty(sys.stdout):
        print(page, end="")
        return
    from rich.console import Console
    from rich.markdown import Markdown

    Console().print(Markdown(page))
