"""The lines of a provider's batch in a file, as many as it takes: never all of them in memory."""

from pathlib import Path

from msgspec import Struct

from ..job import Call, Failure
from .answers import final
from .provider import Limits, Provider, custom_id


class Spool(Struct):
    """The lines of one batch in a file, their jobs in the same order, and calls too large for any."""

    path: Path
    jobs: tuple[tuple[int, int], ...]
    large: list[Call]


def written(path: Path, provider: Provider, key: str, todo: list[tuple[str, Call]], most: int) -> Spool:
    """Write as many of these calls as one batch takes, from the end of the list; `most`: no more than so many."""
    size = 0
    jobs: list[tuple[int, int]] = []
    large: list[Call] = []
    with path.open("wb") as file:
        while todo and len(jobs) < min(most, provider.limits.lines):
            text, call = todo[-1]
            line = provider.line(custom_id(key, call.id, call.attempt), text)
            if len(line) > provider.limits.size:
                large.append(call)
            elif size + len(line) > provider.limits.size:
                break
            else:
                file.write(line)
                size += len(line)
                jobs.append((call.id, call.attempt))
            todo.pop()
    return Spool(path, tuple(jobs), large)


def too_large(call: Call, limits: Limits) -> Failure:
    """What becomes of a call that no batch takes."""
    return final(call.id, call.attempt, f"the request is larger than a batch may be ({limits.size:,} bytes)")
