"""The folder that holds the queue: where it is, and that only its owner can read it."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from hybridq.errors import NotAllowed
from hybridq.home import Home, open_private


def home_in(folder: Path) -> Home:
    return Home.find({"HYBRIDQ_HOME": str(folder)})


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@contextmanager
def umask(bits: int) -> Iterator[None]:
    before = os.umask(bits)
    try:
        yield
    finally:
        os.umask(before)


def test_one_folder_holds_all(tmp_path: Path) -> None:
    """HYBRIDQ_HOME puts state and configuration into one folder."""
    home = home_in(tmp_path)
    places = (home.database, home.outputs, home.bells, home.runners, home.config_file)
    assert {place.parent for place in places} == {tmp_path}
    assert len(set(places)) == 5


def test_platform_folders_without_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without HYBRIDQ_HOME, state and configuration lie in the platform's folders."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    home = Home.find({})
    assert home.folder == tmp_path / "data" / "hybridq"
    assert home.config_file == tmp_path / "config" / "hybridq" / "config.toml"


def test_relative_home_stays_where_it_was(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A relative HYBRIDQ_HOME is the same folder after the working directory has changed."""
    monkeypatch.chdir(tmp_path)
    assert home_in(Path("here")).folder == tmp_path / "here"


@pytest.mark.parametrize("bits", [0o000, 0o022, 0o777])
def test_folders_and_files_are_private_whatever_the_umask(tmp_path: Path, bits: int) -> None:
    """Folders are 0700 and files 0600 under any umask."""
    home = home_in(tmp_path / "new")
    with umask(bits):
        home.prepare()
        os.close(open_private(home.database, os.O_CREAT | os.O_WRONLY))
    assert [mode(folder) for folder in (home.folder, home.outputs, home.bells, home.runners)] == [0o700] * 4
    assert mode(home.database) == 0o600


def test_descriptor_is_not_inherited(tmp_path: Path) -> None:
    """A program that hybridq starts never gets a file of the queue."""
    fd = open_private(tmp_path / "file", os.O_CREAT | os.O_WRONLY)
    assert not os.get_inheritable(fd)
    os.close(fd)


def test_preparing_twice_changes_nothing(tmp_path: Path) -> None:
    """A prepared home is accepted again; one that others may read is closed to them."""
    home = home_in(tmp_path / "new")
    home.prepare()
    home.folder.chmod(0o755)
    home.prepare()
    assert mode(home.folder) == 0o700


@pytest.mark.parametrize("bits", [0o770, 0o707, 0o777])
def test_folder_that_others_can_write_is_refused(tmp_path: Path, bits: int) -> None:
    """Where others could have planted something, the command that closes it is named, and not run."""
    folder = tmp_path / "open house"
    folder.mkdir()
    folder.chmod(bits)
    with pytest.raises(NotAllowed, match=f"chmod 700 '{folder}'"):
        home_in(folder).prepare()
    assert mode(folder) == bits


def test_link_is_refused(tmp_path: Path) -> None:
    """A state folder that is a link is refused, and what it points to is left alone."""
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    with pytest.raises(NotAllowed, match="is a link"):
        home_in(tmp_path / "link").prepare()
    assert not list((tmp_path / "real").iterdir())


def test_file_is_refused(tmp_path: Path) -> None:
    """A state folder that is a file is refused with a sentence."""
    (tmp_path / "file").touch()
    with pytest.raises(NotAllowed, match="is not a folder"):
        home_in(tmp_path / "file").prepare()


def test_folder_of_another_user_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A folder that belongs to somebody else is refused, whoever asks."""
    (tmp_path / "theirs").mkdir(0o700)
    me = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: me + 1)
    with pytest.raises(NotAllowed, match="another user"):
        home_in(tmp_path / "theirs").prepare()


def test_file_is_never_opened_through_a_link(tmp_path: Path) -> None:
    """A link in place of a file is refused, and the file behind it is not touched."""
    (tmp_path / "real").write_text("precious")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with pytest.raises(NotAllowed, match="is a link"):
        open_private(tmp_path / "link", os.O_CREAT | os.O_WRONLY | os.O_TRUNC)
    assert (tmp_path / "real").read_text() == "precious"
