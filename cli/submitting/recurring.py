"""From what was typed to a schedule: the submission that it hands in, and when.

Rule: what it hands in is what `submit` would have stored, and refused for the same reasons, in the same words.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Annotated, Any

import typer
from msgspec.structs import replace
from typer.core import TyperCommand

from hybridq.asking.options import Options, check, merged
from hybridq.asking.options import request as of_options
from hybridq.asking.surroundings import Surroundings
from hybridq.audience import Found
from hybridq.brain.occurrence import Missed, Overlap
from hybridq.brain.policy import check_mode
from hybridq.brain.recurrence import Recurrence, zoned
from hybridq.errors import UsageError
from hybridq.job import Audience, Request
from hybridq.outlook import Outlook
from hybridq.queue.intake import LARGEST_INPUT, too_large
from hybridq.queue.schedules import Schedule
from hybridq.submit import command_of
from hybridq.visible import visible_line
from hybridq.when import parse_span

from ..suggestions import Misread, as_command, without
from ..tell import say
from .submission import Submission
from .words import understood

NAME = re.compile(r"[^\W_][\w.-]{0,99}")  # also in keys and shells
TYPED = "hybridq.typed"  # in the context: the whole line
LONGEST = 366 * 86400.0  # seconds of a window

Words = Annotated[list[str] | None, typer.Argument(metavar="[HANDLER INPUT | -- CMD ARG...]", show_default=False)]
Zone = Annotated[
    str | None, typer.Option(metavar="ZONE", help="Its time zone, such as Europe/Berlin. Default: this machine's.")
]
Within = Annotated[
    str | None,
    typer.Option(metavar="TIME", help="Needed so long after each time, such as 4h; it runs when that is cheapest."),
]
OfMissed = Annotated[
    Missed | None, typer.Option(help="What to make up for after nothing ran: once (the last time), all (100), skip.")
]
OfOverlap = Annotated[
    Overlap | None,
    typer.Option(help="If the one before has not ended: queue it all the same, skip it, or cancel that."),
]


class CommandAfterDashes(TyperCommand):
    """Keeps what stands after `--` apart: that is a command, or an input that begins with a dash."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse what comes before `--` as options and words."""
        ctx.meta[TYPED] = ["hybridq", "schedule", ctx.info_name, *args]
        if "--" in args:
            place = args.index("--")
            ctx.obj = args[place + 1 :]
            args = args[:place]
        return super().parse_args(ctx, args)


def check_name(name: str) -> str:
    """The name itself, if a schedule may be called so. Raises UsageError."""
    if not NAME.fullmatch(name):
        raise UsageError(
            f"a schedule cannot be called '{visible_line(name, 40)}': a name has letters, digits, '.', '-' and '_',"
            " and begins with a letter or digit"
        )
    return name


def local_zone() -> str:
    """The name of this machine's time zone. Raises UsageError where it has none."""
    import warnings

    import tzlocal

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a zone that is set in two places: the first counts
        try:
            return zoned(tzlocal.get_localzone_name() or "UTC")
        except (LookupError, ValueError, OSError, UsageError):
            raise UsageError("this machine's time zone has no name: give one with --zone Europe/Berlin") from None


def window(text: str | None) -> float | None:
    """Seconds of `--within`; "none" and None: there is none. Raises UsageError."""
    if text is None or text == "none":
        return None
    seconds = parse_span(text)
    if not 0 < seconds <= LONGEST:
        raise UsageError("within must be longer than 0 and at most a year, such as 4h")
    return seconds


def captured(
    outlook: Outlook,
    name: str,
    words: Sequence[str],
    after: Sequence[str] | None,
    shell: str | None,
    options: Options,
    stdin: bool | None,
    typed: Sequence[str],
) -> tuple[Request, bytes, Callable[[], None]]:
    """What `submit` would have stored of this, and what tells of the variables that are kept. Raises what it does; a
    hint corrects the line as it was `typed`."""
    check(options)
    try:
        source = understood(words, after, shell=shell, each=False, lines=None, jsonl=None)
        who = Found(Audience.BACKGROUND, f"schedule {name}")
        submission = Submission(outlook, source, options, "", stdin, stays=lambda _: False, detached=True, who=who)
    except Misread as problem:
        said = [*words, *(after or ())]
        hint = as_command(said, before=without(typed, said)) if words else ""
        raise UsageError(f"{problem}{hint}") from None
    request, data = submission.single()
    if len(data) > LARGEST_INPUT:
        raise too_large(data)

    def tell() -> None:
        for line in submission.kept():
            say(line)

    return replace(request, kind=command_of(outlook, request, data)), data, tell


# Kept unless asked for.
ALSO = (
    *("mode", "priority", "group", "retries", "backoff", "retry_on", "timeout", "max_cost", "needs"),
    *("audience", "signal"),
)
LIKE = {"timeout": ("timeout_factor",)}  # what else an option says


def edited(
    outlook: Outlook,
    schedule: Schedule,
    words: Sequence[str],
    after: Sequence[str] | None,
    shell: str | None,
    asked: dict[str, Any],
    typed: Sequence[str],
) -> Schedule:
    """The same schedule with another command, or with these options otherwise. Raises as `captured` does."""
    old, options = schedule.request, Options(**asked)
    check(options)
    if words or after or shell is not None:
        request, data, tell = captured(outlook, schedule.name, words, after, shell, options, None, typed)
        request = replace(request, **_fields(old, (name for name in ALSO if name not in asked)))
        schedule = replace(schedule, input=data, environment=None)
        tell()
    else:
        config, who = outlook.handler(old.handler), Found(old.audience, old.signal)
        known = Options(retries=old.retries) if "retries" not in asked else Options()
        new = of_options(
            old.handler, config, merged(options, known), who, 0.0, Surroundings(), outlook.config.resources
        )
        request = replace(old, **_fields(new, asked))
    check_mode(request, outlook.modes(request.handler))
    return replace(schedule, request=request)


def _fields(of: Request, options: Iterable[str]) -> dict[str, Any]:
    """What these options have come to; those that are not said otherwise are kept."""
    return {field: getattr(of, field) for name in options for field in (name, *LIKE.get(name, ()))}


def timed(schedule: Schedule, found: Recurrence, now: float) -> Schedule:
    """The same schedule, by this recurrence from now on; one that is paused stays so."""
    due = found.after(now)
    return replace(schedule, timing=found.text, zone=found.zone, since=found.since, reached=now, due=due)
