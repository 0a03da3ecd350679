"""What dead pipes left: their journals become jobs of their groups, by whoever looks first.

Rule: one transaction accepts the jobs and ends the pipe, so that nothing is handed in twice; its journal goes
afterwards.
"""

import time

from msgspec.structs import replace

from ..outlook import Outlook
from ..queue.pipes import Pipe, left_behind, request_of, write_figures
from .clerk import hand_in
from .journal import remove
from .recovered import read


def hand_in_left(outlook: Outlook) -> int:
    """Hand in what all dead pipes left; returns how many jobs. Their processes are ended by `rescue`, first."""
    return sum(_hand_in(outlook, pipe) for pipe in left_behind(outlook.store))


def _hand_in(outlook: Outlook, pipe: Pipe) -> int:
    store = outlook.store
    left = read(store.home, pipe.id, pipe.form, pipe.handed)
    sources = [
        replace(source, inode=place.inode, offset=place.offset) if (place := left.places.get(number)) else source
        for number, source in enumerate(pipe.sources)
    ]
    figures = pipe.figures
    if left.took:
        answered = left.took - left.in_all - len(left.others) - figures.failed
        figures = replace(figures, taken=left.took, answered=max(0, answered), shed=left.in_all)
    write_figures(store, pipe.id, figures, 0.0, pipe.at, sources)
    items = left.shed + left.others
    jobs = hand_in(outlook, pipe, request_of(store, pipe.id), items, ends=time.time(), left=len(left.others))
    remove(store.home, pipe.id)
    return jobs
