"""What the machine gives a queue: SQLite, room on a disk, and a disk of its own."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

from ..home import Home
from ..queue.store import SQLITE
from ..when import file_size
from .finding import Finding, problem, warning, well

SCARCE, LOW = 100e6, 1e9  # bytes
FIRST_ABLE = (3, 35)  # with RETURNING
MENDED = (3, 51, 3)  # two connections that checkpoint at once no longer lose pages
NETWORK = frozenset(
    {
        "9p",
        "afs",
        "beegfs",
        "ceph",
        "cifs",
        "fuse.glusterfs",
        "fuse.sshfs",
        "glusterfs",
        "gpfs",
        "lustre",
        "nfs",
        "nfs4",
    }
    | {"smb3", "smbfs", "webdav"}
)
FLEETING = frozenset({"tmpfs", "ramfs"})


def check_machine(home: Home) -> Iterator[Finding]:
    """Each thing that the queue stands on."""
    yield _sqlite()
    yield _room(home.folder)
    yield _file_system(home.folder)


def _sqlite() -> Finding:
    said = ".".join(map(str, SQLITE))
    if SQLITE < FIRST_ABLE:
        return problem(
            "SQLite",
            f"{said} is too old: hybridq needs 3.35",
            f"use another Python than {sys.executable}",
        )
    if SQLITE < MENDED:
        risk = "can lose pages when two programs checkpoint at once; hybridq's own processes take turns"
        return well("SQLite", f"{said} {risk}", "open queue.db in another program only to read it: sqlite3 -readonly")
    return well("SQLite", f"{said} has no known bug that concerns a queue")


def _room(folder: Path) -> Finding:
    found = os.statvfs(folder)
    free = found.f_bavail * found.f_frsize
    said = f"{file_size(free)} are free in {folder}"
    if free < SCARCE or (found.f_files and not found.f_favail):
        inodes = "" if free < SCARCE else ", but not one more file fits"
        return problem("space", f"{said}{inodes}", "make room; hybridq clean frees space inside the database only")
    if free < LOW:
        return warning("space", said, "make room before hybridq must refuse submissions")
    return well("space", said)


def _file_system(folder: Path) -> Finding:
    kind = kind_of_disk(folder)
    if kind in NETWORK:
        return problem(
            "file system",
            f"{folder} is on a network file system ({kind}), where the locks that hybridq needs do not work",
            "move it to a local disk, and set HYBRIDQ_HOME to it",
        )
    if kind in FLEETING:
        return warning(
            "file system",
            f"{folder} is in memory ({kind}): a restart of the machine loses every job",
            "set HYBRIDQ_HOME to a folder on a disk",
        )
    return well("file system", f"{folder} is on a local disk{f' ({kind})' if kind else ''}")


def kind_of_disk(folder: Path) -> str:
    """The file system that a folder is on; "": nobody knows."""
    import psutil

    real = os.path.realpath(folder)
    mounted = [
        (len(part.mountpoint), part.fstype)
        for part in psutil.disk_partitions(all=True)
        if real == part.mountpoint or real.startswith(part.mountpoint.rstrip("/") + "/")
    ]
    return max(mounted, default=(0, ""), key=lambda found: found[0])[1]
