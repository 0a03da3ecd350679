"""What the commands say: sentences on standard error, one JSON document on standard output, and how they are left.

Rule: a document is valid JSON and harmless for a terminal, whatever it holds; nothing else touches standard output.
"""

import contextlib
import os
import re
import signal
import sys
from collections.abc import Callable, Iterator
from functools import cache
from types import FrameType
from typing import Any, get_args

import msgspec
import typer

from hybridq.reason import Reason
from hybridq.sentences import sentence
from hybridq.visible import visible

from .exit_codes import INTERRUPTED

_ODD = r"[^\x20-\x7e]"


def print_document(value: Any, *, one_line: bool = False) -> None:
    """Print plain data or Structs as JSON, indented by two, or as one line for whoever gathers several of them."""
    print(document(value, one_line=one_line), flush=True)


def document(value: Any, *, one_line: bool = False) -> str:
    """The same as text."""
    text = msgspec.json.format(msgspec.json.encode(value), indent=-1 if one_line else 2).decode()
    return "\n".join(harmless(line) for line in text.split("\n"))


def harmless(line: str) -> str:
    """A line of JSON that means the same, with the escapes of all that a terminal might obey."""
    return re.sub(_ODD, _escape, line)


def spoken(value: Any, now: float, currency: str) -> Any:
    """Plain data in which each reason is its sentence, and `reason_kind` beside `reason` is its kind."""
    if isinstance(value, tuple | list):
        return [spoken(each, now, currency) for each in value]
    if not isinstance(value, msgspec.Struct):
        return value
    told: dict[str, Any] = {}
    reasons = told_as_reasons(type(value))
    for name in value.__struct_fields__:
        field = getattr(value, name)
        if name in reasons:
            told |= {name: field and sentence(field, now, currency), f"{name}_kind": field and field.kind}
        else:
            told[name] = spoken(field, now, currency)
    return told


@cache
def told_as_reasons(kind: type[msgspec.Struct]) -> frozenset[str]:
    """The fields that hold a reason, or may."""
    return frozenset(each.name for each in msgspec.structs.fields(kind) if Reason in (each.type, *get_args(each.type)))


def _escape(found: re.Match[str]) -> str:
    """A letter as it is; anything else as `\\u202e`, beyond the first plane as two."""
    char = found[0]
    if char.isprintable():
        return char
    units = char.encode("utf-16-be")
    return "".join(f"\\u{units[i]:02x}{units[i + 1]:02x}" for i in range(0, len(units), 2))


NARROWEST = 20  # cells
COMMAND = r"(?<=: )hybridq [^;,()]*"  # in a sentence of ours, as in `no job 7: hybridq status`
UNBROKEN = "\xa0"


def say(text: str) -> None:
    """One sentence of this program's own on standard error."""
    put(f"hybridq: {text}")


def put(text: str) -> None:
    """Text on standard error, in one piece. Where nobody can read it, because it is full or closed, all goes on."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        sys.stderr.write(f"{folded(visible(text), sys.stderr)}\n")
        sys.stderr.flush()


def is_tty(file: Any) -> bool:
    """Whether a person reads or types there; standard streams may be missing or closed."""
    return file is not None and not file.closed and file.isatty()


def folded(text: str, file: Any) -> str:
    """The text with its lines broken between words where that is a terminal too narrow for them.

    A command that somebody may want to copy stays in one line where it has room there.
    """
    width = _width(file)
    lines = text.split("\n")
    if not width or max(map(len, lines)) <= width:
        return text
    import textwrap

    def whole(command: re.Match[str]) -> str:
        return command[0].replace(" ", UNBROKEN) if len(command[0]) <= width else command[0]

    fold = textwrap.TextWrapper(width, break_long_words=False, break_on_hyphens=False)
    return "\n".join(fold.fill(re.sub(COMMAND, whole, line)) for line in lines).replace(UNBROKEN, " ")


def columns(otherwise: int) -> int:
    """Cells of a line that goes into a pipe or file: COLUMNS, if that is a width, else at most this many.

    It is fewer where a person sits before a narrower terminal: what goes to `head` is read there.
    """
    said = os.environ.get("COLUMNS", "")
    wide = int(said) if said.isascii() and said.isdecimal() and len(said) < 6 else 0
    return wide if wide >= NARROWEST else min(otherwise, _width(sys.stderr) or otherwise)


def _width(file: Any) -> int:
    """Cells of the terminal that this is; 0: it is none, or does not say how wide it is."""
    wide = os.get_terminal_size(file.fileno()).columns if is_tty(file) else 0
    return wide if wide >= NARROWEST else 0


@contextlib.contextmanager
def leaving(sentence: str | Callable[[], str]) -> Iterator[None]:
    """Control-C in here ends the command with 130 after a sentence, made then; so do SIGTERM and SIGHUP."""

    def told(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    for number, handler in before.items():
        if handler is not signal.SIG_IGN:
            signal.signal(number, told)
    try:
        yield
    except KeyboardInterrupt as left:
        say(str(left) or (sentence if isinstance(sentence, str) else sentence()))
        raise typer.Exit(INTERRUPTED) from None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
