"""Who may claim jobs, and the proof that they live: a lock file that the kernel lets go with them.

Rule: a runner holds its lock before its row can be seen, so a row whose lock is free is a dead
runner, whatever the clock or the process table say. Ages are never asked. A second lock goes on to all
that it starts (see `burial`), so that what outlives it is found, too.
"""

import fcntl
import math
import os
import sqlite3
import time
import uuid
from contextlib import suppress
from pathlib import Path

from ..errors import AlreadyRunning
from ..home import Home, is_at, open_private
from .store import Store

DAEMON_LOCK = "daemon.lock"
SERVED = "served_since"  # in `meta`: since when a daemon runs, but for the time since it died; none that stopped


class Runner:
    """This process as a runner: `daemon`, `drain`, `submit` or `clean`."""

    def __init__(self, store: Store, kind: str) -> None:
        """Register; raises AlreadyRunning for a second daemon."""
        self.kind = kind
        self.since = time.time()
        self._daemon = only_daemon(store.home) if kind == "daemon" else None
        self._daemon_path = store.home.folder / DAEMON_LOCK
        self._lock_path = store.home.runners / f"{uuid.uuid4().hex}.lock"
        with store.tx() as connection:  # around both, so that a lock without a row is never one in the making
            self._lock = open_private(self._lock_path, os.O_RDWR | os.O_CREAT | os.O_EXCL)
            fcntl.flock(self._lock, fcntl.LOCK_EX)
            self.kin = open_private(kin_file(store, self.mark), os.O_RDWR | os.O_CREAT | os.O_EXCL)
            fcntl.flock(self.kin, fcntl.LOCK_EX)
            self.id = int(
                connection.execute(
                    "INSERT INTO runner (kind, pid, lock, since) VALUES (?, ?, ?, ?) RETURNING id",
                    (kind, os.getpid(), self._lock_path.name, self.since),
                ).fetchone()[0]
            )

    @property
    def mark(self) -> str:
        """What the processes of this runner carry in HYBRIDQ_RUNNER, so that they can be found after it died."""
        return self._lock_path.stem

    def missing(self) -> Path | None:
        """A lock file of ours that was taken away: without it we are dead to everybody else. None: all are there."""
        for descriptor, path in ((self._lock, self._lock_path), (self._daemon, self._daemon_path)):
            if descriptor is not None and not is_at(os.fstat(descriptor), path):
                return path
        return None

    def tell_load(self, level: float, now: float) -> None:
        """Write into the lock how much of the machine's load this runner makes, at an epoch second."""
        with suppress(OSError):  # a full disk: the load is told again when there is room
            os.pwrite(self._lock, f"{now:.3f} {level:.3f}\n".ljust(40).encode(), 0)

    def close(self, store: Store) -> None:
        """Sign off. Give back first: what a runner that is gone still held is found by nobody."""
        try:
            with store.tx() as connection:
                connection.execute("DELETE FROM runner WHERE id = ?", (self.id,))
                connection.execute("DELETE FROM meta WHERE name = ? AND ?", (SERVED, self._daemon is not None))
            self._lock_path.unlink(missing_ok=True)
            kin_file(store, self.mark).unlink(missing_ok=True)
        finally:  # a runner whose row stays is dead from now on
            os.close(self._lock)
            os.close(self.kin)
            if self._daemon is not None:
                os.close(self._daemon)


def dead(store: Store) -> list[tuple[int, str]]:
    """(id, mark) of every runner that has a row and no life. Costs an open and a lock try a runner."""
    rows = store.rows("SELECT id, lock FROM runner")
    free = [(runner, Path(lock).stem) for runner, lock in rows if not locked(store.home.runners / lock)]
    # Whoever signs off takes its row away before it lets its lock go: it is not dead, and what it left may live.
    return [each for each in free if store.row("SELECT 1 FROM runner WHERE id = ?", each[:1])]


def alive(store: Store, runner: int, kind: str | None = None) -> bool:
    """Whether this runner (of this kind) is signed on and lives."""
    row = store.row("SELECT lock FROM runner WHERE id = ?1 AND kind = coalesce(?2, kind)", (runner, kind))
    return row is not None and locked(store.home.runners / row[0])


