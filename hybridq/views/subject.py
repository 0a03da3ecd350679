"""What a job is about, in words: its input as a person would write it.

Rule: never fails, whatever the input is; the text is not yet safe for a terminal, but always valid Unicode.
"""

import json
import shlex


def subject(data: bytes) -> str:
    """A command as it would be typed, a text as it is, any other input as its JSON. `data` may be cut short."""
    try:
        asked = json.loads(data)
    except (ValueError, RecursionError):
        asked = None
    match asked:
        case {"argv": [*words]} if all(isinstance(word, str) for word in words):
            text = shlex.join(words)
        case {"shell": str() as line}:
            text = line
        case str():
            text = asked
        case _:
            text = data.decode("utf-8", "backslashreplace")
    # Names that are no UTF-8 come as lone surrogates, which neither SQLite nor JSON can take back.
    return text.encode("utf-8", "backslashreplace").decode()
