"""`service`: a daemon that is simply there, kept by the user's own service manager.

Rule: what was done is said, and what is left to type. Nothing is done as root, and no secret is copied.
"""

import os
import shlex
import sys
from typing import Annotated, Literal

import typer

from hybridq.config.read import load_config
from hybridq.config.values import Config
from hybridq.errors import TryAgain, UsageError
from hybridq.home import Home
from hybridq.queue.runner import daemon_of
from hybridq.queue.store import Store
from hybridq.service.manager import Manager, ServiceState
from hybridq.service.plan import Service, name_of, service_of, write_keys

from .tell import print_document, say

app = typer.Typer()
STOPPED = 1  # the exit code of `status` where it does not run


@app.command()
def service(
    action: Annotated[Literal["install", "remove", "status"], typer.Argument(metavar="ACTION")] = "status",
    metrics: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="With install: serve figures for Prometheus, such as :9464.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="With install: print the service's file; write nothing.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON: name, file, installed, enabled, running.")] = False,
) -> None:
    """Keep a daemon running: install, remove or show its service.

    A systemd user unit on Linux, a launchd agent on macOS, one for each HYBRIDQ_HOME. It gets PATH from this shell; put
    keys into the file that install names. status exits with 1 if the service does not run.
    """
    home = Home.find(os.environ)
    manager = Manager(os.environ)
    if action == "install":
        config = load_config(home, os.environ)
        _check_metrics(metrics)
        wanted = service_of(home, config, os.environ, metrics=metrics)
        if dry_run:
            sys.stdout.write(manager.text(wanted).decode())
            return
        _install(home, config, wanted, manager, quiet=json)
    elif action == "remove":
        _remove(home, manager, quiet=json)
    state = manager.state(name_of(home))
    if json:
        print_document(state, one_line=True)
    elif action == "status":
        _show(state)
    if action == "status" and not state.running:
        raise typer.Exit(STOPPED)


def _check_metrics(address: str | None) -> None:
    if address:
        from .metrics import require

        require()
        from hybridq.metrics.exposition import parse_address

        parse_address(address)


def _install(home: Home, config: Config, wanted: Service, manager: Manager, *, quiet: bool) -> None:
    home.prepare()
    with Store.open(home) as store:
        daemon = daemon_of(store)
    path = manager.write(wanted)
    new = write_keys(wanted, config)
    told = [f"wrote {path}", f"{'wrote' if new else 'kept'} {wanted.keys}: put keys there, as NAME=value"]
    # One that was installed before takes up what changed when it starts again.
    again = manager.reachable() and manager.state(wanted.name).running
    commands = manager.starting(wanted.name, now=daemon is None)
    if not manager.reachable():
        told.append(f"{_whose()} was not reachable: where it runs, type {_typed(commands)}")
    elif wrong := manager.run(commands):
        raise TryAgain(f"the service is written, but was not started: {wrong}")
    elif again:
        told.append(f"it runs as it was: for what changed, type systemctl --user restart {wanted.name}")
    elif daemon is not None:
        told.append(f"a daemon runs already (pid {daemon[0]}): stop it (kill {daemon[0]}), then {_start(wanted)}")
    else:
        told.append("the daemon runs now, and whenever you log in")
    if not manager.state(wanted.name).linger and sys.platform != "darwin":
        told.append("to keep it running when you log out: loginctl enable-linger")
    if not quiet:
        print("\n".join(told))


def _start(wanted: Service) -> str:
    return f"systemctl --user start {wanted.name}"


def _remove(home: Home, manager: Manager, *, quiet: bool) -> None:
    name = name_of(home)
    state = manager.state(name)
    if not state.installed:
        raise UsageError(f"no service is installed for {home.folder}")
    if state.reachable and (state.enabled or state.running) and (wrong := manager.run(manager.stopping(name))):
        raise TryAgain(f"the service was not removed: {wrong}")
    manager.file(name).unlink(missing_ok=True)
    if quiet:
        return
    print(f"removed {state.file}")
    if not state.reachable:
        say(f"{_whose()} was not reachable: if it runs the service, type {_typed(manager.stopping(name))}")


def _show(state: ServiceState) -> None:
    if not state.installed:
        print(f"{state.name} is not installed: hybridq service install")
    elif not state.reachable:
        print(f"{state.name} is installed ({state.file}); {_whose()} is not reachable")
    else:
        print(f"{state.name} {'runs' if state.running else 'does not run'}; {_begins(state)} ({state.file})")
        if state.linger is False:
            print("it stops when you log out: loginctl enable-linger keeps it")


def _begins(state: ServiceState) -> str:
    return "it starts by itself" if state.enabled else "it does not start by itself"


def _whose() -> str:
    return "launchd" if sys.platform == "darwin" else "systemd"


def _typed(commands: list[tuple[str, ...]]) -> str:
    return " && ".join(shlex.join(command) for command in commands)
