"""What commands print as JSON where that is no plain data of the library: a Struct a shape.

Rule: the fields are a promise, which `hybridq help json` words and `help.schema` makes the JSON Schema of. Ids are
numbers, times epoch seconds (UTC), durations seconds, money a number, and what is not known is null.
"""

from typing import Any

from msgspec import Struct, field

from hybridq.config.origin import Setting
from hybridq.doctor.finding import Finding
from hybridq.hooks.event import Event
from hybridq.job import Forecast, HookEvent, Mode, State, Way
from hybridq.status.snapshot import Paused


class Hook(Struct, frozen=True, kw_only=True):
    """One hook, as `hooks` lists it: who is told of an event, and what could not be told."""

    event: HookEvent
    way: Way
    tells: str
    waiting: int
    given_up: int
    error: str | None


class Tried(Struct, frozen=True, kw_only=True):
    """What became of a try of a hook, `hooks --test`, and what it was told."""

    way: Way
    ok: bool
    error: str | None
    told: Event


class JobRecord(Struct, frozen=True, kw_only=True):
    """One job with all that became of it, as `export` gives it: a line of JSON, or a row."""

    id: int
    group: str | None
    key: str | None
    handler: str
    state: State
    mode: Mode
    attempt: int
    input: Any
    output: Any
    base64: str | None
    output_file: str | None
    stderr: str | None
    draft: bool
    error: str | None
    exit_code: int | None
    dropped: int
    missing: int
    cut: str | None
    submitted: float
    started: float | None
    first: float | None
    finished: float | None
    deadline: float | None
    cost: float | None
    streamed: float | None
    usage: dict[str, int] | None


class Times(Struct, frozen=True, kw_only=True):
    """When an item came, and when its result was there."""

    came: float = field(name="in")
    went: float = field(name="out")


class PipedItem(Struct, frozen=True, kw_only=True):
    """One item of a pipe, and what became of it."""

    id: int
    input: Any
    output: Any
    error: str | None
    shed: bool
    times: Times


class Decided(Struct, frozen=True, kw_only=True):
    """How a submission runs, and why. The times and the cost are promised; null where nothing is."""

    mode: Mode
    reason: str
    reason_kind: str
    warning: str | None
    start: float | None
    finish: float | None
    finish90: float | None
    cost: float | None
    served: bool
    considered: tuple[Forecast, ...]


class Submitted(Decided, frozen=True, kw_only=True):
    """What `submit` says of what was accepted, or was there already by its key."""

    id: int
    last: int
    jobs: int
    group: str | None
    existed: int
    left_out: int
    held: str | None


class Nothing(Struct, frozen=True, kw_only=True):
    """What `submit` says where nothing was accepted: all was there by its keys, or bad."""

    id: None = None
    last: None = None
    jobs: int = 0
    left_out: int


class Part(Decided, frozen=True, kw_only=True):
    """How jobs of a submission to be that share all options would run."""

    jobs: int
    held: str | None
    deadline: float | None


class Planned(Struct, frozen=True, kw_only=True):
    """What `submit --dry-run` says."""

    submitted: bool = False
    parts: tuple[Part, ...]
    left_out: int


class JobOutput(Struct, frozen=True, kw_only=True):
    """Where one job stands and what it has put out, as `output` gives it."""

    id: int
    state: State
    exit_code: int | None
    draft: bool
    output: Any
    base64: str | None
    error: str | None
    dropped: int


class Ended(JobOutput, frozen=True, kw_only=True, tag_field="event", tag="end"):
    """`follow`: the job ended."""


class Printed(Struct, frozen=True, kw_only=True, tag_field="event", tag="output"):
    """`follow`: the job printed something."""

    id: int
    stream: str
    text: str


class Changed(Struct, frozen=True, kw_only=True, tag_field="event", tag="state"):
    """`follow`: the job is in another state, or at another attempt."""

    id: int
    state: State
    attempt: int
    not_before: float | None


class Kept(Struct, frozen=True, kw_only=True, tag_field="event", tag="held"):
    """`follow`: something keeps the job from going on."""

    id: int
    reason: str
    reason_kind: str


class Drafted(Struct, frozen=True, kw_only=True, tag_field="event", tag="draft"):
    """`follow`: an adaptive job's draft is there, or failed."""

    id: int
    output: Any
    error: str | None


class GroupProgress(Struct, frozen=True, kw_only=True):
    """`follow`: how far a group is; `event` is `progress`, at the end `end`."""

    event: str
    group: str | None
    jobs: int
    state: State
    counts: dict[State, int]
    eta: float | None
    eta90: float | None
    late: bool
    late_by: float | None
    cost: float | None
    why: str
    why_kind: str


class Awaited(Struct, frozen=True, kw_only=True):
    """What `wait` waited for."""

    id: int | None
    jobs: int
    counts: dict[State, int]
    drafts: int
    exit_code: int


class Cancelled(Struct, frozen=True, kw_only=True):
    """What `cancel` did."""

    cancelled: int
    ids: list[int]


class Retried(Struct, frozen=True, kw_only=True):
    """What `retry` did."""

    queued: int
    ids: list[int]


class Unscheduled(Struct, frozen=True, kw_only=True):
    """What `schedule remove` removed."""

    removed: str
    unended: list[int]


class CleanedAway(Struct, frozen=True, kw_only=True):
    """What `clean` deleted, or would."""

    cleaned: int
    cost: float
    dry_run: bool


class BackupFile(Struct, frozen=True, kw_only=True):
    """What `backup` wrote."""

    file: str
    jobs: int
    outputs: int
    missing: int
    bytes: int


class Examined(Struct, frozen=True, kw_only=True):
    """What `doctor` found."""

    ok: bool
    checks: tuple[Finding, ...]


class Edited(Struct, frozen=True, kw_only=True):
    """What `edit` did."""

    edited: int
    ids: list[int]


class PausedNow(Struct, frozen=True, kw_only=True):
    """What `pause` did."""

    paused: tuple[Paused, ...]
    running: int
    stopped: int


class Resumed(Struct, frozen=True, kw_only=True):
    """What `resume` did: what it took back, and what is paused still."""

    resumed: tuple[Paused, ...]
    paused: tuple[Paused, ...]


class JobLimitNow(Struct, frozen=True, kw_only=True):
    """How many jobs of a handler or a group may run at once, and how many do."""

    handler: str | None
    group: str | None
    limit: int
    running: int
    since: float | None
    configured: bool


class LimitsNow(Struct, frozen=True, kw_only=True):
    """The limits of jobs at once that are in force."""

    limits: tuple[JobLimitNow, ...]


class Drained(Struct, frozen=True, kw_only=True):
    """What became of the jobs that `drain` began with."""

    jobs: int
    done: int
    failed: int
    cancelled: int
    left: int
    cost: float
    unserved: tuple[str, ...]
    held: str | None


class Configuration(Struct, frozen=True, kw_only=True):
    """What `config` says."""

    path: str
    database: str
    settings: list[Setting]


class Listed(Struct, frozen=True, omit_defaults=True):
    """One handler, as `handlers` gives it; `ok` and `says` only with `--check`."""

    name: str
    kind: str
    modes: tuple[str, ...]
    instances: int
    at_once: int  # jobs that run at the same time at most
    runs: str
    ok: bool | None = None
    says: str = ""


class LogLine(Struct, frozen=True, kw_only=True):
    """One event of `log` and of `daemon --json-logs`."""

    at: float
    level: str
    logger: str
    message: str
