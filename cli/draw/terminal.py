"""The terminal under a live view: its keys, its signals, its end, and giving it back as it was.

Rule: a signal handler sets a flag and nothing else; whoever waits is woken and looks. The first
Control-C ends gently, the second at once. A terminal or reader that has gone is an end, not an error.
"""

import contextlib
import os
import select
import shutil
import signal
import sys
import termios
import tty
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Protocol, Self

from rich.console import Console

from .keys import Keys

HALF = 0.1  # seconds within which the other half of a key comes
_Handler = Callable[[int, FrameType | None], None]
_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
_GONE = select.POLLHUP | select.POLLERR | select.POLLNVAL


class Bell(Protocol):
    """Whatever is rung when there may be something new, such as `hybridq.queue.doorbell.Doorbell`."""

    def fileno(self) -> int:
        """Readable when it was rung."""
        ...

    def clear(self) -> None:
        """Forget the rings so far."""
        ...


def screen() -> Console:
    """Rich's console for what is printed once, as wide as the terminal is; one that names no kind has no escapes.

    Of a terminal without escapes rich does not ask the size.
    """
    environ = {**os.environ, "TERM": os.environ.get("TERM") or "dumb"}
    size = shutil.get_terminal_size()
    plain = environ["TERM"] in ("dumb", "unknown")
    return Console(width=size.columns if plain else None, height=size.lines if plain else None, _environ=environ)


class Terminal(Console):
    """Rich's console, with the size that the window has now, and with errors that the caller handles."""

    def __init__(self, *, stderr: bool = False, force_terminal: bool | None = None) -> None:
        # An exported COLUMNS would pin the size of a window that people make larger and smaller.
        environ = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "LINES")}
        environ["TERM"] = environ.get("TERM") or "dumb"  # one that names no kind may know no escapes
        super().__init__(stderr=stderr, force_terminal=force_terminal, _environ=environ)

    def on_broken_pipe(self) -> None:
        """Raise the BrokenPipeError that is being handled."""
        raise  # noqa: PLE0704 - rich calls this while it handles one


class TerminalWaiter:
    """Hears the bell, keys, signals and the end of the output, while nothing is to be done.

    A context manager for the main thread: it takes the signals over and gives them back.
    `code` is the exit code once it is to end; `suspended` asks for a pause (Control-Z); `typed` gathers the keys.
    """

    def __init__(self, bell: Bell, output: int, keys: int | None) -> None:
        """`output` is watched for its end; `keys`, if any, is a terminal's descriptor to read keys from."""
        self.code: int | None = None
        self.suspended = False
        self.typed: list[str] = []
        self._bell, self._output, self._keys = bell, output, keys
        self._letters = Keys()

    def __enter__(self) -> Self:
        self._wake, self._woken = os.pipe()
        os.set_blocking(self._wake, False)
        os.set_blocking(self._woken, False)
        self._wakeup = signal.set_wakeup_fd(self._woken, warn_on_full_buffer=False)
        handlers: dict[signal.Signals, _Handler] = dict.fromkeys(_ENDING, self._end)
        if self._keys is not None:
            handlers |= {signal.SIGTSTP: self._pause, signal.SIGWINCH: self._resized}
        # What was ignored stays so: `nohup`, or a background job of a plain shell.
        self._before = {
            number: signal.signal(number, handler)
            for number, handler in handlers.items()
            if signal.getsignal(number) is not signal.SIG_IGN
        }
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._wakeup)
        os.close(self._wake)
        os.close(self._woken)

    def wait(self, seconds: float, *, bell: bool = True) -> bool:
        """Sleep at most so long, less when anything is heard; says whether the bell was rung."""
        poll = select.poll()
        poll.register(self._output, 0)
        poll.register(self._wake, select.POLLIN)
        if self._keys is not None:
            poll.register(self._keys, select.POLLIN)
        if bell:
            poll.register(self._bell.fileno(), select.POLLIN)
        heard = dict(poll.poll(max(0.0, seconds) * 1000))
        if self._wake in heard:
            with contextlib.suppress(BlockingIOError):
                os.read(self._wake, 512)
        if heard.get(self._output, 0) & _GONE:
            self.finish(0)
        elif self._keys is not None and self._keys in heard:
            self._read_keys(self._keys)
        return self._bell.fileno() in heard

    def _read_keys(self, keys: int) -> None:
        typed = os.read(keys, 512)
        if not typed:
            self.finish(0)
            return
        self.typed += self._letters.typed(typed)
        while self._letters.waits:  # an escape, or the beginning of an arrow on a slow line
            more = os.read(keys, 512) if select.select([keys], [], [], HALF)[0] else b""
            self.typed += self._letters.typed(more)

    def take_keys(self) -> list[str]:
        """The keys that were typed since the last call."""
        typed, self.typed = self.typed, []
        return typed

    def finish(self, code: int) -> None:
        """This is to end with that code, unless it is ending already."""
        if self.code is None:
            self.code = code

    def _end(self, number: int, frame: FrameType | None) -> None:
        if self.code is not None:
            raise KeyboardInterrupt
        self.code = 128 + number

    def _pause(self, number: int, frame: FrameType | None) -> None:
        self.suspended = True

    def _resized(self, number: int, frame: FrameType | None) -> None:
        """Nothing: that it came has cut the wait short."""


def keys_of(console: Console) -> int | None:
    """The descriptor to read keys from, where a person can type at this console."""
    return sys.stdin.fileno() if console.is_terminal and sys.stdin and sys.stdin.isatty() else None


@contextlib.contextmanager
def typing(keys: int | None) -> Iterator[None]:
    """Keys that come at once and are not echoed; on leaving all is as it was."""
    before = termios.tcgetattr(keys) if keys is not None else None
    try:
        if keys is not None:
            tty.setcbreak(keys, termios.TCSANOW)
        yield
    finally:
        if keys is not None and before is not None:
            with contextlib.suppress(termios.error):
                termios.tcsetattr(keys, termios.TCSANOW, before)


@contextlib.contextmanager
def full_screen(console: Console, keys: int | None) -> Iterator[None]:
    """The other screen, no cursor, and keys that are not echoed; on leaving all is as it was."""
    with typing(keys), console.screen():
        yield


def forget_output(output: int) -> None:
    """Point an output that has gone at nothing, so that what is still buffered fails nowhere at exit."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, output)
    os.close(nothing)
