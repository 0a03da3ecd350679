"""For a submit that somebody stays with beside a daemon: when that has gone, the job runs here after all.

Rule: looks only every second, from the second one on, with a connection of its own; what it runs is given back
when it is left.
"""

import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING

from .config.values import Config
from .home import Home
from .queue.lists import served
from .queue.rescue import rescue
from .queue.store import Store

if TYPE_CHECKING:
    from .own_run import OwnRun

LOOK = 1.0  # seconds


class StandIn:
    """Runs one cohort's stream jobs while it is entered, as soon as nobody else serves the queue."""

    def __init__(self, home: Home, config: Config, cohort: int, begins: Callable[[], None]) -> None:
        """`begins` is called, in another thread, before it runs anything."""
        self._home, self._config, self._cohort, self._begins = home, config, cohort, begins
        self._left = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._own: OwnRun | None = None

    def __enter__(self) -> "StandIn":
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._left.set()
        self._thread.join()
        if self._own is not None:
            self._own.__exit__(kind, error, at)

    def _watch(self) -> None:
        while not self._left.wait(LOOK):
            if self._alone():
                from .own_run import OwnRun  # which is needed only now, and takes its time to load

                self._begins()
                self._own = OwnRun(self._home, self._config, self._cohort).__enter__()
                return

    def _alone(self) -> bool:
        store = Store.open(self._home)
        try:
            rescue(store, time.time())
            return not served(store)
        finally:
            store.close()
