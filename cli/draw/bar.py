"""Progress on one line, for a bulk `submit` and for `drain`.

Rule: the work never waits for the bar and never fails with it: without a terminal nothing is drawn, and
a terminal that goes away ends the bar alone.
"""

import contextlib
import time
from collections.abc import Callable, Iterator

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, TextColumn

from hybridq.visible import visible_line
from hybridq.when import count

from . import words
from .palette import DONE

PACE = 0.1  # seconds between two drawings, at least
_NAME = 40  # cells


@contextlib.contextmanager
def counting(name: str, total: int | None, console: Console) -> Iterator[Callable[[int], None]]:
    """A bar for things that are read or stored; call what it gives with how many more there are.

    With an unknown total it shows the number and the rate.
    """
    begun, done = time.monotonic(), 0
    with _drawn(name, total, console) as draw:

        def more(number: int) -> None:
            nonlocal done
            done += number
            parts = [count(done) if total is None else f"{count(done)} of {count(total)}"]
            spent = time.monotonic() - begun
            if spent >= 1:  # before that a rate is noise
                parts.append(f"{count(round(done / spent))}/s")
            draw(done, words.SEPARATOR.join(parts))

        yield more


@contextlib.contextmanager
def draining(name: str, total: int, console: Console) -> Iterator[Callable[..., None]]:
    """A bar for `drain`; call what it gives as `(ended, failed, p50, p90)`: jobs, and when all will be done."""
    with _drawn(name, total, console) as draw:

        def tell(ended: int, failed: int = 0, p50: float | None = None, p90: float | None = None) -> None:
            now = time.time()
            parts = [f"{count(ended)} of {count(total)}"]
            if failed:
                parts.append(f"{count(failed)} failed")
            if ended < total:
                parts.append("done unknown" if p50 is None else words.done_by(p50, p90, now))
            draw(ended, words.SEPARATOR.join(parts))

        yield tell


@contextlib.contextmanager
def _drawn(name: str, total: int | None, console: Console) -> Iterator[Callable[[int, str], None]]:
    """Draws at its own pace in the caller's thread: rich's refreshing thread would die with the terminal."""
    shape: list[ProgressColumn] = [TextColumn("{task.description}", markup=False)]
    if total is not None:
        shape.append(BarColumn(24, complete_style=DONE, finished_style=DONE))
    shape.append(TextColumn("{task.fields[told]}", markup=False))
    off = not console.is_terminal or console.is_dumb_terminal
    progress = Progress(*shape, console=console, auto_refresh=False, transient=True, disable=off)
    task = progress.add_task(visible_line(name, _NAME), total=total, told="")
    drawn = 0.0

    def draw(done: int, told: str) -> None:
        nonlocal drawn
        if off or time.monotonic() - drawn < PACE:
            return
        drawn = time.monotonic()
        with contextlib.suppress(OSError):
            progress.update(task, completed=done, told=told, refresh=True)

    with contextlib.suppress(OSError):
        progress.start()
    try:
        yield draw
    finally:
        with contextlib.suppress(OSError):
            progress.stop()
