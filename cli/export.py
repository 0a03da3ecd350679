"""`export`: every job with its input, its output and all that became of it, as a file that other programs read.

Rule: a row a job, in the order in which they were submitted, what failed among them; it costs no more memory for a
million. Where jobs stand is in their rows, not in the exit code.
"""

import shlex
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from enum import StrEnum
from pathlib import Path
from typing import IO, Annotated

import typer

from hybridq.errors import StorageError
from hybridq.job import ENDED, State
from hybridq.queue.export import ExportedJob, Selected, exported, exported_as_they_end
from hybridq.queue.progress import Awaited
from hybridq.selection import parse_selector
from hybridq.when import count

from .criteria import Failed, OfHandler, Since, Until, asked_for, check_handlers
from .draw.exported import Csv, Format, JsonLines, Table
from .exported import Records
from .reach import look, reach
from .replacing import ReplacedFile
from .staying.why_waiting import tell_all_waiting
from .tell import columns, is_tty, leaving, say

app = typer.Typer()
PIPE = 140  # cells of a line of the table where no terminal says how wide it is


class As(StrEnum):
    """The formats."""

    JSONL = "jsonl"
    CSV = "csv"
    TABLE = "table"


@app.command()
def export(
    selectors: Annotated[
        list[str] | None,
        typer.Argument(metavar="[SELECTOR]...", help="7, 3,5-8, last, all, or a group.", show_default=False),
    ] = None,
    format_: Annotated[
        As | None,
        typer.Option("--format", help="Default: jsonl, or csv if FILE ends in .csv.", show_default=False),
    ] = None,
    to: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE", help="Write to this file.", dir_okay=False)
    ] = None,
    follow: Annotated[bool, typer.Option("--follow", help="Give each job as it ends, until all have.")] = False,
    since: Since = None,
    until: Until = None,
    handler: OfHandler = None,
    failed: Failed = False,
) -> None:
    """Export jobs with their inputs, outputs, errors, times and costs.

    One row per job, in the order of submission; with --follow, in the order in which they end. Without a selector,
    exports all jobs; filters combine. FILE appears once it is complete. The exit code does not depend on the jobs:
    their rows tell. See hybridq help json for the fields.
    """
    named = [parse_selector(word) for word in selectors or ["all"]]
    criteria = asked_for(time.time(), since=since, until=until, handlers=handler)
    outlook = reach() if follow else look()
    with outlook.store as store, leaving("nothing was written" if to else "stopped before the end"):
        check_handlers(outlook, criteria)
        selected = Selected(store, named, criteria, ends=(State.FAILED,) if failed else ENDED)
        pages = exported_as_they_end(store, selected) if follow else exported(store, selected)
        if follow:
            tell_all_waiting(outlook, Awaited(store, named, final=True), named)
        with _opened(to) as file:
            totals = Totals(_writer(format_ or _by_name(to), to, outlook.config.policy.currency))
            totals.write(Records(outlook), pages, file)
    totals.tell(shlex.join(selectors or ["all"]))


class Totals:
    """Writes records, and counts what is to be said of them at the end."""

    def __init__(self, how: Format) -> None:
        self._how = how
        self._open = self._gone = 0

    def write(self, records: Records, pages: Iterator[list[ExportedJob]], file: "IO[bytes] | ReplacedFile") -> None:
        """Write all of them, each page as soon as it is there."""
        file.write(self._how.head().encode())
        file.flush()
        for page in pages:
            made = [records.of(each) for each in page]
            self._open += sum(each.state in (State.QUEUED, State.RUNNING) for each in made)
            self._gone += sum(each.missing > 0 for each in made)
            file.write(self._how.text(made).encode())
            file.flush()

    def tell(self, named: str) -> None:
        """Say what is not finished. Raises StorageError where outputs are not whole."""
        if self._open:
            what = "1 job has" if self._open == 1 else f"{count(self._open)} jobs have"
            say(f"{what} not finished. Wait for all: hybridq export {named} --follow")
        if self._gone:
            what = "the output of 1 job is" if self._gone == 1 else f"the outputs of {count(self._gone)} jobs are"
            raise StorageError(f"{what} not whole: files were truncated or removed. See which: missing is above 0")


def _opened(to: Path | None) -> "AbstractContextManager[IO[bytes] | ReplacedFile]":
    return nullcontext(sys.stdout.buffer) if to is None else ReplacedFile(to)


def _by_name(to: Path | None) -> As:
    return As.CSV if to is not None and to.suffix.lower() == ".csv" else As.JSONL


def _writer(how: As, to: Path | None, currency: str) -> Format:
    if how is As.JSONL:
        return JsonLines()
    shown = to is None and is_tty(sys.stdout)
    if how is As.CSV:
        return Csv(shown=shown)
    from shutil import get_terminal_size

    return Table(get_terminal_size().columns if shown else columns(PIPE), currency)
