"""What becomes of an attempt: done, failed, or tried again after how long (`retry_delay`).

Rule: pure. `settle` decides, `results.record` stores; but for whoever cancels, nothing else ends a job.
"""

from collections.abc import Collection
from typing import Protocol
from zlib import crc32

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from ..job import Failure, Output, State
from ..reason import Reason

FIRST_RETRY = 1.0  # seconds until the second try; doubled with each further one
GIVE_UP = 8  # times that a provider may take a job and leave it unbegun
REPLAYS = 3  # times at least that a session whose worker died is given to another
LAST_RETRY = 300.0  # seconds at most, unless the other side asked for more
LONGEST_BACKOFF = 3600.0  # the same where the first wait was asked for, unless that is longer
JITTER = 0.25  # of that wait, at most, so that those that failed together do not all come back together


class Outcome(Struct, frozen=True, kw_only=True, gc=False):
    """One attempt's end: the state that the job goes to, and what is kept of it.

    `state` is DONE or FAILED, or QUEUED for another try at `ready` (epoch seconds), which is `counted` against the
    retries or not; `unbegun`: against what a provider may leave unbegun. `cost` is money, `streamed` what the job
    would have cost streamed as it came, `busy` the seconds that it kept an instance busy, `first` the epoch
    second of its first byte, `dropped` bytes of output that were not kept, `out` and `err` those that are in the job's
    files. `draft` keeps it as an adaptive job's draft, made `by` another handler: the job goes on in the batch lane.
    `promoted` says why it goes on in the stream lane, where it does.
    """

    id: int
    attempt: int
    cohort: int
    state: State
    at: float
    ready: float = 0.0
    counted: bool = False
    unbegun: bool = False
    value: bytes | None = None
    error: str | None = None
    exit_code: int | None = None
    dropped: int = 0
    out: int | None = None
    err: int | None = None
    cost: float = 0.0
    streamed: float = 0.0
    busy: float = 0.0
    first: float | None = None
    usage: bytes | None = None
    draft: bool = False
    by: str = ""
    promoted: Reason | None = None


class Attempt(Protocol):
    """What `settle` needs of a claim."""

    @property
    def cohort(self) -> int:
        """The job's cohort."""

    @property
    def tries(self) -> int:
        """Failures that counted so far."""

    @property
    def unbegun(self) -> int:
        """Times that a provider took it and never began it."""


def retry_delay(tries: int, backoff: float | None = None, seed: int = 0) -> float:
    """Seconds to wait before the next try, after `tries` counted failures: 1, 2, 4, ... up to 300.

    With `backoff` that many, twice, four times as many, ... up to an hour, and up to a quarter more, by the `seed`.
    """
    times = 2.0 ** min(tries, 64)
    if backoff is None:
        return float(min(LAST_RETRY, FIRST_RETRY * times))
    part = crc32(f"{seed}.{tries}".encode()) / 2**32
    return min(max(LONGEST_BACKOFF, backoff), backoff * times) * (1 + JITTER * part)


def may_help(code: int | None, retry_on: Collection[int]) -> bool:
    """Whether another try was asked for after this exit code; a signal is also meant by what a shell calls it."""
    return not retry_on or code in retry_on or (code is not None and code < 0 and 128 - code in retry_on)


def settle(
    event: Output | Failure,
    claim: Attempt,
    *,
    retries: int,
    now: float,
    backoff: float | None = None,
    retry_on: Collection[int] = (),
    cost: float = 0.0,
    streamed: float = 0.0,
    first: float | None = None,
    draft: bool = False,
) -> Outcome:
    """The outcome of an attempt that ended with `event`, after `claim.tries` counted failures of `retries` allowed.

    `backoff`: as for `retry_delay`; `retry_on`: the exit codes after which it is tried again, any where there are none.
    """
    out, err = event.kept or (None, None)
    if isinstance(event, Output):
        return Outcome(
            id=event.id,
            attempt=event.attempt,
            cohort=claim.cohort,
            at=now,
            state=State.QUEUED if draft else State.DONE,
            value=event.value,
            dropped=event.dropped,
            out=out,
            err=err,
            cost=cost,
            streamed=streamed,
            busy=event.busy,
            first=first,
            usage=_counted(event),
            draft=draft,
        )
    if event.unbegun and claim.unbegun + 1 >= GIVE_UP:
        event = replace(event, gave_back=False, reason=f"{event.reason} ({GIVE_UP} times)")
    helps = event.retryable and may_help(event.exit_code, retry_on)
    replayed = event.replay and claim.tries < max(retries, REPLAYS)
    again = event.gave_back or replayed or (helps and claim.tries < retries)
    delay = 0.0 if event.gave_back else retry_delay(claim.tries, backoff, event.id)
    delay = max(delay, event.retry_after or 0.0)
    return Outcome(
        id=event.id,
        attempt=event.attempt,
        cohort=claim.cohort,
        at=now,
        # A draft that fails leaves the final: the job goes on in the batch lane as if it had been there.
        state=State.QUEUED if again or draft else State.FAILED,
        ready=now + delay if again else 0.0,
        counted=not event.gave_back,
        unbegun=event.unbegun,
        error=_storable(event.reason),
        exit_code=event.exit_code,
        dropped=event.dropped,
        out=out,
        err=err,
        cost=cost,
        streamed=streamed,
        busy=event.busy,
        first=first,
        draft=draft and not replayed,
    )


def _counted(event: Output) -> bytes | None:
    """What was used, and that the answer was cut, as JSON."""
    if not event.cut:
        return None if event.usage is None else msgspec.json.encode(event.usage)
    used = {} if event.usage is None else msgspec.structs.asdict(event.usage)
    return msgspec.json.encode({**used, "cut": event.cut})


def _storable(text: str) -> str:
    """The text as UTF-8 can hold it: half characters, of names that are no UTF-8, become their escapes."""
    return text.encode("utf-8", "backslashreplace").decode()
