"""The plain data of the product: what a job is, how it was decided, what a handler says of it.

Everything here is frozen and free of behaviour; brain, store, handlers and loops speak in these words.
Times are seconds since the epoch (UTC), durations are seconds, money is in the user's own unit.
"""

from collections.abc import AsyncGenerator, Callable, Sequence
from enum import StrEnum
from typing import Any, Literal

from msgspec import Struct
from msgspec.structs import replace

from .reason import Reason


class State(StrEnum):
    """Where a job stands."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


DEAREST = 1e12  # money; nothing that a job is said to cost is more, so that sums stay numbers
ENDED = (State.DONE, State.FAILED, State.CANCELLED)


class Lane(StrEnum):
    """Which of the two loops owns a job now."""

    STREAM = "stream"
    BATCH = "batch"
    NONE = "none"  # neither yet: it waits for other jobs, or for its time


LANES = (Lane.STREAM, Lane.BATCH)  # those that have a loop


class Mode(StrEnum):
    """How a job is run."""

    STREAM = "stream"
    BATCH = "batch"
    ADAPTIVE = "adaptive"


class Audience(StrEnum):
    """Who waits for the result."""

    USER = "user"
    BACKGROUND = "background"


class Happening(StrEnum):
    """What may happen to jobs between their submission and their end: the kind of each row of their story."""

    PROMOTED = "promoted"  # to the stream lane, for their deadline
    RECLASSIFIED = "reclassified"  # to the batch lane: they waited too long to stream
    DRAFTED = "drafted"  # the draft ended; the final follows in a batch
    RESCUED = "rescued"  # their runner died
    GIVEN_BACK = "given back"  # their runner stopped
    STOPPED = "stopped"  # given back, for they were paused
    BROKE = "broke"  # their runner did
    BLAMED = "blamed"  # failed: taken to be why runners died
    SENT_BACK = "sent back"  # by a provider
    HELD = "held"  # by a limit on money, or for what a daemon lacks
    CANCELLED = "cancelled"
    EDITED = "edited"
    RETRIED = "retried"
    RELEASED = "released"  # what they waited for has ended, or their time has come
    UNMET = "unmet"  # cancelled, for what they waited for was not done
    REVIVED = "revived"  # queued again with what they wait for
    CHARGED = "charged"  # though they were cancelled
    RECURRED = "recurred"  # what their schedule tells of them
    UNTOLD = "untold"  # a hook was to be told of them, and could not be
    BEFORE_NOW = "before now"  # accepted while the clock was ahead
    SAID = "said"  # whatever an earlier release said in words alone


Cuts = Literal["lines", "raw"]
"""What the input of a session is cut into: its lines, or bytes as they come."""

Piece = str | bytes
"""A piece of a session's input: text, or bytes."""

Pieces = Callable[[], AsyncGenerator[Sequence[Piece], None]]
"""Gives a session's input anew, from its first piece, in bunches as it arrives; it ends when nothing more will."""


class Caller(Struct, frozen=True, kw_only=True):
    """Who started the command line on a terminal that submitted something, mostly a shell."""

    pid: int
    since: int  # clock ticks from the machine's start until its own: with the pid it names one process; 0: unknown
    group: int  # the process group of the command line
    read: int | None = None  # bytes that it had read by then; None: nobody knows


class HookEvent(StrEnum):
    """What hooks are told of."""

    DONE = "done"
    FAILED = "failed"
    GROUP_DONE = "group_done"
    LATE = "late"
    DAILY_REPORT = "daily_report"
    SUBMISSION_DONE = "submission_done"  # of one that was handed in with --notify


class Way(StrEnum):
    """How a hook is told."""

    COMMAND = "command"
    NOTIFY = "notify"


