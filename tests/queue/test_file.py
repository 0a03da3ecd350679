"""The queue's file is a file of its owner's alone, and one that was put back from a copy is a queue again."""

import os
import re
import shutil
import sqlite3
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from hybridq.errors import CorruptQueue, NotAllowed
from hybridq.home import Home, holds
from hybridq.job import Mode, State
from hybridq.queue.store import Store
from hybridq.submit import connect
from tests.support.building import asking, command, groups, queue, run_jobs, submit_all
from tests.support.verbs import check_counters

Spoil = Callable[[Path], object]


def _linked(file: Path) -> None:
    file.symlink_to(file.rename(file.with_name("elsewhere.db")))


SPOILS: dict[str, tuple[Spoil, int, str]] = {
    "a link": (_linked, 77, "is a link to .*elsewhere.db.*mv "),
    "a hard link": (lambda file: os.link(file, file.with_name("two.db")), 77, "also has another name.*-samefile"),
    "empty": (lambda file: os.truncate(file, 0), 70, "is empty.*mv "),
    "a FIFO": (lambda file: (file.unlink(), os.mkfifo(file)), 77, "is not a file.*mv "),
    "a folder": (lambda file: (file.unlink(), file.mkdir()), 77, "is not a file.*mv "),
    "text": (lambda file: file.write_text("a letter to somebody\n" * 99), 70, "is not a database.*mv "),
}


@pytest.fixture
def filled(tmp_path: Path) -> Home:
    """A queue with jobs in several states, closed."""
    outlook = queue(tmp_path)
    with outlook.store as store:
        submit_all(outlook, asking(group="many"), [b'"x"'] * 1000)
        run_jobs(outlook, 300, fail=20)
        groups(outlook, 30)
        submit_all(outlook, asking(mode=Mode.STREAM), [b'"y"'])
        return store.home


@pytest.mark.parametrize("what", SPOILS)
@pytest.mark.parametrize("args", [("submit", "echo", "hello", "--detach"), ("status",)])
def test_what_is_no_file_of_our_own_is_refused_and_stays_as_it_is(
    filled: Home, what: str, args: tuple[str, ...]
) -> None:
    """Nothing is accepted, and the sentence says what it is and which command comes next."""
    spoil, code, sentence = SPOILS[what]
    spoil(filled.database)
    was = filled.database.lstat()
    refused = command(filled, *args)
    assert (refused.returncode, refused.stdout) == (code, "")
    assert re.search(sentence, refused.stderr), refused.stderr
    assert (filled.database.lstat().st_ino, filled.database.lstat().st_size) == (was.st_ino, was.st_size)


def test_a_file_that_others_may_read_is_closed_to_them(filled: Home) -> None:
    """As the folder is."""
    filled.database.chmod(0o644)
    Store.open(filled).close()
    assert filled.database.stat().st_mode & 0o777 == 0o600


def test_a_file_of_another_user_is_refused(filled: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asks, and though the folder is one's own."""
    me = os.geteuid()
    filled.prepare()
    monkeypatch.setattr(os, "geteuid", lambda: me + 1)
    with pytest.raises(NotAllowed, match="belongs to another user"):
        holds(filled.database)


COPIES: dict[str, Callable[[Path, Path], object]] = {
    "VACUUM INTO": lambda old, new: sqlite3.connect(old).execute("VACUUM INTO ?", (str(new),)),
    "backup": lambda old, new: sqlite3.connect(old).backup(sqlite3.connect(new)),
    "another journal": lambda old, new: (
        shutil.copy(old, new),
        sqlite3.connect(new).execute("PRAGMA journal_mode = DELETE"),
    ),
    "dump": lambda old, new: sqlite3.connect(new).executescript(
        "".join(sqlite3.connect(old).iterdump()).replace("Inf", "9e999")
    ),
}


SUMS = ("tally WHERE queued + running + done + failed + cancelled > 0 OR cost <> 0", "groups")


def sums(store: Store) -> list[list[tuple[object, ...]]]:
    """What is kept of all cohorts together."""
    return [store.rows(f"SELECT * FROM {table}") for table in SUMS]  # noqa: S608 - ours


def read_all(store: Store) -> None:
    """Every row of the large tables."""
    for table in ("job", "result", "cohort", "history"):
        store.rows(f"SELECT * FROM {table}")  # noqa: S608 - ours


@pytest.mark.parametrize("how", COPIES)
def test_a_copy_in_the_place_of_a_queue_is_one(filled: Home, how: str) -> None:
    """All that was in it is there, its counters are true, and jobs are accepted, run and shown."""
    with Store.open(filled) as store:
        before = sums(store)
    fresh = filled.folder / "fresh.db"
    COPIES[how](filled.database, fresh)
    fresh.rename(filled.database)
    with Store.open(filled) as store:
        check_counters(store)
        assert sums(store) == before
        assert store.rows("PRAGMA journal_mode") == [("wal",)]
    added = command(filled, "submit", "echo", "hello", "--mode", "batch", "--detach")
    assert added.returncode == 0, added.stderr
    assert command(filled, "drain", "--quiet").returncode == 0
    assert command(filled, "output", added.stdout.strip()).stdout == "hello\n"


def test_what_a_damaged_queue_advises_saves_what_can_be_read(filled: Home) -> None:
    """The very commands of the sentence, on a file of which some pages are noise; what is left runs."""
    if not shutil.which("sqlite3"):
        pytest.skip("sqlite3, the command, is not installed here")
    outlook = connect({}, home=filled.folder)
    with outlook.store:  # so many that the middle of the file is theirs
        submit_all(outlook, asking(group="more"), [b'"%s"' % (b"z" * 200)] * 3000)
    pages = filled.database.stat().st_size // 4096
    with filled.database.open("r+b") as file:
        file.seek(pages // 2 * 4096)
        file.write(b"noise " * (pages // 6 * 682))
    with Store.open(filled) as store, pytest.raises(CorruptQueue) as told:
        read_all(store)
    commands = str(told.value).partition("what can be read: ")[2]
    subprocess.run(["sh", "-c", commands], check=True, stdin=subprocess.DEVNULL)
    with Store.open(filled) as store:
        check_counters(store)
        assert store.rows("PRAGMA integrity_check") == [("ok",)]
        ((left,),) = store.rows("SELECT count(*) FROM job")
        assert left > 300
    assert command(filled, "drain", "--quiet").returncode in (0, 1)
    with Store.open(filled) as store:
        assert store.rows("SELECT count(*) FROM job WHERE state = ?", (State.QUEUED,)) == [(0,)]
        check_counters(store)
