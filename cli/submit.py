"""`submit`: hand in one job, or many; then behave as the job itself, wait, or print what was accepted.

Rule: an id is printed only for what was durably accepted, and standard output holds nothing else but
what was asked for. Everything else that there is to say goes to standard error.
"""

import contextlib
import os
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from hybridq.asking.options import Options, check
from hybridq.errors import UsageError
from hybridq.submit import connect

from .submitting.accepted import Then, after, foretold
from .submitting.asked import (
    AudienceOf,
    Backoff,
    CleanEnv,
    Cwd,
    Env,
    EnvFile,
    InGroup,
    MaxCost,
    ModeOf,
    Needs,
    Priority,
    Retries,
    RetryOn,
    Shell,
    Stdin,
    Timeout,
)
from .submitting.submission import Skipped, Submission
from .submitting.words import Source, understood
from .suggestions import Misread, as_command, without
from .tell import leaving, say

app = typer.Typer()
TYPED = "hybridq.typed"  # in the context: the whole line


class SubmitCommand(TyperCommand):
    """Keeps what stands after `--` apart: that is a command, or an input that begins with a dash."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse what comes before `--` as options and words."""
        ctx.meta[TYPED] = list(args)
        if "--" in args:
            place = args.index("--")
            ctx.obj = args[place + 1 :]
            args = args[:place]
        first = self._first_word(args)
        before, words = args[:first], args[first:]
        try:
            return super().parse_args(ctx, args)
        except typer.TyperException as problem:  # such as the `-l` of `submit ls -l`
            problem.message += as_command([*words, *(ctx.obj or ())], before) if words else ""
            raise

    def _first_word(self, args: list[str]) -> int:
        """The place of the first argument that is neither an option nor an option's value."""
        take = {name for each in self.params if not getattr(each, "is_flag", True) for name in each.opts}
        place = 0
        while place < len(args) and args[place].startswith("-") and args[place] != "-":
            place += 2 if args[place] in take else 1
        return place


@app.command(cls=SubmitCommand)
def submit(
    ctx: typer.Context,
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="[HANDLER INPUT... | -- CMD ARG...]", show_default=False),
    ] = None,
    shell: Shell = None,
    each: Annotated[bool, typer.Option("--each", help="One job per FILE; its path is the input.")] = False,
    lines: Annotated[str | None, typer.Option(metavar="FILE", help="One job per line; - for standard input.")] = None,
    jsonl: Annotated[str | None, typer.Option(metavar="FILE", help="One job per JSON object: input, options.")] = None,
    mode: ModeOf = None,
    audience: AudienceOf = None,
    deadline: Annotated[
        str | None, typer.Option(metavar="TIME", help="When the result is needed: 2h, 06:00, tomorrow 06:00.")
    ] = None,
    priority: Priority = None,
    group: InGroup = None,
    at: Annotated[str | None, typer.Option(metavar="TIME", help="Do not start before: 21:00, tomorrow 06:00.")] = None,
    delay: Annotated[str | None, typer.Option(metavar="TIME", help="Do not start before this has passed: 2h.")] = None,
    after: Annotated[
        list[str] | None,
        typer.Option(metavar="SELECTOR", help="Start once these jobs are done: 7, 3,5-8, last, or a group."),
    ] = None,
    after_ended: Annotated[
        list[str] | None,
        typer.Option(metavar="SELECTOR", help="Start once these jobs have ended, done or not."),
    ] = None,
    key: Annotated[
        str | None, typer.Option(metavar="KEY", help="Submit only once: the same key gives the same job.")
    ] = None,
    retries: Retries = None,
    backoff: Backoff = None,
    retry_on: RetryOn = None,
    timeout: Timeout = None,
    cwd: Cwd = None,
    env: Env = None,
    env_file: EnvFile = None,
    clean_env: CleanEnv = False,
    stdin: Stdin = None,
    max_cost: MaxCost = None,
    needs: Needs = None,
    notify: Annotated[
        bool, typer.Option("--notify", help="Send a message once all of it has ended, by notify in config.toml.")
    ] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Wait, then exit with the job's exit code.")] = False,
    follow: Annotated[bool, typer.Option("--follow", help="Show the output as it arrives.")] = False,
    wait_final: Annotated[
        bool, typer.Option("--wait-final", help="Wait for an adaptive job's final result, not just its draft.")
    ] = False,
    detach: Annotated[bool, typer.Option("--detach", help="Never wait, even on a terminal.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would happen; submit nothing.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help="Skip bad inputs, and list them.")] = False,
) -> None:
    """Submit one job, or many.

    \b
    hybridq submit -- CMD ARG...            a command
    hybridq submit HANDLER TEXT             a text
    hybridq submit HANDLER @FILE            a file's text; - for standard input
    hybridq submit HANDLER --each FILE...   one job per file
    hybridq submit HANDLER --lines FILE     one job per line; - for standard input
    hybridq submit HANDLER --jsonl FILE     one job per JSON object, {"input": ..., "priority": ...}

    On a terminal, follows a job that runs now: its output, its exit code. Control-C detaches; the job goes on.
    Elsewhere, prints one word that every other command accepts: the job's id, or for many jobs the group's name
    (yours, or HANDLER-ID). --json prints one object: id, last, jobs, group, mode, reason, start, finish, cost.
    """
    options = Options(
        mode=mode,
        audience=audience,
        deadline=deadline,
        priority=priority,
        group=group,
        key=key,
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
        notify=notify or None,
        at=at,
        delay=delay,
        after=tuple(after) if after else None,
        after_ended=tuple(after_ended) if after_ended else None,
    )
    check(options)
    then = Then(
        wait=wait or (wait_final and not follow),
        follow=follow,
        final=wait_final,
        detach=detach,
        dry_run=dry_run,
        json=json,
    )
    then.check()
    try:
        source = understood(words or [], ctx.obj, shell=shell, each=each, lines=lines, jsonl=jsonl)
        if not source.many and skip_bad:
            raise UsageError("--skip-bad needs --each, --lines or --jsonl")
        if source.many and key is not None:
            raise UsageError("--key is for a single job. For many, give each a key with --jsonl")
        raise typer.Exit(_hand_in(source, options, then, Skipped(skip_bad), stdin))
    except Misread as problem:
        said = [*(words or ()), *(ctx.obj or ())]
        hint = as_command(said, without(ctx.meta[TYPED], said)) if words else ""
        raise UsageError(f"{problem}{hint}") from None


def _hand_in(source: Source, options: Options, then: Then, skipped: Skipped, stdin: bool | None) -> int:
    outlook = connect(dict(os.environ))
    with outlook.store:
        submission = Submission(outlook, source, options, then.waits, stdin, stays=then.stays, detached=then.detach)
        if then.dry_run:
            return foretold(submission.foretell(skipped), skipped, then, outlook.config.policy.currency)
        with leaving("nothing was submitted") if source.many else contextlib.nullcontext():
            accepted = submission.many(skipped) if source.many else submission.one()
        for line in submission.kept():
            say(line)
        return after(outlook, accepted, then, skipped)
