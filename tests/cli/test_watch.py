"""The live view at its keys, over a real queue: choosing, filtering, opening, cancelling and retrying."""

import io
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from hybridq.job import State
from hybridq.outlook import Outlook
from hybridq.queue.cancel_retry import cancel
from hybridq.queue.cleaning import clean
from hybridq.queue.cohorts import job
from hybridq.selection import Group
from hybridq.submit import connect, submit
from hybridq_cli.draw import words
from hybridq_cli.draw.board import MOST, Board
from hybridq_cli.draw.frame import Frame
from hybridq_cli.draw.keys import Keys
from hybridq_cli.watching import QueueDesk, Watched

from ..support.building import asking, groups, names, run_jobs, submit_all
from ..support.snapshots import console


class Seat:
    """A board over a queue, and whoever sits before it."""

    def __init__(self, outlook: Outlook, width: int = 120, height: int = 24, watched: Watched | None = None) -> None:
        self.outlook = outlook
        # A connection of its own, as the view has: the other's changes are somebody else's.
        self.own = connect({}, home=outlook.store.home.folder)
        self.board = Board(QueueDesk(self.own, watched or Watched()))
        self.console = console(width, height, force_terminal=False, color_system=None)
        self.look()

    def look(self) -> None:
        """See what is there now."""
        self.board.refresh()
        self.board.read(self.console, rung=True)

    def press(self, *keys: str) -> None:
        """Press these keys one after the other, each after a look."""
        for key in keys:
            self.board.press([key])
            self.board.work()
            self.look()

    def resize(self, width: int, height: int) -> None:
        self.console.size = self.console.size._replace(width=width, height=height)
        self.look()

    @property
    def lines(self) -> list[str]:
        """What is on the screen."""
        target = Console(file=io.StringIO(), width=self.console.width, height=self.console.height, _environ={})
        segments = Frame(self.board).__rich_console__(target, target.options.update(height=self.console.height))
        return "".join(segment.text for segment in segments if not segment.control).split("\n")

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    @property
    def foot(self) -> str:
        return self.lines[-1]

    @property
    def rows(self) -> list[int | str]:
        return names(tuple(self.board.rows))

    @property
    def chosen(self) -> int | str | None:
        row = self.board.row
        return row and (row.group or row.id)

    def state(self, number: int) -> State:
        return job(self.outlook.store, number).state


Sit = Callable[..., Seat]


@pytest.fixture
def sit() -> Iterator[Sit]:
    """Makes seats before a queue, and clears them away."""
    with ExitStack() as seats:

        def made(outlook: Outlook, **more: Any) -> Seat:
            taken = Seat(outlook, **more)
            seats.callback(taken.own.store.close)
            return taken

        yield made


@pytest.fixture
def seat(every_state: Outlook, sit: Sit) -> Seat:
    """Before group `g`, which runs and has a failed job, then 9 to stream, 8 held and 7 cancelled."""
    return sit(every_state)


def test_the_last_line_names_the_keys(seat: Seat) -> None:
    """How to choose, to filter and to leave; with a row chosen, what can be done with that."""
    assert {"arrows choose", "/ filter", "? keys", "q quit"} <= set(seat.foot.strip().split("  "))
    seat.press("down")
    assert "c cancel  r retry" in seat.foot
    seat.press("down")
    assert "retry" not in seat.foot
    seat.press("end")
    assert "cancel" not in seat.foot


def test_a_chosen_row_is_marked_and_tells_its_whole_reason(seat: Seat) -> None:
    """Where the table has no room for it, the line above the keys has."""
    seat.resize(60, 24)
    seat.press("down", "down")
    assert next(line for line in seat.lines if line.startswith(">")).split()[1] == "9"
    assert seat.lines[-2].split()[0] == "9"
    assert seat.board.row is not None
    reason = words.why(seat.board.row, time.time())[:40]
    assert reason in seat.lines[-2]
    assert reason not in "\n".join(seat.lines[:-2])


