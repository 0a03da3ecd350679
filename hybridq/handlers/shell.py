"""The handler `shell`: a job is a command, its output is what the command prints.

Arguments are data: no shell sees them unless the job asked for one. Standard input is what was kept with the job, or
empty; the environment is the job's own in whole, standard output and error are told apart. It never interprets what a
command prints.
"""

import asyncio
import base64
import contextlib
import json
import math
import os
import tempfile
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from typing import IO

from ..config.values import HandlerConfig, RunnerConfig
from ..errors import HybridqError
from ..job import Call, Detached, Event, Failure, Lane, Output, Partial, Started
from ..sentences import how_ended
from .ending import CannotStart, stopping, timed_out
from .process import UNBUFFERED, Child, mark, woken

CHUNK_LIMIT = 64  # jobs that one run of the batch lane may hold
SHELL = "/bin/sh"


class Shell:
    """Runs commands: one at a time in the stream lane, `batch_slots` at once and at low priority in the batch lane."""

    shared = False
    chunk_limit = CHUNK_LIMIT

    def __init__(self, name: str, config: HandlerConfig, *, runner: RunnerConfig) -> None:
        self.name = name
        self._timeout = config.time_limit
        self._limit = runner.output_limit
        self._places = _Places(runner.batch_slots or os.cpu_count() or 1)
        self._runs: set[_Commands] = set()

    async def run(self, calls: Sequence[Call], lane: Lane) -> AsyncGenerator[Sequence[Event], None]:
        """Run the commands; see `Handler.run`."""
        low = lane is Lane.BATCH
        run = _Commands(calls, self._places if low else _Places(1), self._limit, self._timeout, low)
        self._runs.add(run)
        try:
            while not run.over:
                if events := run.step():
                    yield events
                else:
                    await run.wait()
        finally:
            self._runs.discard(run)
            await run.stop()

    def resume(self, work: Detached) -> AsyncGenerator[Sequence[Event], None]:
        """Commands are never detached. Raises ValueError."""
        raise ValueError(f"the handler {self.name} never detaches")

    def cancel(self, job: int) -> None:
        """End the job's command, or never start it."""
        for run in self._runs:
            run.cancel(job)

    async def check(self) -> str:
        """See `Handler.check`. Raises HybridqError when there is no shell to run."""
        if not os.access(SHELL, os.X_OK):
            raise HybridqError(f"cannot execute {SHELL}, so `--shell` jobs will fail")
        return "runs commands directly, and `--shell` lines with /bin/sh"

    async def tend(self, now: float) -> float | None:
        """Nothing is kept warm."""
        return None

    async def close(self) -> None:
        """End every command that still runs."""
        for run in self._runs:
            run.end()
        await asyncio.gather(*(run.gone() for run in self._runs))


class _Places:
    """How many commands may run at once, over all runs that share it."""

    def __init__(self, free: int) -> None:
        self._free = free
        self.woken: set[asyncio.Event] = set()  # of the runs that may wait for a place

    def take(self) -> bool:
        """Whether there was a place; it is taken now."""
        if not self._free:
            return False
        self._free -= 1
        return True

    def give(self, places: int = 1) -> None:
        """Give places back and let the others know."""
        self._free += places
        for run in self.woken:
            run.set()


class _Commands:
    """The commands of one `run`: those that wait, those that are alive, and one event that wakes it."""

    def __init__(self, calls: Sequence[Call], places: _Places, limit: int, timeout: float | None, low: bool) -> None:
        self._waiting = deque(calls)
        self._alive: list[_Job] = []
        self._cancelled: list[Failure] = []  # before they began
        self._limit, self._timeout, self._low = limit, timeout, low
        self._woken = asyncio.Event()
        self._ending = False
        self._places = places
        places.woken.add(self._woken)

    @property
    def over(self) -> bool:
        """Nothing runs and nothing waits."""
        return not self._alive and not self._waiting and not self._cancelled

    def step(self) -> list[Event]:
        """Start what may start; return what has happened since the last step."""
        events: list[Event] = [*self._cancelled]
        self._cancelled.clear()
        for job in self._alive:
            job.report(events)
        alive = [job for job in self._alive if not job.over]
        if ended_now := len(self._alive) - len(alive):  # else two runs would wake each other for ever
            self._places.give(ended_now)
        self._alive = alive
        while self._waiting and self._ending:
            events.append(stopping().failure(self._waiting.popleft()))
        while self._waiting and self._places.take():
            self._start(self._waiting.popleft(), events)
        self._woken.clear()
        return events

    async def wait(self) -> None:
        """Until something happened, or the first time limit is reached."""
        until = min((job.until for job in self._alive), default=math.inf)
        await woken(self._woken, until)

    def end(self) -> None:
        """End what runs and give back what waits."""
        self._ending = True
        for job in self._alive:
            job.child.terminate()
        self._woken.set()

    def cancel(self, job: int) -> None:
        """End one command; one that waits is ended before it began."""
        for alive in self._alive:
            if alive.call.id == job:
                alive.child.terminate()
        waiting = [call for call in self._waiting if call.id == job]
        for call in waiting:
            self._waiting.remove(call)
            self._cancelled.append(Failure(call.id, call.attempt, "cancelled", retryable=False))
        self._woken.set()

    async def gone(self) -> None:
        """Until no process is left. Cancelling it kills them."""
        children = [job.child for job in self._alive]
        try:
            while not all(child.ended for child in children):
                self._woken.clear()
                await self._woken.wait()
        except asyncio.CancelledError:
            for child in children:
                child.kill()
            raise

    async def stop(self) -> None:
        """Nobody listens any more: end everything."""
        self._places.woken.discard(self._woken)
        for job in self._alive:
            job.child.out.ignore()
            job.child.err.ignore()
        self.end()
        try:
            await self.gone()
        finally:
            self._places.give(len(self._alive))

    def _start(self, call: Call, events: list[Event]) -> None:
        try:
            job = _Job(call, self._woken.set, self._limit, call.timeout or self._timeout)
        except CannotStart as why:
            events.append(why.failure(call))
            self._places.give()
            return
        if self._low:
            job.child.lower()
        self._alive.append(job)
        events.append(Started(call.id, call.attempt, pid=job.child.pid))


