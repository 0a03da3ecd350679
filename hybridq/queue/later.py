"""What a later release may have written into a file that this one opens: told in one sentence, never a traceback.

Rule: a word or a request that this release does not know is refused, for what it asks for would not be done.
"""

from enum import StrEnum
from typing import TypeVar

import msgspec

from ..errors import SchemaError

E = TypeVar("E", bound=StrEnum)
T = TypeVar("T")


def known(kind: type[E], word: str) -> E:
    """The word as the queue keeps it. Raises SchemaError for one of a later release."""
    try:
        return kind(word)
    except ValueError:
        raise _later(f"{kind.__name__.lower()} '{word}'") from None


def decoded(kind: type[T], text: bytes) -> T:
    """JSON as the queue keeps it. Raises SchemaError for what only a later release understands."""
    try:
        return msgspec.json.decode(text, type=kind)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as problem:
        raise _later(f"{kind.__name__.lower()} that cannot be read ({problem})") from None


def _later(what: str) -> SchemaError:
    from ..installed import upgrade_command  # which costs 4 ms

    return SchemaError(f"the queue holds a {what}, of a newer release. Upgrade hybridq: {upgrade_command()}")
