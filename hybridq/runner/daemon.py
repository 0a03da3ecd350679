"""The daemon: both loops side by side until a signal stops them; housekeeping. `Service` serves drains, too.

Rule: one daemon a queue. The first signal claims nothing more and lets running work end within its
grace time; the second ends it at once. If a loop raises, the whole daemon ends, and its jobs are
queued again.
"""

import asyncio
import logging
import os
import signal
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from typing import TYPE_CHECKING

from ..config.values import Config
from ..errors import HybridqError
from ..handlers.process import OURS
from ..handlers.reaper import adopts, reap
from ..home import Home
from ..pipe.left import hand_in_left
from ..queue.cancel_retry import come_by_now, hasten
from ..queue.cleaning import sweep
from ..queue.dependencies import come, repair
from ..queue.rescue import rescue
from ..queue.runner import sweep_locks
from ..when import how_many
from . import loop
from .batch import BatchLoop
from .engine import Engine
from .load import OwnLoad
from .occurrences import SCHEDULES, OccurrenceLoop, set_right
from .review import Review
from .steps import StepDetector
from .stream import StreamLoop
from .telling import Telling

if TYPE_CHECKING:
    from ..hooks.sender import Sender

log = logging.getLogger("hybridq")
SWEEP_PAUSE = 0.01  # seconds between two chunks that are swept away
INSISTENT = {signal.SIGINT: "a second Control-C", signal.SIGTERM: "a second SIGTERM", signal.SIGHUP: "SIGTERM"}
HANDOVER = 5.0  # seconds that a submit waits for its hooks
AFTER = 0.002  # seconds that the batch loop looks later than the stream loop, so that it is in nobody's way


class Service:
    """Both loops over one engine, or one of them. `only` are the cohorts whose stream jobs it runs, where it does
    not run all; `drain` limits and hastens the batch lane (see `drain`); `recurs`: it makes what schedules hand in."""

    def __init__(
        self,
        engine: Engine,
        *,
        only: Collection[int] | None = None,
        drain: bool = False,
        stream: bool = True,
        batch: bool = True,
        recurs: bool = False,
    ) -> None:
        self.engine = engine
        self._only = only
        self._drain = drain
        self._with_stream = stream
        self._with_batch = batch
        self._recurs = recurs
        self._hooks: Sender | None = None
        self._stop = asyncio.Event()
        self._force = asyncio.Event()

    @property
    def stopping(self) -> bool:
        """Whether it was told to stop."""
        return self._stop.is_set()

    def stop(self, *, insist: bool = True) -> None:
        """Stop gently; a second call that insists stops at once."""
        if not self._stop.is_set():
            self._stop.set()
        elif insist:
            self._force.set()

    async def run(self) -> None:
        """Run until stopped; returns when nothing runs any more. Raises whatever a loop raised."""
        engine = self.engine
        events = asyncio.get_running_loop()
        try:
            async with asyncio.TaskGroup() as tasks:
                self.stream = StreamLoop(engine, tasks, only=self._only)
                self.batch = BatchLoop(engine, tasks, drain=self._drain, only=self._only)
                self.occurrences = OccurrenceLoop(engine)
                events.add_reader(engine.bell.fileno(), self._rung)
                own = [tasks.create_task(self._housekeeping()), tasks.create_task(self._sweeping())]
                own.append(tasks.create_task(self._telling()))
                if self._with_stream:
                    own.append(tasks.create_task(loop.run_loop(self.stream)))
                if self._with_batch:
                    own.append(tasks.create_task(loop.run_loop(self.batch)))
                if self._recurs:
                    own.append(tasks.create_task(loop.run_loop(self.occurrences)))
                await self._stop.wait()
                await self._wind_up()
                for task in (*own, *self.batch.away):
                    task.cancel()
                await self._tell_the_last()
        except Exception as error:
            engine.broken = not isinstance(error, ExceptionGroup) or error.subgroup(_unforeseen) is not None
            raise
        finally:
            events.remove_reader(engine.bell.fileno())
            await engine.close()

    def _rung(self) -> None:
        self.engine.bell.clear()
        self.stream.wake.set()
        asyncio.get_running_loop().call_later(AFTER, self.batch.wake.set)

    def wake(self, name: str) -> None:
        """The instant has come that was named for a handler, or for the schedules."""
        (self.occurrences if name == SCHEDULES else self.batch).wake.set()

    async def _housekeeping(self) -> None:
        engine, review, looked = self.engine, Review(self.engine), False
        telling = Telling(engine)
        load = OwnLoad(engine.runner, time.time())
        steps = StepDetector(time.time(), time.monotonic())
        adopting = adopts()
        while True:
            if adopting:
                reap(OURS)
            engine.check_ground()
            engine.reload()
            with engine.saver.pausing():
                rescued = rescue(engine.store, time.time())
                if rescued:
                    log.warning("queued %s again: the runner died", how_many(rescued))
                    self._rung()
                if left := hand_in_left(engine.outlook):
                    log.warning("queued %s of a pipe that died", how_many(left))
                if back := steps.set_back(time.time(), time.monotonic()):
                    log.warning("the clock went back by %.0f s", back)
                    hasten(engine.store, back, time.time())
                if (back or not looked) and (ahead := come_by_now(engine.store, time.time())):
                    log.warning("%d submissions came while the clock was ahead; they count as submitted now", ahead)
                if self._recurs and (back or not looked):
                    set_right(engine.outlook, time.time())
                if not looked and (wrong := repair(engine.store, time.time())):
                    log.warning("counted anew what %d gates wait for", wrong)
                looked = True
                if come(engine.store, time.time()):
                    self._rung()
                load.look(time.time())
                review.turn(time.time())
                telling.turn(time.time())
                await engine.tend()
            await asyncio.sleep(loop.TICK)

    async def _sweeping(self) -> None:
        """Remove what nobody can see, a little at a time, so that nobody waits for it."""
        while True:
            with self.engine.saver.pausing():
                sweep_locks(self.engine.store)
                for _ in sweep(self.engine.store):
                    await asyncio.sleep(SWEEP_PAUSE)
            await asyncio.sleep(loop.TICK)

    async def _wind_up(self) -> None:
        engine = self.engine
        engine.stopping = True
        self.stream.wake.set()
        self.batch.wake.set()
        self.occurrences.wake.set()
        working: set[asyncio.Task[None]] = {*engine.streaming.values(), *self.batch.flushing.values()}
        if not working:
            return
        log.info(
            "stopping: %d running jobs and flushes have %.0f s to finish", len(working), engine.config.runner.stop_grace
        )
        forced = asyncio.create_task(self._force.wait())
        ended = asyncio.create_task(asyncio.wait(working))
        await asyncio.wait({forced, ended}, timeout=engine.config.runner.stop_grace, return_when="FIRST_COMPLETED")
        forced.cancel()
        for task in working:
            task.cancel()
        await ended

    async def _telling(self) -> None:
        """Tell hooks what happens, once there are any."""
        while not self.engine.config.hooks.heard:
            await asyncio.sleep(loop.TICK)
        await self._sender().run()

    async def _tell_the_last(self) -> None:
        """Tell of what has ended by now; a submit hands over what takes long, and waits for no hook that hangs."""
        self.engine.saver.save()
        if self.engine.config.hooks.heard:
            alone = self.engine.runner.kind == "submit"
            limit = HANDOVER if alone else self.engine.config.runner.stop_grace
            await self._sender().finish(limit, None if alone else self._force)

    def _sender(self) -> "Sender":
        if self._hooks is None:
            from ..hooks.sender import Sender  # a submit that has no hooks does without

            self._hooks = Sender(self.engine.outlook)
        return self._hooks


