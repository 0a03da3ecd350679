"""Warm workers, shared by both lanes: started on first use, replaced when they died, ended when idle.

A place is free or taken; whoever waits for one gets it in order, the stream lane before the batch lane. A worker
holds its place until it is gone, so there are never more than `size`. The pool knows nothing of what they do.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from ...job import LANES, Lane
from ..ending import stopping


class PooledWorker(Protocol):
    """What the pool knows of a worker, wherever it runs."""

    @property
    def alive(self) -> bool:
        """It can be given work."""
        ...

    async def end(self) -> None:
        """End it; returns when it is gone."""
        ...


W = TypeVar("W", bound=PooledWorker)


class Pool(Generic[W]):
    """Up to `size` workers made by `start`; one without work for `idle` seconds is ended."""

    def __init__(self, start: Callable[[], W | None], *, size: int, idle: float) -> None:
        """`start` gives None where there is not enough for one more: its place waits for that, or for another one."""
        self._start, self._idle = start, idle
        self._places = size
        self._waiting: dict[Lane, deque[asyncio.Future[None]]] = {lane: deque() for lane in LANES}
        self._warm: list[tuple[float, W]] = []  # (since when without work, worker), the latest last
        self._all: set[W] = set()
        self._leaving: set[asyncio.Task[None]] = set()
        self._closed = False
        self._shut = 0  # places for which there was not enough

    async def acquire(self, lane: Lane) -> W:
        """A worker for one chunk: a warm one, else a new one. Raises CannotStart."""
        while True:
            await self._take_place(lane)
            try:
                worker = await self._found()
            except BaseException:
                self._free_place()
                raise
            if worker is not None:
                self._all.add(worker)
                return worker
            self._shut += 1

    async def _found(self) -> W | None:
        """A warm worker, else a new one; None: there is not enough for one."""
        if self._closed:
            raise stopping()
        while self._warm:
            _, worker = self._warm.pop()
            if worker.alive:
                return worker
            await self._end(worker)
        return self._start()

    @property
    def still(self) -> bool:
        """Whether nobody waits for a worker, nor has one just been asked for."""
        return not self._shut and not any(self._waiting.values())

    def release(self, worker: W) -> None:
        """Give back a worker that may serve again."""
        self._warm.append((time.monotonic(), worker))
        self._free_place()

    async def discard(self, worker: W) -> None:
        """End a worker; its place is free when it is gone."""
        try:
            await self._end(worker)
        finally:
            self._free_place()

    def tend(self, now: float, *, give_up: bool = False) -> float | None:
        """Begin to end what has been idle for too long, or, to `give_up` what it holds, whatever is idle. Returns when
        to look again (monotonic), or None."""
        self._open()
        kept = [entry for entry in self._warm if entry[1].alive and now < entry[0] + self._idle and not give_up]
        gone = [entry for entry in self._warm if entry not in kept][: self._places]
        self._warm = [entry for entry in self._warm if entry not in gone]
        for _, worker in gone:
            self._places -= 1
            task = asyncio.get_running_loop().create_task(self.discard(worker))
            self._leaving.add(task)
            task.add_done_callback(self._leaving.discard)
        return min((since + self._idle for since, _ in self._warm), default=None)

    async def close(self) -> None:
        """End every worker, also those at work; nothing starts any more."""
        self._closed = True
        self._warm.clear()
        await asyncio.gather(*map(self._end, tuple(self._all)), *self._leaving)

    def _open(self) -> None:
        """Try again where there was not enough for one more worker."""
        shut, self._shut = self._shut, 0
        for _ in range(shut):
            self._free_place()

    async def _end(self, worker: W) -> None:
        await worker.end()
        self._all.discard(worker)

    async def _take_place(self, lane: Lane) -> None:
        if self._places > 0 and not any(self._waiting.values()):
            self._places -= 1
            return
        place = asyncio.get_running_loop().create_future()
        self._waiting[lane].append(place)
        try:
            await place
        except asyncio.CancelledError:
            if place in self._waiting[lane]:
                self._waiting[lane].remove(place)
            elif not place.cancelled():  # it had just been given to us
                self._free_place()
            raise

    def _free_place(self) -> None:
        for lane in (Lane.STREAM, Lane.BATCH):
            while self._waiting[lane]:
                place = self._waiting[lane].popleft()
                if not place.done():
                    place.set_result(None)
                    return
        self._places += 1
