"""`status --watch`: the live view over the queue, read again only where something can have changed.

Rule: every ring is answered with the store's own change counter first, because a stream job rings at each
piece of its output, which no row shows. A runner that died changes nothing and rings nowhere, so it is asked for.
"""

import time
from collections.abc import Callable

from hybridq.queue.doorbell import VIEWER, Doorbell
from hybridq.queue.runner import dead
from hybridq.queue.store import Store
from hybridq.status.snapshot import Snapshot

from .views.live import STALE, watch

Look = Callable[[int], Snapshot]


def watch_queue(store: Store, look: Look, limit: int) -> int:
    """Show the queue until somebody ends it; returns the exit code. `limit` is the rows at most."""
    with Doorbell(store.home, VIEWER) as bell:
        return watch(Unchanged(store, look, limit), bell)


class Unchanged:
    """`look`, but the last snapshot again while nobody has written, no runner has died and it is not yet stale."""

    def __init__(self, store: Store, look: Look, limit: int) -> None:
        self._store = store
        self._look = look
        self._limit = limit
        self._last: tuple[int, int, float, Snapshot] | None = None

    def __call__(self, rows: int) -> Snapshot:
        """A snapshot with at most so many rows."""
        rows, change = min(rows, self._limit), self._store.changes()
        if self._last is not None:
            known_rows, known_change, taken, snapshot = self._last
            if (
                (rows, change) == (known_rows, known_change)
                and time.monotonic() - taken < STALE
                and not dead(self._store)
            ):
                return snapshot
        snapshot = self._look(rows)
        self._last = rows, change, time.monotonic(), snapshot
        return snapshot
