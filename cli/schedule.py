"""`schedule`: work that is handed in again and again; a command with commands of its own.

Rule: of what a schedule hands in, `submit` knows the words and the options, and the daemon or a drain makes the jobs.
"""

import os
import time
from collections.abc import Callable
from typing import Annotated, Any

import typer
from msgspec.structs import replace
from typer.core import TyperGroup

from hybridq.asking.options import Options
from hybridq.brain.occurrence import Missed, Overlap
from hybridq.brain.recurrence import understood
from hybridq.errors import UsageError
from hybridq.outlook import Outlook
from hybridq.queue import schedules as kept
from hybridq.queue.runner import daemon_of
from hybridq.queue.schedules import Schedule
from hybridq.status.recurring import recurring, schedule_detail
from hybridq.submit import connect, wake
from hybridq.visible import visible_line

from .documents import Unscheduled
from .draw.words import SEPARATOR
from .reach import look, reach
from .submitting import asked
from .submitting.recurring import (
    TYPED,
    CommandAfterDashes,
    OfMissed,
    OfOverlap,
    Within,
    Words,
    Zone,
    captured,
    check_name,
    edited,
    local_zone,
    timed,
    window,
)
from .tell import print_document, say


class Schedules(TyperGroup):
    """The commands of `schedule`; none at all lists the schedules."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the command. Of a word that is none, say what may have been meant."""
        if args[0] not in self.commands:
            name = visible_line(args[0], 40)
            raise UsageError(
                f"no command named 'schedule {name}': it has {', '.join(self.commands)}."
                f" For one schedule: hybridq schedule show {name}"
            )
        return super().resolve_command(ctx, args)


app = typer.Typer(
    cls=Schedules,
    invoke_without_command=True,
    add_completion=False,
    rich_markup_mode=None,
    subcommand_metavar="[COMMAND]",
    context_settings={"help_option_names": ["-h", "--help"]},
)

Json = Annotated[bool, typer.Option("--json", help="Print JSON. Times are epoch seconds (UTC), durations seconds.")]
Name = Annotated[str, typer.Argument(metavar="SCHEDULE", help="Its name.", show_default=False)]


@app.callback()
def schedule(ctx: typer.Context, json: Json = False) -> None:
    """Run work again and again: each night, each hour, every 15 minutes.

    Without a command, lists the schedules: the next times, the last outcome, the next ETA, what was saved.
    """
    if ctx.invoked_subcommand is not None:
        return
    outlook, now = look(), time.time()
    with outlook.store:
        found = recurring(outlook, now)
    if json:
        print_document(found)
        return
    from .draw.schedules import print_schedules

    print_schedules(found, now)
    if not found:
        say('no schedules yet: hybridq schedule add NAME "0 2 * * *" -- CMD')


@app.command(cls=CommandAfterDashes)
def add(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="What to call it.", show_default=False)],
    when: Annotated[str, typer.Argument(metavar="WHEN", help="In quotes: see above.", show_default=False)],
    words: Words = None,
    zone: Zone = None,
    within: Within = None,
    missed: OfMissed = None,
    overlap: OfOverlap = None,
    shell: asked.Shell = None,
    mode: asked.ModeOf = None,
    priority: asked.Priority = None,
    group: asked.InGroup = None,
    retries: asked.Retries = None,
    backoff: asked.Backoff = None,
    retry_on: asked.RetryOn = None,
    timeout: asked.Timeout = None,
    cwd: asked.Cwd = None,
    env: asked.Env = None,
    env_file: asked.EnvFile = None,
    clean_env: asked.CleanEnv = False,
    stdin: asked.Stdin = None,
    max_cost: asked.MaxCost = None,
    needs: asked.Needs = None,
    json: Json = False,
) -> None:
    """Add a schedule.

    \b
    WHEN is a line of cron, a name, or a span:
    "0 2 * * *"     minute, hour, day, month, weekday
    @nightly        at 02:00; also @hourly, @daily, @weekly, @monthly, @yearly
    "every 15m"     counted from now

    What follows is what submit takes for one job. The command, its folder and its variables are kept as they are now.
    Each time, it becomes an ordinary job, with the key NAME@TIME.
    """
    options = Options(
        mode=mode,
        priority=priority,
        group=group,
        retries=retries,
        backoff=backoff,
        retry_on=retry_on,
        timeout=timeout,
        cwd=cwd,
        env=tuple(env) if env else None,
        env_file=env_file,
        clean_env=clean_env or None,
        max_cost=max_cost,
        needs=tuple(needs) if needs else None,
    )
    found = understood(when, zone or local_zone(), float(int(time.time())))
    span = window(within)
    outlook = connect(dict(os.environ))
    with outlook.store:
        request, data, tell = captured(
            outlook, check_name(name), words or (), ctx.obj, shell, options, stdin, ctx.meta[TYPED]
        )
        now = time.time()
        new = Schedule(
            name=name,
            timing=found.text,
            zone=found.zone,
            since=found.since,
            within=span,
            missed=missed or Missed.ONCE,
            overlap=overlap or Overlap.QUEUE,
            request=request,
            input=data,
            reached=now,
            due=found.after(now),
        )
        kept.add(outlook.store, new)
        wake(outlook.store)
        tell()
        _tell(outlook, name, json)


