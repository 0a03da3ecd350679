"""What every handler is: the only things that the loops know of whatever runs a job.

A handler gets calls and says what becomes of them in events. It never touches the store, never
decides when or in which order anything runs, and never prints.
"""

from collections.abc import AsyncGenerator, Sequence
from typing import Protocol, runtime_checkable

from ..config.resources import Given
from ..job import Call, Detached, Event, Lane


class Seats(Protocol):
    """Where warm instances get the counted resources that they need."""

    def take(self) -> tuple[int, Given] | None:
        """What one more instance has, and which it is; None: there is not enough now."""
        ...

    def give_back(self, which: int) -> None:
        """An instance is gone."""
        ...

    def wanted(self, now: float) -> bool:
        """Whether somebody else waits for what these hold, at an epoch second."""
        ...

    def spare(self, *, idle: bool) -> None:
        """Give back what no instance took, where none is to start."""
        ...


@runtime_checkable
class Seated(Protocol):
    """A handler whose warm instances may need some."""

    seats: Seats | None


class Handler(Protocol):
    """One configured handler, alive inside one runner."""

    chunk_limit: int  # how many calls of a batch one `run` may get
    shared: bool  # both lanes use the same instances: batches come in small chunks, streams go between

    def run(self, calls: Sequence[Call], lane: Lane) -> AsyncGenerator[Sequence[Event], None]:
        """Run these calls and yield their events in bunches, as they happen.

        The stream lane passes one call, or of a pipe, to what is `shared`, several; the batch lane up to
        `chunk_limit`. Each call ends with exactly
        one Output, Failure or Detached; of several Detached with the same `key` in their references the last
        counts, and a Failure after one takes it back. Closing the iterator early (or cancelling the task) ends
        whatever still runs, as a process group, within the handler's grace time.

        A call with `pieces` is a session, which only handlers get whose `session` is set: its input is what these give,
        pulled no faster than it is taken. Partials come meanwhile, the end after the last piece, or before.
        """
        ...

    def resume(self, work: Detached) -> AsyncGenerator[Sequence[Event], None]:
        """Go on with calls that were detached, here or by an earlier runner, until each has ended.

        A further Detached replaces what is kept of this one (the `key` in its reference is the same). With
        `cancel` set in the reference the work is to be ended where it runs and what is finished fetched.
        With `over` set all is stored, and what was left there may be deleted; nothing comes of it.
        Closing the iterator ends nothing there. Handlers that never detach raise ValueError.
        """
        ...

    def cancel(self, job: int) -> None:
        """End this job's call where that can be done without its neighbours; its events still come, or none."""
        ...

    async def check(self) -> str:
        """Try it: a sentence that says how it would run. Raises HybridqError with what is wrong."""
        ...

    async def tend(self, now: float) -> float | None:
        """Housekeeping (idle instances end here). `now` is monotonic; returns when to call again, or None."""
        ...

    async def close(self) -> None:
        """End every process; returns when they are gone."""
        ...
