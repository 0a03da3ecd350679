"""`output`, `follow`, `wait`: what jobs have put out, as it comes, and when they have ended.

Rule: standard output holds what the jobs put out and nothing else. On a terminal it is made visible,
unless `--raw`; to a pipe it goes as it is.
"""

import shlex
from pathlib import Path
from typing import Annotated

import typer

from hybridq.errors import UsageError
from hybridq.job import State
from hybridq.queue.progress import Awaited
from hybridq.queue.select import chosen
from hybridq.queue.store import Store
from hybridq.queue.submissions import newest
from hybridq.selection import Group, Last, Selector, parse_selector
from hybridq.when import parse_span

from .reach import look, reach
from .staying.follow import await_all, fate, follow_job
from .staying.printer import Printer
from .staying.why_waiting import tell_all_waiting, tell_final, tell_waiting
from .stored import File, print_all, print_json
from .tell import leaving, print_document

app = typer.Typer()

One = Annotated[str, typer.Argument(metavar="SELECTOR", help="7, last, or a group.")]
WaitFinal = Annotated[
    bool, typer.Option("--wait-final", help="Wait for an adaptive job's final result, not just its draft.")
]
Raw = Annotated[bool, typer.Option("--raw", help="Print bytes unchanged, even on a terminal.")]


@app.command()
def output(
    selector: One,
    draft: Annotated[bool, typer.Option("--draft", help="Print an adaptive job's draft.")] = False,
    stderr: Annotated[bool, typer.Option("--stderr", help="Print standard error instead.")] = False,
    raw: Raw = False,
    to: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE", help="Write to this file.", dir_okay=False)
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON object per line: id, state, output, error.")] = False,
) -> None:
    """Print a job's output, or the output of every job in a group, in order.

    For a finished job, exits with the job's own exit code. If the job failed without output, says why.
    For a group, a job without output leaves an empty line. Exits with 1 if a job failed or was cancelled, with 75
    if a job has not finished.
    """
    if draft and stderr:
        raise UsageError("--draft and --stderr cannot be used together")
    if json and (to or raw):
        raise UsageError("--json cannot be used with --raw or -o FILE: it prints to standard output")
    outlook = look()
    with outlook.store as store:
        jobs = sorted(set(chosen(store, [parse_selector(selector)])))
        if json:
            code = print_json(outlook, jobs, draft=draft, stderr=stderr)
        elif to is None:
            printer = Printer(raw=raw)
            put = lambda data: printer.piece(1, data)  # noqa: E731 - as `file.write` below
            code = print_all(store, jobs, put, selector, draft=draft, stderr=stderr)
        else:
            with File(to) as file:
                code = print_all(store, jobs, file.write, selector, draft=draft, stderr=stderr)
    raise typer.Exit(code)


@app.command()
def follow(
    selector: One = "last",
    raw: Raw = False,
    wait_final: WaitFinal = False,
    json: Annotated[bool, typer.Option("--json", help="Print each event as a JSON object, one per line.")] = False,
) -> None:
    """Print a job's output as it arrives, and exit with the job's exit code.

    For an adaptive job, prints the draft, says when the final is due, and exits; --wait-final waits for the final.
    For a group, shows its progress. Exits with 1 if a job failed or was cancelled.
    """
    named = parse_selector(selector)
    outlook = reach()
    with outlook.store as store:
        awaited = Awaited(store, [named], final=wait_final)
        only, group = awaited.only, _group(store, named)
        again = shlex.quote(group or selector) if only is None else only  # by then another may be the last
        with leaving(lambda: f"{fate(outlook, awaited)}. Come back with: hybridq follow {again}"):
            if only is not None:
                from .shapes import Events

                told, unit = tell_waiting(outlook, only, json=json), outlook.config.policy.currency
                told_as = Events(outlook, only) if json else None
                code = follow_job(store, only, Printer(raw=raw), told_as, final=wait_final, told=told, currency=unit)
            elif group is not None:
                from .staying.group import follow_group

                code = follow_group(outlook, group, awaited, json=json)
            else:
                raise UsageError("follow takes one job or one group. To watch several: hybridq status --watch 3,5-8")
            tell_final(outlook, awaited, str(again), "follow" if group is None else "wait")
    raise typer.Exit(code)


@app.command()
def wait(
    selectors: Annotated[
        list[str] | None, typer.Argument(metavar="SELECTOR...", help="7, 3,5-8, last, all, or a group.")
    ] = None,
    timeout: Annotated[str | None, typer.Option(metavar="TIME", help="Give up after this time: 30s, 2h.")] = None,
    wait_final: WaitFinal = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON: jobs, counts, drafts, exit_code.")] = False,
) -> None:
    """Wait until jobs finish.

    For an adaptive job, waits for the draft, and says when the final is due; --wait-final waits for the final.
    Exits with the exit code of a single job. For several: 0, or 1 if any failed or was cancelled. After
    --timeout: 75.
    """
    named = [parse_selector(word) for word in selectors or ["all"]]
    seconds = None if timeout is None else parse_span(timeout)
    outlook = reach()
    with outlook.store as store:
        awaited = Awaited(store, named, final=wait_final)
        with leaving(lambda: _named(awaited.only, fate(outlook, awaited))):
            told = tell_all_waiting(outlook, awaited, named, json=json)
            words, unit = shlex.join(selectors or ["all"]), outlook.config.policy.currency
            code = await_all(store, awaited, words, seconds, told=told, currency=unit)
            tell_final(outlook, awaited, words, "wait")
            if json:
                from . import shapes

                counts = {state: awaited.count(state) for state in State}
                print_document(shapes.awaited(counts, awaited.drafts()[0], awaited.only, code), one_line=True)
    raise typer.Exit(code)


def _named(only: int | None, becomes: str) -> str:
    """What becomes of jobs, by the id of one."""
    return becomes if only is None else becomes.replace("it ", f"job {only} ", 1)


def _group(store: Store, named: Selector) -> str | None:
    """The group's name, where a group is meant."""
    match named:
        case Group(name=name):
            return name
        case Last():
            return newest(store).name
    return None
