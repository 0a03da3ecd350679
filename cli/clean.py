"""`clean`: takes what has ended long ago away for good, with its results and output files.

Rule: says first how much and asks; where nobody can be asked, `--yes` must say so. Only what has ended goes, of a
group all or nothing. Nothing to do is no fault, and told to a person alone: cron would send it by mail.
"""

import sys
import time
from typing import Annotated

import typer

from hybridq.queue.account import Cleaned
from hybridq.queue.cleaning import clean as clean_away
from hybridq.queue.cleaning import foretell
from hybridq.queue.select import ranges
from hybridq.selection import Group, check_group
from hybridq.submit import wake
from hybridq.when import how_many, parse_span

from .change import confirm
from .documents import CleanedAway
from .reach import reach
from .tell import is_tty, print_document

MONTH = "30d"

app = typer.Typer()


@app.command()
def clean(
    groups: Annotated[
        list[str] | None, typer.Argument(metavar="GROUP...", help="Only these groups.", show_default=False)
    ] = None,
    older: Annotated[
        str | None,
        typer.Option(
            metavar="SPAN",
            help="Only jobs that finished longer ago than this. Default: 30d, or 0s if you name a group.",
            show_default=False,
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be deleted; delete nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON: cleaned (jobs), cost, dry_run.")] = False,
) -> None:
    """Delete old finished jobs and their results.

    Deletes inputs, results, keys and output files. Asks first; without a terminal, as in a crontab, it needs --yes.
    The database file does not shrink: new jobs use the space.
    """
    names = [check_group(name) for name in groups] if groups else None
    older = older or (None if names else MONTH)
    before = time.time() - (parse_span(older) if older else 0.0)
    long_ago = f" that finished more than {older} ago" if older else ""
    with reach().store as store:
        for name in names or ():
            ranges(store, Group(name))  # raises NoSuchJob for a group that is not there
        going = foretell(store, before, names)
        what = f"{how_many(going.jobs)}{long_ago}"
        if dry_run:
            _told(going, json, dry_run, f"{what} would be deleted")
            return
        if not going.jobs:
            if is_tty(sys.stdout):
                print(f"nothing to delete: no jobs{long_ago or ' have finished'}")
            return
        if not yes:
            confirm(f"delete {what}, with results and output files?")
        gone = clean_away(store, before, names)
        wake(store)
    _told(gone, json, dry_run, f"{how_many(gone.jobs)} deleted")


def _told(what: Cleaned, json: bool, dry_run: bool, text: str) -> None:
    if json:
        print_document(CleanedAway(cleaned=what.jobs, cost=what.cost, dry_run=dry_run), one_line=True)
    else:
        print(text)