def bury(connection: sqlite3.Connection, runner: int) -> bool:
    """Sign off a runner that died; False: somebody else was faster."""
    row = connection.execute("DELETE FROM runner WHERE id = ? RETURNING kind, since", (runner,)).fetchone()
    if row is not None and row[0] == "daemon":
        connection.execute("INSERT OR IGNORE INTO meta VALUES (?, ?)", (SERVED, row[1]))
    return row is not None


def served_since(store: Store) -> float:
    """Since when (epoch seconds) daemons run this queue, whichever of them died meanwhile; infinity: none runs it."""
    rows = store.rows(
        "SELECT since FROM runner WHERE kind = 'daemon' UNION ALL SELECT value FROM meta WHERE name = ?", (SERVED,)
    )
    return min((float(since) for (since,) in rows), default=math.inf)


def living(store: Store) -> list[float]:
    """Since when (epoch seconds) each living runner runs."""
    rows = store.rows("SELECT lock, since FROM runner")
    return [float(since) for lock, since in rows if locked(store.home.runners / lock)]


def attended(store: Store) -> bool:
    """Whether a living daemon or drain runs this queue."""
    rows = store.rows("SELECT lock FROM runner WHERE kind IN ('daemon', 'drain')")
    return any(locked(store.home.runners / lock) for (lock,) in rows)


def own_load(store: Store, now: float) -> float:
    """How much of the machine's load of the last minute the runners of this queue make, by what they told last."""
    total = 0.0
    for (lock,) in store.rows("SELECT lock FROM runner"):
        with suppress(OSError, ValueError):
            at, level = (float(word) for word in (store.home.runners / lock).read_bytes().split())
            total += faded(level, now - at)
    return total


def faded(level: float, seconds: float) -> float:
    """What is left of a part of the load average of one minute after so many seconds without it."""
    return level * math.exp(-max(0.0, seconds) / 60)


def daemon_of(store: Store) -> tuple[int, float] | None:
    """(pid, since) of the living daemon of this queue, or None."""
    for pid, lock, since in store.rows("SELECT pid, lock, since FROM runner WHERE kind = 'daemon'"):
        if locked(store.home.runners / lock):
            return int(pid), float(since)
    return None


def kin_file(store: Store, mark: str) -> Path:
    """The lock that a runner shares with all that it starts: nobody lets go of it but by closing it or by ending."""
    return store.home.runners / f"{mark}.kin"


def forget_lock(store: Store, mark: str) -> None:
    """Take away the lock files of a runner whose row is gone."""
    (store.home.runners / f"{mark}.lock").unlink(missing_ok=True)
    kin_file(store, mark).unlink(missing_ok=True)


def sweep_locks(store: Store) -> None:
    """Take away the locks of runners that died before their row was there, or after it went."""
    if stray_locks(store):
        with store.tx():
            for stray in stray_locks(store):
                (store.home.runners / stray).unlink(missing_ok=True)


def stray_locks(store: Store) -> set[str]:
    """The lock files of runners that have no row."""
    files = os.listdir(store.home.runners)  # before the rows: a row may come meanwhile, and its lock with it
    known = {Path(lock).stem for (lock,) in store.rows("SELECT lock FROM runner")}
    return {name for name in files if Path(name).stem not in known}


def only_daemon(home: Home) -> int:
    """Hold the lock that one daemon of a queue has; returns its descriptor. Raises AlreadyRunning."""
    descriptor = open_private(home.folder / DAEMON_LOCK, os.O_RDWR | os.O_CREAT)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip() or "unknown"
        os.close(descriptor)
        raise AlreadyRunning(
            f"a daemon already runs this queue (pid {holder}, {home.folder}). "
            f"See it: hybridq status. Stop it: kill {holder}"
        ) from None
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, str(os.getpid()).encode(), 0)
    return descriptor


def locked(path: Path) -> bool:
    """Whether some process holds this lock."""
    try:
        descriptor = open_private(path, os.O_RDONLY)  # flock asks no right to write
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    else:
        return False
    finally:
        os.close(descriptor)
