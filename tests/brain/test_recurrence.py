"""When work comes back: a year in zones that change their clocks, what is missed, and what is no schedule."""

from datetime import UTC, datetime
from itertools import takewhile
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hybridq.brain.occurrence import MOST, Missed, deadline, turn
from hybridq.brain.recurrence import COUNTED, Recurrence, due, understood, written
from hybridq.errors import UsageError

YEAR = 2026
FORWARD = {"Europe/Berlin": "2026-03-29T03:00:00+02:00", "America/New_York": "2026-03-08T03:00:00-04:00"}
BACK = {"Europe/Berlin": ("10-25", "+02:00"), "America/New_York": ("11-01", "-05:00")}
LINES = ["0 2 * * *", "30 2 * * *", "*/15 * * * *", "30 1,2,3 * * *", "10,40 2 * * *", "0 * * * *", "0 2 * * 1-5"]


def at(text: str) -> float:
    """An instant in ISO 8601."""
    return datetime.fromisoformat(text).timestamp()


def year(line: str, zone: str) -> list[str]:
    """All instants of a year, as they are written."""
    begin, end = (datetime(each, 1, 1, tzinfo=ZoneInfo(zone)).timestamp() for each in (YEAR, YEAR + 1))
    found = takewhile(lambda instant: instant < end, Recurrence(line, zone).all_after(begin - 1))
    return [written(instant, zone) for instant in found]


@pytest.mark.parametrize("zone", list(FORWARD))
@pytest.mark.parametrize(("line", "time"), [("0 2 * * *", "02:00"), ("30 2 * * *", "02:30")])
def test_a_night_comes_once_whatever_the_clock_does(line: str, time: str, zone: str) -> None:
    """Each day of the year has one instant: where the clock skips it, as Debian's cron does, right after the skip;
    where it comes twice, the first."""
    found = year(line, zone)
    assert [each[:10] for each in found] == sorted({each[:10] for each in found})
    assert len(found) == 365
    assert [each for each in found if each[11:16] != time] == [FORWARD[zone]]
    day, offset = BACK[zone]
    assert [each for each in found if each[5:10] == day] == [f"2026-{day}T{time}:00{offset}"]


@pytest.mark.parametrize("zone", list(FORWARD))
def test_what_runs_each_hour_does_so_in_the_hour_that_comes_twice(zone: str) -> None:
    """`@hourly` has as many instants as the year has hours."""
    assert len(year("@hourly", zone)) == 365 * 24


def test_an_hour_that_comes_twice_has_its_instant_once() -> None:
    """In New York half past one comes twice that night: the first counts."""
    found = [each for each in year("30 1 * * *", "America/New_York") if each[5:10] == "11-01"]
    assert found == ["2026-11-01T01:30:00-04:00"]


@settings(max_examples=60, deadline=None)
@given(
    line=st.sampled_from(LINES),
    zone=st.sampled_from([*FORWARD, "UTC", "Australia/Lord_Howe"]),
    now=st.integers(begin := int(datetime(2026, 1, 1, tzinfo=UTC).timestamp()), begin + 366 * 86400),
)
def test_forth_and_back_see_the_same(line: str, zone: str, now: int) -> None:
    """The last instants before any moment are those that were foretold: none twice, none left out."""
    recurrence = Recurrence(line, zone)
    forth = list(takewhile(lambda instant: instant <= now, recurrence.all_after(now - 2 * 86400)))
    back = list(takewhile(lambda instant: instant > now - 2 * 86400, recurrence.all_before(now)))
    assert forth == back[::-1]
    assert forth == sorted(set(forth))
    following = recurrence.after(now)
    assert following is not None
    assert following > now


def test_every_counts_from_where_it_began() -> None:
    """`every 15m` has the instants of its own grid, before and after any moment."""
    every = Recurrence("every 15m", "UTC", since=1000.0)
    assert every.after(1000.0) == 1900.0
    assert every.after(1899.5) == 1900.0
    assert next(every.all_before(2800.0)) == 2800.0
    assert due(every, 1000.0, 4000.0, 2).instants == (2800.0, 3700.0)


def test_a_month_of_minutes_is_not_counted_to_its_end() -> None:
    """What was missed is counted up to a bound, and is said to be more."""
    come = due(Recurrence("* * * * *", "UTC"), 0.0, 86400.0 * 30, 1)
    assert (come.instants, come.before, come.more) == ((86400.0 * 30,), COUNTED, True)


@pytest.mark.parametrize(("missed", "made", "left"), [(Missed.ONCE, 1, 6), (Missed.ALL, 7, 0), (Missed.SKIP, 0, 7)])
def test_a_week_without_a_machine(missed: Missed, made: int, left: int) -> None:
    """Seven nights were missed: the newest is made, or all, or none; the rest is counted."""
    nightly, begin = Recurrence("0 2 * * *", "UTC"), at("2026-05-01T12:00:00+00:00")
    what = turn(nightly, begin, begin + 7 * 86400, missed, None)
    assert (len(what.make), what.left, what.missed) == (made, left, 7)
    assert what.reached == at("2026-05-08T02:00:00+00:00")
    assert what.newest_left == (0.0 if not left else what.reached - 86400 * made)


def test_all_has_a_bound() -> None:
    """`all` makes up for the last hundred."""
    what = turn(Recurrence("0 * * * *", "UTC"), 0.0, 500 * 3600.0, Missed.ALL, None)
    assert (len(what.make), what.make[-1], what.left) == (MOST, 500 * 3600.0, 400)


@pytest.mark.parametrize("missed", list(Missed))
def test_what_is_in_its_window_is_not_missed(missed: Missed) -> None:
    """A drain that comes three hours later than a window of four begins makes the occurrence, whatever is missed."""
    what = turn(Recurrence("0 2 * * *", "UTC"), 0.0, 5 * 3600.0, missed, 4 * 3600.0)
    assert (what.make, what.missed, what.left) == ((2 * 3600.0,), 0, 0)


def test_the_deadline_is_the_end_of_the_window() -> None:
    """From the instant, and of one that comes after its window from now: it is no emergency."""
    assert deadline(100.0, 50.0, 120.0) == 150.0
    assert deadline(100.0, 50.0, 500.0) == 550.0
    assert deadline(100.0, None, 500.0) is None


@pytest.mark.parametrize(
    ("text", "zone", "said"),
    [
        ("0", "UTC", "it has no five fields"),
        ("0 2 * *", "UTC", "it has no five fields"),
        ("0 0 2 * * *", "UTC", "it has no five fields"),
        ("0 25 * * *", "UTC", "bad hour"),
        ("@fortnightly", "UTC", "it has no five fields"),
        ("0 0 30 2 *", "UTC", "bad day-of-month"),
        ("every 5s", "UTC", "is too often: 1m is the least"),
        ("every now and then", "UTC", "is not a duration"),
        ("@nightly", "Europe/Atlantis", "there is no time zone 'Europe/Atlantis'"),
        ("@nightly", "../etc/passwd", "there is no time zone '../etc/passwd'"),
    ],
)
def test_what_is_no_schedule_is_said(text: str, zone: str, said: str) -> None:
    """One sentence that names what is wrong."""
    with pytest.raises(UsageError, match=said.replace(".", r"\.").replace("(", r"\(")):
        understood(text, zone, 0.0)
