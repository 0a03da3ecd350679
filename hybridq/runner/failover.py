"""A submit that stays with its job beside a daemon, and runs it itself when that goes meanwhile.

Rule: what running takes is imported when it comes to that, which is hardly ever: whoever stays waits for a tenth of a
second less. It never prints; its thread has a connection of its own.
"""

import os
import signal
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Self

from ..config.values import Config
from ..home import Home
from ..job import Mode
from ..queue.cohorts import Cohort, cohort
from ..queue.rescue import rescue
from ..queue.runner import attended
from ..queue.store import Store

if TYPE_CHECKING:
    from .inline import InlineRun

LOOK = 1.0  # seconds


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

    @property
    def broken(self) -> bool:
        """It would run nothing any more."""
        return self._broken is not None or (self._own is not None and self._own.broken)

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
                from .inline import InlineRun

                self._begins()
                self._own = InlineRun(self._home, self._config, self._cohort).__enter__()
                return

    def _alone(self) -> tuple[bool, str]:
        """Whether nobody else runs the queue, and which variable is missing to run it here."""
        store = Store.open(self._home)
        try:
            rescue(store, time.time())
            return (False, "") if attended(store) else (True, self._missing(cohort(store, self._cohort)))
        finally:
            store.close()

    def _missing(self, cohort: Cohort) -> str:
        """The variable that should hold a key and is not set here; "": nothing is missing."""
        from ..config.llm import missing_key

        handler = self._config.handlers.get(cohort.handler)
        if handler is not None and cohort.mode is Mode.ADAPTIVE:
            handler = self._config.handlers.get(handler.draft)
        return "" if handler is None else missing_key(handler, os.environ)