def _unforeseen(error: Exception) -> bool:
    return not isinstance(error, HybridqError | ExceptionGroup)


def install_signals(service: Service, told: Callable[[signal.Signals], None] = lambda number: None) -> None:
    """SIGTERM and SIGINT stop the service gently, a second one at once; `told` hears of each.

    So does SIGHUP, the terminal that goes away, but never at once: the kernel and the shell both send it. Whoever
    ignores it (`nohup`) stays.
    """
    events = asyncio.get_running_loop()

    def heard(number: signal.Signals) -> None:
        told(number)
        service.stop(insist=number is not signal.SIGHUP)

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        if number is not signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
            with suppress(NotImplementedError, RuntimeError, ValueError):  # not the main thread: nobody signals it
                events.add_signal_handler(number, heard, number)


def run_daemon(home: Home, config: Config, *, ready: Callable[[], None] = lambda: None) -> None:
    """Run the daemon until SIGTERM, SIGINT or SIGHUP. Raises AlreadyRunning when another one holds the queue."""
    asyncio.run(_daemon(home, config, ready))


async def _daemon(home: Home, config: Config, ready: Callable[[], None]) -> None:
    from .wakeups import Wakeups

    engine = Engine(home, config, "daemon")
    service = Service(engine, recurs=True)
    install_signals(service, lambda number: _heard(service, number))
    log.info("daemon pid %d serves %s", os.getpid(), home.folder)
    try:
        ready()
    except BaseException:
        await engine.close()
        raise
    with Wakeups(engine, service.wake):
        await service.run()
    log.info("stopped")


def _heard(service: Service, number: signal.Signals) -> None:
    """Log what this signal does, and what would stop it at once."""
    if service.stopping:
        log.info("%s: %s", number.name, "already stopping" if number is signal.SIGHUP else "stopping at once")
    else:
        log.info("%s: stopping; %s stops at once", number.name, INSISTENT[number])
