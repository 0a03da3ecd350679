"""A service as the files that systemd and launchd read."""

import plistlib
import re

from .plan import HOPELESS, Service

_UNIT = """\
# Written by `hybridq service install`; `hybridq service remove` takes it away.
[Unit]
Description=hybridq daemon for {folder}
StartLimitIntervalSec=300
StartLimitBurst=5

[Service]
Type=exec
ExecStart={command}
WorkingDirectory=~
{environment}
# Keys of language models and other secrets: you write them there, it has mode 600.
EnvironmentFile=-{keys}

# SIGTERM goes to the daemon alone, which lets running jobs finish; what is left after that is killed.
KillMode=mixed
TimeoutStopSec={grace:.0f}
Restart=on-failure
RestartSec=10
# Started again it would end so again: wrong usage, another daemon, missing rights, a mistake in config.toml.
RestartPreventExitStatus={hopeless}
# One job that the kernel kills for its memory is that job's failure, not the end of all others.
OOMPolicy=continue
# A crash leaves no keys on the disk; a job may allow itself core files (ulimit -c).
LimitCORE=0:infinity

# What runs here are your own commands, as if you had typed them, so they keep what they have in your shell. Left out on
# purpose: ProtectHome, ProtectSystem, PrivateTmp (jobs read and write your files, and /tmp); NoNewPrivileges, and all
# that implies it for a user's unit, such as SystemCallFilter (sudo and ping would fail); MemoryDenyWriteExecute (Java,
# node and PyTorch compile at run time); PrivateDevices (GPUs); PrivateNetwork; UMask (your files' modes).

[Install]
WantedBy=default.target
"""
_LOAD_KEYS = 'set -a; [ ! -r "$1" ] || . "$1"; set +a; shift; exec "$@"'  # launchd reads no file of variables


def systemd_unit(service: Service) -> str:
    """The unit, for `systemctl --user`."""
    return _UNIT.format(
        folder=_plain(str(service.folder)),
        command=" ".join(_quoted(word).replace("$", "$$") for word in service.command),
        environment="\n".join(f"Environment={_quoted(f'{k}={v}')}" for k, v in service.environment.items()),
        keys=_plain(str(service.keys)),
        grace=service.grace,
        hopeless=" ".join(map(str, HOPELESS)),
    )


def launchd_agent(service: Service) -> bytes:
    """The property list, for `launchctl`."""
    load = ["/bin/sh", "-c", _LOAD_KEYS, "hybridq", str(service.keys)]
    return plistlib.dumps(
        {
            "Label": service.name,
            "ProgramArguments": [*load, *service.command],
            "EnvironmentVariables": service.environment,
            "RunAtLoad": True,
            "KeepAlive": {"SuccessfulExit": False},
            "ThrottleInterval": 10,
            "ExitTimeOut": int(service.grace),
            "StandardErrorPath": str(service.folder / "daemon.log"),
            "ProcessType": "Standard",
        }
    )


def _plain(text: str) -> str:
    """A path or sentence that takes the rest of its line."""
    return text.replace("%", "%%")


def _quoted(text: str) -> str:
    """One word, as systemd reads it."""
    return '"' + re.sub(r'(["\\])', r"\\\1", _plain(text)) + '"'
