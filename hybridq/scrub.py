"""Keeps keys out of whatever is stored, logged or shown: the one function that such texts go through.

Rule: who reads a key makes it known here first; from then on no sentence of this process holds it, in whatever form
an exception, a server or a worker repeats it. Keys are kept in memory alone.
"""

import re

SHORTEST = 4  # characters of a key; a shorter one is no secret, and hiding it would make sentences unreadable
CUT = 16  # characters of a key from which on its beginning is hidden as well: sentences are cut anywhere
HIDDEN = "***"

_known: dict[str, list[tuple[int, str]]] = {}  # by key: the lengths and patterns of its forms
_pattern: re.Pattern[str] | None = None


def know(key: str) -> None:
    """This is a key."""
    global _pattern
    if len(key) < SHORTEST or key in _known:
        return
    _known[key] = _patterns(key)
    # The longest first: a whole form before the beginning of the same key, which is what is left of it where a sentence
    # was cut, and that before a shorter key that begins alike.
    longest = sorted({form for forms in _known.values() for form in forms}, reverse=True)
    _pattern = re.compile("|".join(pattern for _, pattern in longest), re.IGNORECASE)


def scrub(text: str) -> str:
    """The text without any known key."""
    return text if _pattern is None else _pattern.sub(HIDDEN, text)


def _patterns(key: str) -> list[tuple[int, str]]:
    """A key as it is, as programs write it down, and its beginning where that is long enough: (length, pattern)."""
    import json
    from html import escape
    from urllib.parse import quote

    data = key.encode("utf-8", "surrogateescape")
    written = json.dumps(key)[1:-1]
    forms = {key, repr(key)[1:-1], repr(f"'{key}")[2:-1], escape(key)}
    forms |= {written, written.replace("/", "\\/"), json.dumps(written)[1:-1]}
    forms |= {quote(data), quote(data, safe=""), data.hex(), *_base64(data)}
    half = len(key) // 2
    beginning = [(half, re.escape(key[:half]) + r"[^\s\"'<>,;]*")] if len(key) >= CUT else []
    return [*((len(form), re.escape(form)) for form in forms), *beginning]


def _base64(data: bytes) -> set[str]:
    """What of a key is the same wherever in an encoded text it stands."""
    from base64 import b64encode

    found = set()
    for before, first in ((0, 0), (1, 2), (2, 3)):
        whole = b64encode(bytes(before) + data).decode()[first : (before + len(data)) // 3 * 4]
        if len(whole) >= 2 * SHORTEST:
            found |= {whole, whole.replace("+", "-").replace("/", "_")}
    return found
