"""Reads a provider's key from its variable.

Rule: a key that no header can carry is refused before anything is sent, naming the variable and never the key;
one that is used is made known, so that nothing repeats it.
"""

from collections.abc import Mapping

from ...errors import HybridqError
from ...scrub import know


def read_key(variable: str, environ: Mapping[str, str]) -> str:
    """The key in a variable, without the blanks around it; "": there is none. Raises HybridqError for an odd one."""
    key = environ.get(variable, "").strip()
    for place, char in enumerate(key, 1):
        if not "!" <= char <= "~":
            raise HybridqError(
                f"{variable} holds a key that cannot be sent: its character {place} is U+{ord(char):04X}. "
                "Export it again, without quotes, blanks or line ends"
            )
    know(key)
    return key
