"""How much of the machine's load this runner makes itself, so that its own work makes nothing dearer.

Rule: counted as the kernel counts its load average: what runs or waits for a processor or a disk, now and then, older
counts fading over a minute. Where the system has no /proc nothing is counted, and all load is others'.
"""

import os
from collections.abc import Iterator

from ..lineage import PROC
from ..queue.runner import Runner, faded

_ACTIVE = (b"R", b"D")  # as the kernel's load average has it


class OwnLoad:
    """A runner's share of the load average, told to all who look at its lock."""

    def __init__(self, runner: Runner, now: float) -> None:
        self._runner, self._at, self._level = runner, now, 0.0

    def look(self, now: float) -> None:
        """Count once more, at an epoch second."""
        share = faded(1.0, now - self._at)
        before, self._at = self._level, now
        self._level = before * share + active(os.getpid()) * (1 - share)
        if max(before, self._level) >= 0.01:
            self._runner.tell_load(self._level, now)


def active(pid: int) -> int:
    """How many threads below a process run, or wait for a processor or a disk."""
    return sum(_state(place) in _ACTIVE for below in _below(pid) for place in _threads(below))


def _below(pid: int) -> Iterator[int]:
    left = _children(pid)
    while left:
        pid = left.pop()
        yield pid
        left += _children(pid)


def _children(pid: int) -> list[int]:
    found: list[int] = []
    for place in _threads(pid):
        try:
            with open(f"{place}/children", "rb") as file:
                found += [int(child) for child in file.read().split()]
        except OSError:
            continue  # it ended, or the kernel does not tell
    return found


def _threads(pid: int) -> list[str]:
    try:
        return [f"{PROC}/{pid}/task/{thread}" for thread in os.listdir(f"{PROC}/{pid}/task")]
    except OSError:
        return []


def _state(place: str) -> bytes:
    try:
        with open(f"{place}/stat", "rb") as file:
            return file.read().rpartition(b") ")[2][:1]
    except OSError:
        return b""
