"""The queue's file: made once by many, migrated whole, told apart from what is not ours."""

import os
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from hybridq.errors import CorruptQueue, NotAllowed, SchemaError, StorageError
from hybridq.home import Home
from hybridq.queue.store import Store, checkpoint_apart, log_size


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """An empty home."""
    return Home.find({"HYBRIDQ_HOME": str(tmp_path / "home")})


def test_every_file_is_private_whatever_the_umask(home: Home) -> None:
    """Folders are 0700 and files 0600 under umask 0."""
    before = os.umask(0)
    try:
        with Store.open(home) as store, store.tx() as connection:
            connection.execute("INSERT INTO meta VALUES ('x', 1)")
            found = [home.folder, *home.folder.rglob("*")]
            modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in found}
    finally:
        os.umask(before)
    assert any(name.endswith("-wal") for name in modes)
    for path in found:
        assert modes[path.name] == (0o700 if path.is_dir() else 0o600), path


def test_a_link_as_state_folder_is_refused(home: Home, tmp_path: Path) -> None:
    """A state folder that is a link is not used."""
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    home.folder.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(NotAllowed):
        Store.open(home)


def test_twenty_first_starts_at_once_all_succeed(home: Home) -> None:
    """Processes that race to make the queue all find it whole."""
    code = (
        "import sys; from hybridq.home import Home; from hybridq.queue.store import Store\n"
        "Store.open(Home.find({'HYBRIDQ_HOME': sys.argv[1]})).close()"
    )
    racers = [
        subprocess.Popen([sys.executable, "-c", code, str(home.folder)], stderr=subprocess.PIPE) for _ in range(20)
    ]
    errors = [racer.communicate()[1] for racer in racers]
    assert [racer.returncode for racer in racers] == [0] * 20, errors
    with Store.open(home) as store:
        assert store.rows("PRAGMA integrity_check") == [("ok",)]


def test_a_foreign_database_is_left_untouched(home: Home) -> None:
    """A database of another program is named and keeps every byte."""
    home.prepare()
    with sqlite3.connect(home.database) as other:
        other.execute("CREATE TABLE theirs (x)")
    other.close()
    before = home.database.read_bytes()
    with pytest.raises(CorruptQueue, match="another program"):
        Store.open(home)
    assert home.database.read_bytes() == before


@pytest.mark.parametrize("content", [b"not a database at all" * 100, b"SQLite format 3\0" + b"\xff" * 4000])
def test_a_corrupt_database_is_left_untouched(home: Home, content: bytes) -> None:
    """A damaged file is named, not repaired, not overwritten."""
    home.prepare()
    home.database.write_bytes(content)
    with pytest.raises(CorruptQueue, match="left untouched"):
        Store.open(home)
    assert home.database.read_bytes() == content


def test_a_newer_schema_names_the_release_that_made_it(home: Home) -> None:
    """A file of a newer release is refused with that release's name."""
    with Store.open(home) as store:
        store.connection.execute("UPDATE meta SET value = '9.9.9' WHERE name = 'release'")
        store.connection.execute(
            "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES ('hybridq', '9999_later', 'now')"
        )
    with pytest.raises(SchemaError, match=r"9\.9\.9"):
        Store.open(home)


def test_a_step_that_nobody_here_knows_is_of_a_newer_release(home: Home) -> None:
    """However few steps a file has behind it, one of an unknown name means that a later release made it."""
    with Store.open(home) as store:
        store.connection.execute("UPDATE _sqlite_migrations SET name = '0007_other' WHERE name LIKE '0008%'")
    content = home.database.read_bytes()
    with pytest.raises(SchemaError, match="newer release"):
        Store.open(home)
    assert home.database.read_bytes() == content


def test_a_migration_that_fails_leaves_the_file_as_it_was(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """An older schema is migrated whole or not at all."""
    with Store.open(home) as store:
        store.connection.execute("DELETE FROM _sqlite_migrations")
        before = store.rows("SELECT name, sql FROM sqlite_master ORDER BY name")
    with pytest.raises(sqlite3.OperationalError, match="already exists"):
        Store.open(home)
    raw = sqlite3.connect(home.database)
    assert raw.execute("SELECT name, sql FROM sqlite_master ORDER BY name").fetchall() == before
    raw.close()


def test_a_transaction_that_raises_leaves_nothing(home: Home) -> None:
    """`tx` commits whole or rolls back whole, and what was joined to it goes with it."""
    with Store.open(home) as store:

        def both_halves() -> None:
            with store.tx() as connection:
                connection.execute("INSERT INTO meta VALUES ('half', 1)")
                with store.tx() as same:
                    same.execute("INSERT INTO meta VALUES ('other half', 1)")
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            both_halves()
        assert store.rows("SELECT 1 FROM meta WHERE name LIKE '%half'") == []
        assert not store.connection.in_transaction


def test_a_full_disk_is_said_in_a_sentence(home: Home) -> None:
    """When SQLite may not grow the file, the error says that nothing was stored."""
    with Store.open(home) as store:
        pages = store.row("PRAGMA page_count")
        assert pages is not None
        store.connection.execute(f"PRAGMA max_page_count = {pages[0]}")
        with pytest.raises(StorageError, match="not stored"), store.tx() as connection:
            connection.execute("INSERT INTO meta VALUES ('big', zeroblob(1000000))")
        store.connection.execute("PRAGMA max_page_count = 100000")
        with store.tx() as connection:
            connection.execute("INSERT INTO meta VALUES ('big', 1)")


def test_the_log_does_not_grow_for_ever(home: Home) -> None:
    """Many transactions are copied back by `checkpoint`, also while another connection is open."""
    with Store.open(home) as store, Store.open(home) as reader:
        for number in range(40):
            with store.tx() as connection:
                connection.execute("INSERT OR REPLACE INTO meta VALUES (?, zeroblob(500000))", (str(number % 2),))
        store.checkpoint()
        with store.tx() as connection:
            connection.execute("INSERT OR REPLACE INTO meta VALUES ('last', 1)")
        assert reader.row("SELECT value FROM meta WHERE name = 'last'") == (1,)
        assert Path(f"{home.database}-wal").stat().st_size < 30_000_000


def test_the_log_is_written_over_whoever_is_busy(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody reads and writes while the log is copied back: who writes next begins it anew all the same, in the
    file as it is, for a file that grows is slow to write."""
    copy = Store.checkpoint

    def write(number: int) -> None:
        with store.tx() as connection:
            connection.execute("INSERT OR REPLACE INTO meta VALUES ('x', ?)", (number,))

    def copy_beside_others(self: Store, above: int = 0, mode: str = "PASSIVE") -> None:
        copy(self, above, mode)
        if mode == "PASSIVE":
            reader.connection.execute("BEGIN")
            reader.rows("SELECT * FROM meta")
            write(1)
            reader.connection.execute("COMMIT")

    monkeypatch.setattr(Store, "checkpoint", copy_beside_others)
    with Store.open(home, checkpoints=False) as store, Store.open(home, checkpoints=False) as reader:
        write(0)
        checkpoint_apart(home)
        log = Path(f"{home.database}-wal")
        size, begun = log_size(home), log.read_bytes()[12:16]  # SQLite counts there how often it began the log
        write(2)
        assert log.read_bytes()[12:16] != begun
        assert log_size(home) == size > 0
        assert reader.row("SELECT value FROM meta WHERE name = 'x'") == (2,)
