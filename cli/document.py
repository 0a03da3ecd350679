"""One JSON document on standard output: what `--json` prints, wherever it is said.

Rule: whatever it holds, it is valid JSON and harmless for a terminal: what is not plain to see is a JSON escape.
"""

import re
from typing import Any

import msgspec

_ODD = re.compile(r"[^\x20-\x7e]")


def print_document(value: Any, *, one_line: bool = False) -> None:
    """Print plain data or Structs as JSON, indented by two, or as one line for whoever gathers several of them."""
    text = msgspec.json.format(msgspec.json.encode(value), indent=-1 if one_line else 2).decode()
    print("\n".join(_ODD.sub(_escape, line) for line in text.split("\n")), flush=True)


def _escape(found: re.Match[str]) -> str:
    """A letter as it is; anything else as `\\u202e`, beyond the first plane as two."""
    char = found[0]
    if char.isprintable():
        return char
    units = char.encode("utf-16-be")
    return "".join(f"\\u{units[i]:02x}{units[i + 1]:02x}" for i in range(0, len(units), 2))
