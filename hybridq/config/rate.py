"""How many jobs may begin in a time: `30/m`."""

import re

from msgspec import Struct

from ..errors import UsageError

_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0}
MOST = 1_000_000


class Rate(Struct, frozen=True):
    """At most so many `jobs` begin within any so many `seconds`."""

    jobs: int
    seconds: float
    text: str


def parse_rate(text: str) -> Rate:
    """A rate as it is written. Raises UsageError."""
    found = re.fullmatch(r"\s*([0-9]{1,7})\s*/\s*([smh])\s*", text, re.ASCII)
    if found is None or not 0 < int(found[1]) <= MOST:
        raise UsageError(f"expected a number of starts in a second, minute or hour, such as 30/m, not {text[:40]!r}")
    return Rate(int(found[1]), _UNITS[found[2]], f"{int(found[1])}/{found[2]}")