@pytest.mark.parametrize(
    ("keys", "chosen"),
    [
        (["down"], "g"),
        (["j", "j"], 9),
        (["down", "down", "up"], "g"),
        (["end"], 7),
        (["G", "home"], "g"),
        (["page down"], 7),
        (["down", "up", "up"], "g"),
        (["down", "escape"], None),
    ],
)
def test_keys_choose_a_row(seat: Seat, keys: list[str], chosen: object) -> None:
    """Arrows, letters and page keys move within the rows and stop at their ends."""
    seat.press(*keys)
    assert seat.chosen == chosen


def test_a_row_that_moves_stays_chosen(seat: Seat) -> None:
    """What comes before it does not change which row it is."""
    seat.press("down", "down", "down")
    assert seat.chosen == 8
    submit_all(seat.outlook, asking(mode=None, group="new", deadline=1.0), [b"1"])
    seat.look()
    assert seat.chosen == 8
    assert "new" in seat.rows[: seat.board.index]


def test_rows_scroll(outlook: Outlook, sit: Sit) -> None:
    """Of more rows than fit those around the chosen one are seen, and the last ones at the end."""
    groups(outlook, 300)
    seat = sit(outlook)
    first = seat.rows[0]
    seat.press(*["page down"] * 4)
    assert f" {seat.chosen} " in seat.text
    assert f" {first} " not in seat.text
    seat.press("end", "end")
    assert seat.chosen == "g0"
    assert f" {seat.chosen} " in seat.text
    seat.press("home")
    assert f" {first} " in seat.text


def test_no_more_rows_are_read_than_are_bounded(outlook: Outlook, sit: Sit) -> None:
    """Whoever goes to the end of a long queue sees so many rows, and how many are left out."""
    groups(outlook, MOST + 20)
    seat = sit(outlook)
    assert len(seat.rows) < 30
    seat.press("end", "end")
    assert len(seat.rows) == MOST
    assert "and 1,004 more" in seat.foot


@pytest.mark.parametrize(
    ("typed", "rows"),
    [
        ("g", ["g"]),
        ("echo", ["g", 9, 8, 7]),
        ("STREAM", [9]),
        ("held", ["g", 8]),
        ("queued", ["g", 9, 8]),
        ("running", ["g"]),
        ("failed", ["g"]),
        ("failed cancelled", ["g", 7]),
        ("echo batch held", ["g", 8]),
        ("nothing", []),
    ],
)
def test_a_filter_shows_what_was_typed(seat: Seat, typed: str, rows: list[int | str]) -> None:
    """Names, handlers, modes and states as the table tells them; a group is there if any of its jobs is."""
    seat.press("/", *typed)
    assert seat.rows == rows
    assert seat.foot.startswith(f" filter: {typed}")
    seat.press("enter")
    assert f"/{typed}: {len(rows)} rows" in seat.foot
    seat.press("escape")
    assert seat.rows == ["g", 9, 8, 7]


def test_a_letter_in_a_filter_is_no_command(seat: Seat) -> None:
    """`q` does not leave and `c` cancels nothing while a filter is typed; it can be corrected."""
    seat.press("down", "/", "q", "c", "y")
    assert not seat.board.left
    assert seat.state(9) is State.QUEUED
    seat.press("backspace", "backspace", "backspace", "8")
    assert seat.rows == [8]
    seat.press("enter", "q")
    assert seat.board.left


def test_a_filter_finds_what_ended_long_ago(outlook: Outlook, sit: Sit) -> None:
    """A failure is found by its state, however much waits before it and ended after it."""
    for fail in (1, *[0] * 8):
        submit_all(outlook, asking(), [b"1"])
        run_jobs(outlook, 1, fail=fail)
    groups(outlook, 40)
    seat = sit(outlook)
    assert 1 not in seat.rows
    seat.press("/", *"failed")
    assert seat.rows == [1]


