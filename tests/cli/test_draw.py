"""The renderables: what they say, that they keep to their cells, and that nothing in a job can break them."""

import io
import re
import unicodedata
from collections.abc import Iterator
from importlib import resources
from itertools import pairwise

import pyte
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from rich.cells import cell_len
from rich.console import Console

from hybridq.job import Decision, Lane, Mode, State
from hybridq.reason import said
from hybridq.status.snapshot import Head, Snapshot
from hybridq.when import clock
from hybridq_cli.draw import plain, words
from hybridq_cli.draw.queue import QueueView

from ..support.snapshots import HOSTILE, NOW, busy, console, group, queue, row, shown


def drawn(view: QueueView, width: int, height: int) -> Iterator[str]:
    """The lines as the view makes them, before anything could crop them."""
    target = console(width, height)
    options = target.options.update_dimensions(width, height)
    text = "".join(piece.text for piece in view.__rich_console__(target, options) if not piece.control)
    return iter(text.splitlines())


@given(width=st.integers(20, 220), height=st.integers(1, 70), held=st.integers(0, 60))
def test_a_view_never_takes_more_than_its_terminal(width: int, height: int, held: int) -> None:
    """From 20 columns on no line is wider than the terminal."""
    lines = list(drawn(QueueView(busy(held=held), NOW), width, height))
    assert max(map(cell_len, lines)) <= width


@given(text=st.text(), why=st.text(), width=st.integers(20, 200))
def test_no_text_of_a_job_reaches_another_cell(text: str, why: str, width: int) -> None:
    """Whatever a job is called, its row is one line within the width and holds no control character."""
    lines = list(drawn(QueueView(queue([row(1, text, why=why)]), NOW), width, 30))
    assert len(lines) == 8
    assert all(cell_len(line) <= width for line in lines)
    assert not {unicodedata.category(char) for line in lines for char in line} & {"Cc", "Cf", "Cs", "Zl", "Zp"}


def titles(width: int) -> list[str]:
    """The columns of a busy queue in a terminal so wide."""
    return list(drawn(QueueView(busy(), NOW), width, 30))[5].split()


def test_columns_fold_away_by_priority() -> None:
    """As the terminal widens a column that is there stays, others come in one by one, and at last all are there."""
    found = [set(titles(width)) for width in range(40, 200)]
    assert all(narrow <= wide and len(wide - narrow) <= 1 for narrow, wide in pairwise(found))
    assert found[-1] == {"ID", "WHAT", "MODE", "STATE", "PROGRESS", "ETA", "IN", "WHY"}


def test_what_a_common_terminal_shows() -> None:
    """40 columns tell what, its state and when; 60 the mode, too; 80 what fits of the reason; 110 all."""
    assert titles(40) == ["ID", "WHAT", "STATE", "ETA"]
    assert titles(60) == ["ID", "WHAT", "MODE", "STATE", "ETA"]
    assert titles(80) == titles(90) == ["ID", "WHAT", "MODE", "STATE", "ETA", "WHY"]
    assert titles(110) == ["ID", "WHAT", "MODE", "STATE", "PROGRESS", "ETA", "IN", "WHY"]
    page = resources.files("hybridq_cli.help").joinpath("pages/words.md").read_text()
    assert [int(width) for width in re.findall(r"below about ([0-9]+)", page)] == [110, 80, 60]


@pytest.mark.parametrize("width", [40, 60, 80, 90, 120])
def test_how_many_failed_is_told_at_any_width(width: int) -> None:
    """A group of which some failed says how many beside its state; the head says it of all."""
    text = shown(QueueView(busy(), NOW), width=width)
    assert "running ✗3" in text
    assert "4 failed" in text


def test_how_far_it_is_stands_before_why_where_it_has_no_column() -> None:
    """At 80 columns the reason begins with the percents of a group, or with how long a job has run."""
    text = shown(QueueView(busy(), NOW), width=80)
    assert "41% · 3 failed" in text
    assert "1m 12s · --follow" in text
    assert "41%" not in shown(QueueView(busy(), NOW), width=60)
    done = row(1, "x" * 40, state=State.DONE, started=NOW - 4000, finished=NOW - 400, why="as it was planned")
    assert "took 1h 00m · as it was" in shown(QueueView(queue([done]), NOW), width=80)


