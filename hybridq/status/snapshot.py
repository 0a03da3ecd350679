"""What the views show: the queue at one instant, as plain data.

A snapshot is read in short transactions and holds no connection, so a view that stays open all day
keeps no reader in SQLite. Counts come from counters, never from counting rows.
"""

from msgspec import Struct

from ..job import Audience, Lane, Mode, State


class Paused(Struct, frozen=True, kw_only=True):
    """One pause: of a handler, of a group, or, without either, of everything. `until` None: until it is resumed."""

    handler: str | None
    group: str | None
    since: float
    until: float | None


class Head(Struct, frozen=True, kw_only=True):
    """What stands above the rows: who runs the queue, under which conditions, and what it has saved."""

    now: float
    daemon: str = ""  # `pid 4711, since 09:12`; empty: none runs
    runners: int = 0  # drains and submits that run jobs now, beside the daemon
    load: float = 0.0  # per core
    factor: float = 1.0  # the tariff now
    factor_name: str = ""
    factor_until: float | None = None  # None: it never changes
    factor_there: str = ""  # that time in the tariff's zone, where this is not the local one: `22:00 Berlin`
    factor_next: float | None = None
    counts: dict[State, int] = {}
    held: int = 0  # queued jobs of the batch lane
    paused: tuple[Paused, ...] = ()
    untold: int = 0  # events of which hooks were to be told, and none will be any more
    next_flush: float | None = None  # before `now`: one runs, and began then
    next_flush_why: str = ""
    next_flush_why_kind: str = ""  # the kind of that reason
    next_schedule: str = ""  # the one that is due next; empty: none is
    next_occurrence: float | None = None  # when
    left_out: dict[str, int] = {}  # within a day, instants of schedules of which no job was made, by why
    cost: float = 0.0  # money, so far
    currency: str = ""
    saved: float | None = 0.0  # money, against streaming all as it came; below 0: it was more; None: not known yet


class Failed(Struct, frozen=True, kw_only=True):
    """Why so many jobs of a group failed, as far as a bounded look finds them."""

    reason: str  # not yet made safe for a terminal
    exit_code: int | None
    jobs: int
    exited: bool = False  # the exit code is all that is known of it


class Row(Struct, frozen=True, kw_only=True):
    """One job, or one group as a whole. Times are epoch seconds; None where unknown or not applicable."""

    id: int  # of the job; of a group the first id
    last: int  # the last id; equal to `id` for a single job
    group: str | None  # the group's name; None: a single job
    what: str  # handler and input in one line; not yet made safe for a terminal
    handler: str
    audience: Audience
    mode: Mode
    lane: Lane
    state: State  # of a group: running if any runs, else queued if any waits, then failed, done, cancelled
    counts: dict[State, int]  # one job: {state: 1}
    submitted: float
    started: float | None = None
    finished: float | None = None
    start: float | None = None  # when it is planned to start
    eta: float | None = None  # when it will be done, 50th percentile
    eta90: float | None = None
    deadline: float | None = None
    late: bool = False  # its result came, or by its ETA will come, after the deadline; of a group: that of any job
    late_by: float | None = None  # seconds, so far, or by its ETA; None: it is not late
    cost: float | None = None
    exit_code: int | None = None  # of a command that ended; of a group: that of the failed ones, where they share one
    causes: tuple[Failed, ...] = ()  # of a group: why jobs of it failed, what is most frequent first
    away: int | None = 0  # how many of those that run are done at a provider; None: it does not tell
    mixed: bool = False  # a group whose jobs run in several modes, of which `mode` is one
    why: str = ""  # the reason for its mode, for being held, or for its failure; not yet made safe
    why_beside: str = ""  # the same beside its state, which this does not say again
    why_kind: str = ""  # the kind of that reason
    waits_for: str = ""  # the jobs that it waits for, by their ids; of a group those that the first of it waits for

    @property
    def jobs(self) -> int:
        """How many jobs this row stands for."""
        return sum(self.counts.values())


class PipeRow(Struct, frozen=True, kw_only=True):
    """One pipe that has not ended. Rates are items a second and lags seconds, of the last minute; None: no item went
    out then. `lives` False: it died, and what it left becomes jobs."""

    id: int
    group: str  # of the jobs that it sheds
    handler: str
    key: str | None
    since: float
    lives: bool
    taken: int
    answered: int
    failed: int
    shed: int
    late: int
    bytes: int
    rate_in: float | None
    rate_out: float | None
    lag50: float | None
    lag99: float | None
    cost: float


class Snapshot(Struct, frozen=True, kw_only=True):
    """The head and the rows that were asked for; `hidden` is how many jobs no row shows.

    Where instants or words were asked for, it is not counted how many there are: `more` says that there are such.
    `pipes`: those that have not ended, where nothing was selected.
    """

    head: Head
    rows: tuple[Row, ...]
    hidden: int = 0
    more: bool = False
    searched_from: int | None = None  # the first job that was looked at; None: all were
    pipes: tuple[PipeRow, ...] = ()
