"""`edit`: another deadline, priority, mode, group or cost limit for queued jobs, or what they wait for as well.

Rule: changes all that is queued of what is named, or nothing; says what stays as it is.
"""

import time
from collections.abc import Sequence
from typing import Annotated

import typer
from msgspec import UNSET, UnsetType

from hybridq.asking.options import Options, check_money, check_priority
from hybridq.asking.waits import waits_for
from hybridq.brain.policy import check_mode
from hybridq.errors import NoSuchJob, UsageError
from hybridq.job import Audience, Mode, Request, State
from hybridq.outlook import Outlook
from hybridq.queue.cohorts import job
from hybridq.queue.edits import Edit, handlers_of
from hybridq.queue.edits import edit as edit_jobs
from hybridq.queue.select import chosen
from hybridq.selection import check_group
from hybridq.submit import wake
from hybridq.when import count, how_many, parse_deadline

from . import documents
from .change import Selectors, named
from .reach import reach
from .tell import print_document

app = typer.Typer()
NONE = "none"


@app.command()
def edit(
    selectors: Selectors = None,
    deadline: Annotated[str | None, typer.Option(metavar="TIME", help="The deadline: 06:00, 2h, none.")] = None,
    priority: Annotated[int | None, typer.Option(metavar="N", help="Higher goes first.")] = None,
    mode: Annotated[Mode | None, typer.Option(help="The mode; one that the handler offers.")] = None,
    group: Annotated[str | None, typer.Option(metavar="NAME", help="Put the jobs into this group.")] = None,
    after: Annotated[
        list[str] | None,
        typer.Option(metavar="SELECTOR", help="Also wait until these jobs are done: 7, 3,5-8, last, or a group."),
    ] = None,
    max_cost: Annotated[str | None, typer.Option(metavar="AMOUNT", help="The most they may cost, or none.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON: the number of jobs and their ids.")] = False,
) -> None:
    """Change queued jobs: deadline, priority, mode, group, cost limit, waits.

    What runs or has ended stays as it is. hybridq explain tells what was changed, and when.
    """
    now = time.time()
    which = named(selectors)
    change = Edit(
        deadline=UNSET if deadline is None else None if deadline == NONE else parse_deadline(deadline, now),
        priority=UNSET if priority is None else check_priority(priority),
        mode=UNSET if mode is None else mode,
        group=UNSET if group is None else check_group(group),
        max_cost=_money(max_cost),
    )
    if change == Edit() and not after:
        raise UsageError("say what to change: --deadline, --priority, --mode, --group, --after or --max-cost")
    outlook = reach()
    with outlook.store as store:
        jobs = list(dict.fromkeys(chosen(store, which, (State.QUEUED,))))
        others = sum(1 for _ in chosen(store, which, tuple(s for s in State if s is not State.QUEUED)))
        if not jobs:
            raise NoSuchJob(_none_queued(outlook, list(chosen(store, which))))
        _check_modes(outlook, jobs, change)
        changed = edit_jobs(store, jobs, change, now, waits_for(store, Options(after=tuple(after or ()) or None)))
        wake(store)
    if json:
        print_document(documents.Edited(edited=changed, ids=jobs), one_line=True)
        return
    told = f"{how_many(changed)} edited" if changed else "nothing to change: they are so already"
    print(told + (f"; {count(others)} that run or have ended: left alone" if others else ""))


def _money(text: str | None) -> float | UnsetType | None:
    if text is None:
        return UNSET
    if text == NONE:
        return None
    try:
        amount = float(text)
    except ValueError:
        raise UsageError(f"--max-cost must be an amount of money or none, not '{text}'") from None
    check_money(amount)
    return amount


def _none_queued(outlook: Outlook, jobs: Sequence[int]) -> str:
    """Why nothing of these can be edited."""
    if len(jobs) != 1:
        return "nothing was edited: all of these jobs run or have ended"
    state = job(outlook.store, jobs[0]).state
    how = {State.RUNNING: "runs already", State.CANCELLED: "was cancelled"}.get(state, f"is {state}")
    return f"job {jobs[0]} {how}: only queued jobs can be edited"


def _check_modes(outlook: Outlook, jobs: Sequence[int], change: Edit) -> None:
    """Raise UsageError for a mode that the handler of one of these jobs does not offer."""
    if change.mode is UNSET:
        return
    for handler in handlers_of(outlook.store, jobs):
        modes = outlook.modes(handler)
        check_mode(Request(handler=handler, audience=Audience.BACKGROUND, mode=change.mode), modes)
