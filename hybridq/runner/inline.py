"""A submit that runs its own job: at once where nobody serves the queue, or when the daemon goes meanwhile.

Rule: it claims one cohort's stream jobs and what these wait for, nothing else, and what it leaves before its end is
given back whole. It never prints; its threads have connections and event loops of their own.
"""

import asyncio
import os
import signal
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from ..config.values import Config
from ..home import Home
from ..job import Mode
from ..queue.cohorts import Cohort, cohort
from ..queue.lists import served
from ..queue.progress import moved_from
from ..queue.rescue import rescue
from ..queue.store import Store
from .daemon import Service
from .engine import Engine
from .forerunners import brought


class InlineRun:
    """Runs one cohort's stream jobs while it is entered; for the main thread. Leaving ends what still runs.

    If the runner breaks, the main thread gets SIGINT out of its sleep, and leaving raises what broke it.
    """

    def __init__(self, home: Home, config: Config, cohort: int) -> None:
        self._of = home, config, cohort
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._begun = threading.Event()
        self._broken: BaseException | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._service: Service | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        self._begun.wait()
        if self._broken is not None:
            raise self._broken
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._loop is not None and self._service is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._end)
        self._thread.join()
        if self._broken is not None:
            raise self._broken from None

    def _end(self) -> None:
        assert self._service is not None  # noqa: S101 - made before `_begun` was set
        self._service.stop()
        self._service.stop()  # the second time: at once

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:
            self._broken = error
            if self._begun.is_set():
                signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
        finally:
            self._begun.set()

    async def _serve(self) -> None:
        home, config, cohort = self._of
        self._loop = asyncio.get_running_loop()
        engine = Engine(home, config, "submit")
        before = brought(engine.store, cohort, time.time())
        only = {cohort, *before}
        self._service = Service(engine, only=only, drain=bool(before), batch=bool(before))
        self._begun.set()
        moving = asyncio.create_task(_follow_moves(engine.store, only)) if before else None
        try:
            await self._service.run()
        finally:
            if moving is not None:
                moving.cancel()


async def _follow_moves(store: Store, only: set[int]) -> None:
    """What is released of these goes on in other cohorts."""
    while True:
        await asyncio.sleep(MOVES)
        only |= moved_from(store, only)


LOOK = 1.0  # seconds
MOVES = 0.1  # seconds between two looks at what moved


class Failover:
    """Runs one cohort's stream jobs while it is entered, as soon as nobody else serves the queue; for the main thread.

    If it cannot, the main thread gets SIGINT out of its sleep, and leaving raises why.
    """

    def __init__(
        self, home: Home, config: Config, cohort: int, begins: Callable[[], None], cannot: Callable[[str], None]
    ) -> None:
        """`begins` is called, in another thread, before it runs anything; `cannot` with the variable that is missing
        for that, once each time that it is left alone."""
        self._home, self._config, self._cohort, self._begins, self._cannot = home, config, cohort, begins, cannot
        self._left = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._own: InlineRun | None = None
        self._broken: BaseException | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._left.set()
        self._thread.join()
        if self._own is not None:
            self._own.__exit__(kind, error, at)
        if self._broken is not None:
            raise self._broken from None

    def _watch(self) -> None:
        try:
            self._look()
        except BaseException as error:
            if not self._left.is_set():
                self._broken = error
                signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    def _look(self) -> None:
        told = False
        while not self._left.wait(LOOK):
            alone, missing = self._alone()
            if alone and missing and not told:
                self._cannot(missing)
            told = alone and bool(missing)
            if alone and not missing:
                self._begins()
                self._own = InlineRun(self._home, self._config, self._cohort).__enter__()
                return

    def _alone(self) -> tuple[bool, str]:
        """Whether nobody else runs the queue, and which variable is missing to run it here."""
        store = Store.open(self._home)
        try:
            rescue(store, time.time())
            return (False, "") if served(store) else (True, self._missing(cohort(store, self._cohort)))
        finally:
            store.close()

    def _missing(self, cohort: Cohort) -> str:
        """The variable that should hold a key and is not set here; "": nothing is missing."""
        from ..config.llm import missing_key

        handler = self._config.handlers.get(cohort.handler)
        if handler is not None and cohort.mode is Mode.ADAPTIVE:
            handler = self._config.handlers.get(handler.draft)
        return "" if handler is None else missing_key(handler, os.environ)
