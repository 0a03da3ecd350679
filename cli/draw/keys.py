"""What a person types, as names of keys: `down`, `enter`, `escape`, or the letter itself.

Rule: a sequence that is not known is no key; half of one that has come is kept for its other half.
"""

import codecs
import re

_SEQUENCE = re.compile(r"\x1b(?:\[[0-9;?]*[ -/]*[@-~]|O[@-~])")
_BEGUN = re.compile(r"\x1b(?:\[[0-9;?]*[ -/]*|O)?\Z")
_NAMES = {
    "A": "up",
    "B": "down",
    "C": "right",
    "D": "left",
    "H": "home",
    "F": "end",
    "1~": "home",
    "4~": "end",
    "5~": "page up",
    "6~": "page down",
    "7~": "home",
    "8~": "end",
}
_CONTROLS = {
    "\r": "enter",
    "\n": "enter",
    "\t": "tab",
    "\x7f": "backspace",
    "\x08": "backspace",
    "\x15": "clear",
    "\x06": "page down",
    "\x02": "page up",
    "\x0c": "redraw",
    "\x1b": "escape",
}


class Keys:
    """Turns bytes from a terminal into keys."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("ignore")
        self._left = ""

    @property
    def waits(self) -> bool:
        """Whether what came last may be the beginning of more: an escape alone is a key, too."""
        return bool(self._left)

    def typed(self, data: bytes) -> list[str]:
        """The keys that are whole. With no data what is left has no other half: an escape alone is that key."""
        text = self._left + self._decoder.decode(data)
        self._left = ""
        keys: list[str] = []
        at = 0
        while at < len(text):
            if found := _SEQUENCE.match(text, at):
                last = found[0][2:]
                keys += [name] if (name := _NAMES.get(last)) else []
                at = found.end()
            elif data and _BEGUN.match(text, at):
                self._left = text[at:]
                break
            else:
                keys += _key(text[at])
                at += 1
        return keys


def _key(char: str) -> list[str]:
    if name := _CONTROLS.get(char):
        return [name]
    return [char] if char.isprintable() else []
