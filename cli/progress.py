"""Following a group: how far it is, in the words of `status`.

Rule: a bar for a person, otherwise a line for each further percent; standard output is not touched.
"""

import sys
import time

from hybridq.ends import looks
from hybridq.job import State
from hybridq.outlook import Outlook
from hybridq.overview import take
from hybridq.selection import Group
from hybridq.snapshot import Row

from .tell import is_tty, say
from .views import words
from .views.bar import draining
from .views.terminal import Terminal


def follow_group(outlook: Outlook, name: str) -> int:
    """Show how far a group is until nothing of it waits or runs; 0, or 1 where one was not done."""
    row = _row(outlook, name)
    with draining(name, row.jobs, Terminal(stderr=True)) as tell:
        said = -1
        for _ in looks(outlook.store):
            row = _row(outlook, name)
            tell(words.ended(row), _bad(row), row.eta, row.eta90)
            if not is_tty(sys.stderr) and words.percent(row) != said:
                said = words.percent(row)
                say(f"{name}: {words.standing(row, time.time())}")
            if words.ended(row) == row.jobs:
                break
    return 1 if _bad(row) else 0


def _row(outlook: Outlook, name: str) -> Row:
    return take(outlook, now=time.time(), limit=1, selectors=[Group(name)]).rows[0]


def _bad(row: Row) -> int:
    return row.counts.get(State.FAILED, 0) + row.counts.get(State.CANCELLED, 0)
