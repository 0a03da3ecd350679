"""Where the queue lives: one folder that only its owner can read, found from the environment.

`HYBRIDQ_HOME` puts everything into one folder; without it the platform's own folders are used.
A folder that somebody else could have prepared is refused, never repaired.
"""

import os
import stat
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

from msgspec import Struct

from .errors import ConfigError, CorruptQueue, NotAllowed


class Home(Struct, frozen=True, dict=True):
    """The places of one queue. `folder` holds all state; `config_file` may lie elsewhere."""

    folder: Path
    config_file: Path

    @cached_property
    def database(self) -> Path:
        """The SQLite file."""
        return self.folder / "queue.db"

    @cached_property
    def outputs(self) -> Path:
        """What jobs print."""
        return self.folder / "outputs"

    @cached_property
    def bells(self) -> Path:
        """Where runners are woken."""
        return self.folder / "bells"

    @cached_property
    def runners(self) -> Path:
        """The locks that prove which runners live."""
        return self.folder / "runners"

    @cached_property
    def log(self) -> Path:
        """What the daemon has logged, as lines of JSON."""
        return self.folder / "daemon.jsonl"

    @cached_property
    def earlier_log(self) -> Path:
        """What it logged before that."""
        return self.folder / "daemon.1.jsonl"

    @classmethod
    def find(cls, environ: Mapping[str, str]) -> "Home":
        """The home that this environment names; nothing is made or checked yet. Raises ConfigError."""
        if chosen := environ.get("HYBRIDQ_HOME"):
            try:
                folder = Path(chosen).expanduser().absolute()
            except RuntimeError:
                raise ConfigError(f"HYBRIDQ_HOME is {chosen!r}, but no such user exists: name a folder") from None
            return cls(folder, folder / "config.toml")
        from platformdirs import user_config_path, user_data_path

        return cls(user_data_path("hybridq"), user_config_path("hybridq") / "config.toml")

    def prepare(self) -> None:
        """Make the folders, 0700 whatever the umask. Raises NotAllowed where one is not safe to use."""
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        for folder in (self.folder, self.outputs, self.bells, self.runners):
            _make_private(folder)


def open_private(path: str | os.PathLike[str], flags: int) -> int:
    """Open a file that only its owner reads (made 0600), never through a link.

    Returns the descriptor, which no child inherits. Raises NotAllowed for a link, OSError as `os.open` does.
    """
    try:
        fd = os.open(path, flags | os.O_NOFOLLOW, 0o600)
    except FileNotFoundError:
        raise
    except OSError:
        if Path(path).is_symlink():
            raise NotAllowed(f"{path} is a link: remove it ({_command('rm', path)})") from None
        raise
    if flags & os.O_CREAT and stat.S_IMODE(os.fstat(fd).st_mode) != 0o600:
        os.fchmod(fd, 0o600)
    return fd


def holds(path: Path) -> bool:
    """Whether a file of our own is there, which has this one name alone and is read by nobody else.

    Raises NotAllowed, and CorruptQueue where nothing is in it: what was stored under one name of a database is lost
    for whoever knows it by another.
    """
    try:
        found = path.lstat()
    except FileNotFoundError:
        return False
    if stat.S_ISLNK(found.st_mode):
        target = path.resolve()
        raise NotAllowed(f"{path} is a link to {target}: move the file itself there ({_command('mv', target, path)})")
    if not stat.S_ISREG(found.st_mode):
        raise NotAllowed(f"{path} is not a file: move it away ({_command('mv', path, f'{path}.away')})")
    if found.st_uid != os.geteuid():
        raise NotAllowed(f"{path} belongs to another user: set HYBRIDQ_HOME to a folder of your own")
    if found.st_nlink > 1:
        shown = _command("find / -xdev -samefile", path)
        raise NotAllowed(f"{path} also has another name (a hard link): find it with {shown}, then remove that name")
    if not found.st_size:
        away = _command("mv", path, f"{path}.empty")
        raise CorruptQueue(f"{path} is empty, so it is not a queue. Move it away ({away}); a new one is then created")
    if found.st_mode & 0o077:
        path.chmod(0o600)
    return True


def is_at(found: os.stat_result, path: Path) -> bool:
    """Whether the path still leads to this very file."""
    try:
        return os.path.samestat(found, path.stat())
    except FileNotFoundError:
        return False


def _make_private(folder: Path) -> None:
    try:
        folder.mkdir(0o700)
    except FileExistsError:
        pass
    else:
        folder.chmod(0o700)  # the umask may have taken the owner's own rights
    found = folder.lstat()
    if stat.S_ISLNK(found.st_mode):
        raise NotAllowed(f"{folder} is a link: set HYBRIDQ_HOME to the folder itself, or remove the link")
    if not stat.S_ISDIR(found.st_mode):
        raise NotAllowed(f"{folder} is not a folder: move it away, or set HYBRIDQ_HOME to another")
    if found.st_uid != os.geteuid():
        raise NotAllowed(f"{folder} belongs to another user: set HYBRIDQ_HOME to a folder of your own")
    if found.st_mode & 0o022:
        raise NotAllowed(f"other users can write to {folder}: check its files, then {_command('chmod 700', folder)}")
    if found.st_mode & 0o077:
        folder.chmod(0o700)


def _command(verb: str, *paths: str | os.PathLike[str]) -> str:
    from shlex import quote

    return " ".join((verb, *(quote(os.fspath(path)) for path in paths)))
