"""The options of a submission, from the command line or from a JSON line, into a Request.

Rule: an option means the same wherever it is given. Nothing is submitted here.
"""

import contextlib
import math
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from ..audience import Found
from ..config.resources import Needs, Resources, needed, split
from ..config.values import HandlerConfig
from ..errors import BadData, UsageError
from ..job import Audience, Mode, Request
from ..selection import check_group
from ..visible import visible_line
from ..when import clock, parse_deadline, parse_factor, parse_span
from .surroundings import Surroundings, is_text, surroundings

KEY_LIMIT = 500  # characters
Named = tuple[int | str, ...] | int | str
"""Jobs that are waited for: selectors on the command line, ids and keys in a JSON line."""
PRIORITIES = 2**31


class Options(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What may be said of a job. None: not said, so the command line's or the handler's own counts."""

    mode: Mode | None = None
    audience: Audience | None = None
    deadline: str | float | None = None
    priority: int | None = None
    group: str | None = None
    retries: int | None = None
    backoff: str | float | None = None
    retry_on: tuple[int, ...] | str | None = None
    timeout: str | float | None = None
    cwd: str | None = None
    env: tuple[str, ...] | None = None
    env_file: str | None = None
    clean_env: bool | None = None
    max_cost: float | None = None
    needs: tuple[str, ...] | dict[str, int | str] | None = None
    at: str | float | None = None
    delay: str | float | None = None
    notify: bool | None = None
    after: Named | None = None
    after_ended: Named | None = None
    key: str | None = None


OWN = ("after", "after_ended", "key")  # the last of them: what a job has for itself
SHARED = len(Options.__struct_fields__) - len(OWN)  # all others: what jobs may have in common


def merged(line: Options, command: Options) -> Options:
    """What a JSON line says, and where it is silent what the command line says."""
    said = {name: value for name in Options.__struct_fields__ if (value := getattr(line, name)) is not None}
    return replace(command, **said)


def request(
    handler: str,
    config: HandlerConfig,
    options: Options,
    who: Found,
    now: float,
    around: Surroundings,
    resources: Resources,
) -> Request:
    """What these options ask of a handler, which runs it in these surroundings; `who` waits, where they do not
    say. Raises UsageError."""
    audience, signal = (options.audience, "--audience") if options.audience else (who.audience, who.signal)
    retries = _within(config.retries if options.retries is None else options.retries, 0, 1000, "retries")
    backoff, retry_on = _retrying(options, config, retries)
    timeout, factor = _time_limit(options, config)
    deadline = None if options.deadline is None else parse_deadline(_text(options.deadline), now)
    return Request(
        handler=handler,
        audience=audience,
        signal=signal,
        mode=options.mode,
        deadline=deadline,
        not_before=_not_before(options, deadline, now),
        priority=check_priority(options.priority or 0),
        group=None if options.group is None else check_group(options.group),
        retries=retries,
        backoff=backoff,
        retry_on=retry_on,
        timeout=timeout,
        timeout_factor=factor,
        max_cost=options.max_cost,
        needs=_needs(config, options, resources),
        notify=bool(options.notify),
        cwd=around.cwd,
        env=around.env,
        left_out=around.left_out,
        caller=who.caller,
    )


def _needs(config: HandlerConfig, options: Options, resources: Resources) -> Needs:
    """What each job takes of the counted resources. Raises UsageError."""
    if options.needs is None:
        return {} if config.traits.program else config.needs
    if config.traits.program:
        raise UsageError("--needs is for commands. A worker's are in config.toml: needs = { gpu = 1 }")
    if config.traits.remote:
        raise UsageError("--needs is for commands: what a provider runs takes nothing of this machine")
    asked = split(options.needs) if isinstance(options.needs, tuple) else options.needs
    try:
        return needed(asked, resources)
    except UsageError as problem:
        raise UsageError(f"--needs: {problem}") from None


def _retrying(options: Options, config: HandlerConfig, retries: int) -> tuple[float | None, tuple[int, ...]]:
    """After how many seconds it is first tried again, and after which exit codes. Raises UsageError."""
    if not retries and (options.backoff is not None or options.retry_on is not None):
        raise UsageError("--backoff and --retry-on need --retries: how often to retry")
    if options.retry_on is not None and not config.traits.commands:
        raise UsageError("--retry-on is only for commands: nothing else has an exit code")
    backoff = config.backoff if options.backoff is None else _seconds(options.backoff, "backoff")
    return backoff, config.retry_on if options.retry_on is None else _codes(options.retry_on)


def _codes(said: tuple[int, ...] | str) -> tuple[int, ...]:
    """Exit codes from text such as `75,101`, or from a list."""
    try:
        codes = tuple(map(int, said.split(","))) if isinstance(said, str) else said
    except ValueError:
        raise UsageError(f"'{visible_line(str(said), 40)}' is no list of exit codes: write 75,101") from None
    return tuple(sorted({_within(code, 1, 255, "an exit code") for code in codes}))


def _time_limit(options: Options, config: HandlerConfig) -> tuple[float | None, float | None]:
    """The longest run time of one try, in seconds or in times of what is usual. Raises UsageError."""
    if options.timeout is None:
        return config.time_limit, config.timeout_factor
    if (factor := parse_factor(_text(options.timeout))) is not None:
        return None, factor
    return _seconds(options.timeout, "timeout"), None


def _not_before(options: Options, deadline: float | None, now: float) -> float | None:
    """When it may begin (epoch seconds); None: at once. Raises UsageError."""
    if options.at is not None and options.delay is not None:
        raise UsageError("--at and --delay cannot be used together")
    if options.delay is not None:
        at = now + _seconds(options.delay, "delay")
    elif options.at is not None:
        at = parse_deadline(_text(options.at), now, what="a start")
    else:
        return None
    if deadline is not None and deadline <= at:
        due, begins = clock(deadline, now), clock(at, now)
        raise UsageError(f"the deadline {due} is not after {begins}, before which it may not start: give it more time")
    return at


def check(options: Options) -> None:
    """Raise UsageError for what is wrong whatever the handler is."""
    if options.key is not None and not 0 < len(options.key) <= KEY_LIMIT:
        raise UsageError(f"a key has 1 to {KEY_LIMIT} characters, not {len(options.key):,}")
    if options.key is not None and not is_text(options.key):
        raise UsageError(f"the key '{visible_line(options.key, 40)}' is not UTF-8 text")
    check_money(options.max_cost)


def check_priority(number: int) -> int:
    """The priority itself. Raises UsageError for one that the queue cannot hold."""
    return _within(number, -PRIORITIES, PRIORITIES, "priority")


def check_money(amount: float | None) -> None:
    """Raise UsageError for a limit of money that is none."""
    if amount is not None and not (math.isfinite(amount) and amount >= 0):
        raise UsageError(f"max-cost must be at least 0, not {amount}")


def command_input(argv: list[str], stdin: bytes = b"") -> dict[str, Any]:
    """A shell job's input for an argument list. Raises BadData for what no program can be given."""
    if not argv or not argv[0]:
        raise BadData("no command given. Put it after --, such as: hybridq submit -- echo hello")
    if any("\0" in word for word in argv):
        raise BadData("an argument contains a NUL character, which no program can receive")
    return {"argv": argv, **with_stdin(stdin)}


def with_stdin(data: bytes) -> dict[str, str]:
    """What a shell job's input holds beside its command: its standard input as text, or as base64."""
    if not data:
        return {}
    with contextlib.suppress(UnicodeDecodeError):
        text = data.decode()
        if len(msgspec.json.encode(text)) <= 4 / 3 * len(data) + 2:
            return {"stdin": text}
    import base64

    return {"stdin64": base64.b64encode(data).decode()}


def words(text: str) -> list[str]:
    """A text split into words as a shell would, for a handler that runs commands. Raises BadData."""
    import shlex

    try:
        return shlex.split(text)
    except ValueError as problem:
        raise BadData(f"'{visible_line(text, 40)}' is not a command line: {problem}") from None


def surroundings_of(config: HandlerConfig, options: Options, environ: Mapping[str, str]) -> Surroundings:
    """The folder and the variables that a command will run with; other handlers have their own."""
    if not config.traits.commands:
        if options.cwd is not None or options.env or options.env_file is not None or options.clean_env:
            raise UsageError("--cwd and --env are only for commands; set a worker's in config.toml")
        return Surroundings()
    return surroundings(
        environ, cwd=options.cwd, names=options.env or (), file=options.env_file, clean=bool(options.clean_env)
    )


def _within(number: int, least: int, most: int, name: str) -> int:
    if not least <= number <= most:
        raise UsageError(f"{name} must be a whole number from {least} to {most}, not {number}")
    return number


def _text(value: str | float) -> str:
    return value if isinstance(value, str) else f"{value:f}"


def _seconds(value: str | float, name: str) -> float:
    seconds = parse_span(_text(value))
    if not seconds > 0:
        raise UsageError(f"{name} must be longer than 0, such as 30s or 2h")
    return seconds
