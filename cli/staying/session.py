"""Staying with a session: its input is kept while its output is printed.

Rule: the first Control-C ends the input, so that the session ends as it would have; the second cancels it. What was
kept when this process dies is run by whoever serves the queue.
"""

import contextlib
import signal
import time
from collections.abc import Callable
from types import FrameType
from typing import Self

from hybridq.asking.options import Options
from hybridq.job import Cuts, Lane
from hybridq.outlook import Outlook
from hybridq.queue.cancel_retry import cancel
from hybridq.queue.cohorts import cohort, job
from hybridq.queue.doorbell import RUNNER, VIEWER, ring
from hybridq.queue.kept import measured
from hybridq.queue.runner import daemon_of
from hybridq.when import money

from ..exit_codes import INTERRUPTED, IO
from ..shapes import Events
from ..submitting.session import open_session
from ..tell import leaving, say
from .feeder import Feeder
from .follow import follow_job
from .printer import Printer
from .stay import Stay
from .why_waiting import tell_final


def run_session(outlook: Outlook, handler: str, cuts: Cuts, every: float, group: str | None, *, json: bool) -> int:
    """Run one session from standard input to its end; returns the exit code.

    `every`: seconds within which what comes is one piece. Raises UsageError where the handler takes none.
    """
    accepted, keeping = open_session(outlook, handler, cuts, Options(group=group))
    first = job(outlook.store, accepted.first)
    of = cohort(outlook.store, first.cohort)
    alone = daemon_of(outlook.store) is None
    stay = Session(outlook, accepted, of, first.state, alone, "", follows=True, final=False, json=json)
    return stay.feed(Feeder(0, keeping, every))


class Session(Stay, frozen=True):
    """Stays with the job of a session."""

    def feed(self, feeder: Feeder) -> int:
        """Keep the input and print what comes; returns the exit code."""
        number, store = self.accepted.first, self.outlook.store
        with leaving(self._left), contextlib.ExitStack() as open_:
            runs = self._runs()
            assert runs is not None  # noqa: S101 - a session streams
            signals = open_.enter_context(_Signals(feeder, lambda: runs.broken, self._cancel))
            open_.enter_context(runs)
            feeder.start()
            code = self._followed()
            feeder.stop()
            feeder.join()
            measured(store, self.of.id, feeder.size)
        if feeder.trouble:
            say(f"the input of job {number} ends after {feeder.size:,} bytes: {feeder.trouble}")
        tell_final(self.outlook, self._awaited, str(number), "follow")
        if self._awaited.drafts() != (0, 0):
            self._tell_cost(feeder.size)
        return INTERRUPTED if signals.cancelled else code or (IO if feeder.trouble else 0)

    def _tell_cost(self, size: int) -> None:
        """What the final of an input of so many bytes will cost, where that is known."""
        from hybridq.money.limits import Budget

        usual = Budget(self.outlook).usual(self.of.handler, Lane.BATCH, float(size), time.time())
        if usual is not None:
            say(f"cost of the final, as forecast: {money(usual, self._currency)}")

    def _followed(self) -> int:
        events = Events(self.outlook, self.accepted.first) if self.json else None
        return follow_job(self.outlook.store, self.accepted.first, Printer(raw=False), events, currency=self._currency)

    def _cancel(self) -> None:
        from hybridq.queue.store import Store

        with Store.open(self.outlook.store.home) as store:  # the other connection may be in the middle of something
            cancel(store, [self.accepted.first], time.time())
            ring(store.home, RUNNER)
            ring(store.home, VIEWER)


class _Signals:
    """Control-C while it is entered: the first ends the input, the next cancels."""

    def __init__(self, feeder: Feeder, broken: Callable[[], bool], cancel: Callable[[], None]) -> None:
        self.cancelled = False
        self._feeder, self._broken, self._cancel = feeder, broken, cancel
        self._before = signal.getsignal(signal.SIGINT)

    def __enter__(self) -> Self:
        signal.signal(signal.SIGINT, self._heard)
        return self

    def __exit__(self, *_: object) -> None:
        signal.signal(signal.SIGINT, self._before)

    def _heard(self, number: int, frame: FrameType | None) -> None:
        if self._broken():
            raise KeyboardInterrupt
        if not self._feeder.stopped:
            self._feeder.stop()
            say("the input ends here; the session goes on to its end. Control-C again cancels it")
        elif not self.cancelled:
            self.cancelled = True
            self._cancel()
        else:
            raise KeyboardInterrupt