def test_a_key_orders_what_ended_by_time(outlook: Outlook, sit: Sit) -> None:
    """What failed of late is first, then all is by its end, then what failed is first again."""
    for _ in range(9):
        submit_all(outlook, asking(), [b"1"])
    run_jobs(outlook, 1, fail=1)
    run_jobs(outlook, 8)
    seat = sit(outlook)
    assert (len(seat.rows), seat.rows[0]) == (9, 1)
    seat.press("a")
    assert (len(seat.rows), seat.rows[-1]) == (9, 1)
    seat.press("a")
    assert seat.rows[0] == 1


def test_a_row_opens_and_closes(seat: Seat) -> None:
    """Enter shows what `show` tells, `e` what `explain` does, `o` the output; Escape is the way back."""
    seat.press("down", "down", "enter")
    assert "submitted" in seat.text
    seat.press("e")
    assert "job 9  stream" in seat.text
    seat.press("o")
    assert "has put out nothing yet" in seat.text
    seat.press("tab", "tab")
    assert "submitted" in seat.text
    seat.press("escape")
    assert "WHAT" in seat.text
    assert seat.chosen == 9


def test_the_output_of_a_group_says_why_jobs_failed(seat: Seat) -> None:
    """An opened group shows what its jobs put out lately, each under its number, and what failed."""
    seat.press("down", "o")
    assert "it went wrong" in seat.text
    assert "fine" in seat.text


def test_the_keys_are_told(seat: Seat) -> None:
    """`?` opens the page that `hybridq help watch` prints."""
    seat.press("?")
    assert "cancel the row's jobs" in seat.text
    seat.press("escape")
    assert "WHAT" in seat.text


def test_cancelling_asks_first(seat: Seat) -> None:
    """Any key but `y` changes nothing; `y` cancels, and says how many."""
    seat.press("down", "down", "c")
    assert "cancel 9 (echo" in seat.foot
    assert "which waits? y/n" in seat.foot
    seat.press("enter")
    assert "nothing was changed" in seat.foot
    assert seat.state(9) is State.QUEUED
    seat.press("c", "y")
    assert "1 job cancelled" in seat.foot
    assert seat.state(9) is State.CANCELLED
    assert seat.board.row is not None
    assert seat.board.row.state is State.CANCELLED


def test_a_yes_that_was_typed_before_the_question_is_none(seat: Seat) -> None:
    """What comes with the key that asks, as from a paste, answers nothing."""
    seat.press("down", "down")
    seat.board.press(["c", "y", "y"])
    assert not seat.board.work()
    assert "y/n" in seat.foot
    assert seat.state(9) is State.QUEUED


def test_cancelling_a_group_says_how_many_and_what_runs(seat: Seat) -> None:
    """Its jobs that have not ended are cancelled, those that ended are kept."""
    seat.press("down", "c")
    assert "cancel 2 jobs of g, 1 of which run? y/n" in seat.foot
    seat.press("y")
    assert "2 jobs cancelled" in seat.foot
    assert [seat.state(number) for number in (1, 4, 5, 6)] == [
        State.DONE,
        State.FAILED,
        State.CANCELLED,
        State.CANCELLED,
    ]


def test_retrying_asks_first(seat: Seat) -> None:
    """What failed or was cancelled is queued again after a yes."""
    seat.press("end", "r")
    assert "queue 7 (echo" in seat.foot
    seat.press("y")
    assert "1 job queued again" in seat.foot
    assert seat.state(7) is State.QUEUED


def test_what_cannot_be_changed_is_said(seat: Seat) -> None:
    """Without a chosen row, or with one that has ended or not failed, a key says so and asks nothing."""
    seat.press("c")
    assert "choose what to cancel first" in seat.foot
    seat.press("end", "c")
    assert "7 (echo y) has ended" in seat.foot
    seat.press("home", "down", "r")
    assert "nothing of 9 (echo y) failed or was cancelled" in seat.foot


def test_what_ended_meanwhile_is_said(seat: Seat, sit: Sit) -> None:
    """A job that has ended between question and answer is not cancelled, and the view goes on."""
    seat.press("down", "down", "c")
    other = sit(seat.outlook)
    other.press("down", "down", "c", "y")
    seat.press("y")
    assert "nothing was cancelled: these jobs have already finished" in seat.foot


