"""Following a group: how far it is, in the words of `status`.

Rule: a bar for a person, otherwise a line for each further percent; standard output is not touched.
"""

import shlex
import sys
import time

from msgspec.structs import replace

from hybridq.job import Lane, Mode, State
from hybridq.outlook import Outlook
from hybridq.queue.progress import Awaited, looks
from hybridq.reason import NOBODY, WITHHELD
from hybridq.selection import Group
from hybridq.status.overview import take
from hybridq.status.snapshot import Row

from ..draw import words
from ..draw.bar import draining
from ..draw.terminal import Terminal
from ..shapes import progress
from ..tell import is_tty, print_document, say
from .follow import not_done


def follow_group(outlook: Outlook, name: str, awaited: Awaited, *, json: bool = False) -> int:
    """Show how far a group is until nothing of it waits or runs; 0, or 1 where one was not done. `awaited`: its jobs,
    of which it says whether a draft is enough. `json`: an object for each further percent, on standard output."""
    if json:
        return _as_json(outlook, name, awaited)
    row = _row(outlook, name)
    with draining(name, row.jobs, Terminal(stderr=True)) as tell:
        said, held = -1, False
        for _ in looks(outlook.store):
            row = _row(outlook, name)
            tell(words.ended_jobs(row), row.counts.get(State.FAILED, 0), row.eta, row.eta90)
            before, held = held, row.why_kind in WITHHELD
            if is_tty(sys.stderr):
                if held and not before:
                    say(f"{name}: {row.why}")
            elif words.percent(row) != said or (held and not before):
                said = words.percent(row)
                say(f"{name}: {words.standing(row, time.time())}")
            if _over(row, awaited):
                break
    return not_done(row.counts.get(State.FAILED, 0), row.counts.get(State.CANCELLED, 0), shlex.quote(name))


def _as_json(outlook: Outlook, name: str, awaited: Awaited) -> int:
    said, row = -1, _row(outlook, name)
    for _ in looks(outlook.store):
        row = _row(outlook, name)
        over = _over(row, awaited)
        if over or words.percent(row) != said:
            said = words.percent(row)
            print_document(progress(row, over=over), one_line=True)
        if over:
            break
    return not_done(row.counts.get(State.FAILED, 0), row.counts.get(State.CANCELLED, 0), shlex.quote(name))


def _over(row: Row, awaited: Awaited) -> bool:
    """Whether nothing of a group waits or runs, but for what has a draft, where that is enough."""
    return words.ended_jobs(row) == row.jobs or ((row.mixed or row.mode is Mode.ADAPTIVE) and awaited.ended())


def _row(outlook: Outlook, name: str) -> Row:
    row = take(outlook, now=time.time(), limit=1, selectors=[Group(name)]).rows[0]
    between = row.state is State.QUEUED and row.lane is Lane.STREAM and row.why_kind != NOBODY and words.ended_jobs(row)
    return replace(row, state=State.RUNNING) if between else row  # between two of its jobs it streams on
