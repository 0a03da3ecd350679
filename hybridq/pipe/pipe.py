"""A pipe: a runner of its own that answers items as they come, until their end or a signal.

Rule: it signs on before it reads, and signs off when nothing of its journal is left; what it leaves otherwise is found
by whoever looks next (see `left`). It never prints but its results.
"""

import asyncio
import contextlib
import math
import os
import signal
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from msgspec.structs import replace

from ..config.values import Config
from ..errors import ConfigError, HybridqError
from ..handlers.guard import guarded
from ..handlers.process import MARK, inherited
from ..home import Home
from ..job import Request
from ..outlook import Outlook
from ..queue.pipes import Source
from ..queue.rescue import rescue
from ..queue.store import Store
from .asked import Asked, End, News, request_of, sources_of
from .backlog import Block
from .clerk import Clerk
from .flow import Flow
from .intake import Intake
from .journal import Journal, Place
from .left import hand_in_left
from .shedding import Shedding

TELL = 1.0  # seconds between two writings of the figures
HAND_IN = 0.25  # seconds that what is shed is gathered
JOBS = 20_000  # that are handed in at once
SYNC = 0.01  # seconds between two syncs of the journal, or four times as long as one takes
AGAIN = 0.5  # seconds until what the disk refused is tried again


Told = Callable[[News], None]


def run_pipe(home: Home, config: Config, asked: Asked, told: Told) -> End:
    """Run a pipe to its end; `told` hears of it each second. Raises UsageError, ConfigError, AlreadyRunning."""
    with Store.open(home) as store:
        outlook = Outlook(store, config)
        rescue(store, time.time())
        left = hand_in_left(outlook)
        request, sources = request_of(outlook, asked), sources_of(store, asked)
    return asyncio.run(_run(home, config, asked, request, sources, told, left))


async def _run(
    home: Home, config: Config, asked: Asked, request: Request, sources: list[Source], told: Told, left: int
) -> End:
    with ThreadPoolExecutor(1) as thread:
        events = asyncio.get_running_loop()

        async def apart(work: Callable[..., Any], *args: Any) -> Any:
            return await events.run_in_executor(thread, work, *args)

        clerk: Clerk = await apart(
            lambda: Clerk(home, config, request, key=asked.key, form=asked.form, sources=sources)
        )
        pipe = _Pipe(home, config, asked, clerk, apart, sources, told, left)
        ended = False
        try:
            end = await pipe.run()
            ended = True
        finally:
            await apart(lambda: clerk.close(ended=ended or asked.volatile))
        if pipe.journal is not None:
            pipe.journal.remove()
        return end


