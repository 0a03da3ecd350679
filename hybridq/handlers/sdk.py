"""What both SDKs' errors have in common: status codes, Retry-After, and no key in any sentence."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from ..visible import visible_line
from .provider import Trouble

LONGEST_REASON = 2000  # characters
IN_STREAM = 200  # the status of an answer that broke off with an error while it streamed
PASSING = frozenset({408, 409, 425, 429})
FULL = frozenset({429, 503, 529})
NO_MONEY = "insufficient_quota"  # a 429 that no waiting helps
_PLACE = re.compile(r"requests?[.\[](\d+)")


def refusal(status: int, message: str, headers: Mapping[str, str]) -> Trouble:
    """What an answer with this status means."""
    passing = (status in PASSING or status >= 500 or status == IN_STREAM) and NO_MONEY not in message
    place = _PLACE.search(message)
    return Trouble(
        reason=f"{status}: {message}",
        passing=passing,
        slow=passing,
        full=passing and status in FULL,
        unsure=status >= 500 or status == 408,
        unknown=status == 404,
        retry_after=retry_after(headers, datetime.now(UTC)),
        at=int(place[1]) if place else None,
    )


def no_answer(host: str, cause: object, key: str) -> Trouble:
    """What it means that a connection to this host gave no answer: nobody knows whether it was carried out."""
    why = scrubbed(f"the connection to {host} failed: {cause}", key)
    return Trouble(reason=why, passing=True, slow=True, unsure=True)


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """Seconds that the other side asks us to wait: a number, milliseconds, or a date (RFC 9110)."""
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        told = headers.get(name, "")
        try:
            seconds = float(told) * unit
        except ValueError:
            continue
        return seconds if 0 <= seconds < 86400 * 7 else None
    try:
        at = parsedate_to_datetime(headers.get("retry-after", ""))
    except (ValueError, TypeError):
        return None
    return max(0.0, (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() - now.timestamp())


def scrubbed(text: str, key: str) -> str:
    """A sentence of the other side as one plain line, without our key should it repeat it."""
    return visible_line(text.replace(key, "***") if len(key) >= 4 else text, LONGEST_REASON)
