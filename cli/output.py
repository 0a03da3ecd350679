"""`output`, `follow`, `wait`: what jobs have put out, as it comes, and when they have ended.

Rule: standard output holds what the jobs put out and nothing else. On a terminal it is made visible,
unless `--raw`; to a pipe it goes as it is.
"""

import shlex
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Annotated

import typer

from hybridq.errors import HybridqError, NoSuchJob, TryAgain, UsageError
from hybridq.job import ENDED, State
from hybridq.outlook import Outlook
from hybridq.queue.cohorts import Result, newest, result, state_of
from hybridq.queue.outputs import Tail
from hybridq.queue.progress import Awaited
from hybridq.queue.select import chosen
from hybridq.queue.store import Store
from hybridq.selection import Group, Last, Selector, parse_selector
from hybridq.when import parse_span

from .reach import look, reach
from .staying.follow import await_all, code_of, fate, follow_job
from .staying.printer import Printer, text_of
from .staying.why_waiting import tell_all_waiting, tell_final, tell_waiting
from .tell import leaving, print_document, say

app = typer.Typer()

One = Annotated[str, typer.Argument(metavar="SELECTOR", help="7, last, or a group.")]
WaitFinal = Annotated[bool, typer.Option("--wait-final", help="Stay for an adaptive job's final, not only its draft.")]
Raw = Annotated[bool, typer.Option("--raw", help="Bytes as they are, on a terminal too.")]


@app.command()
def output(
    selector: One,
    draft: Annotated[bool, typer.Option("--draft", help="An adaptive job's draft.")] = False,
    stderr: Annotated[bool, typer.Option("--stderr", help="What went to standard error.")] = False,
    raw: Raw = False,
    to: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE", help="Write it there.", dir_okay=False)
    ] = None,
    json: Annotated[
        bool, typer.Option("--json", help="One JSON document: jobs, each with id, state, exit_code, output, error.")
    ] = False,
) -> None:
    """Print what a job has put out; of a group, each job's output in order.

    Of one job that has ended it ends with the job's own exit code, and where the job failed and put out nothing it
    says why. Of a group it ends with 0, and says how many jobs have no output.
    """
    if draft and stderr:
        raise UsageError("--draft and --stderr cannot go together: a draft is a result")
    if json and (to or raw):
        raise UsageError("--json goes to standard output, without --raw or -o FILE")
    outlook = look()
    with outlook.store as store:
        jobs = list(chosen(store, [parse_selector(selector)]))
        if json:
            code = _print_json(outlook, jobs, draft=draft, stderr=stderr)
        elif to is None:
            printer = Printer(raw=raw)
            code = _print_all(store, jobs, lambda data: printer.piece(1, data), selector, draft=draft, stderr=stderr)
        else:
            with _File(to) as file:
                code = _print_all(store, jobs, file.write, selector, draft=draft, stderr=stderr)
    raise typer.Exit(code)


@app.command()
def follow(
    selector: One = "last",
    raw: Raw = False,
    wait_final: WaitFinal = False,
    json: Annotated[bool, typer.Option("--json", help="A JSON object for each event, one a line.")] = False,
) -> None:
    """Print a job's output as it arrives, and end as the job ends.

    Of an adaptive job it shows the draft, says when the final is due, and ends; --wait-final stays for that.
    Of a group it shows how far it is, and ends with 1 where a job was not done.
    """
    named = parse_selector(selector)
    outlook = reach()
    with outlook.store as store:
        awaited = Awaited(store, [named], final=wait_final)
        only, group = awaited.only, _group(store, named)
        again = shlex.quote(group or selector) if only is None else only  # by then another may be the last
        with leaving(lambda: f"{fate(store, awaited)}. Come back with: hybridq follow {again}"):
            if only is not None:
                from .shapes import Events

                told = tell_waiting(outlook, only)
                told_as = Events(outlook, only) if json else None
                code = follow_job(store, only, Printer(raw=raw), told_as, final=wait_final, told=told)
            elif group is not None:
                from .staying.group import follow_group

                code = follow_group(outlook, group, awaited, json=json)
            else:
                raise UsageError("follow one job or one group; for several: hybridq status --watch 3,5-8")
            tell_final(outlook, awaited, str(again), "follow" if group is None else "wait")
    raise typer.Exit(code)


@app.command()
def wait(
    selectors: Annotated[
        list[str] | None, typer.Argument(metavar="SELECTOR...", help="7, 3,5-8, last, all, or a group.")
    ] = None,
    timeout: Annotated[str | None, typer.Option(metavar="TIME", help="Wait no longer: 30s, 2h.")] = None,
    wait_final: WaitFinal = False,
    json: Annotated[bool, typer.Option("--json", help="One JSON object: jobs, counts, drafts, exit_code.")] = False,
) -> None:
    """Wait until jobs have ended.

    Of an adaptive job it waits for the draft, says when the final is due, and ends; --wait-final waits for that.
    Ends with the exit code of the one job; of several with 0, or 1 if one was not done; 75 after --timeout.
    """
    named = [parse_selector(word) for word in selectors or ["all"]]
    seconds = None if timeout is None else parse_span(timeout)
    outlook = reach()
    with outlook.store as store:
        awaited = Awaited(store, named, final=wait_final)
        with leaving(lambda: fate(store, awaited)):
            told = tell_all_waiting(outlook, awaited, named)
            code = await_all(store, awaited, shlex.join(selectors or ["all"]), seconds, told=told)
            tell_final(outlook, awaited, shlex.join(selectors or ["all"]), "wait")
            if json:
                from . import shapes

                counts = {state: awaited.count(state) for state in State}
                print_document(shapes.awaited(counts, awaited.drafts()[0], awaited.only, code), one_line=True)
    raise typer.Exit(code)