def test_a_running_job_has_a_bar_of_its_time() -> None:
    """Three fifths of the time that it takes are gone; past that time it is not full, for it has not ended."""
    assert "━━━╸── 1m 12s" in shown(QueueView(busy(), NOW), width=120)
    overdue = row(1, state=State.RUNNING, started=NOW - 100, eta=NOW - 50)
    assert "━━━━━╸ 1m 40s" in shown(QueueView(queue([overdue]), NOW), width=120)
    unknown = row(1, state=State.RUNNING, started=NOW - 100)
    assert "━" not in shown(QueueView(queue([unknown]), NOW), width=120)


@pytest.mark.parametrize("width", [60, 80, 120])
def test_what_is_late_says_so_without_colour(width: int) -> None:
    """Beside the instant stands that it is too late, where the reason has no room as well."""
    late = row(1, state=State.QUEUED, eta=NOW + 90, eta90=NOW + 200, deadline=NOW + 20, late=True, late_by=70.0)
    assert "LATE" in shown(QueueView(queue([late, *busy().rows]), NOW), width=40)
    text = shown(QueueView(queue([late]), NOW), width=width)
    assert f"{words.clock(NOW + 90, NOW)} LATE" in text


def test_an_eta_is_told_without_its_spread_before_it_is_not_told() -> None:
    """The instant is whole at 40 columns; the spread comes back with the room."""
    assert "14:19:23 ±22s" not in shown(QueueView(busy(), NOW), width=40)
    assert "14:19:23" in shown(QueueView(busy(), NOW), width=40)
    assert "14:19:23 ±22s" in shown(QueueView(busy(), NOW), width=60)


def test_it_says_what_it_left_out() -> None:
    """Below the rows stands how many jobs have none."""
    assert "and 1,000 more jobs: --all" in shown(QueueView(busy(held=20, hidden=1000), NOW), height=18)
    assert "more jobs: --all" not in shown(QueueView(busy(held=20), NOW))


def test_a_group_is_one_row_with_a_bar() -> None:
    """Ten thousand jobs are one line: how many, a bar, the whole percents that ended, how many failed."""
    found = [line for line in shown(QueueView(busy(), NOW), width=160).splitlines() if "stdlib" in line]
    assert len(found) == 1
    assert "10,000 digest" in found[0]
    assert "━━━" in found[0]
    assert "41%" in found[0]
    assert "3 failed" in found[0]


def test_a_bar_is_full_only_when_all_is_done() -> None:
    """One job short of ten thousand is 99 percent."""
    counts = {State.DONE: 9999, State.QUEUED: 1}
    text = shown(QueueView(queue([group(1, "g", counts, State.QUEUED)]), NOW))
    assert "99%" in text
    assert "━" * 8 not in text


@pytest.mark.parametrize(
    ("part", "told"),
    [(None, "-"), (0.0, "0%"), (1.0, "100%"), (0.43, "43%"), (0.995, "99.50%"), (0.004, "0.40%"), (-0.3, "-30%")],
)
def test_all_and_none_are_told_of_nothing_else(part: float | None, told: str) -> None:
    """A share that is only nearly all, or nearly nothing, is never rounded to it."""
    assert words.percent_of(part) == told


@pytest.mark.parametrize(
    ("lane", "state", "word"),
    [
        (Lane.BATCH, State.QUEUED, "held"),
        (Lane.STREAM, State.QUEUED, "queued"),
        (Lane.STREAM, State.RUNNING, "streaming"),
        (Lane.BATCH, State.RUNNING, "running"),
    ],
)
def test_the_lane_shows_without_colour(lane: Lane, state: State, word: str) -> None:
    """A job that is held and one that streams differ in word and sign where there is no colour."""
    text = shown(QueueView(queue([row(1, lane=lane, state=state)]), NOW))
    assert word in text
    signs = {"held": "‖", "queued": "○", "streaming": "»", "running": "●"}
    assert [sign for sign in signs.values() if sign in text] == [signs[word]]


