"""What the journal of a dead pipe says: which items it accepted and did not finish, and where it had read to.

Rule: what was written last may be torn: everything up to there counts.
"""

import struct
from zlib import crc32

from msgspec import Struct

from ..home import Home
from .item import Form
from .journal import DONE, ENDED, HEAD, ITEMS, SHED, Place, mark_file, segments


class Left(Struct):
    """A dead pipe's items: how many it `took`, the `shed` ones that are no jobs yet, `others` that have no answer, how
    many it had shed `in_all`; `places` by source."""

    took: int
    shed: list[bytes]
    others: list[bytes]
    in_all: int
    places: dict[int, Place]


def read(home: Home, pipe: int, form: str, handed: int) -> Left:
    """Read a journal; `handed`: how many of what was shed are jobs already."""
    items: dict[int, bytes] = {}
    waiting: list[int] = []
    places: dict[int, Place] = {}
    ended: set[int] = set()
    took = in_all = 0
    for path in segments(home, pipe):
        for kind, first, count, place, data in _records(path.read_bytes()):
            if kind == SHED:
                ended.update(range(first, first + count))
                waiting += range(first + max(0, handed - place.offset), first + count)
                in_all = place.offset + count
            elif kind == ENDED:
                ended.update(struct.unpack(f"<{count}Q", data))
            else:
                places[place.source], took = place, first + count
                if kind == ITEMS:
                    items.update(zip(range(first, took), data.split(Form(form).end), strict=True))
    before = _before(home, pipe)
    others = [number for number in sorted(items.keys() - ended) if number >= before]
    return Left(
        took,
        [items[number] for number in waiting if number in items],
        [items[number] for number in others],
        in_all,
        places,
    )


def _records(data: bytes) -> "list[tuple[bytes, int, int, Place, bytes]]":
    found, at = [], 0
    while at + HEAD.size <= len(data):
        kind, checksum, size, first, count, source, inode, offset = HEAD.unpack_from(data, at)
        body = data[at + HEAD.size : at + HEAD.size + size]
        if len(body) < size or crc32(body) != checksum:
            break
        found.append((kind, first, count, Place(source, inode, offset), body))
        at += HEAD.size + size
    return found


def _before(home: Home, pipe: int) -> int:
    try:
        data = mark_file(home, pipe).read_bytes()
    except FileNotFoundError:
        return 0
    return int(DONE.unpack(data)[0]) if len(data) == DONE.size else 0
