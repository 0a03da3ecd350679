"""The clerk: whatever a pipe writes into the queue, in a thread of its own, so that no item waits for it.

Rule: one connection, used by this thread alone. What is handed in as jobs is counted as such in the same transaction.
"""

import time
from collections.abc import Sequence

from ..config.values import Config, HandlerConfig
from ..errors import BadData
from ..home import Home
from ..job import Lane, Request
from ..money.limits import Budget
from ..outlook import Outlook
from ..queue.bulk import Bulk
from ..queue.doorbell import RUNNER, VIEWER, ring
from ..queue.pauses import pauses
from ..queue.pipes import Figures, Pipe, Source, end_pipe, hand_over, open_pipe, request_of, write_figures
from ..queue.runner import Runner
from ..queue.store import Store, probe_disk
from ..submit import deciding
from .item import Form, encoded


class Clerk:
    """The queue as one pipe writes it."""

    def __init__(
        self, home: Home, config: Config, request: Request, *, key: str | None, form: Form, sources: list[Source]
    ) -> None:
        self.store = Store.open(home)
        self.outlook = Outlook(self.store, config)
        self.runner = Runner(self.store, "pipe")
        self.pipe: Pipe = open_pipe(
            self.store,
            name=request.group or "",
            key=key,
            runner=self.runner.id,
            form=form,
            request=request,
            sources=sources,
            now=time.time(),
        )
        self.request = request_of(self.store, self.pipe.id)
        self.hands = self.outlook.slots(request.handler, Lane.STREAM)  # calls at once
        self._busy, self._done = 0.0, 0

    def hand_in(self, items: Sequence[bytes]) -> int:
        """Make jobs of these; returns how many. Raises StorageError, TryAgain."""
        return hand_in(self.outlook, self.pipe, self.request, items)

    def write(self, figures: Figures, sources: list[Source]) -> str:
        """Write the figures, and book what their workers have cost since the last time; why nothing may be answered
        live now, "": it may."""
        handler, now = self.outlook.handler(self.pipe.handler), time.time()
        ended = figures.answered + figures.failed
        cost = self._cost(handler, figures.busy - self._busy, ended - self._done, now)
        write_figures(self.store, self.pipe.id, figures, cost, now, sources)
        self._busy, self._done = figures.busy, ended
        ring(self.store.home, VIEWER)
        if pauses(self.store, now).of(self.pipe.handler, self.pipe.name) is not None:
            return "it is paused"
        left = Budget(self.outlook).left_today(self.pipe.handler, 0.0, now)
        return "" if left is None or left[0] > 0 else "the daily budget is spent"

    def probe(self) -> None:
        """Raise StorageError while the disk refuses."""
        probe_disk(self.store)

    def close(self, *, ended: bool) -> None:
        """Sign off; `ended`: nothing of it is left."""
        if ended:
            end_pipe(self.store, self.pipe.id, time.time())
        self.runner.close(self.store)
        ring(self.store.home, VIEWER)
        self.store.checkpoint()
        self.store.close()

    def _cost(self, handler: HandlerConfig, busy: float, ended: int, now: float) -> float:
        factor = self.outlook.tariff_of(self.pipe.handler).factor(now)
        if handler.price is not None:
            return handler.price * ended * factor
        return 0.0 if handler.traits.remote else busy * self.outlook.config.policy.machine_cost / 3600 * factor


def hand_in(
    outlook: Outlook, pipe: Pipe, request: Request, items: Sequence[bytes], *, ends: float | None = None, left: int = 0
) -> int:
    """Make jobs of a pipe's items in one transaction, with its own progress; `ends`: it ended then, and `left` of them
    were not shed before. Returns how many became jobs: what cannot be an input is left out. Raises StorageError,
    TryAgain."""
    form, store = Form(pipe.form), outlook.store
    with Bulk(store, refused=_leave_out) as bulk:
        jobs = 0
        for item in items:
            if isinstance(data := encoded(form, item), bytes):
                bulk.add(request, data)
                jobs += 1
        now = time.time()
        decide = deciding(outlook, now)
        with store.tx():
            if ends is not None and not end_pipe(store, pipe.id, ends, left=left):
                return 0  # somebody else was faster
            if jobs:
                bulk.accept(decide, now=now)
            hand_over(store, pipe.id, len(items))
    ring(store.home, RUNNER)
    ring(store.home, VIEWER)
    return jobs


def _leave_out(problem: BadData) -> None:
    """An item that no job can have: it failed."""
