"""What became of jobs, on its way into the store: one commit for many that end together.

Rule: results are stored before anything else is claimed. When the disk refuses them they are kept and claiming pauses
until it takes them; nothing is run again in a circle.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Container, Iterator, Sequence

from ..brain.outcome import Outcome
from ..errors import StorageError, TryAgain
from ..home import Home
from ..queue.doorbell import RUNNER, VIEWER, ring
from ..queue.results import record
from ..queue.store import Store, probe_disk
from ..seam import reached
from .unsynced import Unsynced

log = logging.getLogger("hybridq")
GROUP_COMMIT = 0.02  # seconds that a batch's result may wait for others to be stored with it


class Saver:
    """Stores the outcomes of one runner. `step` says how many may go at once."""

    def __init__(self, home: Home, store: Store, step: Callable[[], int]) -> None:
        self.outputs = Unsynced(home)  # which results refer to, and wait for
        self.heard: Container[str] = ()  # the ends that hooks are told of
        self.paused = False  # the disk refused something: nothing is claimed
        self._home, self._store, self._step = home, store, step
        self._unsaved: list[Outcome] = []
        self._live_from = 0.0  # monotonic: before it, streams that end are stored with the next
        self._saving: asyncio.TimerHandle | None = None

    @contextlib.contextmanager
    def pausing(self) -> Iterator[None]:
        """A disk that refuses, or a lock that others hold for long, is no reason to end: claiming pauses until
        `try_again` finds that the queue can be written."""
        try:
            yield
        except (StorageError, TryAgain) as error:
            if not self.paused:
                log.error("cannot write the queue, so no jobs start until that works again: %s", error)
            self.paused = True

    def try_again(self) -> None:
        """Where it was paused: go on if the disk takes something. Raises StorageError if it does not."""
        if self.paused:
            probe_disk(self._store)
            self.paused = False
            log.info("the queue can be written again")
            self.save()

    def finish(self, outcomes: Sequence[Outcome]) -> None:
        """Store these at once."""
        self._unsaved.extend(outcomes)
        self.save()

    def finish_live(self, outcomes: Sequence[Outcome]) -> None:
        """Store these at once; of many streams that end together some wait a moment, so that a slow disk takes no
        more than a quarter of the time in which others' output is to be shown."""
        self._unsaved.extend(outcomes)
        wait = self._live_from - time.monotonic()
        if wait > 0 and not self.paused:
            if self._saving is None:
                self._saving = asyncio.get_running_loop().call_later(min(wait, GROUP_COMMIT), self.save)
            return
        began = time.monotonic()
        self.save()
        self._live_from = time.monotonic() + 3 * (time.monotonic() - began)

    async def finish_soon(self, outcomes: Sequence[Outcome]) -> None:
        """Store these with others that end about now: one commit for many. Others are served while the disk writes."""
        self._unsaved.extend(outcomes)
        if len(self._unsaved) >= self._step() and self.outputs.waiting:
            await asyncio.to_thread(self.outputs.sync)
        while len(self._unsaved) >= self._step() and self._store_some():
            await asyncio.sleep(0)
        if self._unsaved and self._saving is None:
            self._saving = asyncio.get_running_loop().call_later(GROUP_COMMIT, self._save_apart)

    def save(self) -> None:
        """Store all that waits, or as much as the disk takes."""
        if self._saving is not None:
            self._saving.cancel()
            self._saving = None
        while self._unsaved and self._store_some():
            pass

    def _save_apart(self) -> None:
        """As `save`; others are served while the disk writes the outputs that these results refer to."""
        if not self.outputs.waiting:
            self.save()
            return
        loop = asyncio.get_running_loop()
        loop.run_in_executor(None, self.outputs.sync).add_done_callback(lambda _: self.save())

    def _store_some(self) -> bool:
        """Store one transaction's worth; False when the disk refuses."""
        self.outputs.sync()
        part = self.outputs.told(self._unsaved[: self._step()])
        mine = None
        with self.pausing():
            mine = record(self._store, part, self.heard)
        if mine is None:
            return False
        reached("stored")
        del self._unsaved[: len(part)]
        ring(self._home, VIEWER)
        if any(each.draft or each.promoted is not None for each in mine):
            ring(self._home, RUNNER)
        with self.pausing():
            self._store.sync()
        return True
