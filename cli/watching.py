"""`status --watch`: the queue behind the live view.

Rule: a ring is answered with the store's own change counter first, because a stream job rings at each
piece of its output, which no row shows. A runner that died changes nothing and rings nowhere, so it is asked for.
What a person does here is done by the same verbs as on the command line.
"""

import shlex
import time
from collections.abc import Sequence
from typing import NamedTuple

from msgspec.structs import replace
from rich.console import Group as Stacked
from rich.console import RenderableType
from rich.text import Text

from hybridq.errors import HybridqError
from hybridq.job import ENDED, Mode, State
from hybridq.outlook import Outlook
from hybridq.queue.doorbell import VIEWER, Doorbell
from hybridq.queue.runner import dead
from hybridq.selection import ANY, Criteria, Group, Ids, Selector
from hybridq.status.ending import OF_EACH, SHOWN, Ending, ending, endings
from hybridq.status.overview import take
from hybridq.status.snapshot import Row, Snapshot
from hybridq.visible import visible, visible_line

from .draw import words
from .draw.asking import NAME
from .draw.filter import Filter
from .draw.live import watch
from .draw.page import KEYS, OUTPUT, WHY
from .draw.palette import ALARM, LOOK, QUIET, STRONG
from .errors import sentence
from .reach import reach, renew

STALE = 5.0  # seconds after which the queue is read again unasked: load, tariff, a lost ring


class Watched(NamedTuple):
    """What of the queue is to be seen, as it was typed after `status`. `limit`: rows at most."""

    selectors: Sequence[Selector] = ()
    states: Sequence[State] = ()
    modes: Sequence[Mode] = ()
    all_: bool = False
    limit: int = 2**31
    criteria: Criteria = ANY


EVERYTHING = Watched()


def watch_queue(watched: Watched, *, bell: bool) -> int:
    """Show the queue until somebody ends it; returns the exit code. `bell`: it rings when jobs fail."""
    outlook = reach()
    with outlook.store as store, Doorbell(store.home, VIEWER) as rung:
        return watch(QueueDesk(outlook, watched), rung, rings=bell)


class QueueDesk:
    """The queue: read for the view, and changed by it."""

    def __init__(self, outlook: Outlook, watched: Watched = EVERYTHING) -> None:
        self._outlook = outlook
        self._watched = watched
        self._last: tuple[object, float, Snapshot] | None = None
        self._seen = False

    def take(self, rows: int, filter_: Filter, all_: bool) -> Snapshot:
        """A snapshot; the last one again while nobody has written, no runner has died and it is not yet stale."""
        store = self._outlook.store
        asked = min(rows, self._watched.limit), filter_, all_, store.changes()
        if self._last is not None:
            known, taken, snapshot = self._last
            if asked == known and time.monotonic() - taken < STALE and not dead(store):
                return snapshot
        snapshot, self._seen = self._look(asked[0], filter_, all_), True
        self._last = asked, time.monotonic(), snapshot
        return snapshot

    def _look(self, rows: int, filter_: Filter, all_: bool) -> Snapshot:
        renew(self._outlook)
        selectors, states, modes, every, _, criteria = self._watched
        return take(
            self._outlook,
            now=time.time(),
            limit=rows,
            all_=every or all_ or bool(filter_.text),
            states=states or filter_.states,
            modes=modes,
            selectors=selectors,
            whole=not states,
            fill=rows,
            criteria=criteria,
            gone=self._seen,  # what was there may be cleaned away: others may come under its name
        )

    def page(self, kind: str, row: Row | None) -> RenderableType:
        """What there is to see of a row; of none the keys."""
        if row is None or kind == KEYS:
            return _keys()
        try:
            return self._output(row) if kind == OUTPUT else _story(self._outlook, kind, row)
        except HybridqError as problem:
            return Text(sentence(problem), ALARM)

    def act(self, verb: str, row: Row) -> str:
        """Cancel or retry it, as the command of that name does."""
        from .change import change

        self._last = None  # what one changes oneself does not count among the changes of others
        try:
            return change(self._outlook.store, verb, _selector(row))
        except HybridqError as problem:
            return sentence(problem)

    def _output(self, row: Row) -> RenderableType:
        store = self._outlook.store
        if row.group is None:
            found = ending(store, row.id)
            return Stacked(_title(row, row.id, found, row.what), _put_out(row.id, found, SHOWN))
        jobs = endings(store, row.group)
        if not jobs:
            return Text(f"no job of {visible_line(row.group, NAME)} has begun yet", QUIET)
        head = Text(f"what began last; all of it: hybridq output {shlex.quote(row.group)}", QUIET)
        told = [Stacked(_title(row, number, found), _put_out(number, found, OF_EACH)) for number, found in jobs]
        return Stacked(head, *told)


# What a view that is only looked at does not need is imported when it is asked for: 0.1 s until the first frame.


def _keys() -> RenderableType:
    from rich.markdown import Markdown

    from .help.topics import text

    return Markdown(text("watch"))


def _story(outlook: Outlook, kind: str, row: Row) -> RenderableType:
    from hybridq.status.detail import detail, explanation

    from .story import detail_view, explanation_view

    now = time.time()
    if kind == WHY:
        return explanation_view(explanation(outlook, _selector(row), now=now), now)
    return detail_view(detail(outlook, _selector(row), now=now), now)


def _title(row: Row, number: int, found: Ending, what: str = "") -> Text:
    sign, style = LOOK[words.state(replace(row, state=found.state))]
    return Text.assemble((f"{sign} {number}", style), "  ", (visible_line(what, NAME), STRONG))


def _put_out(number: int, found: Ending, most: int) -> RenderableType:
    """The end of a job's output, and what stands on its standard error."""
    from hybridq.queue.results import text_of

    parts: list[RenderableType] = []
    out = text_of(found.out) if found.value else found.out
    if before := found.before + max(0, len(out) - most):
        parts.append(Text(f"{before:,} bytes before this: hybridq output {number}", QUIET))
    if found.draft:
        parts.append(Text("the draft; the final result is not there yet", QUIET))
    if out:
        parts.append(_text(out[-most:]))
    if found.err:
        parts += [Text("standard error", STRONG), _text(found.err)]
    if found.error is not None and found.state is State.FAILED:
        parts.append(Text(f"failed: {visible(found.error)}", ALARM))
    if not parts:
        parts.append(Text("has put out nothing yet" if found.state not in ENDED else "put out nothing", QUIET))
    return Stacked(*parts)


def _text(data: bytes) -> Text:
    return Text(visible(data.decode("utf-8", "backslashreplace")).rstrip("\n"), overflow="fold")


def _selector(row: Row) -> Selector:
    return Ids(((row.id, row.id),)) if row.group is None else Group(row.group)