@pytest.mark.parametrize("width", range(80, 100))
def test_times_that_jobs_took_are_told_alike(width: int) -> None:
    """`took 1s` does not stand above `28ms`: each row has room for the word, or none has it."""
    jobs = [
        row(
            number,
            state=State.DONE,
            started=NOW - 9 - took,
            finished=NOW - 9,
            why="as planned, and more words than there is room for in this row of the table",
        )
        for number, took in ((1, 1.0), (2, 0.028), (3, 9.0))
    ]
    lines = shown(QueueView(queue(jobs), NOW), width=width).splitlines()
    told = [line for line in lines if re.search(r"\b(1s|28ms|9s)\b", line)]
    assert len(told) == 3
    assert len({"took" in line for line in told}) == 1


def test_a_loss_is_not_called_saved() -> None:
    """What cost more than streaming would have says so, and which part of that; what is not known yet is no 0."""
    head = replace(busy().head, saved=-0.25, currency="EUR")
    assert words.saved_words(head) == "0.25 EUR (6%) more than streamed"
    assert words.saved_words(replace(head, saved=-0.004)).startswith("< 0.01 EUR (0.10%) more")
    assert words.saved_words(replace(head, saved=None)) == "saved: not known yet"
    assert words.saved_words(replace(head, cost=5.0, saved=-3.0)) == "3.00 EUR more than streamed, over twice as much"


def test_the_tariff_names_its_own_hour_where_that_differs() -> None:
    """A window at 22:00 in another zone is found again beside the local time."""
    head = replace(busy().head, factor_there="22:00 Berlin")
    assert re.search(r"until [\d: tomrw]+ \(22:00 Berlin\), then x0\.4", words.tariff(head, NOW))


def test_the_head_says_the_conditions() -> None:
    """Daemon, load, tariff and its end, depth, next flush with countdown and reason, and what was saved."""
    text = shown(QueueView(busy(), NOW))
    for part in ("pid 4711", "load 0.42", "day x1 until", "then x0.4", "5,856 held", "in 8h 00m", "saves 1.80"):
        assert part in text
    assert "saved 12.60 (75%)" in text


def test_without_a_daemon_the_head_says_how_to_start_one() -> None:
    """Nothing runs: the head names the command; nothing queued: the last line does."""
    text = shown(QueueView(queue([]), NOW))
    assert "hybridq daemon" in text
    assert "hybridq submit" in text


def test_no_color_leaves_no_colour() -> None:
    """With NO_COLOR the escapes carry weight alone."""
    target = console(no_color=True)
    target.print(QueueView(busy(), NOW))
    written = target.file.getvalue()  # type: ignore[attr-defined]
    assert "\x1b[1m" in written
    assert "\x1b[36m" not in written
    assert "\x1b[1;36m" not in written


def test_letters_that_a_terminal_lacks_are_replaced() -> None:
    """On an ASCII terminal the view is ASCII, and signs and bars still differ."""
    file = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    Console(file=file, width=160, height=30, _environ={}).print(QueueView(busy(), NOW))
    file.flush()
    text = file.buffer.getvalue().decode("ascii")  # type: ignore[attr-defined]
    assert "###-----  41%" in text
    assert "= 800" in text


def test_wide_letters_do_not_move_the_columns() -> None:
    """In a real terminal every state begins in the same column, whatever letters stand before it."""
    names = [
        "plain",
        "東京オフィスの議事録を要約",
        "🗼🗼🗼🗼🗼🗼🗼🗼🗼🗼",
        "e\u0301" * 40,
        "👩\u200d👩\u200d👧 family",
        "☎\ufe0f☎\ufe0f",
    ]
    view = QueueView(queue([row(n, name) for n, name in enumerate(names)]), NOW)
    target = console(100, 20)
    target.print(view)
    screen = pyte.Screen(100, 20)
    pyte.Stream(screen).feed(target.file.getvalue().replace("\n", "\r\n"))  # type: ignore[attr-defined]
    cells = [screen.buffer[line] for line in range(6, 6 + len(names))]
    place = "".join(cells[0][x].data for x in range(100)).index("queued")
    assert all("".join(line[x].data for x in range(place, place + 6)) == "queued" for line in cells)


