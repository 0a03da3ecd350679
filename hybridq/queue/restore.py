"""A queue put back from a backup, in the place of what is there.

Rule: it happens while nobody else has the queue's file open, and within SQLite's own lock, so that who comes
meanwhile waits and then finds the restored queue whole. What ran when the backup was made is queued again, and no
runner of then is looked for: it may serve the queue that the copy was made of.
"""

import os
import re
import shutil
import tarfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from msgspec import Struct

from ..errors import BadData, NotAllowed, TryAgain
from ..home import Home, open_private
from .acceptance import show
from .backup import ABOUT, CONFIG, DATABASE, OUTPUTS, one_at_a_time, opened, read_about
from .cleaning import sweep
from .read_only import alone
from .rescue import give_back
from .runner import living, only_daemon
from .sqlite_errors import translating
from .store import Store

STAGING = "restoring"  # in the home: where a backup is unpacked, and brought to this release's schema
ASIDE = "before-restore"  # in the home, then the time: what was there before
_OUTPUT = re.compile(rf"{OUTPUTS}/\d{{1,16}}/\d{{1,19}}\.\d{{1,9}}\.(out|err)", re.ASCII)
_BUSY = "another command has the queue open (such as hybridq status --watch): end it, then try again"


class Restored(Struct, frozen=True, kw_only=True):
    """What came back: `made` is when the backup was (epoch seconds), `again` how many jobs ran then and are queued
    again, `aside` the folder with the queue that was there before (None: it held no job), `config` whether config.toml
    came with it."""

    jobs: int
    outputs: int
    made: float
    again: int
    aside: str | None
    config: bool


def restore(home: Home, path: Path, now: float, *, force: bool = False) -> Restored:
    """Put a queue back. `force`: move the jobs that are there aside.

    Raises BadData for what is no backup, AlreadyRunning and TryAgain while somebody uses the queue, NotAllowed where
    it holds jobs, SchemaError for a backup of a newer release, CorruptQueue for a damaged one.
    """
    with opened(path) as tar:
        about = read_about(tar)
        home.prepare()
        with _no_daemon(home), one_at_a_time(home):
            _check(home, force)
            with _unpacked(home, tar) as (staging, outputs):
                with Store.open(staging) as fresh:
                    again = _settle(fresh, now)
                    fresh.checkpoint(mode="TRUNCATE")
                    aside = _replace(home, fresh, force)
                shutil.rmtree(home.outputs)
                staging.outputs.rename(home.outputs)
                config = _bring_config(home, staging)
    return Restored(jobs=about.jobs, outputs=outputs, made=about.made, again=again, aside=aside, config=config)


@contextmanager
def _no_daemon(home: Home) -> Iterator[None]:
    descriptor = only_daemon(home)
    try:
        yield
    finally:
        os.ftruncate(descriptor, 0)
        os.close(descriptor)


def _check(home: Home, force: bool) -> None:
    """Refuse early, before anything is unpacked."""
    with Store.open(home) as store:
        _refuse(store, force)


def _refuse(store: Store, force: bool) -> bool:
    """Whether there are jobs. Raises where the queue may not be replaced."""
    home = store.home
    if living(store):
        raise TryAgain(f"a runner works on the queue in {home.folder}: wait for it, or stop it (hybridq status)")
    full = store.row("SELECT 1 FROM job LIMIT 1") is not None
    if full and not force:
        raise NotAllowed(f"the queue in {home.folder} holds jobs: --force moves them aside, then restores")
    return full


@contextmanager
def _unpacked(home: Home, tar: tarfile.TarFile) -> Iterator[tuple[Home, int]]:
    """A home of its own with what is in the backup, and how many outputs that are; gone at the end."""
    folder = home.folder / STAGING
    shutil.rmtree(folder, ignore_errors=True)
    staging = Home(folder, folder / CONFIG)
    staging.prepare()
    try:
        yield staging, _unpack(tar, staging)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _unpack(tar: tarfile.TarFile, staging: Home) -> int:
    """Write what is known of the members; how many outputs came. Raises BadData for a member that is none of ours."""
    outputs = 0
    try:
        for member in tar:
            output = bool(_OUTPUT.fullmatch(member.name))
            if not member.isreg() or not (output or member.name in (ABOUT, DATABASE, CONFIG)):
                raise BadData(f"the backup holds something that is not hybridq's: {member.name!r}")
            _write(tar, member, staging.folder / member.name)
            outputs += output
    except (tarfile.TarError, EOFError) as problem:
        raise BadData(f"the backup is damaged or cut short ({problem})") from None
    if not staging.database.exists():
        raise BadData("the backup is cut short: it holds no queue")
    return outputs


def _write(tar: tarfile.TarFile, member: tarfile.TarInfo, path: Path) -> None:
    data = tar.extractfile(member)
    if not path.parent.exists():
        path.parent.mkdir(mode=0o700)
    with open(open_private(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL), "wb") as file:
        shutil.copyfileobj(data, file)  # type: ignore[arg-type]  # a regular file has data
        file.flush()
        os.fsync(file.fileno())


def _settle(store: Store, now: float) -> int:
    """Queue again what ran, and end what was being written: nobody who did lives in this copy. None of them is
    blamed, for nothing died."""
    again = 0
    for (runner,) in store.rows("SELECT id FROM runner ORDER BY id"):
        show(store, runner)
        again += give_back(store, runner, now)
        with store.tx() as connection:
            connection.execute("DELETE FROM runner WHERE id = ?", (runner,))
    for _ in sweep(store):
        pass
    return again


def _replace(home: Home, fresh: Store, force: bool) -> str | None:
    """Write the fresh queue over the one that is there, alone; returns where that went, if it held jobs."""
    try:
        with translating(home.database):
            connection = alone(home)
    except TryAgain:
        raise TryAgain(_BUSY) from None
    with translating(home.database), Store(home, connection, checkpoints=False) as old:
        aside = _set_aside(old) if _refuse(old, force) else None
        fresh.connection.backup(connection)
    return aside


def _set_aside(old: Store) -> str:
    """Copy the queue that is there into a home of its own, and move its outputs there."""
    folder = old.home.folder / f"{ASIDE}-{time.strftime('%Y%m%d-%H%M%S')}"
    there = Home(folder, folder / CONFIG)
    there.prepare()
    with Store.open(there) as copy:
        old.connection.backup(copy.connection)
    there.outputs.rmdir()
    old.home.outputs.rename(there.outputs)
    old.home.outputs.mkdir(0o700)
    return str(folder)


def _bring_config(home: Home, staging: Home) -> bool:
    """Put config.toml back where there is none."""
    if home.config_file.exists() or not staging.config_file.exists():
        return False
    home.config_file.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(staging.config_file, home.config_file)
    return True
