"""The price factor at an instant, and the instants at which it changes.

One rule: the factor depends on the local wall clock alone. Where a change of the clock leaves an hour out,
a window in that hour does not happen; where an hour comes twice, the window in it happens twice.
All instants are epoch seconds. Nothing here asks what time it is.
"""

import math
from bisect import bisect_right
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import accumulate, pairwise
from typing import NamedTuple

from ..config.values import DAYS, TariffConfig, Window

DAY = 86400
OFFSET_STEP = 3 * 3600  # no zone changed its clock twice within three hours
EPOCH_WEEKDAY = 3  # 1970-01-01 was a Thursday
REMEMBERED = 64  # stretches of days whose prices are kept
FARTHEST = 28 * DAY  # a mean over more than this is the mean of these first four weeks


class DayPiece(NamedTuple):
    """From this second of the local day on, this price."""

    second: int
    factor: float
    name: str


class Tariff:
    """What a unit of work costs, relative to factor 1, over the week of a time zone."""

    def __init__(self, config: TariffConfig) -> None:
        """`config.read` has checked what a configuration says; ValueError or KeyError for one that makes no sense."""
        self._zone = _zone(config.zone)
        windows = [_Span(window) for window in config.window]
        self._week = [_pieces(day, windows, config.factor) for day in range(7)]
        self._known: dict[tuple[int, int], _Days] = {}
        self.flat = len({piece.factor for day in self._week for piece in day}) == 1

    def factor(self, at: float) -> float:
        """The price factor at an epoch second."""
        return self._week[0][0].factor if self.flat else self._piece(at).factor

    def name(self, at: float) -> str:
        """The name of the window that holds at an epoch second, or ""."""
        return self._piece(at).name

    def there(self, at: float) -> str:
        """The time of day in the tariff's zone, `22:00 Berlin`; "" where it is the local one."""
        then, here = datetime.fromtimestamp(at, self._zone), datetime.fromtimestamp(at).astimezone()
        return "" if then.utcoffset() == here.utcoffset() else f"{then:%H:%M} {_place(self._zone)}"

    def changes(self, after: float, until: float) -> list[tuple[float, float]]:
        """Each real change in `after < instant <= until`: the epoch second and the factor from then on."""
        found: list[tuple[float, float]] = []
        if self.flat or until <= after:
            return found
        factor = self.factor(after)
        for at in self._edges(after, until):
            new = self.factor(at)
            if new != factor:
                found.append((at, new))
                factor = new
        return found

    def mean(self, start: float, end: float) -> float:
        """The time-weighted mean factor from `start` to `end`; without a span, the factor at `start`."""
        end = min(end, start + FARTHEST)
        if self.flat or end <= start:
            return self.factor(start)
        days = self._days(int(start // DAY), int(end // DAY))
        first, last = days.step(start), days.step(end)
        if first == last:  # exactly one factor: a quotient of sums would only be near
            return days.factors[first]
        return (days.sum(end) - days.sum(start)) / (end - start)

    def _days(self, first: int, last: int) -> "_Days":
        """The prices of these days, which are remembered: many jobs end on the same ones."""
        if (first, last) not in self._known:
            if len(self._known) >= REMEMBERED:
                self._known.clear()
            begin, end = float(first * DAY), float((last + 1) * DAY)
            self._known[first, last] = _Days([(begin, self.factor(begin)), *self.changes(begin, end)])
        return self._known[first, last]

    def _piece(self, at: float) -> DayPiece:
        local = datetime.fromtimestamp(math.floor(at), self._zone)
        day = self._week[local.weekday()]
        second = local.hour * 3600 + local.minute * 60 + local.second
        return day[bisect_right(day, second, key=lambda piece: piece.second) - 1]

    def _edges(self, after: float, until: float) -> Iterator[float]:
        """Every instant, in order, at which the wall clock reaches a boundary or jumps."""
        for start, end, offset in self._offsets(after, until):
            if start > after:
                yield start
            for day in range(int(start + offset) // DAY, int(end + offset) // DAY + 1):
                for piece in self._week[(day + EPOCH_WEEKDAY) % 7]:
                    at = float(day * DAY + piece.second - offset)
                    if max(start, after) < at < end or at == end == until:
                        yield at

    def _offsets(self, after: float, until: float) -> Iterator[tuple[float, float, int]]:
        """The stretches `(start, end, offset)` of one offset (seconds from UTC) between `after` and `until`."""
        start, offset, low = after, self._offset(after), after
        while low < until:
            high = min(low + OFFSET_STEP, until)
            if self._offset(high) != offset:
                high = self._jump(low, high, offset)
                yield start, high, offset
                start, offset = high, self._offset(high)
            low = high
        yield start, until, offset

    def _jump(self, low: float, high: float, offset: int) -> float:
        """The first whole second after `low` at which the clock no longer has this offset."""
        first, last = math.floor(low), math.ceil(high)
        while last - first > 1:
            middle = (first + last) // 2
            if self._offset(middle) == offset:
                first = middle
            else:
                last = middle
        return float(min(last, high))

    def _offset(self, at: float) -> int:
        shift = datetime.fromtimestamp(math.floor(at), self._zone).utcoffset()
        return (shift or timedelta()) // timedelta(seconds=1)


class _Days:
    """The prices of some days as steps, with their integral."""

    def __init__(self, steps: list[tuple[float, float]]) -> None:
        self._at = [at for at, _ in steps]
        self.factors = [factor for _, factor in steps]
        self._sums = [0.0, *accumulate(f * (after - at) for (at, f), (after, _) in pairwise(steps))]

    def step(self, at: float) -> int:
        return bisect_right(self._at, at) - 1

    def sum(self, at: float) -> float:
        """The integral of the factor until then."""
        step = self.step(at)
        return self._sums[step] + self.factors[step] * (at - self._at[step])


class _Span:
    """A window in numbers: seconds of the local day, and the weekdays on which it starts."""

    def __init__(self, window: Window) -> None:
        self.start, self.end = _second(window.start), _second(window.end)
        self.days = {DAYS.index(day.lower()) for day in window.days}
        self.factor, self.name = window.factor, window.name

    def holds(self, weekday: int, second: int) -> bool:
        """Whether it holds at this second of the local day."""
        if self.start < self.end:
            return weekday in self.days and self.start <= second < self.end
        before = (weekday - 1) % 7
        return (weekday in self.days and second >= self.start) or (before in self.days and second < self.end)


def _pieces(weekday: int, windows: list[_Span], otherwise: float) -> list[DayPiece]:
    edges = {0}.union(*({w.start, w.end} for w in windows)) - {DAY}
    pieces: list[DayPiece] = []
    for second in sorted(edges):
        span = next((w for w in windows if w.holds(weekday, second)), None)
        pieces.append(DayPiece(second, span.factor, span.name) if span else DayPiece(second, otherwise, ""))
    return pieces


def _zone(name: str) -> tzinfo:
    if name == "UTC":  # the default: without zoneinfo `submit` starts 4 ms sooner
        return UTC
    from zoneinfo import ZoneInfo

    return ZoneInfo(name)


def _place(zone: tzinfo) -> str:
    """`Europe/Berlin` as `Berlin`."""
    return str(zone).rpartition("/")[2].replace("_", " ")


def _second(text: str) -> int:
    """The second of the day of "HH:MM" or "HH:MM:SS"; 24:00 is the day's end."""
    hours, minutes, *seconds = map(int, text.split(":"))
    return hours * 3600 + minutes * 60 + sum(seconds)
