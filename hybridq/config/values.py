"""What `config.toml` may say, as typed values with their defaults; `config.read` makes them.

Durations are seconds (written `20s`, `2h` or a number), money is in the user's own unit. Plain data: nothing here
is checked or looked up.
"""

import re
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from ..job import HookEvent, Mode, Way
from ..when import parse_factor
from .kinds import Traits, traits_of
from .resources import Resource

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


_IS_VARIABLE = re.compile(r"\$\{\w+\}").fullmatch


class Window(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One stretch of the week in which another price holds: `[[tariff.window]]`."""

    start: str  # `22:00` or `22:00:30`
    end: str  # before `start`: the window goes over midnight
    factor: float
    days: tuple[str, ...] = DAYS  # on which it starts
    name: str = ""


class TariffConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[tariff]`: the price factor by time of day and weekday. The first window that holds counts."""

    zone: str = "UTC"
    factor: float = 1.0  # outside every window
    window: tuple[Window, ...] = ()


class PolicyConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[policy]`: what latency is worth in money, and the plan's tunables."""

    user_delay_cost: float = 30.0  # money an hour of a waiting person
    background_delay_cost: float = 0.001  # money an hour of nobody waiting
    machine_cost: float = 1.0  # money an hour of a busy slot
    hold: float = 86400.0  # seconds a background job without a deadline is held at most
    theta: float = 1.0  # waiting for others to join costs a flush at most theta x fixed cost
    load_weight: float = 1.0  # how much a load above `load_free` raises the price
    load_free: float = 0.7  # load per core that costs nothing
    currency: str = ""  # what money is counted in, as it is shown: `EUR`, `$`; "": it has no name


class RunnerConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[runner]`: how a daemon or drain runs."""

    stream_slots: int = 0  # stream jobs at once without instances of their own; 0: twice the cores
    batch_slots: int = 0  # batch jobs at once without instances of their own; 0: the cores
    stop_grace: float = 10.0  # seconds that running jobs get when the runner is told to stop
    output_limit: int = 64 * 1024 * 1024  # bytes kept of each of a job's outputs
    stream_target: float = 0.5  # seconds that a stream job may wait for a batch's chunk


class HandlerConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[handlers.NAME]`: one way to run a kind of job."""

    kind: str = "worker"
    command: tuple[str, ...] = ()  # kind worker: the program
    call: str = ""  # kind worker: `module:function` instead of a command
    python: str = ""  # the interpreter that `call` runs in; "": this one
    protocol: Literal["jsonl", "lines"] = "jsonl"
    session: bool = False  # kind worker: it takes the input of a session, piece by piece
    cwd: str = ""
    env: tuple[str, ...] = ()  # names of further variables that workers may see
    modes: tuple[Mode, ...] = (Mode.STREAM, Mode.BATCH)
    draft: str = ""  # the handler that makes an adaptive job's draft; naming one offers that mode
    instances: int = 1
    chunk: int = 0  # most calls a chunk; 0: hybridq grows it
    # Seconds a warm instance is kept without work: about as long as the machine's hour costs what a person who meets a
    # start of 20 s loses (the rule of renting or buying skis), by the policy's defaults.
    idle: float = 600.0
    retries: int = 0
    backoff: float | None = None  # seconds until the second try; None: 1 s, and no jitter
    retry_on: tuple[int, ...] = ()  # exit codes after which a command is tried again; empty: after any failure
    timeout: float | str | None = None  # seconds of run time of one attempt, or `3x` the usual ones
    expected: float | None = None  # seconds one job takes, until three are known
    fixed: float | None = None  # seconds one start takes, until one is known
    price: float | None = None  # money one job costs at factor 1; None: its busy time
    daily_budget: float | None = None  # money that its jobs may cost on one day of the tariff's zone
    max_flush: int = 0  # jobs one flush may hold; 0: no limit
    limit: int = 0  # jobs that may run at once, over both lanes and all runners; 0: no limit
    rate: str = ""  # jobs that may begin in a second, minute or hour: `30/m`; "": any number
    # Counted resources: what a command needs while it runs if it does not say, or a warm instance as long as it is.
    needs: dict[str, int] = {}
    options: dict[str, object] = {}  # for other kinds: whatever they need

    @property
    def time_limit(self) -> float | None:
        """Seconds of run time of one attempt, where that is how it is limited."""
        return None if isinstance(self.timeout, str) else self.timeout

    @property
    def timeout_factor(self) -> float | None:
        """The same as times what is usual, where it is limited so."""
        return parse_factor(self.timeout) if isinstance(self.timeout, str) else None

    @property
    def traits(self) -> Traits:
        """What its kind is like; a filter of lines is started for each chunk."""
        found = traits_of(self.kind)
        return found if self.protocol == "jsonl" else replace(found, starts="each")


class HooksConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[hooks]`: who is told of what happened: a shell command line an event, and the URLs of `notify`."""

    done: str = ""
    failed: str = ""
    group_done: str = ""
    late: str = ""
    daily_report: str = ""
    notify: tuple[str, ...] = ()  # URLs of apprise; `${NAME}` in them is a variable
    notify_on: tuple[HookEvent, ...] = (HookEvent.FAILED, HookEvent.GROUP_DONE, HookEvent.LATE)
    daily_at: str = "08:00"  # in the tariff's zone
    timeout: float = 30.0  # seconds that a hook may take
    env: tuple[str, ...] = ()  # names of further variables that commands see

    @property
    def shown(self) -> tuple[str, ...]:
        """The URLs as they may be shown: they hold tokens."""
        return tuple(url if _IS_VARIABLE(url) else f"{url.partition('://')[0]}://***" for url in self.notify)

    def command(self, event: HookEvent) -> str:
        """The command line that hears of an event; "": none."""
        return str(getattr(self, event)) if event is not HookEvent.SUBMISSION_DONE else ""

    @property
    def heard(self) -> frozenset[tuple[HookEvent, Way]]:
        """Which events are told, by which way. Of a submission's end only those hear that ask for it."""
        commands = {(event, Way.COMMAND) for event in HookEvent if self.command(event)}
        urls = {(event, Way.NOTIFY) for event in (*self.notify_on, HookEvent.SUBMISSION_DONE) if self.notify}
        return frozenset(commands | urls)


class Config(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All of `config.toml`."""

    policy: PolicyConfig = PolicyConfig()
    tariff: TariffConfig = TariffConfig()
    runner: RunnerConfig = RunnerConfig()
    resources: dict[str, Resource] = {}
    hooks: HooksConfig = HooksConfig()
    handlers: dict[str, HandlerConfig] = {}
