"""Where a process on a terminal comes from: the programs above it in its command line, and who started that.

Rule: what the kernel tells, in a few reads of /proc. Where there is none only the parent is known, by its number.
"""

import os
import time
from contextlib import suppress

from msgspec import Struct

from .job import Caller

PROC = "/proc"
DEPTH = 32  # a chain of parents is shorter; the limit ends a loop in a strange /proc


class Process(Struct, frozen=True):
    """One process, as its `stat` tells it."""

    pid: int
    name: str
    parent: int
    group: int
    session: int
    threads: int
    since: int  # clock ticks from the machine's start until its own


class Lineage(Struct, frozen=True):
    """The programs above this one in its process group, nearest first, and who started the group."""

    above: tuple[Process, ...]
    caller: Caller
    age: float  # seconds since the leader of the group began; 0: nobody knows
    began: float  # seconds since this process did


def process(pid: int) -> Process | None:
    """What the kernel tells of a process; None: nothing."""
    try:
        with open(f"{PROC}/{pid}/stat", "rb") as file:
            name, _, rest = file.read().rpartition(b") ")
        fields = rest.split()
        parent, group, session = (int(field) for field in fields[1:4])
        named = name.partition(b"(")[2].decode(errors="replace")
        return Process(pid, named, parent, group, session, int(fields[17]), int(fields[19]))
    except (OSError, ValueError, IndexError):
        return None


def lineage() -> Lineage:
    """This process's own."""
    me = process(os.getpid())
    if me is None:
        return Lineage((), Caller(pid=os.getppid(), since=0, group=os.getpgrp()), 0.0, 0.0)
    above: list[Process] = []
    shell, read, pid = me, None, me.parent
    for _ in range(DEPTH):
        found = process(pid)
        if found is None or found.session != me.session:
            break
        shell = found
        if found.group != me.group:
            read = _read(found)
            break
        above.append(found)
        pid = found.parent
    leader = next((each for each in (me, *above) if each.pid == me.group), None) or process(me.group)
    caller = Caller(pid=shell.pid, since=shell.since, group=me.group, read=read)
    return Lineage(tuple(above), caller, _age(leader), _age(me))


def _read(shell: Process) -> int | None:
    """Bytes that a process has read so far; None where another thread or a child may have read for it."""
    if shell.threads == 1:
        with suppress(OSError, ValueError, IndexError), open(f"{PROC}/{shell.pid}/task/{shell.pid}/io", "rb") as file:
            return int(file.readline().split()[1])
    return None


def _age(found: Process | None) -> float:
    if found is None:
        return 0.0
    return max(0.0, time.clock_gettime(time.CLOCK_BOOTTIME) - found.since / os.sysconf("SC_CLK_TCK"))
