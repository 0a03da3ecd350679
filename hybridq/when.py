"""Times, durations, money and counts: from what people type, and back to what they read.

Instants are seconds since the epoch (UTC), durations are seconds. A wall-clock time is one of the local
zone unless another is given. Nothing here reads a clock: `now` is passed in.
What is not understood is a UsageError whose sentence shows what is.
"""

import math
import re
from collections.abc import Iterable
from datetime import datetime, timedelta, tzinfo

from .errors import UsageError

NEAR = 600.0  # seconds; an instant less far away is told with its seconds
NO_MONEY = 1e-9  # what is less is left by rounding
CENTURY = 100 * 366 * 86400.0
EARLIEST, LATEST = -61_900_000_000.0, 253_400_000_000.0  # epoch seconds: what a calendar has, whatever the zone
_NUMBER = r"([0-9]+(?:\.[0-9]+)?)"
_UNITS = {"w": 604800.0, "d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_SPAN = r"\s*".join(rf"(?:{_NUMBER}\s*{unit}(?![a-z]))?" for unit in _UNITS)
_BARE = r"[0-9]+(?:\.[0-9]+)?"
_CLOCK = r"(?:(today|tomorrow)\s+)?([0-9]{1,2}):([0-9]{2})(?::([0-9]{2}))?"

_SPAN_FORMS = "30s, 2h, 1h30m, 1.5h, 2d or a number of seconds"
_DEADLINE_FORMS = "30s, 2h, 06:00, tomorrow 06:00 or 2026-12-01T06:00+01:00"
_SINCE_FORMS = "2h, 3d, 06:00, 2026-12-01 or 2026-12-01T06:00+01:00"


def parse_span(text: str) -> float:
    """Seconds of a duration such as `30s`, `2h`, `1h30m`, `1.5h`, `2d` or `90` (seconds).

    Units are ms, s, m, h, d and w, each at most once, the largest first. Raises UsageError.
    """
    seconds = _seconds(text)
    if seconds is None:
        raise UsageError(f"'{_short(text)}' is not a duration: write {_SPAN_FORMS}")
    if seconds > CENTURY:
        raise UsageError(f"'{_short(text)}' is more than a hundred years: write {_SPAN_FORMS}")
    return seconds


def parse_factor(text: str) -> float | None:
    """How many times the usual `3x` or `1.5x` is; None where the text says no such thing. Raises UsageError for 0."""
    found = re.fullmatch(rf"\s*{_NUMBER}\s*x\s*", text, re.ASCII | re.IGNORECASE)
    if found is None:
        return None
    factor = float(found[1])
    if not 0 < factor <= 1e6:
        raise UsageError(f"'{_short(text)}' is not a number of times above 0, such as 3x")
    return factor


def parse_deadline(text: str, now: float, zone: tzinfo | None = None, *, what: str = "a deadline") -> float:
    """The instant that a deadline names, or `what` else is to come: a duration from `now`, also as `in 2h`, a time of
    day, or an ISO 8601 time.

    `06:00` is the next such time. Times without a zone are in `zone` (None: the local one); one that the
    clocks skip is as long after midnight as it would have been without the change. Raises UsageError,
    also for an instant before `now`.
    """
    wanted = text.strip().lower()
    if _seconds(wanted.removeprefix("in ")) is not None:
        return now + parse_span(wanted.removeprefix("in "))
    at = _clock_time(wanted, now, zone)
    if at is None:
        at = _iso_time(text.strip(), zone)
    if at is None:
        raise UsageError(f"'{_short(text)}' is not a time: write {_DEADLINE_FORMS}")
    if at < now:
        raise UsageError(f"'{_short(text)}' was {span(now - at)} ago: {what} must be in the future")
    return at


def parse_since(text: str, now: float, zone: tzinfo | None = None) -> float:
    """The past instant that a text names: a duration before `now`, a time of day (its last one), or an ISO 8601 time.

    Zones are as for `parse_deadline`. Raises UsageError, also for an instant after `now`.
    """
    wanted = text.strip().lower()
    if _seconds(wanted) is not None:
        return now - parse_span(wanted)
    at = _clock_time(wanted, now - 86400 if wanted[:1].isdigit() else now, zone)
    if at is None:
        at = _iso_time(text.strip(), zone)
    if at is None:
        raise UsageError(f"'{_short(text)}' is not a time: write {_SINCE_FORMS}")
    if at > now:
        raise UsageError(f"'{_short(text)}' is still {span(at - now)} ahead: write a time in the past")
    return at


def clock(at: float, now: float) -> str:
    """An instant as people say it at `now`, in the local zone: `22:00`, `tomorrow 06:00`, `2026-12-01 06:00`.

    Less than ten minutes away it has seconds.
    """
    if at > LATEST:
        return "after the year 9999"
    if at < EARLIEST:
        return "before the year 10"
    then, today = datetime.fromtimestamp(at), datetime.fromtimestamp(now).date()
    time = then.strftime("%H:%M:%S" if abs(at - now) < NEAR else "%H:%M")
    if then.date() == today:
        return time
    if then.date() == today + timedelta(days=1):
        return f"tomorrow {time}"
    return f"{then.date().isoformat()} {time}"


def span(seconds: float) -> str:
    """A duration in at most two units: `4ms`, `0.4s`, `45s`, `1m 05s`, `12m`, `3h 05m`, `2d 4h`."""
    if not math.isfinite(seconds):
        return "unknown"
    if seconds < 0:
        return f"-{span(-seconds)}"
    if seconds < 0.0995:
        return f"{max(1, round(seconds * 1000))}ms" if seconds else "0s"
    if seconds < 9.95:
        return f"{seconds:.1f}".removesuffix(".0") + "s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes == 0:
        return f"{rest}s"
    if minutes < 10:
        return f"{minutes}m {rest:02}s" if rest else f"{minutes}m"
    return _long_span(round(seconds / 60))


def written(seconds: float) -> str:
    """A duration as one writes it in `config.toml`, exactly: `24h`, `90s`, `500ms`."""
    for unit, length in (("h", 3600.0), ("m", 60.0), ("s", 1.0)):
        if seconds >= length and seconds % length == 0:
            return f"{seconds / length:g}{unit}"
    return f"{seconds * 1000:g}ms"


def nearest(at: float, now: float) -> float:
    """An instant ahead as an ETA tells it: from ten minutes on the nearest minute that is no less far away."""
    if at - now < NEAR:
        return at
    minute = 60.0 * round(at / 60)
    return minute if minute - now >= NEAR else minute + 60


def eta(p50: float | None, p90: float | None, now: float) -> str:
    """When something will be done: `22:14 ±6m`, the 50th to the 90th percentile; `unknown`, not a guess.

    An instant that has passed is shown as `now`'s own: an ETA never lies in the past. A spread of minutes has no
    seconds, and nor has one behind an instant that has none: it is an estimate, and every view is short of room.
    """
    if p50 is None or not math.isfinite(p50):
        return "unknown"
    likely = max(p50, now)
    spread = p90 - likely if p90 is not None else 0.0
    shown, coarse = clock(nearest(likely, now), now), likely - now >= NEAR
    if not math.isfinite(spread) or spread < (30 if coarse else 0.5):
        return shown
    return f"{shown} ±{span(60 * max(1, round(spread / 60)) if coarse or spread >= 60 else round(spread))}"


def money(x: float, currency: str = "", *, fine: bool = False) -> str:
    """An amount with two decimals, and its unit where it has a name: `6.00`, `6.00 EUR`, `$6.00`.

    What is less than a hundredth is `< 0.01`. In a `fine` one, which is compared with others, it has two significant
    digits, of four decimals at most: `0.0056`, `< 0.0001`. `0` is none, and a loss of less than the least that is told.
    """
    if not math.isfinite(x):
        return "unknown"
    least = 1e-4 if fine else 1e-2
    size, sign = abs(x), "-" if x < 0 else ""
    if size < NO_MONEY or -least < x < 0:
        return _in(currency, "0")
    if size < least:
        return f"< {_in(currency, f'{least:g}')}"
    decimals = min(4, max(2, 1 - math.floor(math.log10(size)))) if fine else 2
    whole, _, fraction = f"{size:,.{decimals}f}".partition(".")
    return sign + _in(currency, f"{whole}.{fraction[:2]}{fraction[2:].rstrip('0')}")


def decimals(amounts: Iterable[float | None]) -> int:
    """In how many decimals amounts that stand beside each other are told: three digits of the largest, four decimals at
    most, and no more than one of them needs."""
    known = [abs(each) for each in amounts if each is not None and math.isfinite(each)]
    largest = max(known, default=0.0)
    wanted = 2 if largest < NO_MONEY else min(4, max(2, 2 - math.floor(math.log10(largest))))
    while (
        wanted > 2 and round(largest, wanted) and all(round(each, wanted - 1) == round(each, wanted) for each in known)
    ):
        wanted -= 1
    return wanted


def money_to(places: int, x: float, currency: str = "") -> str:
    """An amount in so many decimals (see `decimals`), so that what is told adds up: `0.0140`, `< 0.0001`, `0`."""
    if not math.isfinite(x):
        return "unknown"
    rounded, least = round(abs(x), places), 10.0**-places
    if not rounded:
        return _in(currency, "0") if x < NO_MONEY else f"< {_in(currency, f'{least:.{places}f}')}"
    return ("-" if x < 0 else "") + _in(currency, f"{rounded:,.{places}f}")


def _in(currency: str, amount: str) -> str:
    """A unit that is a sign stands before the amount, a word behind it."""
    if not currency:
        return amount
    return f"{amount} {currency}" if any(letter.isalpha() for letter in currency) else f"{currency}{amount}"


def count(n: int) -> str:
    """A number of things with commas: `1,234,567`."""
    return f"{n:,}"


def how_many(number: int, what: str = "job") -> str:
    """So many of them: `1 job`, `1,234 jobs`."""
    return f"1 {what}" if number == 1 else f"{count(number)} {what}s"


def file_size(size: float) -> str:
    """Bytes, as people read them: `12 kB`, `3.4 GB`."""
    for unit in ("B", "kB", "MB"):
        if size < 999.5:
            return f"{size:.0f} {unit}"
        size /= 1000
    return f"{size:.1f} GB" if size < 999.95 else f"{size / 1000:.1f} TB"


def _seconds(text: str) -> float | None:
    """What a duration says, or None where the text is none."""
    text = text.strip().lower()
    if re.fullmatch(_BARE, text, re.ASCII):
        return float(text)
    found = re.fullmatch(_SPAN, text, re.ASCII)
    if not text or found is None:
        return None
    return math.fsum(float(part) * unit for part, unit in zip(found.groups(), _UNITS.values(), strict=True) if part)


def _clock_time(text: str, now: float, zone: tzinfo | None) -> float | None:
    """The instant of `06:00`, `today 06:00` or `tomorrow 06:00`, or None where the text is none of them."""
    found = re.fullmatch(_CLOCK, text, re.ASCII)
    if found is None:
        return None
    day, hour, minute, second = found[1], int(found[2]), int(found[3]), int(found[4] or 0)
    today = datetime.fromtimestamp(now, zone).replace(tzinfo=None, microsecond=0, fold=0)
    try:
        at = today.replace(hour=hour, minute=minute, second=second)
    except ValueError:
        return None
    if day == "tomorrow":
        return _instant(at + timedelta(days=1), zone)
    if day == "today":
        return max(_both(at, zone))
    return min(t for wall in (at, at + timedelta(days=1)) for t in _both(wall, zone) if t > now)


def _both(wall: datetime, zone: tzinfo | None) -> set[float]:
    """The instants at which the clock shows this: two when it is set back over it.

    Where the clock skips it, the second reading comes before the first, and is none.
    """
    first, second = _instant(wall, zone), _instant(wall.replace(fold=1), zone)
    return {first, max(first, second)}


def _instant(wall: datetime, zone: tzinfo | None) -> float:
    return wall.replace(tzinfo=zone).timestamp()


def _iso_time(text: str, zone: tzinfo | None) -> float | None:
    try:
        at = datetime.fromisoformat(text)
        return at.timestamp() if at.tzinfo else _instant(at, zone)
    except (ValueError, OverflowError, OSError):
        return None


def _long_span(minutes: int) -> str:
    hours, rest = divmod(minutes, 60)
    if hours == 0:
        return f"{rest}m"
    if hours < 24:
        return f"{hours}h {rest:02}m"
    days, hours = divmod(round(minutes / 60), 24)
    return f"{days}d {hours}h"


def _short(text: str) -> str:
    """What somebody typed, short enough for a sentence."""
    return text if len(text) <= 60 else f"{text[:59]}…"
