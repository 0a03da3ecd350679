"""A file that is there whole or as it was: written beside its place, then renamed.

Rule: whatever ends the command, no half of a file is under the name. What is no plain file, as /dev/stdout and a named
pipe, cannot be replaced and is written to as it is.
"""

import os
import stat
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Self


class ReplacedFile:
    """Written within the context; in its place at the end of that. Raises OSError."""

    def __init__(self, path: Path) -> None:
        self._path = path.resolve() if path.is_symlink() else path
        found = self._path.stat() if self._path.exists() else None
        self._mode = stat.S_IMODE(found.st_mode) if found else None
        whole = found is None or stat.S_ISREG(found.st_mode)
        self._beside = self._path.with_name(f".{self._path.name}.{os.getpid()}.part") if whole else None
        self._file: IO[bytes] = (self._beside or self._path).open("wb")

    def write(self, data: bytes) -> None:
        """Write this behind what was written before."""
        self._file.write(data)

    def flush(self) -> None:
        """Let go of what is buffered."""
        self._file.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, _: object, __: TracebackType | None) -> None:
        if self._beside is None:
            self._file.close()
            return
        try:
            with self._file:
                if kind is None:
                    self._settle()
            if kind is None:
                self._beside.rename(self._path)
        finally:
            with suppress(FileNotFoundError):
                self._beside.unlink()

    def _settle(self) -> None:
        """On the disk before it has the name, with the rights of the file before."""
        self._file.flush()
        if self._mode is not None:
            os.fchmod(self._file.fileno(), self._mode)
        os.fsync(self._file.fileno())
