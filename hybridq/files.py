"""Files that somebody names to be read: what they are is looked at first.

Rule: nobody waits for a writer that may never come, or reads without an end. What is refused is an OSError whose
`strerror` says why. Text is UTF-8; a mark of that at its beginning is none of it.
"""

import errno
import os
import re
import stat
from enum import IntEnum
from typing import IO

BOM = b"\xef\xbb\xbf"
UTF_16 = (b"\xff\xfe", b"\xfe\xff")
_OPEN_ALREADY = r"/dev/stdin|/dev/fd/\d+|/proc/[^/]+/fd/\d+"  # and what `<(CMD)` becomes
_KINDS = (
    (stat.S_ISDIR, errno.EISDIR, os.strerror(errno.EISDIR)),
    (stat.S_ISFIFO, errno.EINVAL, "it is a pipe, and reading it may block for ever"),
    (stat.S_ISSOCK, errno.EINVAL, "it is a socket"),
    (stat.S_ISCHR, errno.EINVAL, "it is a device, not a file"),
    (stat.S_ISBLK, errno.EINVAL, "it is a device, not a file"),
)


class Takes(IntEnum):
    """What may be in the place of a file: each takes what the one before it takes."""

    FILES = 0
    OPENED = 1  # whatever is open already and named by its descriptor, as `<(CMD)` is
    PIPES = 2  # and a pipe with a name, whose writer a person may wait for


def open_file(path: str | os.PathLike[str], takes: Takes = Takes.FILES) -> IO[bytes]:
    """Open a file to read it. Raises OSError, and ValueError for what is no file's name."""
    flowing = (takes is Takes.OPENED and bool(re.fullmatch(_OPEN_ALREADY, os.fspath(path)))) or takes is Takes.PIPES
    _look(path, os.stat(path), flowing)
    descriptor = os.open(path, os.O_RDONLY | os.O_NOCTTY | os.O_CLOEXEC | (0 if flowing else os.O_NONBLOCK))
    try:
        _look(path, os.fstat(descriptor), flowing)  # it may be another by now
        return open(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def read_file(path: str | os.PathLike[str], most: int) -> bytes:
    """The whole of a file. Raises as `open_file` does, and OSError for one of more than `most` bytes."""
    with open_file(path) as file:
        data = file.read(most + 1) or b""
    if len(data) > most:
        raise OSError(errno.EFBIG, f"it is larger than {most:,} bytes", os.fspath(path))
    return data


def as_text(data: bytes) -> str:
    """The text. Raises ValueError whose sentence says where it is none."""
    if data.startswith(UTF_16):
        raise ValueError("is UTF-16, not UTF-8 text: save it as UTF-8 (iconv -f UTF-16 -t UTF-8)")
    try:
        return data.removeprefix(BOM).decode()
    except UnicodeDecodeError as problem:
        at = problem.start + (len(BOM) if data.startswith(BOM) else 0)
        raise ValueError(f"is not UTF-8 text (byte {at + 1})") from None


def stored(name: str) -> str:
    """A file's name as text can hold it: one that is no UTF-8 by its bytes, behind a NUL, which no name has."""
    return name if _is_text(name) else "\0" + os.fsencode(name).decode("latin-1")


def named(text: str) -> str:
    """The name that was stored so."""
    return os.fsdecode(text[1:].encode("latin-1")) if text.startswith("\0") else text


def readable(text: str) -> str:
    """A stored name as people read it."""
    return os.fsencode(named(text)).decode("utf-8", "backslashreplace")


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _look(path: str | os.PathLike[str], found: os.stat_result, flowing: bool) -> None:
    """Raises OSError for what is no file, but for the one device that is empty and, `flowing`, what a person types."""
    mode = found.st_mode
    if stat.S_ISCHR(mode) and (found.st_rdev == os.stat(os.devnull).st_rdev or (flowing and _terminal(path))):
        return
    if flowing and (stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)):
        return
    for is_one, number, why in _KINDS:
        if is_one(mode):
            raise OSError(number, why, os.fspath(path))


def _terminal(path: str | os.PathLike[str]) -> bool:
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)
    try:
        return os.isatty(descriptor)
    finally:
        os.close(descriptor)
