"""What a service of one queue consists of: its name, its command, its environment, as plain data.

Rule: one home, one name. No secret is ever copied: keys are written by the user into a file of mode 600.
"""

import hashlib
import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from ..config.llm import key_variable
from ..config.values import Config
from ..errors import UsageError
from ..home import Home, open_private

KEYS = "service.env"  # in the home
STOPPING = 20.0  # seconds beyond the grace time of running jobs, until a service manager kills
HOPELESS = (64, 69, 77, 78)  # exit codes of a daemon: usage, another daemon, rights, config.toml
_TOLD = ("PATH", "LANG", "LC_ALL", "TZ")
_PLACES = ("XDG_CONFIG_HOME", "XDG_DATA_HOME")  # where the home is found, if HYBRIDQ_HOME does not say


class Service(Struct, frozen=True, kw_only=True):
    """`name` is that of the unit, without its suffix; `grace` is how long running jobs get to finish (seconds)."""

    name: str
    folder: Path
    keys: Path
    command: tuple[str, ...]
    environment: dict[str, str]
    grace: float


def service_of(home: Home, config: Config, environ: Mapping[str, str], *, metrics: str | None = None) -> Service:
    """The service of a queue, with what a daemon needs of this environment. Raises UsageError for what no service
    could be told."""
    chosen = {"HYBRIDQ_HOME": str(home.folder)} if environ.get("HYBRIDQ_HOME") else {}
    names = _TOLD if chosen else (*_TOLD, *_PLACES)
    environment = {**chosen, **{name: environ[name] for name in names if environ.get(name)}}
    command = (*_hybridq(), "daemon", *(("--metrics", metrics) if metrics else ()))
    for text in (*command, *environment.values(), str(home.folder)):
        if not text.isprintable():
            raise UsageError(f"a service cannot be told {text!r}: it holds a character that is no text")
    return Service(
        name=name_of(home),
        folder=home.folder,
        keys=home.folder / KEYS,
        command=command,
        environment=environment,
        grace=config.runner.stop_grace + STOPPING,
    )


def name_of(home: Home) -> str:
    """`hybridq`; of a home of another place also its folder's name and a part of its path's digest."""
    if home.folder == Home.find({}).folder:
        return "hybridq"
    plain = re.sub(r"[^A-Za-z0-9]+", "-", home.folder.name).strip("-").lower()[:32]
    digest = hashlib.sha256(os.fsencode(home.folder)).hexdigest()[:8]
    return "-".join(part for part in ("hybridq", plain, digest) if part)


def write_keys(service: Service, config: Config) -> bool:
    """Make the file for keys, with a line for each variable that a handler needs; whether it is new."""
    needed = sorted({variable for handler in config.handlers.values() if (variable := key_variable(handler))})
    lines = [
        "# Variables of the hybridq daemon that are secret, one NAME=value a line. Only you can read this file.",
        *(f"#{name}=" for name in needed),
    ]
    try:
        with open(open_private(service.keys, os.O_WRONLY | os.O_CREAT | os.O_EXCL), "w", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n")
    except FileExistsError:
        return False
    return True


def _hybridq() -> tuple[str, ...]:
    """How this very hybridq is called, whatever PATH will be."""
    script = Path(sys.executable).with_name("hybridq")
    if script.exists():
        return (str(script),)
    return (sys.executable, "-c", "from hybridq_cli.main import run; run()")
