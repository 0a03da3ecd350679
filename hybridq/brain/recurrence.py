"""The instants at which work comes back: a cron line in a time zone, or every so many seconds.

Rule: cron arithmetic is cronsim's, which treats a change of the clock as Debian's cron does; here it is only asked for
the next or the last. Each instant is an epoch second, and later than the one before. Pure: no clock.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError
from msgspec import Struct

from ..errors import UsageError
from ..visible import visible_line
from ..when import parse_span, span

NAMED = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@nightly": "0 2 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
}
EVERY = "every "
SHORTEST = 60.0  # seconds between two instants
FOLD = 3 * 3600  # seconds that a clock is set back by at most: what comes again has come
COUNTED = 1000  # instants that are counted one by one
FORMS = '"0 2 * * *", @hourly, @nightly, @weekly, @monthly or "every 15m"'


class Recurrence(Struct, frozen=True):
    """When something comes back. `text` is as it was typed; `every 15m` counts from `since` (epoch seconds)."""

    text: str
    zone: str
    since: float = 0.0

    def after(self, at: float) -> float | None:
        """The first instant after this one; None: there is none within fifty years."""
        return next(self.all_after(at), None)

    def all_after(self, at: float) -> Iterator[float]:
        """Each instant after this one."""
        if step := _every(self.text):
            number = (at - self.since) // step + 1
            while True:
                yield self.since + number * step
                number += 1
        last = at
        for then in CronSim(_cron(self.text), self._local(at)):
            if then.timestamp() > last:  # an hour that comes twice holds what was there already
                last = then.timestamp()
                yield last

    def all_before(self, at: float) -> Iterator[float]:
        """Each instant that is not after this one, the latest first."""
        if step := _every(self.text):
            number = (at - self.since) // step
            while True:
                yield self.since + number * step
                number -= 1
        last = at + 1e-3
        for then in CronSim(_cron(self.text), self._local(at + FOLD), reverse=True):
            if then.timestamp() < last:
                last = then.timestamp()
                yield last

    def _local(self, at: float) -> datetime:
        return datetime.fromtimestamp(at, UTC).astimezone(ZoneInfo(self.zone))


class Due(Struct, frozen=True):
    """The instants that have come, the earliest first, and how many more came before them; `more`: at least so many."""

    instants: tuple[float, ...] = ()
    before: int = 0
    more: bool = False


def due(recurrence: Recurrence, reached: float, now: float, most: int) -> Due:
    """What has come since the instant `reached` until `now`: at most so many instants, the latest ones."""
    found: list[float] = []
    before = 0
    for at in recurrence.all_before(now):
        if at <= reached or before >= COUNTED:
            break
        if len(found) < most:
            found.append(at)
        else:
            before += 1
    return Due(tuple(reversed(found)), before, more=before >= COUNTED)


def understood(text: str, zone: str, now: float) -> Recurrence:
    """What was typed as a recurrence. Raises UsageError that shows what is understood."""
    text = " ".join(text.split())
    zoned(zone)
    found = Recurrence(text, zone, now)
    if text.lower().startswith(EVERY):
        _check_span(text)
        return found
    try:
        if len(_cron(text).split()) != 5:  # a sixth would be seconds, which no crontab has
            raise CronSimError("Wrong number of fields")
        never = found.after(now) is None
    except CronSimError as problem:
        raise UsageError(f"'{visible_line(text, 40)}' is no schedule ({_told(problem)}): write {FORMS}") from None
    if never:
        raise UsageError(f"'{visible_line(text, 40)}' never comes: write {FORMS}")
    return found


def zoned(zone: str) -> str:
    """The zone itself, if there is one of that name. Raises UsageError."""
    try:
        ZoneInfo(zone)
    except (OSError, ValueError, KeyError):
        raise UsageError(f"there is no time zone '{visible_line(zone, 40)}': write one such as Europe/Berlin") from None
    return zone


def written(at: float, zone: str) -> str:
    """An instant in ISO 8601, with the zone's offset: `2026-12-01T02:00:00+01:00`."""
    exact = "seconds" if at == int(at) else "milliseconds"
    return datetime.fromtimestamp(at, ZoneInfo(zone)).isoformat(timespec=exact)


def _cron(text: str) -> str:
    return NAMED.get(text.lower(), text)


def _every(text: str) -> float | None:
    """Seconds of `every 15m`; None: it is a cron line."""
    return parse_span(text[len(EVERY) :]) if text.lower().startswith(EVERY) else None


def _check_span(text: str) -> None:
    seconds = _every(text) or 0.0
    if seconds < SHORTEST:
        raise UsageError(f"'{visible_line(text, 40)}' is too often: {span(SHORTEST)} is the least")


def _told(problem: CronSimError) -> str:
    told = str(problem)
    return "it has no five fields" if "fields" in told else told[0].lower() + told[1:]