class Request(Struct, frozen=True, kw_only=True):
    """What one submission asks, the same for each of its jobs (their inputs come beside it)."""

    handler: str
    audience: Audience
    signal: str = "--audience"  # what named the audience: part of every reason
    mode: Mode | None = None  # None: hybridq decides
    deadline: float | None = None  # epoch seconds; None: none given
    not_before: float | None = None  # epoch seconds at which it may begin; None: at once
    priority: int = 0  # higher goes first
    group: str | None = None
    retries: int = 0
    backoff: float | None = None  # seconds until the second try, doubled with each further one; None: as ever
    retry_on: tuple[int, ...] = ()  # exit codes after which it is tried again; empty: after any failure
    timeout: float | None = None  # seconds of run time of one attempt
    timeout_factor: float | None = None  # the same, as times what is usual; None: in seconds, or none
    max_cost: float | None = None
    needs: dict[str, int] = {}  # by counted resource: what one job takes of it while it runs
    cwd: str | None = None
    env: dict[str, str] = {}
    left_out: dict[str, str] = {}  # variables that are not in `env`, and why
    caller: Caller | None = None  # on a terminal
    notify: bool = False  # whether its end is told by the URLs of `notify`
    session: Cuts | None = None  # its input arrives in pieces, and is kept beside the database
    kind: str = ""  # what its commands are known by (see `brain.commands`), or have in common; "": nothing


Range = tuple[int, int]
"""The first and the last of jobs whose ids follow one another."""


class Waits(Struct, frozen=True, kw_only=True, gc=False, cache_hash=True):
    """The jobs that others wait for: those of `done` and of `keys` until they are done, those of `ended` until they
    have ended. `name` is what they are called, where that is not their ids."""

    done: tuple[Range, ...] = ()
    ended: tuple[Range, ...] = ()
    keys: tuple[str, ...] = ()
    name: str = ""


class Environment(Struct, frozen=True):
    """The variables that a command runs with, and by name those that it does not see, with the reason."""

    env: dict[str, str] = {}
    left_out: dict[str, str] = {}


class Forecast(Struct, frozen=True, kw_only=True):
    """One mode's forecast for one submission: what it would cost and when its results would be there.

    `first` and `finish` (the first and the last result) are epoch seconds (50th percentile), `*90` the 90th; None
    where nothing is known yet. `cost` is money for the whole submission, `delay` what waiting for its middle job
    costs (half-way from `first` to `finish`; of an adaptive one, for the middle draft), `surcharge` what the load of
    the machine makes it dearer in the decision, which nobody pays, `total` their sum. Of `cost`, `starting` is what the
    start takes. `assumed` names what the figures rest on where no job has told yet.
    """

    mode: Mode
    cost: float | None = None
    starting: float = 0.0
    delay: float | None = None
    surcharge: float = 0.0
    total: float | None = None
    start: float | None = None
    first: float | None = None
    first90: float | None = None
    finish: float | None = None
    finish90: float | None = None
    makes_deadline: bool = True
    assumed: tuple[str, ...] = ()
    note: Reason | None = None  # what is to be known of it


class Decision(Struct, frozen=True, kw_only=True):
    """Which mode a submission gets and why. `considered` has one forecast a mode that was compared."""

    mode: Mode
    reason: Reason
    considered: tuple[Forecast, ...] = ()
    warning: Reason | None = None
    served: bool = True  # somebody ran it then, or the submit itself did, and nothing was paused; else: no promise

    @property
    def promised(self) -> Forecast:
        """The forecast as far as it is a promise: without any instant where nobody would run it."""
        told = self.forecast
        if self.served:
            return told
        return replace(told, start=None, first=None, first90=None, finish=None, finish90=None)

    @property
    def timeless(self) -> "Decision":
        """The same without any instant: it waits for others, whose times are not its own."""
        nowhere = {"start": None, "first": None, "first90": None, "finish": None, "finish90": None}
        return replace(self, considered=tuple(replace(each, **nowhere) for each in self.considered))

    @property
    def forecast(self) -> Forecast:
        """The forecast of the chosen mode; an empty one where nothing was compared."""
        return next((f for f in self.considered if f.mode is self.mode), Forecast(mode=self.mode))


