"""What the live view shows and which keys do what: the rows with one chosen, a filter, a question, an opened row.

Rule: it keeps to the row, not to the line: a row that moves stays chosen. Nothing is changed without a yes, and a key
that was typed before its question was seen answers nothing. Each reading is bounded, however long the queue is.
"""

import time
from collections.abc import Sequence
from typing import Protocol

from rich.console import Console, RenderableType

from hybridq.job import State
from hybridq.status.snapshot import Row, Snapshot

from . import asking
from .filter import Filter
from .head import rows_that_fit
from .page import DETAILS, KEYS, OUTPUT, WHY, Page

MOST = 1000  # rows that are read, at most
STEP = 50  # rows: scrolling reads on in steps of so many
LOOK = 0.9  # seconds after which the queue is read again unasked
PACE = 0.25  # seconds between two readings, at least
SHARE = 4  # times as long as the last reading took is waited before the next
TOLD = 5.0  # seconds for which an answer is seen
PAGES = {"enter": DETAILS, "right": DETAILS, "d": DETAILS, "o": OUTPUT, "e": WHY}
KINDS = (DETAILS, OUTPUT, WHY)
BACK = ("escape", "left", "backspace")
MOVES = {"up": -1, "k": -1, "down": 1, "j": 1}
FAR = 2**31  # rows or lines: to the end


class Desk(Protocol):
    """The queue behind the view: reads it, and changes what a person has said yes to."""

    def take(self, rows: int, filter_: Filter, all_: bool) -> Snapshot:
        """At most so many rows; with `all_` every row that ended among them."""
        ...

    def page(self, kind: str, row: Row | None) -> RenderableType:
        """What there is to see of an opened row."""
        ...

    def act(self, verb: str, row: Row) -> str:
        """Cancel or retry it; returns what came of that as a sentence."""
        ...


