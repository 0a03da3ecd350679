"""The tariff against a judge that looks at the wall clock once a second."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hybridq.brain.tariff import Tariff
from hybridq.config.values import DAYS, TariffConfig, Window

ZONES = [
    "UTC",
    "Europe/Vienna",
    "America/New_York",
    "Australia/Lord_Howe",
    "Asia/Kathmandu",
    "Africa/Casablanca",
    "Pacific/Apia",
    "America/St_Johns",
    "Asia/Tehran",
]
# Half a day around: clocks forward, clocks back, a day left out, a new offset for good, an ordinary day.
MOMENTS = ["2026-03-29", "2026-10-25", "2026-11-01", "2026-04-05", "2026-03-22", "2011-12-30", "2026-06-10"]
NIGHT = Window(start="22:00", end="06:00", factor=0.5, name="night")


def test_a_time_is_told_in_the_tariffs_zone_where_that_is_another() -> None:
    """The hour that the configuration names, beside the local one; nothing where they are the same."""
    summer = datetime(2026, 6, 10, 20, 0, tzinfo=UTC).timestamp()
    away = Tariff(TariffConfig(zone="America/New_York", window=[NIGHT]))
    assert away.there(summer) == "16:00 New York"
    local = datetime.fromtimestamp(summer).astimezone().utcoffset()
    utc = Tariff(TariffConfig(window=[NIGHT])).there(summer)
    assert utc == ("" if local == timedelta(0) else "20:00 UTC")


def seconds_of(clock: str) -> int:
    hour, minute, second = (int(part) for part in clock.split(":"))
    return hour * 3600 + minute * 60 + second


def judged(config: TariffConfig, at: int) -> tuple[float, str]:
    """Factor and name by the wall clock at one second, read straight from the configuration."""
    local = datetime.fromtimestamp(at, ZoneInfo(config.zone))
    second = local.hour * 3600 + local.minute * 60 + local.second
    today, yesterday = DAYS[local.weekday()], DAYS[local.weekday() - 1]
    for window in config.window:
        start, end = seconds_of(window.start), seconds_of(window.end)
        if start < end:
            holds = today in window.days and start <= second < end
        else:
            holds = (today in window.days and second >= start) or (yesterday in window.days and second < end)
        if holds:
            return window.factor, window.name
    return config.factor, ""


def epoch(text: str, zone: str = "UTC") -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()


clocks = st.builds(
    lambda h, m, s: f"{h:02}:{m:02}:{s:02}",
    st.integers(0, 23),
    st.sampled_from([0, 15, 30, 59]),
    st.sampled_from([0, 0, 59]),
)
windows = st.builds(
    Window,
    start=clocks,
    end=clocks,
    factor=st.sampled_from([0.0, 0.5, 1.0, 2.0]),
    days=st.lists(st.sampled_from(DAYS), min_size=1, unique=True).map(tuple),
    name=st.sampled_from(["", "night", "peak"]),
)
configs = st.builds(TariffConfig, zone=st.sampled_from(ZONES), window=st.lists(windows, max_size=3).map(tuple))
instants = st.builds(
    lambda day, shift: int(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp()) + shift,
    st.sampled_from(MOMENTS),
    st.integers(-43200, 43200),
)


@settings(max_examples=60, deadline=None)
@given(configs, instants)
def test_factor_is_the_wall_clocks(config: TariffConfig, at: int) -> None:
    """Factor and name are what the local wall clock says, whatever the zone does."""
    tariff = Tariff(config)
    assert (tariff.factor(at + 0.5), tariff.name(at)) == judged(config, at)


@settings(max_examples=40, deadline=None)
@given(configs, instants, st.integers(1, 9000))
def test_changes_are_exact_to_the_second(config: TariffConfig, start: int, length: int) -> None:
    """The changes are exactly the seconds at which the judge's factor differs from the second before."""
    tariff = Tariff(config)
    factors = [judged(config, at)[0] for at in range(start, start + length + 1)]
    expected = [(float(start + i), factors[i]) for i in range(1, length + 1) if factors[i] != factors[i - 1]]
    assert tariff.changes(start, start + length) == expected


@settings(max_examples=30, deadline=None)
@given(configs, instants, st.integers(1, 6000))
def test_mean_is_the_mean_of_every_second(config: TariffConfig, start: int, length: int) -> None:
    """The mean factor of a span is the average over its seconds."""
    seconds = [judged(config, at)[0] for at in range(start, start + length)]
    assert Tariff(config).mean(start, start + length) == pytest.approx(sum(seconds) / length)


@settings(max_examples=40, deadline=None)
@given(configs, instants, st.integers(0, 6), st.integers(0, 6))
def test_changes_join(config: TariffConfig, start: int, first: int, second: int) -> None:
    """Asking for two spans one after another gives what asking for both at once gives."""
    tariff = Tariff(config)
    middle, end = start + first * 86400, start + (first + second) * 86400
    whole = tariff.changes(start, end)
    assert tariff.changes(start, middle) + tariff.changes(middle, end) == whole


def test_missing_hour_has_no_window() -> None:
    """A window in the hour that the clock leaves out does not happen on that day."""
    window = Window(start="02:00", end="03:00", factor=3.0)
    tariff = Tariff(TariffConfig(zone="Europe/Vienna", window=(window,)))
    assert tariff.changes(epoch("2026-03-28T12:00"), epoch("2026-03-29T12:00")) == []


def test_doubled_hour_has_its_window_twice() -> None:
    """A window within the hour that comes twice happens twice, an hour apart."""
    window = Window(start="02:10", end="02:20", factor=3.0)
    tariff = Tariff(TariffConfig(zone="Europe/Vienna", window=(window,)))
    found = tariff.changes(epoch("2026-10-24T12:00"), epoch("2026-10-25T12:00"))
    assert [at - epoch("2026-10-25T00:10") for at, _ in found] == [0, 600, 3600, 4200]


def test_window_over_midnight_belongs_to_the_day_it_starts_on() -> None:
    """A Friday-night window still holds early on Saturday, and not early on Friday."""
    window = Window(start="22:00", end="06:00", factor=0.5, days=("fri",), name="weekend")
    tariff = Tariff(TariffConfig(window=(window,)))
    assert tariff.name(epoch("2026-11-28T05:59:59")) == "weekend"
    assert tariff.name(epoch("2026-11-28T06:00")) == ""
    assert tariff.name(epoch("2026-11-27T05:59:59")) == ""


def test_first_window_counts() -> None:
    """Where windows overlap the one that is written first holds."""
    noon = Window(start="12:00", end="13:00", factor=2.0)
    tariff = Tariff(TariffConfig(window=(noon, Window(start="00:00", end="24:00", factor=0.7))))
    assert tariff.factor(epoch("2026-11-27T12:30")) == 2.0
    assert tariff.factor(epoch("2026-11-27T23:59:59")) == 0.7


def test_change_at_the_end_counts_and_at_the_start_does_not() -> None:
    """A change at `until` is told, one at `after` is not, so that no change is told twice."""
    tariff, ten = Tariff(TariffConfig(window=(NIGHT,))), epoch("2026-11-27T22:00")
    assert tariff.changes(ten - 10, ten) == [(ten, 0.5)]
    assert tariff.changes(ten, ten + 10) == []


def test_far_mean_is_bounded() -> None:
    """A mean over a thousand years answers with the mean of whole weeks."""
    tariff = Tariff(TariffConfig(window=(NIGHT,)))
    start = epoch("2026-11-27T00:00")
    assert tariff.mean(start, start + timedelta(days=365000).total_seconds()) == pytest.approx(5 / 6)