class _File:
    """A file that is opened, and emptied, once there is something to write or all went well."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: IO[bytes] | None = None

    def __enter__(self) -> "_File":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self.write(b"")
        if self._file is not None:
            self._file.close()

    def write(self, data: bytes) -> None:
        """Write this behind what was written before."""
        if self._file is None:
            self._file = self._path.open("wb")
        self._file.write(data)


def _group(store: Store, named: Selector) -> str | None:
    """The group's name, where a group is meant."""
    match named:
        case Group(name=name):
            return name
        case Last():
            return newest(store).name
    return None


def _print_all(
    store: Store, jobs: list[int], put: Callable[[bytes], object], named: str, *, draft: bool, stderr: bool
) -> int:
    """Put out each job's output; what has none is told of. Returns the exit code, which is that of the only job;
    raises where the only job waits."""
    missing = failed = drafts = 0
    for job in jobs:
        found = result(store, job, draft=draft)
        if not (draft or stderr) and (first := _instead(store, job, found)) is not None:
            found, drafts = first, drafts + 1
        empty = True
        for data in _pieces(store, job, found, stderr=stderr):
            put(data)
            empty = False
        if found is not None and found.dropped:
            say(f"{found.dropped:,} bytes of job {job}'s output are lost: over the limit, or refused by the disk")
        if empty and state_of(store, job)[0] is State.FAILED and found is not None and not (draft or stderr):
            if len(jobs) == 1:
                say(f"job {job} put out nothing; it failed: {found.error}")
            missing, failed = missing + 1, failed + 1
        elif empty and (why := _missing(store, job, found, draft=draft)) is not None:
            if len(jobs) == 1:
                raise why
            missing += 1
    if drafts:
        say(_drafts(store, jobs, drafts))
    if len(jobs) == 1:
        state = state_of(store, jobs[0])[0]
        if state is State.CANCELLED:
            say(f"job {jobs[0]} was cancelled")
        return code_of(state, result(store, jobs[0])) if state in ENDED and not draft else 0
    if missing:
        only = " --state failed" if failed else ""
        say(f"{missing:,} of {len(jobs):,} jobs have no output: hybridq status {shlex.quote(named)}{only} says why")
    return 0


def _print_json(outlook: Outlook, jobs: list[int], *, draft: bool, stderr: bool) -> int:
    """One document, written as it is read: a group may have a million jobs. Returns the exit code, as without it."""
    from .shapes import Outputs

    store, outputs = outlook.store, Outputs(outlook, draft=draft, stderr=stderr)
    if (
        len(jobs) == 1
        and not outputs.of(jobs[0])["output"]
        and (why := _missing(store, jobs[0], result(store, jobs[0], draft=draft), draft=draft))
    ):
        raise why
    print('{"jobs": [')
    for place, number in enumerate(jobs):
        print("," * bool(place), end="")
        print_document(outputs.of(number), one_line=True)
    print("]}", flush=True)
    if len(jobs) != 1 or draft or (state := state_of(store, jobs[0])[0]) not in ENDED:
        return 0
    return code_of(state, result(store, jobs[0]))


def _instead(store: Store, job: int, found: Result | None) -> Result | None:
    """An adaptive job's draft, where it has no final."""
    if found is not None and found.value is not None:
        return None
    first = result(store, job, draft=True)
    return None if first is None or first.value is None else first


def _drafts(store: Store, jobs: list[int], drafts: int) -> str:
    """Which of these were drafts, and what became of the final."""
    if len(jobs) > 1:
        return f"{drafts:,} of these are drafts: their final results are not there"
    final = result(store, jobs[0])
    if state_of(store, jobs[0])[0] is State.FAILED and final is not None:
        return f"this is the draft; the final result failed: {final.error}"
    return "this is the draft; the final result is not there yet"


def _pieces(store: Store, job: int, found: Result | None, *, stderr: bool) -> Iterator[bytes]:
    if found is not None and found.value is not None and not stderr:
        yield text_of(found.value)
        return
    attempt = state_of(store, job)[1] if found is None else found.attempt
    tail = Tail(store.home, job, attempt, 2 if stderr else 1)
    try:
        yield from tail.more()
    finally:
        tail.close()


def _missing(store: Store, job: int, found: Result | None, *, draft: bool) -> HybridqError | None:
    """Why a job has no output yet, or no draft; None where it ended and put out nothing."""
    state = state_of(store, job)[0]
    if draft and found is None:
        return NoSuchJob(f"job {job} has no draft")
    if state in (State.QUEUED, State.RUNNING):
        return TryAgain(f"job {job} has put out nothing yet. Stay with it: hybridq follow {job}")
    return None
