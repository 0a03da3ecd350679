"""One flush that runs: what it has yet to claim, and its account.

Rule: what it claims counts for it alone, also where others of its handler run on the same instances; what it claims
ends by its own attempt, or is given back.
"""

import logging
import time
from collections.abc import Sequence

from ..job import Held, Lane
from ..queue import flushes
from ..queue.buckets import counted_in, pages
from ..queue.claims import Claim, claim_batch
from ..queue.lists import by_number
from ..queue.results import book_streamed
from ..seam import reached
from ..when import count
from .call import CallRun
from .engine import Engine

log = logging.getLogger("hybridq.runner.flush")
JUDGED = 32  # cohorts of a flush whose promises are compared with what became of them


class OpenFlush:
    """A flush of `jobs` jobs of these cohorts and classes (`keys`). `given`: what was claimed for it already, and
    nothing else is. `startup` is seconds, `cost` money."""

    def __init__(
        self, engine: Engine, name: str, number: int, keys: list[int], jobs: int, given: list[Claim] | None = None
    ) -> None:
        self.number = number
        self.name = name
        self.claimed = 0
        self.over = False  # nothing more of it may be claimed
        self.given = given
        self._engine = engine
        self._jobs = jobs
        self._began = time.time()
        self._taken = frozenset(keys)
        self._pages = pages(engine.store, keys)
        self._keys: list[int] = []  # the cohorts to claim from next
        self._promised = tuple(key for key in keys if key > 0)[:JUDGED]
        self._calls = 0  # that run
        self._done = self._failed = self._gone = 0
        self._startup = self._cost = 0.0
        engine.flushed.extend(self._promised)

    @property
    def left(self) -> int:
        """Jobs that it has yet to claim, at most."""
        return 0 if self.over else max(0, self._jobs - self.claimed)

    @property
    def ended(self) -> bool:
        """Whether all that it may claim has come to its end."""
        return not self.left and not self._calls

    def next_cohort(self) -> int | None:
        """The cohort that it claims from next; None: there is none."""
        self._look_ahead(1)
        return self._keys[0] if self._keys else None

    def takes(self, held: Sequence[Held]) -> set[int]:
        """The keys of those of these that are of it: what joined one of its classes later is not."""
        classes = {key for key in self._taken if key < 0}
        old = [each.key for each in held if each.since <= self._began]
        unknown = [key for key in old if key > 0 and key not in self._taken] if classes else []
        apart = {key for key, of in counted_in(self._engine.store, unknown).items() if of in classes}
        return {key for key in old if key in self._taken} | apart

    def claim(self, limit: int, slots: int) -> list[Claim]:
        """Claim up to so many jobs: in this step, of `slots` chunks at once."""
        if self.given is not None:
            claims, self.given = self.given, []
            self.claimed += len(claims)
            return claims
        engine, now = self._engine, time.time()
        ahead = max(0, self.claimed - self._done - self._failed - self._gone) // slots
        wanted = min(limit, 2 * engine.step, self.left)
        self._look_ahead(wanted)
        opening = engine.budget.opening(self.name, Lane.BATCH, now)
        taken = claim_batch(
            engine.store,
            engine.runner.id,
            self.number,
            self.name,
            self._keys,
            wanted,
            now,
            room=engine.window.within(opening, self.name, Lane.BATCH, ahead),
            longest=engine.window.longest(now),
            allot=engine.bounds.allot(self.name, now),
        )
        self.claimed += len(taken)
        return taken

    def begin(self) -> None:
        """A call of it begins."""
        self._calls += 1

    def end(self, call: CallRun, gone: int) -> None:
        """A call of it ended, of whose jobs so many have gone to a provider."""
        self._calls -= 1
        self._gone += gone
        self._done += call.done
        self._failed += call.failed
        self._startup += call.startup
        self._cost += call.cost

    def tell(self) -> None:
        """Tell how far it is, to whoever foresees what comes after it."""
        flushes.progress(self._engine.store, self.number, self._done, self._failed)

    def close(self) -> None:
        """Close its account."""
        store = self._engine.store
        reached("ending")
        if not self.claimed:
            flushes.forget_flush(store, self.number)
            return
        flushes.close_flush(store, self.number, self._done, self._failed, self._startup, self._cost, time.time())
        reached("ended")
        book_streamed(store, self._engine.settling.sharing.due(self.name))
        ended = (of.late for of in by_number(store, self._promised))  # but for what was cleaned away meanwhile
        self._engine.learning.learn(self.name, Lane.BATCH, [], [late for late in ended if late is not None])
        ends = (self._done, "done"), (self._failed, "failed"), (self._gone, "handed to the provider")
        told = ", ".join(f"{count(jobs)} {what}" for jobs, what in ends if jobs)
        log.info("flush %d ended: %s", self.number, told or "nothing done")

    def _look_ahead(self, wanted: int) -> None:
        while len(self._keys) < wanted and (page := next(self._pages, None)):
            self._keys += page
