"""Installs, removes and looks at a service, through the user's own service manager.

Rule: the file is written wherever one may be wanted; where no manager answers, what to type is said instead of done.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from .plan import Service
from .unit import launchd_agent, systemd_unit

PATIENCE = 30.0  # seconds for the manager's answer
MAC = sys.platform == "darwin"


class ServiceState(Struct, frozen=True, kw_only=True):
    """How a service stands: `file` is where it is written, `reachable` whether a manager answers, `linger` whether it
    goes on without its user (None: nobody knows)."""

    name: str
    file: str
    installed: bool
    reachable: bool
    enabled: bool
    running: bool
    linger: bool | None


class Manager:
    """The service manager of this user, as this environment finds it."""

    def __init__(self, environ: Mapping[str, str], *, mac: bool = MAC) -> None:
        self._environ, self._mac = environ, mac
        self._reachable: bool | None = None

    def file(self, name: str) -> Path:
        """Where a service's file is."""
        home = Path(self._environ.get("HOME") or Path.home())
        if self._mac:
            return home / "Library" / "LaunchAgents" / f"{name}.plist"
        config = Path(self._environ.get("XDG_CONFIG_HOME") or home / ".config")
        return config / "systemd" / "user" / f"{name}.service"

    def text(self, service: Service) -> bytes:
        """What the file says."""
        return launchd_agent(service) if self._mac else systemd_unit(service).encode()

    def write(self, service: Service) -> Path:
        """Write the file; in its place whole."""
        path = self.file(service.name)
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f".{path.name}.new")
        partial.write_bytes(self.text(service))
        partial.replace(path)
        return path

    def starting(self, name: str, *, now: bool = True) -> list[tuple[str, ...]]:
        """The commands that start a service, from now on and after each start of the machine."""
        if self._mac:
            return [("launchctl", "bootstrap", self._domain, str(self.file(name)))] if now else []
        enable = ("enable", "--now") if now else ("enable",)
        return [_systemctl("daemon-reload"), _systemctl(*enable, f"{name}.service")]

    def stopping(self, name: str) -> list[tuple[str, ...]]:
        """The commands that end it for good."""
        if self._mac:
            return [("launchctl", "bootout", f"{self._domain}/{name}")]
        return [_systemctl("disable", "--now", f"{name}.service")]

    def reachable(self) -> bool:
        """Whether the manager answers."""
        if self._reachable is None:
            asked = ("launchctl", "print", self._domain) if self._mac else _systemctl("show-environment")
            self._reachable = self._ask(*asked)[0]
        return self._reachable

    def run(self, commands: list[tuple[str, ...]]) -> str:
        """Have them done in their order; what went wrong, "": nothing."""
        for command in commands:
            well, said = self._ask(*command)
            if not well:
                return f"{' '.join(command)}: {said.strip() or 'it failed'}"
        return ""

    def state(self, name: str) -> ServiceState:
        """How it stands."""
        answers = self.reachable()
        path = self.file(name)
        if self._mac:
            enabled = running = answers and self._ask("launchctl", "print", f"{self._domain}/{name}")[0]
        else:
            enabled = answers and self._ask(*_systemctl("is-enabled", f"{name}.service"))[0]
            running = answers and self._ask(*_systemctl("is-active", f"{name}.service"))[0]
        return ServiceState(
            name=name,
            file=str(path),
            installed=path.exists(),
            reachable=answers,
            enabled=enabled,
            running=running,
            linger=self._lingers() if answers else None,
        )

    def _lingers(self) -> bool | None:
        if self._mac:
            return None  # an agent lives as long as its user is logged in
        well, said = self._ask("loginctl", "show-user", str(os.getuid()), "--property=Linger", "--value")
        return said.strip() == "yes" if well else None

    @property
    def _domain(self) -> str:
        return f"gui/{os.getuid()}"

    def _ask(self, *command: str) -> tuple[bool, str]:
        """(whether it ended well, what it said)."""
        program = shutil.which(command[0], path=self._environ.get("PATH"))
        if program is None:
            return False, f"{command[0]} is not here"
        try:
            done = subprocess.run(  # noqa: S603 - words of our own
                [program, *command[1:]],
                env=dict(self._environ),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=PATIENCE,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as problem:
            return False, str(problem)
        return done.returncode == 0, done.stdout.decode("utf-8", "replace")


def _systemctl(*words: str) -> tuple[str, ...]:
    return ("systemctl", "--user", *words)
