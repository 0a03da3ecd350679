"""What both SDKs' errors have in common: status codes, Retry-After, and no key in any sentence."""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from html import unescape
from typing import Any

from ...scrub import know, scrub
from ...visible import visible_line
from .provider import Trouble

LONGEST_REASON = 2000  # characters
IN_STREAM = 200  # the status of an answer that broke off with an error while it streamed
PASSING = frozenset({408, 409, 425, 429})
FULL = frozenset({429, 503, 529})
NO_SUCH = frozenset({404, 405, 501})  # the server has nothing of that kind
ROUGH = frozenset({429, 529})  # said to all that we send
_PLACE = re.compile(r"requests?[.\[](\d+)")
_LATER = re.compile(
    r"rate.?limit|overload|time.?out|unavailable|server.?error|internal|api_error"
    r"|\b(408|409|425|429|5\d\d)\b",
    re.IGNORECASE,
)
_NEVER = re.compile(
    r"context|too.?(long|large)|invalid|bad.?request|not.?found|no.?such|unsupported|not.?supported"
    r"|permission|forbidden|denied|auth|policy|filter|safety|billing|quota|credit|deactivated"
    r"|\b4(?!08|09|25|29)\d\d\b",
    re.IGNORECASE,
)
_ALL = re.compile(r"rate.?limit|overload|\b(429|529)\b", re.IGNORECASE)  # meant for whatever we send
_ROOM = re.compile(
    r"context_length_exceeded|exceed_context|(maximum|available) context|context (window|length)"
    r"|prompt is too long",
    re.IGNORECASE,
)
_MONEY = re.compile(
    r"insufficient[ _](quota|balance|credits?|funds)|credit balance|out of credits?|payment.required"
    r"|billing[ _](hard|limit|not)|exceeded your current quota",
    re.IGNORECASE,
)
_LARGE = re.compile(
    r"too.?(large|big|many)|larger than|at most [\d,]+|exceed.{0,20}limit"
    r"|exceed.{0,60}(size|bytes|\d ?[MG]i?B|lines|requests|entries|rows|records)"
    r"|(size|lines|requests|entries|rows|records).{0,40}(exceed|over the|more than)"
    r"|max\w*.{0,20}(size|lines|requests|entries|rows|records)",
    re.IGNORECASE,
)
_TOKENS = re.compile(r"max\w*_tokens|rate.?limit", re.IGNORECASE)
_OF_ANSWERS = frozenset({"choices", "content", "delta", "usage"})  # one of which each answer has
_MARKUP = re.compile(r"<(script|style|head)\b.*?</\1>|<[^>]*>", re.DOTALL | re.IGNORECASE)


class Said(Exception):
    """What the other side says instead of an answer, or why its answer is none. `passing`: a later try may help.
    `error`: the other side itself told it as its error, which is here. `missing`: it has nothing of that kind."""

    def __init__(self, why: str, *, passing: bool = False, error: Any = None, missing: bool = False) -> None:
        super().__init__(why)
        self.passing, self.error, self.missing = passing, error, missing

    def trouble(self, told: str) -> Trouble:
        """What it means; `told` is its sentence, without our key."""
        poor = self.error is not None and bool(_MONEY.search(f"{told} {self.error}"))
        passing = self.passing and not poor
        again = passing and self.error is not None and may_pass(self.error)
        slow = again and any(_ALL.search(kind) for kind in _kinds(self.error))
        return Trouble(reason=told, passing=passing, again=again, slow=slow, poor=poor, unknown=self.missing)


def answered(body: bytes) -> dict[str, Any]:
    """A whole answer where a stream was asked for. Raises Said when it is an error, or none at all."""
    found = loose(body)
    if found is None:
        found = body.decode("utf-8", "replace")
    if isinstance(found, dict) and (is_error(found) or (not found.keys() & _OF_ANSWERS and sentence_in(found))):
        raise told_instead(found, passing=False)
    if isinstance(found, dict):
        return found
    if body.lstrip()[:1] in (b"", b"{"):
        raise Said(f"the server's answer is {'broken JSON' if body.strip() else 'empty'}", passing=True)
    why = sentence_in(found)
    raise Said(f"the server answered with a web page, not a model's answer. Is base_url right? The page says: {why}")


def loose(data: bytes) -> Any:
    """JSON, though half a letter may be in it (see `Letters`); None for what is none."""
    try:
        return json.loads(data.decode("utf-8", "surrogateescape"))
    except (ValueError, RecursionError):
        return None


def told_instead(error: dict[str, Any], *, passing: bool = True) -> Said:
    """An error in an answer's place. `passing`: whether another try may help where it does not tell its kind."""
    why = sentence_in(error) or "the provider reported an error without details"
    return Said(why, passing=may_pass(error, passing) and not _ROOM.search(why), error=error)


def is_error(found: dict[str, Any]) -> bool:
    """Whether this is an error, whatever its status: a few servers answer 200 with one."""
    return bool(found.get("error")) or found.get("object") == "error" or found.get("type") == "error"


def may_pass(error: Any, otherwise: bool = False) -> bool:
    """Whether an error's code or type says that a later try may help; `otherwise`: where they say neither."""
    for kind in _kinds(error):
        if _NEVER.search(kind):
            return False
        if _LATER.search(kind):
            return True
    return otherwise


def _kinds(error: Any) -> list[str]:
    """What an error is called, the most exact word first."""
    inner = error.get("error") if isinstance(error, dict) else None
    found = [each for each in (inner, error) if isinstance(each, dict)]
    return [str(each[name]) for name in ("code", "type", "status") for each in found if each.get(name)]


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
    poor = status == 402 or (status < 500 and bool(_MONEY.search(told + whole)))
    passing = (status in PASSING or broken or status == IN_STREAM) and not poor and not _ROOM.search(told + whole)
    asked = retry_after(headers, datetime.now(UTC))
    place = _PLACE.search(told)
    return Trouble(
        reason=f"{status}: {told}",
        passing=passing,
        again=passing,
        slow=passing and (status in ROUGH or asked is not None),
        poor=poor,
        full=passing and status in FULL,
        large=status == 413 or (status in (400, 422) and too_large(told)),
        unsure=broken or status == 408,
        unknown=status in NO_SUCH,
        retry_after=asked,
        at=int(place[1]) if place else None,
    )


def too_large(told: str) -> bool:
    """Whether a sentence says that a batch is larger than may be; a prompt that is too long is another matter."""
    return bool(_LARGE.search(told)) and not _ROOM.search(told) and not _TOKENS.search(told)


def no_answer(host: str, cause: object, key: str) -> Trouble:
    """What it means that a connection to this host gave no answer: nobody knows whether it was carried out."""
    why = scrubbed(f"the connection to {host} failed: {cause}", key)
    return Trouble(reason=why, passing=True, again=True, unsure=True, unreached=True)


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
