"""What jobs print, as bytes in files beside the database: one for each output of each attempt.

Rule: a file is made at its first byte, private, named by numbers alone, and on the disk before a result that refers
to it is stored (`runner/unsynced` sees to it). Nothing here cuts or decodes.
"""

import contextlib
import logging
import os
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

from msgspec.structs import replace

from ..home import Home, open_private
from ..job import Failure, Output, Partial

SUFFIX = {1: "out", 2: "err"}
PER_FOLDER = 1000
_READ = 256 * 1024

log = logging.getLogger("hybridq")


def output_path(home: Home, job: int, attempt: int, stream: int = 1) -> Path:
    """Where this output of this attempt is, if it has any. `stream` is 1 for standard output, 2 for error."""
    return home.outputs / str(job // PER_FOLDER) / f"{job}.{attempt}.{SUFFIX[stream]}"


def after_path(home: Home, gate: int) -> Path:
    """Where the outputs are that those who waited at this gate asked for."""
    return home.outputs / "after" / str(gate)


def remove_after(home: Home, gates: Iterable[int]) -> None:
    """Take away what was made for these gates."""
    for gate in gates:
        shutil.rmtree(after_path(home, gate), ignore_errors=True)


def missing(home: Home, job: int, attempt: int, stream: int, size: int | None) -> int:
    """How many of the bytes that a result refers to are not in its file: it was cut or removed since."""
    if not size:
        return 0
    try:
        return max(0, size - output_path(home, job, attempt, stream).stat().st_size)
    except FileNotFoundError:
        return size


def remove(home: Home, jobs: Iterable[int]) -> None:
    """Take away all that these jobs put out, of every attempt."""
    going = set(jobs)
    for folder in {home.outputs / str(job // PER_FOLDER) for job in going}:
        with contextlib.suppress(FileNotFoundError):
            for name in os.listdir(folder):
                number = name.split(".", 1)[0]
                if number.isdecimal() and int(number) in going:
                    (folder / name).unlink(missing_ok=True)


class Sink:
    """Takes the partials of one attempt; what it took is visible to followers at once."""

    def __init__(self, home: Home, job: int, attempt: int) -> None:
        self._where = (home, job, attempt)
        self._open: dict[int, int] = {}
        self._size = {1: 0, 2: 0}  # bytes that the files have
        self.lost = 0  # bytes that the disk refused

    @property
    def used(self) -> bool:
        """Whether anything came."""
        return bool(self._open)

    def write(self, partial: Partial) -> None:
        """Append the bytes; those that the disk refuses are counted, for no job can be asked to print them again."""
        left = memoryview(partial.data)
        try:
            descriptor = self._descriptor(partial.stream)
            while left:
                written = os.write(descriptor, left)
                self._size[partial.stream] += written
                left = left[written:]
        except OSError as error:
            if not self.lost:
                log.error("the rest of job %d's output is lost: %s", self._where[1], error.strerror)
            self.lost += len(left)

    def counted(self, event: Output | Failure) -> Output | Failure:
        """The job's last event, with how much is in its files, and what was lost among what it says was dropped."""
        refers = not (isinstance(event, Output) and event.value is not None)
        kept = (self._size[1], self._size[2]) if refers and any(self._size.values()) else None
        return replace(event, dropped=event.dropped + self.lost, kept=kept) if self.lost or kept else event

    def files(self) -> list[Path]:
        """What it wrote to."""
        return [output_path(*self._where, stream) for stream, size in self._size.items() if size]

    def _descriptor(self, stream: int) -> int:
        descriptor = self._open.get(stream)
        if descriptor is None:
            path = output_path(*self._where, stream)
            with contextlib.suppress(FileExistsError):
                path.parent.mkdir()
                path.parent.chmod(0o700)  # whatever the umask
            descriptor = open_private(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_TRUNC)
            self._open[stream] = descriptor
        return descriptor

    def close(self) -> None:
        """Let go of the files."""
        for descriptor in self._open.values():
            os.close(descriptor)
        self._open = {}

    def discard(self) -> None:
        """Take the files away: the result itself holds all that they held."""
        for stream in self._open:
            with contextlib.suppress(FileNotFoundError):
                output_path(*self._where, stream).unlink()


class Tail:
    """Reads a growing output from where it was left."""

    def __init__(self, home: Home, job: int, attempt: int, stream: int) -> None:
        self._path = output_path(home, job, attempt, stream)
        self._descriptor: int | None = None

    def more(self) -> Iterator[bytes]:
        """What has come since the last call, in pieces."""
        if self._descriptor is None:
            try:
                self._descriptor = open_private(self._path, os.O_RDONLY)
            except FileNotFoundError:
                return
        while data := os.read(self._descriptor, _READ):
            yield data

    def close(self) -> None:
        """Let go of the file."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
