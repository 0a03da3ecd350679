"""What the commands say beside their results: sentences on standard error, and how a command is left.

Rule: standard output is never touched here.
"""

import contextlib
import os
import signal
import sys
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

import typer

from hybridq.visible import visible

from .errors import INTERRUPTED

NARROWEST = 20  # cells


def say(text: str) -> None:
    """One line on standard error. Where nobody can read it, because it is full or closed, the command goes on."""
    with contextlib.suppress(OSError, ValueError):
        print(visible(f"hybridq: {text}"), file=sys.stderr, flush=True)


def is_tty(file: Any) -> bool:
    """Whether a person reads or types there; standard streams may be missing or closed."""
    return file is not None and not file.closed and file.isatty()


def columns(otherwise: int) -> int:
    """Cells of a line where no terminal says how wide it is: COLUMNS, if that is a width, else this many."""
    said = os.environ.get("COLUMNS", "")
    wide = int(said) if said.isascii() and said.isdecimal() and len(said) < 6 else 0
    return wide if wide >= NARROWEST else otherwise


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
    except KeyboardInterrupt:
        say(sentence if isinstance(sentence, str) else sentence())
        raise typer.Exit(INTERRUPTED) from None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
