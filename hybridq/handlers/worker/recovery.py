"""What becomes of the calls that a worker left unanswered: pure, and the same however it ended.

One bad input fails alone: the first unanswered call is the suspect, is tried once more by itself, and only then
fails; the others go on together. A worker that ends again and again without any answer is broken itself: then all
fail with its reason instead of starting it for ever.
"""

from collections.abc import Sequence

from msgspec import Struct

from ...job import Call

BROKEN = 20  # points at which a worker counts as broken
AT_WORK = 1  # points for an end without an answer: ten suspects, each tried twice, may still be ten bad inputs
UNTOUCHED = 7  # points for an end before it read anything: no input can be blamed for that


class Chunk(Struct, frozen=True):
    """Calls that are given to a worker together; `again`: it is one suspect, by itself."""

    calls: tuple[Call, ...]
    again: bool = False


class Ending(Struct, frozen=True, kw_only=True):
    """How a worker stopped answering, in `words`; `late`: it was ended because it took too long."""

    words: str
    late: bool = False
    untouched: bool = False  # it had read nothing of the chunk
    fresh: bool = False  # the chunk was its first
    spoke: bool = False  # the first unanswered call has shown output already


class Remedy(Struct, frozen=True):
    """What to do: these fail with that reason, those chunks are next."""

    failed: tuple[Call, ...]
    reason: str
    chunks: tuple[Chunk, ...]


def points(answered: int, ending: Ending, before: int) -> int:
    """How broken a worker looks after this end, if it looked `before` bad; any answer clears it."""
    if answered:
        return 0
    if ending.untouched:
        return before + UNTOUCHED
    return before if ending.late else before + AT_WORK


def remedy(chunk: Chunk, unanswered: Sequence[Call], queued: Sequence[Chunk], ending: Ending, badness: int) -> Remedy:
    """What becomes of the calls that are left of a chunk (at least one) and of the chunks behind it."""
    first, rest = unanswered[0], tuple(unanswered[1:])
    others = (Chunk(rest), *queued) if rest else tuple(queued)
    if badness >= BROKEN:
        everything = (*unanswered, *(call for later in queued for call in later.calls))
        return Remedy(everything, f"the worker does not answer at all: {ending.words}", ())
    if ending.late:
        return Remedy((first,), ending.words, others)
    if ending.untouched:
        return Remedy((), "", (Chunk(tuple(unanswered), chunk.again), *queued))
    alone = len(chunk.calls) == 1 and (chunk.again or ending.fresh)
    if alone or ending.spoke:
        return Remedy((first,), f"the worker died while it ran this job: {ending.words}", tuple(map(_turned, others)))
    return Remedy((), "", (Chunk((first,), again=True), *others))


def _turned(chunk: Chunk) -> Chunk:
    """Go on in the middle, so that bad inputs that lie side by side do not look like a broken worker."""
    middle = len(chunk.calls) // 2
    return Chunk(chunk.calls[middle:] + chunk.calls[:middle], chunk.again)