class Board:
    """The state of one live view. `bell`: it rings when jobs fail."""

    def __init__(self, desk: Desk, *, bell: bool = False) -> None:
        self.bell = bell
        self.left = False  # whether somebody has asked to leave
        self.snapshot: Snapshot | None = None
        self.rows: Sequence[Row] = ()  # those that pass the filter
        self.index = 0  # of the chosen row
        self.fits = 1  # rows
        self.filter = Filter()
        self.every = False  # whether all that ended is shown
        self.typing: str | None = None  # the filter, while it is typed
        self.asked: tuple[str, Row] | None = None  # what is to be done if the answer is yes
        self.page: Page | None = None
        self._desk = desk
        self._chosen: int | str | None = None
        self._top, self._reach = 0, 0
        self._doing: tuple[str, Row] | None = None
        self._told, self._told_until = "", 0.0
        self._read: tuple[object, ...] = ()
        self._taken, self._cost, self._stale = 0.0, 0.0, True
        self._failed: int | None = None
        self._rings = False

    @property
    def row(self) -> Row | None:
        """The chosen row."""
        return self.rows[self.index] if self._chosen is not None and self.index < len(self.rows) else None

    @property
    def told(self) -> str:
        """What came of the last key, for a while."""
        return self._told if time.monotonic() < self._told_until else ""

    def window(self, fits: int) -> tuple[Sequence[Row], int | None]:
        """The rows that are seen where so many fit, and the place of the chosen one among them."""
        top = self._top if self._chosen is not None else 0
        if self._chosen is not None:
            top = max(self.index - fits + 1, min(top, self.index))
        self._top = max(0, min(top, len(self.rows) - fits))
        return self.rows[self._top : self._top + fits], None if self.row is None else self.index - self._top

    # What is read

    def read(self, console: Console, *, rung: bool) -> None:
        """Read what is to be seen, if that may have changed; sparingly where a reading takes long."""
        self.fits = rows_that_fit(console.size.height, chosen=self._chosen is not None)
        now, rows = time.monotonic(), self._rows_wanted()
        asked = rows, self.filter, self.every, self.page, console.size
        self._stale |= rung or now - self._taken >= LOOK
        if asked == self._read and not (self._stale and now - self._taken >= max(PACE, SHARE * self._cost)):
            return
        self._read, self._stale = asked, False
        self._took(self._desk.take(rows, self.filter, self.every))
        if self.page is not None:
            self.page.row = self._as_it_is(self.page.row)
            self.page.take(self._desk.page(self.page.kind, self.page.row), console)
        self._taken = time.monotonic()
        self._cost = self._taken - now

    def refresh(self) -> None:
        """Read anew next time, however short the time since the last reading."""
        self._read = ()

    def _rows_wanted(self) -> int:
        if self.filter.looks_at_text:
            return MOST
        reach = max(self._reach, self._top + self.fits)
        return self.fits if reach <= self.fits else min(MOST, -(-reach // STEP) * STEP)

    def _took(self, snapshot: Snapshot) -> None:
        failed = snapshot.head.counts.get(State.FAILED, 0)
        self._rings |= self._failed is not None and failed > self._failed
        self._failed = failed
        self.snapshot = snapshot
        self.rows = [row for row in snapshot.rows if self.filter.passes(row)]
        if self._chosen is not None:
            places = [number for number, row in enumerate(self.rows) if _key(row) == self._chosen]
            self._choose(places[0] if places else self.index)

    def _as_it_is(self, row: Row | None) -> Row | None:
        """The row as it was read last."""
        return row and next((each for each in self.rows if _key(each) == _key(row)), row)

    def rings(self) -> bool:
        """Whether jobs have failed since the last call, and somebody wants to hear it."""
        rings, self._rings = self._rings and self.bell, False
        return rings

    # What is done

    def work(self) -> bool:
        """Do what was said yes to; returns whether there was anything."""
        if self._doing is None:
            return False
        doing, self._doing = self._doing, None
        self._tell(self._desk.act(*doing))
        self.refresh()
        return True

    def press(self, keys: Sequence[str]) -> None:
        """These keys were typed, one after the other."""
        for key in keys:
            if self.typing is not None:
                self._type(key, self.typing)
            elif self.asked is not None:
                self._answer(key, self.asked)
            elif self.page is not None:
                self._turn(key, self.page)
            else:
                self._steer(key)
            if self.asked is not None or self.left:
                return  # what was typed before a question was seen is no answer to it

    def _type(self, key: str, typed: str) -> None:
        if key == "enter":
            self.typing = None
            return
        if len(key) == 1:
            typed += key
        elif key == "backspace":
            typed = typed[:-1]
        elif key in ("clear", "escape"):
            typed = ""
        self.typing = None if key == "escape" else typed
        self._narrow(typed)

    def _answer(self, key: str, asked: tuple[str, Row]) -> None:
        self.asked = None
        if key in ("y", "Y"):
            self._doing = asked
        self._tell(asking.DOING[asked[0]] if self._doing else "nothing was changed")

    def _turn(self, key: str, page: Page) -> None:
        """A key where a row is open."""
        if key in BACK:
            self.page = None
        elif key == "tab" and page.row is not None:
            self.page = Page(KINDS[(KINDS.index(page.kind) + 1) % len(KINDS)], page.row)
        elif key in PAGES and page.row is not None:
            self.page = Page(PAGES[key], page.row)
        elif lines := _lines(key, page.step):
            page.scroll(lines)
        else:
            self._any_time(key, page.row)

    def _steer(self, key: str) -> None:
        """A key where the rows are seen."""
        if lines := _lines(key, max(1, self.fits - 1)):
            self._move(lines)
        elif key in PAGES and self.row is not None:
            self.page = Page(PAGES[key], self.row)
        elif key in PAGES:
            self._move(1)
        elif key == "/":
            self.typing = self.filter.text
        elif key == "escape":
            self._chosen = None
            self._narrow("")
        elif key == "a":
            self.every = not self.every
            self._tell("finished jobs by time" if self.every else "failed jobs first")
        else:
            self._any_time(key, self.row)

    def _any_time(self, key: str, row: Row | None) -> None:
        if key == "q":
            self.left = True
        elif key == "?":
            self.page = Page(KEYS)
        elif key == "b":
            self.bell = not self.bell
            self._tell("rings when a job fails" if self.bell else "rings no more")
        elif (verb := asking.VERBS.get(key)) and row is not None and asking.applies(verb, row):
            self.asked = verb, row
        elif verb:
            self._tell(asking.refusal(verb, row))

    def _tell(self, text: str) -> None:
        self._told, self._told_until = text, time.monotonic() + TOLD

    # Which row

    def _move(self, lines: int) -> None:
        begin = self.index if self._chosen is not None else -1
        self._choose(begin + lines)
        self._reach = MOST if lines >= FAR else self.index + 2 * self.fits

    def _choose(self, index: int) -> None:
        self.index = max(0, min(index, len(self.rows) - 1))
        self._chosen = _key(self.rows[self.index]) if self.rows else None

    def _narrow(self, typed: str) -> None:
        """Another filter: it is read from the first row on."""
        self.filter = Filter(typed)
        self._top = self._reach = self.index = 0
        if self._chosen is not None and typed:
            self._chosen = None


def _lines(key: str, page: int) -> int:
    """How far a key goes down, or up; 0: it does not."""
    far = {"page up": -page, "page down": page, " ": page, "home": -FAR, "g": -FAR, "end": FAR, "G": FAR}
    return MOVES.get(key) or far.get(key, 0)


def _key(row: Row) -> int | str:
    return row.id if row.group is None else row.group
