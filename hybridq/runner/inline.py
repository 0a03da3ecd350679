"""A submit that runs its own job, because nobody serves the queue.

Rule: it claims one cohort's stream jobs and what these wait for, nothing else, and what it leaves before its end is
given back whole. It never prints; its threads have connections and event loops of their own.
"""

import asyncio
import signal
import threading
import time
from types import TracebackType
from typing import Self

from ..config.values import Config
from ..home import Home
from ..queue.progress import moved_from
from ..queue.store import Store
from .daemon import Service
from .engine import Engine
from .forerunners import brought

MOVES = 0.1  # seconds between two looks at what moved


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

    @property
    def broken(self) -> bool:
        """It runs nothing any more."""
        return self._broken is not None

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