class _Pipe:
    """One pipe from its first item to its end."""

    def __init__(
        self,
        home: Home,
        config: Config,
        asked: Asked,
        clerk: Clerk,
        apart: Callable[..., Any],
        sources: list[Source],
        told: Told,
        left: int,
    ) -> None:
        self._asked, self._clerk, self._apart, self._told = asked, clerk, apart, told
        self._sources, self._left = sources, left
        self._grace = config.runner.stop_grace
        self._handler = guarded(asked.handler, config.handlers[asked.handler], runner=config.runner)
        if self._handler.broken:
            raise ConfigError(self._handler.broken)
        self.journal = None if asked.volatile else Journal(home, clerk.pipe.id)
        hands = clerk.hands
        self.flow = Flow(
            self._handler,
            form=asked.form,
            ordered=asked.ordered,
            hands=hands,
            shedding=Shedding(asked.within, asked.shed, hands),
            journal=self.journal,
            out=asked.out,
            safe=asked.safe,
        )
        self._stop, self._force = asyncio.Event(), asyncio.Event()
        self._signal = 0
        self._jobs = 0
        self._handing: asyncio.Task[None] | None = None
        self._problem: HybridqError | None = None
        self._closed = ""

    async def run(self) -> End:
        """Run it; returns how it ended."""
        os.environ[MARK] = self._clerk.runner.mark
        with inherited(self._clerk.runner.kin):
            self._listen()
            await self._write()
            beside = [asyncio.create_task(each) for each in (self._telling(), self._shedding(), self._syncing())]
            try:
                await self._answer(beside)
            finally:
                for task in beside:
                    task.cancel()
                await asyncio.gather(*beside, return_exceptions=True)
                await self._handler.close()
        await self._hand_in_rest()
        await self._write()
        self.flow.results.close()
        if self.journal is not None:
            self.journal.close()
        figures = self.flow.counting.told(time.monotonic())
        return End(
            group=self._clerk.pipe.name,
            figures=figures,
            jobs=self._jobs,
            signal=self._signal,
            gone=self.flow.results.gone,
            problem=self._problem,
        )

    async def _answer(self, beside: Sequence[asyncio.Task[None]]) -> None:
        """Read and answer until the end, a signal, or until nobody reads the results any more."""
        reading = asyncio.create_task(self._reading())
        working = asyncio.create_task(self.flow.run())
        stop = asyncio.create_task(self._stop.wait())
        gone = asyncio.create_task(self.flow.results.ended.wait())
        try:
            await asyncio.wait({reading, stop, gone, working, *beside}, return_when="FIRST_COMPLETED")
            for each in (working, *beside):
                if each.done():
                    each.result()  # raises why
            self._problem = await _stopped(reading)
            self.flow.finish()
            if not gone.done():
                force = asyncio.create_task(self._force.wait())
                patience = self._grace if stop.done() else math.inf
                await self._wait({working, force, gone}, stop, patience)
                force.cancel()
            if working.done():
                working.result()
                await self._drained(gone)
        finally:
            for other in (reading, working, stop, gone):
                other.cancel()
            await asyncio.gather(reading, working, stop, gone, return_exceptions=True)

    async def _wait(self, tasks: set[asyncio.Task[Any]], stop: asyncio.Task[Any], patience: float) -> None:
        """Until one of these is done; from a signal on for as long as the grace lasts."""
        if patience == math.inf:
            done, _ = await asyncio.wait({*tasks, stop}, return_when="FIRST_COMPLETED")
            if done & tasks:
                return
        await asyncio.wait(tasks, timeout=self._grace, return_when="FIRST_COMPLETED")

    async def _drained(self, gone: asyncio.Task[Any]) -> None:
        """All lines out."""
        while self.flow.shed and not gone.done():
            await self._hand_in()
        await self._flushed()

    async def _flushed(self, seconds: float | None = None) -> None:
        """Lines went out, or a second signal came, or so many seconds went by."""
        flushed = asyncio.create_task(self.flow.flushed())
        force = asyncio.create_task(self._force.wait())
        await asyncio.wait({flushed, force}, timeout=seconds, return_when="FIRST_COMPLETED")
        for each in (flushed, force):
            each.cancel()

    def _listen(self) -> None:
        events = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if number is not signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
                with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):
                    events.add_signal_handler(number, self._heard, number)

    def _heard(self, number: int) -> None:
        if self._stop.is_set():
            if number != signal.SIGHUP:
                self._force.set()
            return
        self._signal = number
        self._stop.set()

    async def _reading(self) -> None:
        asked = self._asked
        intakes = [
            Intake(
                self.flow,
                asked.form,
                number,
                source.path,
                Place(number, source.inode, source.offset),
                follow=asked.follow,
            )
            for number, source in enumerate(self._sources)
        ]
        if asked.follow:
            await asyncio.gather(*(each.run() for each in intakes))
            return
        for each in intakes:
            await each.run()

    # beside it

    async def _telling(self) -> None:
        while True:
            await self._write()
            await asyncio.sleep(TELL)
            await self._handler.tend(time.monotonic())

    async def _write(self) -> None:
        figures, flow = self.flow.counting.told(time.monotonic()), self.flow
        with contextlib.suppress(HybridqError):  # the disk is full: they are written when there is room
            self._closed = await self._apart(self._clerk.write, figures, self._reached())
            flow.close_live(bool(self._closed))
        news = News(
            group=self._clerk.pipe.name,
            figures=figures,
            failure=flow.last_failure,
            disk=flow.disk,
            left=self._left,
            closed=self._closed,
            stopping=self._stop.is_set(),
        )
        self._told(news)

    def _reached(self) -> list[Source]:
        """Where reading goes on."""
        places = self.flow.places
        return [
            replace(source, inode=place.inode, offset=place.offset) if (place := places.get(number)) else source
            for number, source in enumerate(self._sources)
        ]

    async def _shedding(self) -> None:
        looked = 0.0
        while True:
            pause = self.flow.look() or HAND_IN
            if self.flow.shed and time.monotonic() > looked + HAND_IN:
                await self._hand_in()
                looked = time.monotonic()
            await asyncio.sleep(pause)

    async def _hand_in(self) -> None:
        """Make jobs of what was shed, some at once; goes on to its end if whoever waits for it is cancelled."""
        if self._handing is None or self._handing.done():
            self._handing = asyncio.create_task(self._hand_in_some())
        await asyncio.shield(self._handing)

    async def _hand_in_some(self) -> None:
        blocks: list[Block] = []
        jobs = 0
        if why := self.flow.write_shed():
            self.flow.trouble(why)
            await asyncio.sleep(AGAIN)
        for block in self.flow.to_hand_in:
            blocks.append(block)
            jobs += len(block.items)
            if jobs >= JOBS:
                break
        if not blocks:
            return
        try:
            self._jobs += await self._apart(self._clerk.hand_in, [item for block in blocks for item in block.items])
        except HybridqError as problem:
            self.flow.trouble(str(problem))
            await asyncio.sleep(AGAIN)
            return
        self.flow.trouble("")
        for block in blocks:
            self.flow.handed(block)

    async def _hand_in_rest(self) -> None:
        """Make jobs of whatever has no answer that went out."""
        if self._handing is not None:
            await self._handing
        if self.journal is None and self.flow.results.gone is not None:
            return
        self.flow.shed_all()
        self.flow.shed_unanswered()
        self.flow.write_shed()
        if rest := [item for block in self.flow.shed for item in block.items]:
            self._jobs += await self._apart(self._clerk.hand_in, rest)
        self.flow.give_up()
        await self._flushed(self._grace)

    async def _syncing(self) -> None:
        loop, ack, told = asyncio.get_running_loop(), self._asked.ack, 0
        while self.journal is not None:
            await asyncio.sleep(SYNC)
            if not self.flow.dirty:
                continue
            self.flow.dirty, items = False, self.flow.taken
            size, began = self.flow.counting.so_far.bytes, time.monotonic()
            try:
                await loop.run_in_executor(None, self.journal.sync)
            except OSError as problem:
                self.flow.dirty = True
                self.flow.trouble(problem.strerror or "")
                await asyncio.sleep(AGAIN)
                continue
            if ack is not None and items > told:
                told = items
                await loop.run_in_executor(None, os.write, ack, b"%d %d\n" % (items, size))
            await asyncio.sleep(4 * (time.monotonic() - began))
        await asyncio.Event().wait()


async def _stopped(reading: asyncio.Task[None]) -> HybridqError | None:
    """Read no further; what was wrong with what was read, if anything was."""
    reading.cancel()
    try:
        await reading
    except HybridqError as problem:
        return problem
    except asyncio.CancelledError:
        pass
    return None
