"""The live view: draws the queue again when it changes, when the terminal does, and each second.

Rule: at most four frames a second, one where nothing happens, and between frames it sleeps and holds
nothing: no connection, no lock. However it ends, the terminal is as it was before.
"""

import errno
import os
import signal
import time
from collections.abc import Callable

from rich.console import Console

from hybridq.status.snapshot import Snapshot

from .plain import Said, changes
from .queue import QueueView, rows_that_fit
from .terminal import Bell, Terminal, TerminalWaiter, forget_output, full_screen, keys_of, typing

PACE = 0.25  # seconds between frames, at least
STALE = 5.0  # seconds after which the queue is read again unasked: load, tariff, a lost ring
LOOK = 0.9  # seconds after which `take` is asked again; it may give what it gave before until that is stale
PLAIN_PACE = 1.0  # seconds between two readings where lines are printed
PLAIN_ROWS = 1000

Take = Callable[[int], Snapshot]


def watch(take: Take, bell: Bell, console: Console | None = None) -> int:
    """Show the queue until somebody ends it; returns the exit code.

    `take(rows)` reads a snapshot with that many rows. 0: `q`, or the reader went away; 130: Control-C;
    129, 143: hung up or terminated. What `take` raises passes through, with the terminal given back.
    """
    console = console or Terminal()
    output = console.file.fileno()
    drawn = console.is_terminal and not console.is_dumb_terminal
    with TerminalWaiter(bell, output, keys_of(console)) as ears:
        try:
            if drawn:
                _draw(take, bell, console, ears)
            else:
                _tell(take, bell, console, ears)
        except OSError as error:
            if error.errno not in (errno.EIO, errno.EPIPE):
                raise
            forget_output(output)
        return ears.code or 0


def _draw(take: Take, bell: Bell, console: Console, ears: TerminalWaiter) -> None:
    """Frames on the other screen, until the end; Control-Z gives the terminal back meanwhile."""
    while ears.code is None:
        with full_screen(console, keys_of(console)):
            _frames(take, bell, console, ears)
        _pause(ears)


def _pause(ears: TerminalWaiter) -> None:
    """Stop here if Control-Z was heard, until somebody goes on with it."""
    if ears.suspended:
        ears.suspended = False
        os.kill(os.getpid(), signal.SIGSTOP)


def _frames(take: Take, bell: Bell, console: Console, ears: TerminalWaiter) -> None:
    snapshot, taken, fits, rung = None, 0.0, 0, True
    while ears.code is None and not ears.suspended:
        rows = rows_that_fit(console.size.height)
        if snapshot is None or rung or rows != fits or time.monotonic() - taken >= LOOK:
            bell.clear()
            snapshot, taken, fits = take(rows), time.monotonic(), rows
        console.update_screen(QueueView(snapshot, time.time(), fitted=True))
        size = console.size
        ears.wait(PACE, bell=False)
        rung = False
        if ears.code is None and console.size == size:
            rung = ears.wait(1 - time.time() % 1)


def _tell(take: Take, bell: Bell, console: Console, ears: TerminalWaiter) -> None:
    """Lines, each time that something has changed, until the end."""
    said: Said = {}
    while ears.code is None:
        with typing(keys_of(console)):
            said = _changes(take, bell, console, ears, said)
        _pause(ears)


def _changes(take: Take, bell: Bell, console: Console, ears: TerminalWaiter, said: Said) -> Said:
    while ears.code is None and not ears.suspended:
        bell.clear()
        told, said = changes(take(PLAIN_ROWS), said, time.time())
        for text in told:
            console.file.write(f"{text}\n")
        console.file.flush()
        ears.wait(PLAIN_PACE, bell=False)
        if ears.code is None and not ears.suspended:
            ears.wait(LOOK)
    return said
