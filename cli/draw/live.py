"""The live view: draws the queue again when it changes, when the terminal does, and each second.

Rule: at most four frames a second, one where nothing happens, and between frames it sleeps and holds
nothing: no connection, no lock. However it ends, the terminal is as it was before.
"""

import errno
import os
import signal
import time

from rich.console import Console

from .board import LOOK, Board, Desk
from .filter import Filter
from .frame import Frame
from .plain import Said, changes
from .terminal import Bell, Terminal, TerminalWaiter, forget_output, full_screen, keys_of, typing

PACE = 0.25  # seconds between frames, at least, unless keys are typed
PLAIN_PACE = 1.0  # seconds between two readings where lines are printed
PLAIN_ROWS = 1000


def watch(desk: Desk, bell: Bell, console: Console | None = None, *, rings: bool = False) -> int:
    """Show the queue until somebody ends it; returns the exit code. `rings`: the terminal rings when jobs fail.

    0: `q`, or the reader went away; 130: Control-C; 129, 143: hung up or terminated. What the desk raises passes
    through, with the terminal given back.
    """
    console = console or Terminal()
    output = console.file.fileno()
    drawn = console.is_terminal and not console.is_dumb_terminal
    with TerminalWaiter(bell, output, keys_of(console)) as ears:
        try:
            if drawn:
                _draw(Board(desk, bell=rings), bell, console, ears)
            else:
                _tell(desk, bell, console, ears)
        except OSError as error:
            if error.errno not in (errno.EIO, errno.EPIPE):
                raise
            forget_output(output)
        return ears.code or 0


def _draw(board: Board, bell: Bell, console: Console, ears: TerminalWaiter) -> None:
    """Frames on the other screen, until the end; Control-Z gives the terminal back meanwhile."""
    while ears.code is None:
        with full_screen(console, keys_of(console)):
            _frames(board, bell, console, ears)
        _pause(ears)


def _pause(ears: TerminalWaiter) -> None:
    """Stop here if Control-Z was heard, until somebody goes on with it."""
    if ears.suspended:
        ears.suspended = False
        os.kill(os.getpid(), signal.SIGSTOP)


def _frames(board: Board, bell: Bell, console: Console, ears: TerminalWaiter) -> None:
    rung, frame = False, Frame(board)
    while ears.code is None and not ears.suspended:
        if rung:
            bell.clear()
        board.read(console, rung=rung)
        console.update_screen(frame)
        if board.rings():
            console.bell()
        rung = board.work() or _heard(console, ears)
        board.press(ears.take_keys())
        if board.left:
            ears.finish(0)


def _heard(console: Console, ears: TerminalWaiter) -> bool:
    """Wait for the next second, a key, another size or the bell; returns whether that was rung."""
    size = console.size
    ears.wait(PACE, bell=False)
    if ears.code is not None or ears.typed or console.size != size:
        return False
    return ears.wait(1 - time.time() % 1)


def _tell(desk: Desk, bell: Bell, console: Console, ears: TerminalWaiter) -> None:
    """Lines, each time that something has changed, until the end."""
    said: Said = {}
    while ears.code is None:
        with typing(keys_of(console)):
            said = _changes(desk, bell, console, ears, said)
        _pause(ears)


def _changes(desk: Desk, bell: Bell, console: Console, ears: TerminalWaiter, said: Said) -> Said:
    while ears.code is None and not ears.suspended:
        bell.clear()
        told, said = changes(desk.take(PLAIN_ROWS, Filter(), False), said, time.time())
        for text in told:
            console.file.write(f"{text}\n")
        console.file.flush()
        ears.wait(PLAIN_PACE, bell=False)
        if ears.code is None and not ears.suspended:
            ears.wait(LOOK)
        if "q" in ears.take_keys():
            ears.finish(0)
    return said