class _Job:
    """One command while it is alive. Times are the event loop's, in seconds."""

    def __init__(self, call: Call, wake: Callable[[], None], limit: int, timeout: float | None) -> None:
        self.call, self._timeout = call, timeout
        env = {**UNBUFFERED, **call.env, "HYBRIDQ_JOB_ID": str(call.id), "HYBRIDQ_ATTEMPT": str(call.attempt), **mark()}
        argv, stdin = argument_list(call.input)
        with _file(stdin) as file:
            self.child = Child(argv, wake, cwd=call.cwd, env=env, stdin=file, limit=limit)
        self.until = math.inf if timeout is None else time.monotonic() + timeout
        self.over = self._late = False

    def report(self, events: list[Event]) -> None:
        """Append what happened since the last report; end the command when its time is up."""
        call, child = self.call, self.child
        over = child.ended  # before the output is taken: what comes with the end belongs before it
        for stream, pipe in ((1, child.out), (2, child.err)):
            if data := pipe.take():
                events.append(Partial(call.id, call.attempt, data, stream))
        if over:
            self.over = True
            events.append(self._result())
        elif time.monotonic() >= self.until:
            self.until = math.inf
            self._late = True
            child.terminate()

    def _result(self) -> Output | Failure:
        call, code = self.call, self.child.returncode or 0
        busy = self.child.ran
        if code == 0 and not self._late:
            return Output(call.id, call.attempt, busy=busy, dropped=self.child.dropped)
        reason = timed_out(self._timeout or 0) if self._late else how_ended(code)
        return Failure(call.id, call.attempt, reason, exit_code=code, busy=busy, dropped=self.child.dropped)


def argument_list(data: bytes) -> tuple[list[str], bytes]:
    """The argument list and the standard input of a job: `{"argv": [...]}`, or `{"shell": "..."}` for /bin/sh, with
    `"stdin": "text"`, or `"stdin64"` for what is no text.

    Read with `json`, which keeps file names that are no UTF-8 (as lone surrogates). Raises CannotStart.
    """
    try:
        asked = json.loads(data)
        stdin = _stdin(asked) if isinstance(asked, dict) else b""
    except (ValueError, RecursionError):
        asked = None
    match asked:
        case {"argv": [str(), *_] as argv} if all(isinstance(word, str) for word in argv):
            words: list[str] = argv
            return words, stdin
        case {"shell": str() as line}:
            return [SHELL, "-c", line], stdin
    raise CannotStart('the input is not a command: expected {"argv": ["CMD", "ARG"]} or {"shell": "CMD"}')


def _stdin(asked: dict[str, object]) -> bytes:
    match asked:
        case {"stdin": str() as text}:
            return text.encode("utf-8", "surrogateescape")
        case {"stdin64": str() as text}:
            return base64.b64decode(text, validate=True)
    return b""


@contextlib.contextmanager
def _file(data: bytes) -> Iterator[IO[bytes] | None]:
    """Standard input as a file that nobody else sees: a command that reads none of it holds up nobody."""
    if not data:
        yield None
        return
    with contextlib.ExitStack() as opened:
        try:
            file = opened.enter_context(tempfile.TemporaryFile())
            file.write(data)
            file.seek(0)
        except OSError as error:
            raise CannotStart(f"cannot store its standard input: {error.strerror}", retryable=True) from None
        yield file
