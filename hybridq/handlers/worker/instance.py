"""One warm worker in a process of its own: lines go in, lines come out, its standard error is its log.

This is all that the pool and the handler know of a worker, so another class with these members may run it
elsewhere. Nothing of its output is kept but one unfinished line and the last lines of its log.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence

from ...sentences import how_ended
from ...visible import visible
from ..process import Child, woken
from .chatter import Chatter
from .lines import BOM, LineReader

TAIL_LINES = 20  # of the log, for the reason of a failure
TAIL_LINE = 500  # characters of each
LOG_LINE = 16 * 1024  # bytes; a longer line of the log is cut
QUIT = 0.5  # seconds between closing a pipe and ending that a worker may take
FIRST_LOOK, LAST_LOOK = 0.001, 0.25  # seconds between two looks at whether a new worker has begun to read


class Instance:
    """A worker process. Raises CannotStart when there is none to run."""

    def __init__(
        self,
        argv: Sequence[str],
        *,
        cwd: str | None,
        env: Mapping[str, str],
        line_limit: int,
        log: Chatter,
    ) -> None:
        self._woken = asyncio.Event()
        self._began = time.monotonic()
        self._child = Child(argv, self._wake, cwd=cwd, env=env, fed=True)
        assert self._child.input is not None  # noqa: S101 - it is fed
        self._input = self._child.input
        self._lines, self._log_lines = LineReader(line_limit), LineReader(LOG_LINE)
        self._tail: deque[str] = deque(maxlen=TAIL_LINES)
        self._log = log
        self._sent = 0
        self._last = False  # nothing is sent after what was sent
        self._spoke = False  # its first line came
        self._quitting = ""  # why we ended it, if we did
        self.startup: float | None = None  # seconds from its start until it read something; None: not yet
        self.served: frozenset[int] = frozenset()  # ids of the chunk before
        self.fresh = True  # it has had no chunk before this one
        self.gone: Callable[[], None] = lambda: None  # hears once that it has ended

    @property
    def alive(self) -> bool:
        """It runs and can be given work."""
        return self._input.open and not (self._child.ended or self._quitting)

    @property
    def over(self) -> bool:
        """It ended."""
        return self._child.ended

    @property
    def returncode(self) -> int | None:
        """Its exit code, negative for a signal; None until it ended."""
        return self._child.returncode

    @property
    def untouched(self) -> bool:
        """It has read nothing of what it was sent, if that can be told."""
        return self._input.unread >= self._sent

    def send(self, data: bytes, *, last: bool) -> None:
        """Write without waiting; `last`: its input is closed afterwards, once it has begun to read."""
        self._sent += len(data)
        self._last = last
        self._input.feed(data)

    async def room(self) -> None:
        """Returns when the pipe has taken all that was sent, or nobody reads it."""
        await self._input.room()

    def hang_up(self) -> None:
        """Close its input: it may finish what it has, and should end then."""
        self._input.end()

    async def receive(self, until: float) -> list[bytes]:
        """The lines that came; nothing when `until` is reached, it began to read, or it ended."""
        while True:
            self._woken.clear()
            over = self._child.ended
            lines = self._lines.push(self._child.out.take())
            if over and (rest := self._lines.rest()):
                lines.append(rest)
            if lines and not self._spoke:
                self._spoke = True
                lines[0] = lines[0].removeprefix(BOM) if lines[0].startswith(BOM) else lines[0]
            began = self.startup is None and self._look(bool(lines))
            if lines or began or self.over or time.monotonic() >= until:
                return lines
            await self._wait(until)

    def last_words(self) -> str:
        """How it ended, and the end of its log."""
        how = self._quitting or how_ended(self._child.returncode or 0)
        return "\n".join([how, *self._tail])

    def stop(self) -> None:
        """Begin to end it."""
        self._child.terminate()

    async def end(self) -> None:
        """End it; returns when it is gone."""
        self._child.out.ignore()
        self._child.terminate()
        try:
            while not self._child.ended:
                self._woken.clear()
                await self._woken.wait()
        except asyncio.CancelledError:
            self._child.kill()
            raise

    def _look(self, spoke: bool) -> bool:
        """Whether a new worker has begun to read (or to speak), so that its start is over."""
        if not spoke and (self.untouched or self._child.ended):
            return False
        self.startup = time.monotonic() - self._began
        if self._last:  # not before: of a closed pipe nobody can tell whether it was read
            self.hang_up()
        return True

    async def _wait(self, until: float) -> None:
        now = time.monotonic()
        if self.startup is None:
            until = min(until, now + min(max(FIRST_LOOK, (now - self._began) / 20), LAST_LOOK))
        await woken(self._woken, until)

    def _wake(self) -> None:
        if data := self._child.err.take():
            self._remember(self._log_lines.push(data))
        if self._child.ended and (rest := self._log_lines.rest()):
            self._remember([rest])
        elif not self._child.ended and (self._child.out.ended or self._input.refused):
            asyncio.get_running_loop().call_later(QUIT, self._quit)
        self._woken.set()
        if self._child.ended:
            gone, self.gone = self.gone, lambda: None
            gone()

    def _quit(self) -> None:
        """End it if it closed a pipe that it needed, and did so without ending."""
        if self._child.ended:
            return
        if self._child.out.ended:
            self._quitting = "it closed its output"
        elif self._input.unread:
            self._quitting = "it closed its input"
        if self._quitting:
            self._child.terminate()

    def _remember(self, lines: Sequence[bytes]) -> None:
        """Keep and log the last of these lines: a flood costs no more than its end."""
        kept = [visible(line.decode("utf-8", "replace"))[:TAIL_LINE] for line in lines[-TAIL_LINES:]]
        self._tail.extend(kept)
        self._log.tell(kept, len(lines) - len(kept))
