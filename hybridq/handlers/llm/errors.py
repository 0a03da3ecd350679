"""What both SDKs' errors have in common: status codes, Retry-After, and no key in any sentence."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from html import unescape
from typing import Any

import msgspec

from ...scrub import know, scrub
from ...visible import visible_line
from .provider import Trouble

LONGEST_REASON = 2000  # characters
IN_STREAM = 200  # the status of an answer that broke off with an error while it streamed
PASSING = frozenset({408, 409, 425, 429})
FULL = frozenset({429, 503, 529})
NO_SUCH = frozenset({404, 405, 501})  # the server has nothing of that kind
NO_MONEY = "insufficient_quota"  # a 429 that no waiting helps
_PLACE = re.compile(r"requests?[.\[](\d+)")
_LATER = re.compile(r"rate.?limit|overloaded|timeout|unavailable|server_error|api_error|\b(429|5\d\d)\b", re.IGNORECASE)
_MARKUP = re.compile(r"<(script|style|head)\b.*?</\1>|<[^>]*>", re.DOTALL | re.IGNORECASE)


class Said(Exception):
    """What the other side says instead of an answer, or why its answer is none. `passing`: a later try may help."""

    def __init__(self, why: str, *, passing: bool = False) -> None:
        super().__init__(why)
        self.passing = passing


def answered(body: bytes) -> dict[str, Any]:
    """A whole answer where a stream was asked for. Raises Said when it is an error, or none at all."""
    try:
        found = msgspec.json.decode(body)
    except (ValueError, RecursionError):
        found = body.decode("utf-8", "replace")
    if isinstance(found, dict) and not is_error(found):
        return found
    why = sentence_in(found) or "nothing"
    if not isinstance(found, dict):
        why = f"the server answered with a page, not with the model's words; is base_url right? It says: {why}"
    raise Said(why, passing=isinstance(found, dict) and may_pass(found))


def is_error(found: dict[str, Any]) -> bool:
    """Whether this is an error, whatever its status: a few servers answer 200 with one."""
    return bool(found.get("error")) or found.get("object") == "error" or found.get("type") == "error"


def may_pass(error: Any) -> bool:
    """Whether an error's code or type says that a later try may help."""
    inner = error.get("error") if isinstance(error, dict) else None
    kinds = [found.get(name) for found in (error, inner) if isinstance(found, dict) for name in ("type", "code")]
    return any(_LATER.search(str(kind)) for kind in kinds)


def sentence_in(error: Any) -> str:
    """The sentence in an error, however deep it lies; "" where there is none. Of a page, its words."""
    for _ in range(8):
        if not isinstance(error, dict):
            break
        error = next((error[name] for name in ("error", "message", "detail", "msg") if error.get(name)), None)
    if isinstance(error, list):
        return "; ".join(filter(None, map(sentence_in, error[:5])))
    if isinstance(error, str) and error.lstrip()[:1] == "<":
        error = " ".join(unescape(_MARKUP.sub(" ", error)).split())
    return "" if error is None or isinstance(error, dict) else str(error)[:LONGEST_REASON]


def refusal(status: int, told: str, headers: Mapping[str, str], whole: str = "") -> Trouble:
    """What an answer with this status means, which says `told`; `whole` is all of it."""
    broken = status >= 500 and status not in NO_SUCH
    passing = (status in PASSING or broken or status == IN_STREAM) and NO_MONEY not in told + whole
    place = _PLACE.search(told)
    return Trouble(
        reason=f"{status}: {told}",
        passing=passing,
        slow=passing,
        full=passing and status in FULL,
        large=status == 413,
        unsure=broken or status == 408,
        unknown=status in NO_SUCH,
        retry_after=retry_after(headers, datetime.now(UTC)),
        at=int(place[1]) if place else None,
    )


def no_answer(host: str, cause: object, key: str) -> Trouble:
    """What it means that a connection to this host gave no answer: nobody knows whether it was carried out."""
    why = scrubbed(f"the connection to {host} failed: {cause}", key)
    return Trouble(reason=why, passing=True, slow=True, unsure=True, unreached=True)


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
    know(key)
    return visible_line(scrub(text), LONGEST_REASON)
