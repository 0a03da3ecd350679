"""Following one job: its output as it comes, then how it ended.

Rule: works on the store and the output files alone, so it does not matter which process runs the job,
and whoever follows can go and come back. Yields data; whoever calls prints.
"""

from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from typing import TYPE_CHECKING

from msgspec import Struct

from ..job import ENDED, State
from ..reason import Reason, said
from .cohorts import state_of
from .doorbell import FOLLOWER, Doorbell
from .learned import remarked
from .outputs import Tail
from .paused_work import why_kept
from .rescue import rescue
from .results import Result, result
from .store import Store

if TYPE_CHECKING:
    from hashlib import blake2b

PATIENCE = 1.0  # seconds between two looks when nobody rings
Clock = Callable[[], float]


class OutputPiece(Struct, frozen=True):
    """Bytes of output as they came. `stream` is 1 for standard output, 2 for standard error."""

    stream: int
    data: bytes


class StateChange(Struct, frozen=True):
    """The job is in another state, or at another attempt: what came before is superseded. Or it waits: it is not
    tried again before `ready` (epoch seconds)."""

    state: State
    attempt: int
    ready: float


class Withheld(Struct, frozen=True):
    """It is queued and may not begin: room in a limit, or a key, is lacking; or it runs and does not answer. Told once
    until that is over."""

    reason: Reason


class Shown:
    """Output that was passed on, of any length, to be held against the result: it is not printed twice."""

    def __init__(self) -> None:
        self.bytes, self.end = 0, b""
        self._digest: blake2b | None = None

    def add(self, data: bytes) -> None:
        """This was passed on, too."""
        self.bytes += len(data)
        self.end = data[-1:] or self.end
        self._digest = self._digest or _digest()
        self._digest.update(data)

    def begins(self, data: bytes) -> bool:
        """Whether it is how this begins."""
        if self._digest is None or len(data) < self.bytes:
            return self._digest is None
        return _digest(data[: self.bytes]).digest() == self._digest.digest()


def _digest(data: bytes = b"") -> "blake2b":
    from hashlib import blake2b  # which takes some milliseconds to import: nobody waits for its first byte so long

    return blake2b(data, digest_size=32)


class Draft(Struct, frozen=True):
    """The draft of an adaptive job is there, or failed; the final follows in a batch. `shown`: as of End."""

    result: Result
    shown: Shown


class End(Struct, frozen=True):
    """The job ended; `shown` is the standard output that was yielded for this attempt."""

    state: State
    result: Result | None
    shown: Shown


Followed = OutputPiece | StateChange | Withheld | Draft | End


def follow(
    store: Store, job: int, clock: Clock, *, patience: float = PATIENCE, final: bool = False
) -> Iterator[Followed]:
    """Everything that comes of a job until it ends; of an adaptive one until its draft is there, unless its `final` is
    wanted. Raises NoSuchJob. Between pieces it sleeps on the doorbell."""
    with Doorbell(store.home, FOLLOWER) as bell, closing(steps(store, job, clock, bell, final=final)) as coming:
        for event in coming:
            if event is not None:
                yield event
            elif not bell.wait(patience):
                rescue(store, clock())


def steps(
    store: Store, job: int, clock: Clock, bell: Doorbell, *, final: bool = False
) -> Generator[Followed | None, None, None]:
    """The same without any sleep: None where nothing more is there until the bell is rung. Raises NoSuchJob."""
    tails = _Tails(store, job)
    try:
        seen: tuple[State, int, float] | None = None
        kept, drafted = None, False
        while True:
            bell.clear()
            now = state, attempt, _ = state_of(store, job)
            if now != seen:
                yield from tails.more()  # what is left of the attempt before
                before = tails.attempt, tails.shown
                tails.turn(attempt)
                yield StateChange(*now)
                seen = now
                if not drafted and state not in ENDED and (draft := result(store, job, draft=True)):
                    drafted = True
                    yield from tails.more()
                    here = tails.attempt, tails.shown
                    yield Draft(draft, dict([before, here]).get(draft.attempt, Shown()))
                    if not final:
                        return
            had, kept = kept, _kept(store, job, state)
            if kept is not None and had is None:
                yield Withheld(kept)
            yield from tails.more()
            if state in ENDED:
                yield End(state, result(store, job), tails.shown)
                return
            yield None
    finally:
        tails.close()


def _kept(store: Store, job: int, state: State) -> Reason | None:
    """Why it may not begin, or what is to be said of it while it runs."""
    if state is State.QUEUED:
        return why_kept(store, job)
    if state in ENDED:
        return None
    remark = remarked(store, job)
    return said(remark) if remark else None


class _Tails:
    """Both outputs of the attempt that runs now."""

    def __init__(self, store: Store, job: int) -> None:
        self._home, self._job = store.home, job
        self.attempt = -1
        self._tails: dict[int, Tail] = {}
        self.shown = Shown()

    def turn(self, attempt: int) -> None:
        if attempt == self.attempt:
            return
        self.close()
        self.attempt = attempt
        self._tails = {stream: Tail(self._home, self._job, attempt, stream) for stream in (1, 2)}
        self.shown = Shown()

    def more(self) -> Iterator[OutputPiece]:
        for stream, tail in self._tails.items():
            for data in tail.more():
                yield OutputPiece(stream, data)  # before it is counted: somebody waits for it
                if stream == 1:
                    self.shown.add(data)

    def close(self) -> None:
        for tail in self._tails.values():
            tail.close()
