"""A copy of a queue in one file, made while others write.

Rule: in it is every job that was accepted when it began, with the outputs of all that had ended by then. It is a tar
that only its owner reads: `about.json`, `queue.db`, `config.toml` and the outputs in their folders; in its place
whole, or not at all.
"""

import os
import sqlite3
import tarfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from io import BytesIO
from pathlib import Path
from typing import IO

import msgspec
from msgspec import Struct

from .. import __version__
from ..errors import BadData, CorruptQueue, TryAgain
from ..home import Home, open_private
from .outputs import PER_FOLDER, SUFFIX
from .schema import VERSION
from .sqlite_errors import translating
from .store import Store, holding

ABOUT, DATABASE, CONFIG, OUTPUTS = "about.json", "queue.db", "config.toml", "outputs"
FORMAT = 1  # of the file; a later release may add members to it
COPY = "queue.db.copy"  # in the home, which is on a local disk: SQLite's locks need one
COMPRESSED = (".gz", ".tgz")
_JOBS = "total(queued + running + done + failed + cancelled)"
_REFERRED = (  # (job, attempt, bytes of its outputs) of what ended with any, and of drafts
    "SELECT id, attempt, out, err FROM {} WHERE (out > 0 OR err > 0) AND id BETWEEN ?1 AND ?2"
)


class About(Struct, frozen=True, kw_only=True):
    """What a backup says of itself: `made` is an epoch second, `schema` the number of its migrations."""

    format: int
    release: str
    schema: int
    made: float
    jobs: int


class BackedUp(Struct, frozen=True, kw_only=True):
    """What was copied: jobs, files of output, bytes of the backup; `missing` outputs were deleted before their turn."""

    jobs: int
    outputs: int
    missing: int
    bytes: int


def back_up(store: Store, path: Path, now: float) -> BackedUp:
    """Copy the queue as it is now into a file, in the place of an earlier backup if there is one.

    Raises BadData where another file is there, TryAgain while another backup is made, StorageError and OSError where
    the disk refuses.
    """
    _check_place(path)
    with one_at_a_time(store.home), _snapshot(store) as copy:
        about = About(format=FORMAT, release=__version__, schema=VERSION, made=now, jobs=_jobs(copy))
        with _in_its_place(path) as file:
            with tarfile.open(fileobj=file, mode="w:gz" if path.suffix in COMPRESSED else "w") as tar:
                _add(tar, ABOUT, BytesIO(msgspec.json.encode(about)), now)
                with (store.home.folder / COPY).open("rb") as database:
                    _add(tar, DATABASE, database, now)
                with suppress(FileNotFoundError), store.home.config_file.open("rb") as config:
                    _add(tar, CONFIG, config, now)
                outputs, missing = _add_outputs(tar, store.home, copy)
            file.flush()
            size = file.tell()
    return BackedUp(jobs=about.jobs, outputs=outputs, missing=missing, bytes=size)


def read_about(tar: tarfile.TarFile) -> About:
    """What a backup says of itself; its first member. Raises BadData where this is none."""
    try:
        first = tar.next()
        data = tar.extractfile(first) if first is not None and first.name == ABOUT and first.size < 65536 else None
        if data is None:
            raise BadData("it is not a backup of hybridq")
        return msgspec.json.decode(data.read(), type=About)
    except (tarfile.TarError, msgspec.MsgspecError, OSError, EOFError) as problem:
        raise BadData(f"it is not a backup of hybridq ({problem})") from None


@contextmanager
def opened(path: Path) -> Iterator[tarfile.TarFile]:
    """The file as a tar. Raises BadData for what is none, OSError where it cannot be read."""
    try:
        tar = tarfile.open(path)  # noqa: SIM115 - closed below
    except tarfile.TarError:
        raise BadData(f"{path} is not a backup of hybridq") from None
    with tar:
        yield tar


def _check_place(path: Path) -> None:
    """Only a backup is written over."""
    if path.is_dir():
        raise BadData(f"{path} is a folder: name a file")
    if path.exists():
        try:
            with opened(path) as tar:
                read_about(tar)
        except BadData:
            raise BadData(f"{path} is there and is not a backup of hybridq: name another file") from None


@contextmanager
def one_at_a_time(home: Home) -> Iterator[None]:
    """Nobody else makes a backup of this queue, or restores it, while the context lasts. Raises TryAgain."""
    try:
        with holding(home, "backup.lock", wait=False):
            yield
    except BlockingIOError:
        raise TryAgain("another backup or restore of this queue is under way; try again") from None


