"""What a command sees of the shell that it is submitted from: its folder and its variables.

Rule: it sees all variables as they are now, but for those of this one process or shell, and for what looks like a
secret: that is left out, and told. `--clean-env` leaves what nearly every program needs. Whatever is named by `--env`,
or stands in `--env-file`, is kept. Nothing is submitted here.
"""

import os
import re
from collections.abc import Iterable, Mapping

from msgspec import Struct

from ..errors import BadData, UsageError
from ..files import stored
from ..visible import visible_line

NEEDED = ("PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "TZ", "TERM", "TMPDIR", "VIRTUAL_ENV")
OWN = ("_", "SHLVL", "PWD", "OLDPWD", "COLUMNS", "LINES", "LS_COLORS")  # of this shell and its terminal alone
LOOKS = "it looks like a secret"
_SECRET = re.compile(
    r"KEY(?!BOARD|MAP|WORD)|TOKEN(?!I[ZS])|SECRET|PASSW|PASSPH|CREDENTIAL|PRIVATE|COOKIE|(^|_)(PASS|PWD|AUTH|PAT|DSN)$"
)
_SECRET_VALUE = re.compile(
    r"://[^/\s:@]*:[^/\s@]+@|PRIVATE KEY-----|(?i:passw(or)?d|pwd|secret|token|api_?key|accountkey)=\S"
    r"|(^|\W)(sk-|gh[pousr]_|github_pat_|glpat-|hf_|xox[abp]-|AKIA|AIza)\w{8}|(^|\W)eyJ\w+\.eyJ"
)


class Surroundings(Struct, frozen=True):
    """The folder, the variables, and those that were left out with the reason."""

    cwd: str | None = None
    env: dict[str, str] = {}
    left_out: dict[str, str] = {}


def surroundings(
    environ: Mapping[str, str], *, cwd: str | None, names: Iterable[str], file: str | None, clean: bool
) -> Surroundings:
    """What a command will run with. Raises UsageError, and BadData for a file that cannot be used."""
    env: dict[str, str] = {}
    left_out: dict[str, str] = {}
    for name, value in environ.items():
        if name in NEEDED or name.startswith("LC_"):
            env[name] = _text(name, value)
        elif not clean and not _private(name):
            if why := _unfit(name, value):
                left_out[name if is_text(name) else ascii(name)] = why
            else:
                env[name] = value
    for assigned in (*(_lines(file) if file else ()), *names):
        name, given, value = assigned.partition("=")
        env[name] = _text(name, value if given else _set(name, environ))
        left_out.pop(name, None)
    return Surroundings(_folder(cwd), env, left_out)


def secret(name: str) -> bool:
    """Whether a variable of this name looks as if it held a secret."""
    return _SECRET.search(name.upper()) is not None


def _private(name: str) -> bool:
    """Whether it is of this process or shell alone. One letter is a script's own counter, of no meaning to others."""
    return len(name) < 2 or name in OWN or (name.startswith("HYBRIDQ_") and name != "HYBRIDQ_HOME")


def _unfit(name: str, value: str) -> str:
    """Why a variable that nobody named is not kept; "": it is."""
    if not (is_text(name) and is_text(value)):
        return "it is not UTF-8"
    return LOOKS if secret(name) or _SECRET_VALUE.search(value) else ""


def _lines(path: str) -> list[str]:
    """The `NAME=VALUE` and `NAME` of a file, without blank lines and comments, nor quotes around a value."""
    shown = visible_line(path, 100)
    try:
        with open(path, encoding="utf-8-sig") as file:
            lines = file.read(1 << 20).splitlines()
    except (OSError, ValueError) as problem:
        why = problem.strerror if isinstance(problem, OSError) else "not UTF-8 text"
        raise BadData(f"cannot read '{shown}': {why}") from None
    found = []
    for number, line in enumerate(lines, 1):
        name, given, value = line.strip().removeprefix("export ").partition("=")
        name, value = name.strip(), value.strip()
        if (not name and not given) or name.startswith("#"):
            continue
        if not re.fullmatch(r"[^\s=#\"']+", name):
            raise BadData(f"line {number} of '{shown}' is not NAME=VALUE")
        if value[:1] in ("'", '"') and value[-1:] == value[:1] and len(value) > 1:
            value = value[1:-1]
        found.append(f"{name}{given}{value}")
    return found


def _folder(cwd: str | None) -> str:
    folder = os.path.abspath(os.path.expanduser(cwd or "."))
    if not os.path.isdir(folder):
        raise UsageError(f"'{visible_line(folder, 100)}' is not a folder: choose another with --cwd")
    return stored(folder)


def _set(name: str, environ: Mapping[str, str]) -> str:
    if name not in environ:
        raise UsageError(f"the variable '{visible_line(name, 40)}' is not set: export it, or drop --env")
    return environ[name]


def _text(name: str, value: str) -> str:
    if not name or "\0" in name + value:
        raise UsageError(f"'{visible_line(name, 40)}' is not a variable: --env takes NAME or NAME=VALUE")
    if not is_text(value):
        raise UsageError(f"the variable {visible_line(name, 40)} is not UTF-8: set it to text")
    return value


def is_text(text: str) -> bool:
    """Whether it can be kept as UTF-8; bytes that cannot come from the system as lone surrogates."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