class Held(Struct, frozen=True, kw_only=True):
    """Queued jobs of one handler that the plan may treat alike: one class of the pending work."""

    key: int  # the store's cohort id
    jobs: int
    size: float  # mean input size of one job, bytes
    deadline: float  # epoch seconds; math.inf: none
    since: float  # epoch seconds at which they were accepted
    delay_cost: float  # money an hour of waiting costs, for all of `jobs` together
    pinned: bool = False  # the user said --mode batch: waiting was asked for
    cohorts: int = 1  # how many of them it sums up
    rank: int = 0  # minus the priority; of those with the same deadline the lowest goes first
    begun: bool = False  # some of the same cohort run, or have ended
    kind: str = ""  # of command, where all are of one


class Flush(Struct, frozen=True, kw_only=True):
    """One planned run of gathered jobs: which classes, when, and why."""

    at: float
    keys: tuple[int, ...]
    jobs: int
    rule: str  # plan, deadline, worth-it, trial, full, drain
    reason: Reason


class Usage(Struct, frozen=True, kw_only=True):
    """What a handler counted, where it counts: tokens for models."""

    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0


class Call(Struct, frozen=True, kw_only=True, gc=False):
    """One attempt at one job, as a handler gets it."""

    id: int
    attempt: int
    input: bytes
    timeout: float | None = None
    cwd: str | None = None
    env: dict[str, str] = {}
    pieces: Pieces | None = None  # of a session, to a handler that takes them: its input


class Started(Struct, frozen=True, gc=False):
    """The handler began this call; `startup` is how long it had to start something for it (0: it was warm)."""

    id: int
    attempt: int
    startup: float = 0.0
    pid: int | None = None  # the process that leads the job's process group, where there is one


class Partial(Struct, frozen=True, gc=False):
    """A piece of output, as it arrives. `stream` is 1 for standard output, 2 for standard error."""

    id: int
    attempt: int
    data: bytes
    stream: int = 1


class Throttled(Struct, frozen=True, gc=False):
    """The call is not tried again before `seconds` have passed, for this reason; it goes on by itself then."""

    id: int
    attempt: int
    reason: str
    seconds: float


class Remark(Struct, frozen=True, gc=False):
    """The call goes on, and this is to be said of it."""

    id: int
    attempt: int
    text: str


class Output(Struct, frozen=True, gc=False):
    """The call ended well. `value` is JSON bytes, or None where the output is what the partials made.

    `busy` is the time in seconds that this call kept an instance busy, without start-up. `cut`: the answer was cut for
    want of room, in the word of whoever cut it.
    """

    id: int
    attempt: int
    value: bytes | None = None
    cost: float | None = None
    streamed: float | None = None  # what it would have cost in the stream lane, where the handler knows
    usage: Usage | None = None
    busy: float = 0.0
    dropped: int = 0  # bytes of output beyond the limit
    kept: tuple[int, int] | None = None  # bytes of both outputs in the job's files; set by who wrote them
    cut: str = ""


class Failure(Struct, frozen=True, gc=False):
    """The call ended badly. `exit_code` is the process's own, where there was one (negative: a signal).

    `retryable`: another try may help (counts against the job's retries).
    `gave_back`: it was not this job's fault and it had not begun; it is queued again and nothing is counted.
    `unbegun`: given back by a provider that had taken it; that is counted by itself, for it must not go on for ever.
    """

    id: int
    attempt: int
    reason: str
    retryable: bool = True
    exit_code: int | None = None
    busy: float = 0.0
    gave_back: bool = False
    unbegun: bool = False
    retry_after: float | None = None  # seconds that the other side asked us to wait
    dropped: int = 0  # bytes of output beyond the limit
    kept: tuple[int, int] | None = None
    cost: float | None = None  # what was paid all the same, where the handler knows
    replay: bool = False  # a session's worker died: another is given what was kept, whatever the job's retries


class Detached(Struct, frozen=True):
    """These calls run elsewhere now, for hours: `reference` finds them again after any crash.

    Its `key` names the work; a later Detached with the same key replaces what was known of it.
    """

    ids: tuple[tuple[int, int], ...]  # (id, attempt)
    reference: dict[str, Any]


Event = Started | Partial | Throttled | Remark | Output | Failure | Detached
