"""A submit that runs its own job: a runner in a thread beside whoever follows, for one cohort alone.

Rule: it claims nothing else, and when it is left before the job has ended, the job is given back to the
queue whole. It never prints; the thread has a connection and an event loop of its own.
"""

import asyncio
import signal
import threading
from types import TracebackType

from .config.values import Config
from .daemon import Service
from .home import Home
from .loops.engine import Engine


class OwnRun:
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

    def __enter__(self) -> "OwnRun":
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
        self._service = Service(Engine(home, config, "submit"), only=(cohort,), batch=False)
        self._begun.set()
        await self._service.run()