def test_an_instant_that_has_passed_is_now() -> None:
    """No countdown and no ETA lies in the past."""
    late = row(1, state=State.RUNNING, eta=NOW - 500, eta90=NOW - 400)
    assert words.countdown(late, NOW) == "now"
    assert words.done_at(late, NOW) == words.done_at(row(1, eta=NOW), NOW)


def test_the_countdown_is_that_of_the_minute_beside_it() -> None:
    """Where an ETA has no seconds, the time until then is that until the minute that is told, as of any start."""
    minute = NOW - NOW % 60
    for seconds, left in ((3629, "1h 00m"), (3631, "1h 01m"), (3659, "1h 01m")):
        held = row(7, "x", eta=minute + seconds)
        assert words.countdown(held, minute) == left
        assert words.done_at(held, minute) == clock(minute + (3600 if seconds < 3630 else 3660), minute)


def test_an_unknown_eta_is_called_unknown() -> None:
    """Nothing is guessed, in the table or in a sentence."""
    assert words.done_at(row(1), NOW) == "unknown"
    assert "done: unknown" in words.promise(Decision(mode=Mode.STREAM, reason=said("a person waits")), NOW)


def test_a_row_that_may_be_late_says_so() -> None:
    """The warning comes before the reason, by the 90th percentile against the deadline."""
    late = row(1, eta=NOW + 10, eta90=NOW + 30, deadline=NOW + 20, why="2 ahead")
    assert words.why(late, NOW) == "may miss its deadline · 2 ahead"
    assert words.why(row(1, eta=NOW + 10, eta90=NOW + 15, deadline=NOW + 20, why="2 ahead"), NOW) == "2 ahead"


def test_status_and_follow_use_the_same_words() -> None:
    """The sentence about a row holds the table's mode, state, ETA and reason."""
    one = busy().rows[3]
    sentence = words.standing(one, NOW)
    for word in (one.mode.value, words.state(one), words.done_at(one, NOW), words.why(one, NOW)):
        assert word in sentence


def test_a_pipe_gets_one_line_a_row() -> None:
    """Tab-separated, nothing cut to a screen and nothing filled up, the same number of fields in each."""
    long = "x" * 300
    rows = [row(1, long, why="w"), row(2, HOSTILE, why="w"), group(5, "東京", {State.QUEUED: 3}, State.QUEUED, why="w")]
    lines = list(plain.lines(Snapshot(head=Head(now=NOW), rows=tuple(rows), hidden=37), NOW))
    assert len(lines) == 4
    assert {line.count("\t") for line in lines} == {7}
    assert not any(field != field.strip() for line in lines for field in line.split("\t"))
    assert long in lines[1]
    assert lines[2].replace("\t", "").isprintable()


def test_time_alone_is_no_news() -> None:
    """A second later there is nothing to tell; a new state is one line, and so is another plan."""
    told, said = plain.changes(busy(held=2), {}, NOW)
    assert len(told) == 7
    assert plain.changes(busy(held=2), said, NOW + 1)[0] == []
    head, rows = busy(held=2).head, list(busy(held=2).rows)
    rows[3] = row(800, "ocr page-0.png", mode=Mode.BATCH, state=State.RUNNING)
    told, said = plain.changes(Snapshot(head=head, rows=tuple(rows)), said, NOW + 2)
    assert [line.split()[1:4] for line in told] == [["800", "ocr", "page-0.png"]]
    told, _ = plain.changes(Snapshot(head=Head(now=NOW, daemon=head.daemon), rows=tuple(rows)), said, NOW + 3)
    assert [line.split()[1] for line in told] == ["flush"]


def test_eighty_columns_tell_why() -> None:
    """At the usual width the reason is there, and what a job took is not taken for its end."""
    text = shown(QueueView(busy(), NOW), width=80)
    assert "WHY" in text
    assert "held until the " in text
    assert "took 58s" in shown(QueueView(busy(), NOW), width=120)
