"""Times, durations, money and counts: what is understood, what is refused, what is shown."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybridq.errors import UsageError
from hybridq.when import clock, count, decimals, eta, money, money_to, parse_deadline, parse_since, parse_span, span

BERLIN = ZoneInfo("Europe/Berlin")
NOON = datetime(2026, 6, 10, 12, 0, tzinfo=BERLIN).timestamp()
INSTANTS = st.floats(0, 4e9)


def berlin(at: float) -> str:
    return datetime.fromtimestamp(at, BERLIN).strftime("%Y-%m-%d %H:%M:%S")


@contextmanager
def local_zone(name: str) -> Iterator[None]:
    """The process in another local zone."""
    before = os.environ.get("TZ")
    os.environ["TZ"] = name
    time.tzset()
    try:
        yield
    finally:
        os.environ.pop("TZ") if before is None else os.environ.__setitem__("TZ", before)
        time.tzset()


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30s", 30),
        ("2h", 7200),
        ("1h30m", 5400),
        ("1.5h", 5400),
        ("90", 90),
        ("2d", 172800),
        ("1w", 604800),
        ("250ms", 0.25),
        (" 3h 05m ", 11100),
        ("2 H", 7200),
        ("0", 0),
    ],
)
def test_span_is_understood(text: str, seconds: float) -> None:
    """Each way to write a duration gives its seconds."""
    assert parse_span(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "s", "-5s", "5x", "1m1h", "1h1h", "1e3", "nan", "inf", "1..5h", "٣s", "9" * 400])
def test_span_is_refused_with_what_is_understood(text: str) -> None:
    """What is no duration is refused by a sentence that shows durations."""
    with pytest.raises(UsageError, match=r"write 30s, 2h, 1h30m"):
        parse_span(text)


@given(st.floats(0, 1e8))
def test_shown_span_is_read_back(seconds: float) -> None:
    """What `span` shows, `parse_span` reads back, as near as what is shown allows."""
    assert parse_span(span(seconds)) == pytest.approx(seconds, rel=0.05, abs=0.051)


@given(st.text(max_size=30), INSTANTS)
def test_any_text_is_a_deadline_ahead_or_a_sentence(text: str, now: float) -> None:
    """No text makes the parser do anything but return an instant not before now, or refuse."""
    try:
        assert parse_deadline(text, now, UTC) >= now
    except UsageError:
        return


@pytest.mark.parametrize(
    ("text", "when"),
    [
        ("2h", "2026-06-10 14:00:00"),
        ("in 2h", "2026-06-10 14:00:00"),
        ("90", "2026-06-10 12:01:30"),
        ("06:00", "2026-06-11 06:00:00"),
        ("12:00", "2026-06-11 12:00:00"),
        ("12:00:01", "2026-06-10 12:00:01"),
        ("today 18:30", "2026-06-10 18:30:00"),
        ("Tomorrow 06:00", "2026-06-11 06:00:00"),
        ("2026-07-01 06:00", "2026-07-01 06:00:00"),
        ("2026-07-01", "2026-07-01 00:00:00"),
        ("2026-07-01T06:00Z", "2026-07-01 08:00:00"),
        ("2026-12-01T06:00+05:00", "2026-12-01 02:00:00"),
    ],
)
def test_deadline_is_understood(text: str, when: str) -> None:
    """Each way to write a deadline gives its instant in the zone."""
    assert berlin(parse_deadline(text, NOON, BERLIN)) == when


@pytest.mark.parametrize("text", ["", "25:00", "12:60", "soon", "tomorrow", "2026-13-01", "06:00 tomorrow", "\x1b[2J"])
def test_deadline_is_refused_with_what_is_understood(text: str) -> None:
    """What is no time is refused by a sentence that shows times."""
    with pytest.raises(UsageError, match="write 30s, 2h, 06:00, tomorrow 06:00"):
        parse_deadline(text, NOON, BERLIN)


@pytest.mark.parametrize("text", ["today 06:00", "2026-06-10 11:00", "2020-01-01T00:00Z"])
def test_past_deadline_says_so(text: str) -> None:
    """A deadline that has passed is refused, and by how much."""
    with pytest.raises(UsageError, match=r"was .* ago: a deadline must be in the future"):
        parse_deadline(text, NOON, BERLIN)


def test_next_time_of_day_where_the_clock_is_set_back() -> None:
    """Of a time that comes twice, the second is next once the first has passed."""
    first = datetime(2026, 10, 25, 2, 30, tzinfo=BERLIN).timestamp()
    assert parse_deadline("02:30", first - 60, BERLIN) == first
    assert parse_deadline("02:30", first, BERLIN) == first + 3600
    assert berlin(parse_deadline("02:30", first + 3600, BERLIN)) == "2026-10-26 02:30:00"


def test_time_of_day_that_the_clock_skips() -> None:
    """A time that does not exist on that day is the instant as long after midnight."""
    before = datetime(2026, 3, 29, 1, 0, tzinfo=BERLIN).timestamp()
    assert berlin(parse_deadline("02:30", before, BERLIN)) == "2026-03-29 03:30:00"


@given(INSTANTS, st.times())
def test_next_time_of_day_is_within_a_day(now: float, wanted: datetime) -> None:
    """A time of day is always ahead, never more than a day and an hour away, and shows as itself."""
    text = wanted.strftime("%H:%M:%S")
    at = parse_deadline(text, now, BERLIN)
    assert now < at <= now + 25 * 3600
    skipped = datetime.fromtimestamp(at, BERLIN).strftime("%H:%M:%S") != text
    assert not skipped or 1 <= datetime.fromtimestamp(at, BERLIN).hour <= 3


@pytest.mark.parametrize(
    ("after", "shown"),
    [
        (timedelta(seconds=7), "12:00:07"),
        (timedelta(minutes=-9), "11:51:00"),
        (timedelta(hours=10), "22:00"),
        (timedelta(hours=18), "tomorrow 06:00"),
        (timedelta(days=30), "2026-07-10 12:00"),
        (timedelta(days=-1), "2026-06-09 12:00"),
    ],
)
def test_clock_says_it_as_people_do(after: timedelta, shown: str) -> None:
    """An instant is shown by its time, its day only where that is not today."""
    with local_zone("Europe/Berlin"):
        assert clock(NOON + after.total_seconds(), NOON) == shown


@given(INSTANTS, st.floats(600, 1e7))
def test_shown_clock_is_read_back(now: float, after: float) -> None:
    """What `clock` shows of the future, `parse_deadline` reads back to the minute."""
    with local_zone("America/St_Johns"):
        shown = clock(now + after, now)
        text = shown if " " in shown else f"today {shown}"
        difference = now + after - parse_deadline(text, now)
    assert -3600 <= difference < 3660
    assert difference % 3600 < 60


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0, "0s"),
        (0.0003, "1ms"),
        (0.004, "4ms"),
        (0.4, "0.4s"),
        (3.0, "3s"),
        (9.97, "10s"),
        (45, "45s"),
        (59.6, "1m"),
        (65, "1m 05s"),
        (599.7, "10m"),
        (720, "12m"),
        (3599, "1h 00m"),
        (11100, "3h 05m"),
        (187200, "2d 4h"),
        (-90, "-1m 30s"),
        (float("inf"), "unknown"),
    ],
)
def test_span_is_short(seconds: float, shown: str) -> None:
    """A duration is shown in at most two units, and never as sixty of a smaller one."""
    assert span(seconds) == shown


def test_eta_is_honest() -> None:
    """An ETA shows its spread, is never in the past, and is unknown rather than guessed."""
    with local_zone("UTC"):
        assert eta(3600, 3960, 0) == "01:00 ±6m"
        assert eta(100, 201, 0) == "00:01:40 ±2m"
        assert eta(7200, None, 0) == "02:00"
        assert eta(7200, 7200.2, 0) == "02:00"
        assert eta(7229, 7240, 0) == "02:00"
        assert eta(7231, 7270, 0) == "02:01 ±1m"
        assert eta(625, None, 20) == "00:11"
        assert eta(50, 80, 100) == "00:01:40"
        assert eta(None, None, 0) == "unknown"
        assert eta(float("inf"), None, 0) == "unknown"


@pytest.mark.parametrize(
    ("amount", "shown"),
    [
        (0, "0"),
        (1.8, "1.80"),
        (0.0031, "< 0.01"),
        (0.05, "0.05"),
        (0.0999, "0.10"),
        (-2.5, "-2.50"),
        (1234567.891, "1,234,567.89"),
        (0.0000036, "< 0.01"),
        (-0.0031, "0"),
        (0.00000036, "< 0.01"),
        (-1e-12, "0"),
    ],
)
def test_money_keeps_what_matters(amount: float, shown: str) -> None:
    """An amount has two decimals; less than a hundredth is not told apart."""
    assert money(amount) == shown


@pytest.mark.parametrize(
    ("amount", "currency", "shown"),
    [
        (6.0, "EUR", "6.00 EUR"),
        (6.0, "$", "$6.00"),
        (-6.0, "$", "-$6.00"),
        (0.0031, "EUR", "0.0031 EUR"),
        (0.00056, "", "0.0006"),
        (0.0000036, "EUR", "< 0.0001 EUR"),
        (0.0000036, "€", "< €0.0001"),
        (0, "EUR", "0 EUR"),
    ],
)
def test_money_has_its_unit(amount: float, currency: str, shown: str) -> None:
    """A word behind it, a sign before it; of amounts that are compared, more is told, of four decimals at most."""
    assert money(amount, currency, fine=True) == shown


@given(st.floats(1e-4, 1e9))
def test_shown_money_is_near(amount: float) -> None:
    """What is shown of what is compared is within a twentieth of the amount, or half of its last decimal."""
    assert float(money(amount, fine=True).replace(",", "")) == pytest.approx(amount, rel=0.051, abs=0.0000501)


@pytest.mark.parametrize(
    ("amounts", "shown"),
    [
        ([0.0104, 0.0031, 0.0073], ["0.0104", "0.0031", "0.0073"]),
        ([0.014, 0.0086], ["0.0140", "0.0086"]),
        ([0.5, 0.25], ["0.50", "0.25"]),
        ([0.0041, 0.004, -0.0001], ["0.0041", "0.0040", "-0.0001"]),
        ([30.0, 0.00003, 0.0, -1e-12], ["30.00", "< 0.01", "0", "0"]),
        ([1e-7, None], ["< 0.0001"]),
    ],
)
def test_amounts_that_are_compared_have_the_same_decimals(amounts: list[float | None], shown: list[str]) -> None:
    """As many as the largest needs, so that a difference is that of what is told; what is there is no zero."""
    places = decimals(amounts)
    assert [money_to(places, each) for each in amounts if each is not None] == shown


def test_count_has_commas() -> None:
    """Large numbers are readable."""
    assert count(1234567) == "1,234,567"


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("2h", 7200), ("1h30m", 5400), ("11:00", 3600), ("13:00", 23 * 3600)]
)
def test_since_when(text: str, seconds: float) -> None:
    """A duration is before now; a time of day is its last one."""
    now = datetime(2026, 12, 1, 12, tzinfo=UTC).timestamp()
    assert parse_since(text, now, UTC) == now - seconds


def test_since_an_iso_time() -> None:
    """A date alone is its midnight."""
    now = datetime(2026, 12, 1, 12, tzinfo=UTC).timestamp()
    assert parse_since("2026-11-30", now, UTC) == now - 36 * 3600
    assert parse_since("2026-12-01T12:00+02:00", now, UTC) == now - 2 * 3600


@pytest.mark.parametrize("text", ["", "soon", "tomorrow 06:00", "2026-12-02", "25:00"])
def test_since_no_past_time(text: str) -> None:
    """What names no past time is refused."""
    with pytest.raises(UsageError):
        parse_since(text, datetime(2026, 12, 1, 12, tzinfo=UTC).timestamp(), UTC)
