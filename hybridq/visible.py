"""Makes any text harmless for a terminal: nothing from a job moves a cursor, sets a title or reverses a line.

The scheme is one: what a terminal might obey, or a reader might not see, is shown as its escape, `\\x1b`,
`\\u202e`, `\\U000e0041`. That is every control, format and surrogate character of Unicode, the separators
of lines, and the blank letters. All else stays as it is; a backslash is not doubled, so this is for
reading, never for reading back.
"""

import re
from unicodedata import category, east_asian_width

# C1 too: U+009B alone is a CSI to many terminals. Default-ignorable blocks are taken whole.
_UNSEEN = (
    "\\x00-\\x08\\x0b\\x0c\\x0e-\\x1f\\x7f-\\x9f\\xad\\u034f\\u0600-\\u0605\\u061c\\u06dd\\u070f\\u0890\\u0891\\u08e2"
    "\\u115f\\u1160\\u17b4\\u17b5\\u180b-\\u180f\\u200b-\\u200f\\u2028-\\u202e\\u2060-\\u206f\\u3164\\ud800-\\udfff"
    "\\ufeff\\uffa0\\ufff0-\\ufffb\\U000110bd\\U000110cd\\U00013430-\\U0001343f\\U0001bca0-\\U0001bca3"
    "\\U0001d173-\\U0001d17a\\U000e0000-\\U000e0fff"
)
# One class alone is what keeps a megabyte at a few milliseconds: no alternatives, no looking ahead.
_TEXT = f"[{_UNSEEN}\r]+"
_LINE = f"[{_UNSEEN}\t\n\r]+"


class _Escapes(dict[str, str]):
    """Each character's escape, made when it is first met."""

    def __missing__(self, char: str) -> str:
        code = ord(char)
        name = f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
        self[char] = name
        return name


_ESCAPES = _Escapes({"\t": "\\t", "\n": "\\n", "\r": "\\r"})


def visible(text: str) -> str:
    """The text with everything dangerous or invisible shown as its escape; lines and tabs stay."""
    return text if _plain(text) else re.sub(_TEXT, _escape, text)


def visible_line(text: str, width: int) -> str:
    """One line of at most `width` terminal cells, cut with `…`; line ends and tabs become `\\n`, `\\t`."""
    head = text[: 4 * width + 4]
    return _cut(head if _plain(head) else re.sub(_LINE, _escape, head), max(width, 0))


def _plain(text: str) -> bool:
    """Whether nothing is to be escaped: told without a pattern, whose making takes longer than most texts."""
    return text.isascii() and text.isprintable()


def _escape(found: re.Match[str]) -> str:
    run = found[0]
    # A carriage return is harmless just before a line feed that stays, and there alone.
    if run[-1] == "\r" and found.string[found.end() : found.end() + 1] == "\n":
        return "".join([_ESCAPES[char] for char in run[:-1]]) + "\r"
    return "".join([_ESCAPES[char] for char in run])


def _cut(line: str, width: int) -> str:
    """The longest beginning that fits, with `…` in the last cell where something is left out."""
    if line.isascii():
        return line if len(line) <= width else line[: max(width - 1, 0)] + "…"[:width]
    used, fits = 0, 0
    for place, char in enumerate(line):
        used += _cells(char)
        if used > width:
            return line[:fits] + "…"[:width]
        if used < width:
            fits = place + 1
    return line


def _cells(char: str) -> int:
    """How many cells of a terminal a character takes."""
    if category(char) in ("Mn", "Me"):
        return 0
    return 2 if east_asian_width(char) in "WF" else 1
