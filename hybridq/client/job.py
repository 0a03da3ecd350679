"""One job of a program: followed, awaited, cancelled, by `for` and by `async for` alike."""

import codecs
import time
from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator
from contextlib import aclosing, closing
from typing import Any

import msgspec
from msgspec import Struct

from ..job import State
from ..queue.cancel_retry import cancel
from ..queue.cohorts import state_of
from ..queue.doorbell import FOLLOWER, Doorbell
from ..queue.follow import End, Followed, OutputPiece, steps
from ..queue.outputs import output_path
from ..queue.results import Result
from ..submit import wake
from .connection import Connections
from .hearing import Watch
from .troubles import JobCancelled, JobFailed


class Piece(Struct, frozen=True):
    """Output as it came. `stream` is 1 for standard output, 2 for standard error; another `attempt` than before
    supersedes all that came."""

    text: str
    stream: int
    attempt: int


class Job:
    """A job that is in the queue. `await job` and `job.result()` give its result."""

    def __init__(self, connections: Connections, number: int) -> None:
        self._connections, self._id = connections, number

    def __repr__(self) -> str:
        return f"<Job {self._id}>"

    @property
    def id(self) -> int:
        """Its number, which is never used again."""
        return self._id

    @property
    def state(self) -> str:
        """queued, running, done, failed or cancelled, now. Raises HybridqError where it is gone."""
        return str(state_of(self._connections.get().store, self._id)[0])

    def follow(self, *, timeout: float | None = None) -> "Following":
        """Its output as it comes, until it ends, however it ends: for `for` and `async for`.

        Raises TimeoutError after `timeout` seconds, NoRunner where nothing runs the queue, HybridqError."""
        return Following(self._connections, self._id, timeout)

    def result(self, *, timeout: float | None = None) -> Any:
        """Wait for it: what its JSON says, or the bytes that a command printed.

        Raises JobFailed, JobCancelled, TimeoutError after `timeout` seconds, NoRunner, HybridqError."""
        with closing(self.follow(timeout=timeout).events()) as events:
            return self._value(next(event for event in events if isinstance(event, End)))

    def __await__(self) -> Generator[Any, None, Any]:
        return self._awaited().__await__()

    async def _awaited(self) -> Any:
        async with aclosing(self.follow().arriving()) as events:
            ends = [event async for event in events if isinstance(event, End)]
        return self._value(ends[0])

    def wait(self, *, timeout: float | None = None) -> str:
        """Wait until it has ended, however; returns its state. Raises TimeoutError, NoRunner, HybridqError."""
        with closing(self.follow(timeout=timeout).events()) as events:
            return str(next(event.state for event in events if isinstance(event, End)))

    def cancel(self) -> bool:
        """Cancel it; whether it was queued or running."""
        store = self._connections.get().store
        changed = cancel(store, [self._id], time.time())
        wake(store)
        return changed > 0

    def _value(self, end: End) -> Any:
        found = end.result
        if end.state is State.CANCELLED:
            raise JobCancelled(self._id)
        if end.state is State.FAILED or found is None:
            reason = (found and found.error) or "for no stated reason"
            raise JobFailed(self._id, reason, found.exit_code if found else None)
        return self._printed(found) if found.value is None else msgspec.json.decode(found.value)

    def _printed(self, found: Result) -> bytes:
        try:
            return output_path(self._connections.get().store.home, self._id, found.attempt).read_bytes()
        except FileNotFoundError:
            return b""


class Following:
    """What comes of one job. Each `for` and `async for` begins anew, with all that there is."""

    def __init__(self, connections: Connections, number: int, timeout: float | None) -> None:
        self._connections, self._id, self._timeout = connections, number, timeout

    def __iter__(self) -> Iterator[Piece]:
        pieces = _Pieces()
        with closing(self.events()) as events:
            for event in events:
                yield from pieces.of(event)

    async def __aiter__(self) -> AsyncIterator[Piece]:
        pieces = _Pieces()
        async with aclosing(self.arriving()) as events:
            async for event in events:
                for piece in pieces.of(event):
                    yield piece

    def events(self) -> Generator[Followed, None, None]:
        """Internal: what happens to it, sleeping between."""
        store = self._connections.get().store
        with Doorbell(store.home, FOLLOWER) as bell:
            rests = self._watch().sleeps(bell)
            with closing(steps(store, self._id, time.time, bell, final=True)) as coming:
                for event in coming:
                    if event is not None:
                        yield event
                    else:
                        next(rests)

    async def arriving(self) -> AsyncGenerator[Followed, None]:
        """Internal: the same in a running event loop, which it never holds up."""
        store = self._connections.get().store
        with Doorbell(store.home, FOLLOWER) as bell:
            rests = self._watch().naps(bell)
            with closing(steps(store, self._id, time.time, bell, final=True)) as coming:
                for event in coming:
                    if event is not None:
                        yield event
                    else:
                        await anext(rests)

    def _watch(self) -> Watch:
        return Watch(self._connections.get().store, f"job {self._id}", self._timeout)


class _Pieces:
    """Bytes as text, of which no character is cut in two."""

    def __init__(self) -> None:
        self._attempt = 0
        self._decoders: dict[int, codecs.IncrementalDecoder] = {}

    def of(self, event: Followed) -> Iterator[Piece]:
        if isinstance(event, OutputPiece):
            yield from self._text(event.stream, event.data, False)
            return
        attempt = getattr(event, "attempt", self._attempt)
        if isinstance(event, End) or attempt != self._attempt:
            for stream in (1, 2):
                yield from self._text(stream, b"", True)
            self._attempt, self._decoders = attempt, {}

    def _text(self, stream: int, data: bytes, final: bool) -> Iterator[Piece]:
        decoder = self._decoders.setdefault(stream, codecs.getincrementaldecoder("utf-8")("replace"))
        if text := decoder.decode(data, final):
            yield Piece(text, stream, self._attempt)