@contextmanager
def _snapshot(store: Store) -> Iterator[sqlite3.Connection]:
    """The database at one instant, in a file of its own that is gone at the end. Raises CorruptQueue for a damaged
    one: a backup of that would be none."""
    path = store.home.folder / COPY
    _remove(path)
    os.close(open_private(path, os.O_RDWR | os.O_CREAT | os.O_EXCL))
    try:
        with translating(store.home.database):
            copy = sqlite3.connect(path, isolation_level=None)
            try:
                store.connection.backup(copy)  # in one step: it sees one instant, whoever writes meanwhile
                copy.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                if (said := copy.execute("PRAGMA quick_check(1)").fetchone()[0]) != "ok":
                    raise CorruptQueue(f"{store.home.database} is damaged ({said}), so it was not backed up")
                yield copy
            finally:
                copy.close()
    finally:
        _remove(path)


def _remove(path: Path) -> None:
    for name in (path.name, f"{path.name}-wal", f"{path.name}-shm", f"{path.name}-journal"):
        path.with_name(name).unlink(missing_ok=True)


@contextmanager
def _in_its_place(path: Path) -> Iterator[IO[bytes]]:
    """A new file that takes its place when all of it is on the disk."""
    partial = path.with_name(f".{path.name}.partial")
    partial.unlink(missing_ok=True)
    try:
        with open(open_private(partial, os.O_RDWR | os.O_CREAT | os.O_EXCL), "wb") as file:
            yield file
            os.fsync(file.fileno())
        partial.rename(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _jobs(copy: sqlite3.Connection) -> int:
    return int(copy.execute(f"SELECT {_JOBS} FROM tally").fetchone()[0])


def _add(tar: tarfile.TarFile, name: str, data: IO[bytes], now: float) -> None:
    """One member: what is in the file at this moment, though it may grow."""
    member = tarfile.TarInfo(name)
    member.size = data.seek(0, os.SEEK_END)
    member.mode, member.mtime = 0o600, int(now)
    data.seek(0)
    tar.addfile(member, data)


def _add_outputs(tar: tarfile.TarFile, home: Home, copy: sqlite3.Connection) -> tuple[int, int]:
    """(files that were added, files that a result refers to and that are gone)."""
    added = missing = 0
    for folder in _folders(home, copy):
        here = set(_files(home.outputs / str(folder), _known(copy, folder)))
        for name in sorted(here):
            path = home.outputs / str(folder) / name
            try:
                with path.open("rb") as data:
                    _add(tar, f"{OUTPUTS}/{folder}/{name}", data, path.stat().st_mtime)
                added += 1
            except FileNotFoundError:
                here.discard(name)
        missing += len(_referred(copy, folder) - here)
    return added, missing


def _folders(home: Home, copy: sqlite3.Connection) -> list[int]:
    """The folders of outputs that there are, or that should be there."""
    asked = " UNION ".join(
        f"SELECT id / {PER_FOLDER} FROM {table} WHERE out > 0 OR err > 0" for table in ("result", "draft")
    )
    return sorted(
        {int(name) for name in os.listdir(home.outputs) if name.isdecimal()} | {n for (n,) in copy.execute(asked)}
    )


def _files(folder: Path, known: set[int]) -> Iterator[str]:
    """The outputs in a folder of jobs that are in the copy."""
    with suppress(FileNotFoundError):
        for name in os.listdir(folder):
            number = name.partition(".")[0]
            if number.isdecimal() and int(number) in known:
                yield name


def _span(folder: int) -> Sequence[int]:
    return folder * PER_FOLDER, folder * PER_FOLDER + PER_FOLDER - 1


def _known(copy: sqlite3.Connection, folder: int) -> set[int]:
    return {number for (number,) in copy.execute("SELECT id FROM job WHERE id BETWEEN ? AND ?", _span(folder))}


def _referred(copy: sqlite3.Connection, folder: int) -> set[str]:
    """The names of the outputs that results and drafts refer to."""
    return {
        f"{job}.{attempt}.{SUFFIX[stream]}"
        for table in ("result", "draft")
        for job, attempt, *sizes in copy.execute(_REFERRED.format(table), _span(folder))
        for stream, size in enumerate(sizes, 1)
        if size
    }
