"""A power cut, rebuilt: what the disk surely had at an instant, and what a user finds after it.

The worst that may happen to a promise: all of the database had arrived, of other files only what was asked to be
confirmed. Real files and the real calls; what the disk is asked is written down beside them.
"""

import os
import shutil
from pathlib import Path

import pytest

from hybridq.home import Home
from hybridq.job import State
from hybridq.queue.outputs import missing
from hybridq.queue.results import result
from hybridq.queue.store import Store
from hybridq.runner import saver, unsynced


class Disk:
    """Knows what was confirmed of the outputs of one queue; `cuts` are homes as they would be found again."""

    def __init__(self, home: Home, into: Path, patch: pytest.MonkeyPatch, *, confirms: bool = True) -> None:
        """`confirms` False: it is never asked, and so has nothing; a checker must see that."""
        self._home, self._into = home, into
        self._sure: dict[int, bytes | frozenset[str]] = {}  # by inode: a file's bytes, a folder's names
        self._really = unsynced._sync
        self.cuts: list[Home] = []
        patch.setattr(unsynced, "_sync", self._confirm if confirms else lambda _: None)
        patch.setattr(saver, "reached", lambda point: self.cut() if point == "stored" else None)

    def _confirm(self, descriptor: int) -> None:
        self._really(descriptor)
        number = os.fstat(descriptor).st_ino
        if os.path.isdir(f"/dev/fd/{descriptor}"):
            self._sure[number] = frozenset(os.listdir(descriptor))
        else:
            self._sure[number] = os.pread(descriptor, os.fstat(descriptor).st_size, 0)

    def cut(self) -> None:
        """The power goes now."""
        folder = self._into / str(len(self.cuts))
        folder.mkdir(mode=0o700, parents=True)
        for name in ("queue.db", "queue.db-wal"):
            shutil.copy(self._home.folder / name, folder / name)
        self._rebuild(self._home.outputs, folder / "outputs")
        self.cuts.append(Home(folder, folder / "config.toml"))

    def _rebuild(self, was: Path, now: Path) -> None:
        now.mkdir(mode=0o700)
        names = self._sure.get(was.stat().st_ino, frozenset())
        for entry in was.iterdir():
            if entry.name not in names:
                continue
            if entry.is_dir():
                self._rebuild(entry, now / entry.name)
            else:
                sure = self._sure.get(entry.stat().st_ino, b"")
                assert isinstance(sure, bytes)
                (now / entry.name).write_bytes(sure)


def losses(home: Home) -> list[int]:
    """The jobs that are done and whose output is not whole."""
    with Store.open(home) as store:
        found = []
        for (number,) in store.rows("SELECT id FROM job WHERE state = ?", (State.DONE,)):
            of = result(store, number)
            assert of is not None
            if missing(home, number, of.attempt, 1, of.out) or missing(home, number, of.attempt, 2, of.err):
                found.append(number)
        return found


def done(home: Home) -> int:
    """How many jobs are."""
    with Store.open(home) as store:
        return len(store.rows("SELECT id FROM job WHERE state = ?", (State.DONE,)))
