"""Which jobs a command means: `7`, `3,5-8`, `last`, `all`, or a group's name, as plain data.

A name that could be read as anything else is refused when the group is made, so a selector means one
thing for ever. Whether such jobs exist is the store's to say. A date (2026-11-30, 20261130) is a group's name;
that job 20261130 is meant where there is no such group is the store's to say, too (`select.meant`).
"""

import re

from msgspec import Struct

from .errors import UsageError
from .job import Lane
from .visible import visible_line

LARGEST_ID = 2**63 - 1
NAME_LIMIT = 200  # characters
_RESERVED = frozenset({"last", "all"})
_IDS = r"[0-9]+(?:-[0-9]+)?(?:,[0-9]+(?:-[0-9]+)?)*"
_IDS_ALPHABET = r"[0-9,\s-]*"
# As `date` writes it: 2026-11, 2026-11-30, 2026-11-30-22-00, 20261130, 20261130-2200, 20261130220000.
_MONTH, _DAY = "(?:0[1-9]|1[0-2])", "(?:0[1-9]|[12][0-9]|3[01])"
_COMPACT = f"{_MONTH}{_DAY}(?:-?[0-9]{{4}}(?:[0-9]{{2}})?)?"
_DATE = f"(?:19|20)[0-9]{{2}}(?:-{_MONTH}(?:-{_DAY}(?:-[0-9]{{2,6}}){{0,3}})?|{_COMPACT})"


class Ids(Struct, frozen=True):
    """Jobs by id: ranges with both ends included, in the order given."""

    ranges: tuple[tuple[int, int], ...]


class Last(Struct, frozen=True):
    """What was submitted last."""


class All(Struct, frozen=True):
    """Every job."""


class Group(Struct, frozen=True):
    """The jobs of the group of that name."""

    name: str


Selector = Ids | Last | All | Group


class Criteria(Struct, frozen=True, kw_only=True):
    """What else is asked of jobs that are looked for: one of these handlers, and of these lanes; that they were in the
    queue at some time from `since` to `until` (epoch seconds); all of these `words` in the group's name, the handler or
    the input; that they were `slow` (see `brain.usual`). Without any, every job is meant."""

    handlers: tuple[str, ...] = ()
    lanes: tuple[Lane, ...] = ()
    since: float | None = None
    until: float | None = None
    words: tuple[str, ...] = ()
    slow: bool = False

    @property
    def timed(self) -> bool:
        """Whether instants are asked for: no sum says how many jobs these leave."""
        return self.since is not None or self.until is not None

    @property
    def searched(self) -> bool:
        """Whether each job has to be looked at: no index finds a word."""
        return bool(self.words) or self.slow


ANY = Criteria()


def parse_selector(text: str) -> Selector:
    """What one word of a command line selects. Raises UsageError."""
    word = text.strip()
    if word == "last":
        return Last()
    if word == "all":
        return All()
    if re.fullmatch(_IDS_ALPHABET, word, re.ASCII) and not re.fullmatch(_DATE, word):
        return _ids(word)
    return Group(check_group(word))


def check_group(name: str) -> str:
    """The name itself, if a group may be called so. Raises UsageError that says why not."""
    shown = visible_line(name, 40)
    if not name.strip():
        raise UsageError("a group needs a name, such as --group nightly")
    if len(name) > NAME_LIMIT:
        raise UsageError(f"the group name '{shown}' is too long: it may have {NAME_LIMIT} characters")
    if name != name.strip() or visible_line(name, 10 * NAME_LIMIT) != name:
        raise UsageError(f"the group name '{shown}' has invisible characters: remove them")
    numbers = re.fullmatch(_IDS_ALPHABET, name, re.ASCII) and not re.fullmatch(_DATE, name)
    if name in _RESERVED or name.startswith("-") or numbers:
        such = f", such as g{shown}" if numbers else ""
        raise UsageError(f"a group cannot be called '{shown}': that means something else. Choose another name{such}")
    return name


def _ids(word: str) -> Ids:
    compact = re.sub(r"\s*([,-])\s*", r"\1", word)
    if not re.fullmatch(_IDS, compact, re.ASCII):
        raise UsageError(f"'{visible_line(word, 40)}' is not a selector: write 7, 3,5-8, last, all or a group")
    ranges = []
    for part in compact.split(","):
        first, _, last = part.partition("-")
        low, high = _id(first), _id(last or first)
        if low > high:
            raise UsageError(f"'{visible_line(part, 40)}' is empty: write the smaller id first")
        ranges.append((low, high))
    return Ids(tuple(ranges))


def _id(digits: str) -> int:
    """An id; one that SQLite could not hold becomes the largest that it can, which no job has."""
    return int(digits) if len(digits) <= 19 and int(digits) <= LARGEST_ID else LARGEST_ID
