"""What a command is known by, and how long those like it took.

Rule: a command is foreseen by its own runs, else by those of its program with the same first word after it, of its
program, or of all, and only where enough that differ took alike; else nobody knows. Memory is bounded, and holds
checksums, no words: a command may have a secret in it.
"""

from collections.abc import Mapping, Sequence
from zlib import crc32

import msgspec
from msgspec import Struct

from .curve import median

ENOUGH = 3  # runs of a command, or commands of a program, that tell of the next
PROGRAMS = 8  # that tell of any other
ALIKE = 1.0  # logarithmic distance of the medians of commands that take alike
UNNOTICED = -2.3  # logarithm of seconds (a tenth) below which all take alike
KEPT = 6  # times of each command, the newest
MOST = 48  # commands
LOOKED = 4096  # bytes of an input in which its command is

Times = dict[str, tuple[tuple[float, float], ...]]
"""By kind, that of which something was heard last at the end: sizes and times of its last runs, as logarithms."""


class _Asked(Struct):
    argv: list[str] = []
    shell: str = ""


_asked = msgspec.json.Decoder(_Asked).decode


def kind_of(data: bytes, cwd: str | None = None) -> str:
    """A command by its program, the word after it, and all of it in its folder; "" where `data` is none."""
    head, given, _ = data[:LOOKED].partition(b',"stdin":')  # which may be long
    try:
        asked = _asked(head + b"}" if given else head)
    except (msgspec.DecodeError, RecursionError):
        return ""
    if not (words := asked.argv or asked.shell.split()):
        return ""
    return ".".join(_sum(part) for part in (words[:1], words[:2], [*words, cwd or ""]))


class _Kept(Struct):
    kind: str = ""


_kept = msgspec.json.Decoder(_Kept).decode  # of a whole request it takes a fifth of the time


def kind_in(request: bytes) -> str:
    """The kind in a request as it is stored; "" in one of an earlier release."""
    return _kept(request).kind


def shared(one: str, other: str) -> str:
    """What two kinds have in common; "" where these are other programs."""
    parts = zip(one.split("."), other.split("."), strict=False)
    same = []
    for mine, theirs in parts:
        if mine != theirs:
            break
        same.append(mine)
    return ".".join(same)


def kept(times: Mapping[str, tuple[tuple[float, float], ...]], kind: str, run: tuple[float, float]) -> Times:
    """The times after one more run. Where there are too many commands, the program of which most are kept loses the one
    that was not heard of for longest."""
    after = {key: runs for key, runs in times.items() if key != kind}
    after[kind] = (*times.get(kind, ()), run)[-KEPT:]
    while len(after) > MOST:
        programs = [_program(key) for key in after]
        crowd = max(programs, key=programs.count)
        del after[next(key for key in after if _program(key) == crowd)]
    return after


def like(times: Mapping[str, tuple[tuple[float, float], ...]], kind: str, jobs: int) -> list[tuple[float, float]]:
    """The runs by which `jobs` of this kind are foreseen; none where nobody knows.

    Several that differ may take what they like as long as those before them did: their sum is foreseen.
    """
    if len(own := times.get(kind, ())) >= ENOUGH:
        return list(own)
    parts = kind.split(".")
    for depth in range(min(len(parts), 2), -1, -1):
        prefix = ".".join(parts[:depth]) + "." if depth else ""
        found = {key: runs for key, runs in times.items() if key.startswith(prefix)}
        children = {key.split(".")[depth] for key in found}
        if len(children) < (ENOUGH if depth else PROGRAMS):
            continue
        mixed = jobs > 1 and len(parts) == depth
        if mixed or _alike([median([time for _, time in runs]) for runs in found.values()]):
            return [run for runs in found.values() for run in runs]
    return []


def _alike(medians: Sequence[float]) -> bool:
    noticed = [max(each, UNNOTICED) for each in medians]
    return max(noticed) - min(noticed) <= ALIKE


def _program(kind: str) -> str:
    return kind.split(".", 1)[0]


def _sum(words: Sequence[str]) -> str:
    whole = "\0".join(words).encode("utf-8", "surrogatepass")
    return f"{crc32(whole) & 0xFFFFFF:06x}"