def test_a_failure_rings_for_whoever_wants_it(outlook: Outlook, sit: Sit) -> None:
    """Only what fails while it is watched, once, and only with the bell on; a retry is no failure."""
    submit_all(outlook, asking(), [b"1"])
    run_jobs(outlook, 1, fail=1)
    seat = sit(outlook)
    seat.press("b")
    assert not seat.board.rings()
    submit_all(outlook, asking(), [b"1"])
    run_jobs(outlook, 1, fail=1)
    seat.look()
    assert (seat.board.rings(), seat.board.rings()) == (True, False)
    seat.press("down", "r", "y")
    assert not seat.board.rings()
    seat.press("b")
    run_jobs(outlook, 1, fail=1)
    seat.look()
    assert not seat.board.rings()


def test_what_was_asked_for_on_the_command_line_stays(every_state: Outlook, sit: Sit) -> None:
    """A filter looks among the rows of `status --watch --state`, and no others."""
    seat = sit(every_state, watched=Watched(states=[State.QUEUED]))
    assert seat.rows == [6, 9, 8]
    seat.press("/", *"stream")
    assert seat.rows == [9]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(
    width=st.integers(20, 200),
    height=st.integers(1, 60),
    keys=st.lists(st.sampled_from(["down", "end", "enter", "o", "e", "?", "/", "x", "escape", "a", "c", "b", "n"])),
)
def test_a_frame_is_as_large_as_the_terminal(
    every_state: Outlook, sit: Sit, width: int, height: int, keys: Sequence[str]
) -> None:
    """Whatever was pressed, no line is wider than the terminal, and there are as many lines as it has."""
    seat = sit(every_state, width=width, height=height)
    seat.press(*keys)
    lines = seat.lines
    assert len(lines) == height
    assert max(map(cell_len, lines)) <= width


@pytest.mark.parametrize(
    ("pieces", "keys"),
    [
        ([b"\x1b[A"], ["up"]),
        ([b"\x1b", b"[B"], ["down"]),
        ([b"\x1bO", b"Bq"], ["down", "q"]),
        ([b"\x1b[5~\x1b[6~"], ["page up", "page down"]),
        ([b"\x1b", b""], ["escape"]),
        ([b"\x1b[1;5A"], []),
        ([b"\xc3", b"\xbc"], ["ü"]),
        ([b"/a\x7f\r"], ["/", "a", "backspace", "enter"]),
        ([b"\xff\x00x"], ["x"]),
    ],
)
def test_keys_are_told_apart(pieces: list[bytes], keys: list[str]) -> None:
    """Arrows come whole or in two halves, letters in several bytes; what is no key is none."""
    letters = Keys()
    assert [key for piece in pieces for key in letters.typed(piece)] == keys
    assert not letters.waits


def test_the_view_of_a_group_stays_when_that_is_cleaned_away(sit: Sit, every_state: Outlook) -> None:
    """It shows that there is nothing, and others that come under its name."""
    submit_all(every_state, asking(group="other"), [b'"x"'] * 2)
    cancel(every_state.store, [10, 11], time.time())
    seat = sit(every_state, watched=Watched(selectors=[Group("other")]))
    assert seat.rows == ["other"]
    clean(every_state.store, time.time() + 1)
    seat.look()
    assert seat.rows == []
    submit_all(every_state, asking(group="other"), [b'"x"'] * 2)
    seat.look()
    assert seat.rows == ["other"]


def test_what_ended_fills_the_screen_and_what_failed_comes_first(sit: Sit, outlook: Outlook) -> None:
    """Ten jobs that failed before forty were done are seen first, on a screen that is full of rows."""
    for _ in range(50):
        submit(outlook, asking(), b'"x"')
    run_jobs(outlook, 10, fail=10)
    run_jobs(outlook, 40)
    seat = sit(outlook, height=30)
    assert len(seat.rows) == seat.board.fits
    assert set(seat.rows[:10]) == set(range(1, 11))
    assert set(seat.rows[10:]) <= set(range(11, 51))