@app.command()
def show(name: Name, json: Json = False) -> None:
    """Show everything about one schedule."""
    outlook, now = look(), time.time()
    with outlook.store:
        found = schedule_detail(outlook, name, now)
    if json:
        print_document(found)
        return
    from .draw.schedules import print_schedule

    print_schedule(found, now)


@app.command()
def pause(name: Name, json: Json = False) -> None:
    """Pause a schedule: nothing is made until you resume it. Jobs that are there go on."""
    _change(name, json, lambda of, now: replace(of, due=None))


@app.command()
def resume(name: Name, json: Json = False) -> None:
    """Resume a paused schedule with its next time; what came meanwhile is not made up for."""
    _change(name, json, _resumed)


@app.command()
def run(name: Name, json: Json = False) -> None:
    """Submit its job once more, now; the schedule itself goes on as before."""
    from hybridq.runner.occurrences import make_now

    from .submitting.accepted import Then, after
    from .submitting.submission import Skipped

    outlook = connect(dict(os.environ))
    with outlook.store:
        accepted = make_now(outlook, kept.named(outlook.store, name), time.time())
        raise typer.Exit(after(outlook, accepted, Then(detach=True, json=json), Skipped(False)))


@app.command()
def remove(name: Name, json: Json = False) -> None:
    """Remove a schedule. Its jobs stay."""
    with reach().store as store:
        of = kept.named(store, name)
        left = kept.unended(store, of)
        kept.remove(store, of)
        wake(store)
    if json:
        print_document(Unscheduled(removed=name, unended=left), one_line=True)
        return
    print(f"{name} removed")
    if left:
        jobs = "job " + str(left[0]) if len(left) == 1 else f"{len(left)} of its jobs"
        say(f"{jobs} {'has' if len(left) == 1 else 'have'} not ended: hybridq cancel {','.join(map(str, left))}")


@app.command(cls=CommandAfterDashes)
def edit(
    ctx: typer.Context,
    name: Name,
    words: Words = None,
    when: Annotated[str | None, typer.Option(metavar="WHEN", help="New times, as for add.")] = None,
    zone: Zone = None,
    within: Within = None,
    missed: OfMissed = None,
    overlap: OfOverlap = None,
    shell: asked.Shell = None,
    mode: asked.ModeOf = None,
    priority: asked.Priority = None,
    group: asked.InGroup = None,
    retries: asked.Retries = None,
    backoff: asked.Backoff = None,
    retry_on: asked.RetryOn = None,
    timeout: asked.Timeout = None,
    max_cost: asked.MaxCost = None,
    needs: asked.Needs = None,
    json: Json = False,
) -> None:
    """Change a schedule, for what it makes from now on.

    A new command or input takes the folder and the variables of now. "none" removes the window: --within none.
    """
    given: dict[str, Any] = {"mode": mode, "priority": priority, "group": group, "retries": retries, "timeout": timeout}
    given |= {"backoff": backoff, "retry_on": retry_on, "max_cost": max_cost, "needs": tuple(needs) if needs else None}
    changed = {key: value for key, value in given.items() if value is not None}
    if all(each is None for each in (words, ctx.obj, when, zone, within, missed, overlap, shell)) and not changed:
        raise UsageError(f"nothing to change: hybridq schedule edit {name} --when WHEN, or another option")
    span = window(within)
    outlook = connect(dict(os.environ))
    with outlook.store:
        now, of = time.time(), kept.named(outlook.store, name)
        if when is not None or zone is not None:
            recurrence = understood(when or of.timing, zone or of.zone, float(int(now)))
            of = replace(timed(of, recurrence, now), due=None) if of.due is None else timed(of, recurrence, now)
        of = replace(
            of,
            within=of.within if within is None else span,
            missed=missed or of.missed,
            overlap=overlap or of.overlap,
        )
        if words or ctx.obj or shell is not None or changed:
            of = edited(outlook, of, words or (), ctx.obj, shell, changed, ctx.meta[TYPED])
        kept.change(outlook.store, of)
        wake(outlook.store)
        _tell(outlook, name, json)


def _resumed(of: Schedule, now: float) -> Schedule:
    return replace(of, reached=now, due=of.recurrence.after(now)) if of.due is None else of


def _change(name: str, json: bool, change: Callable[[Schedule, float], Schedule]) -> None:
    outlook = reach()
    with outlook.store as store:
        of = kept.named(store, name)
        kept.change(store, change(of, time.time()))
        wake(store)
        _tell(outlook, name, json)


def _tell(outlook: Outlook, name: str, json: bool) -> None:
    """What the schedule is now; and who makes its jobs, where nobody does yet."""
    now = time.time()
    found = schedule_detail(outlook, name, now)
    if json:
        print_document(found)
        return
    from .draw.schedules import next_words

    print(f"{name}{SEPARATOR}{next_words(found, now)}")
    if found.next and daemon_of(outlook.store) is None:
        say("no daemon runs. To run it in time: hybridq daemon, or hybridq drain from cron")
