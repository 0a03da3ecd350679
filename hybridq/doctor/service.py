"""Whether somebody runs the queue, and whether somebody will after the next start of the machine."""

from collections.abc import Mapping

from ..home import Home
from ..queue.runner import daemon_of
from ..queue.store import Store
from ..service.manager import Manager, ServiceState
from ..service.plan import name_of
from .finding import Finding, problem, warning, well

INSTALL = "hybridq service install keeps one running; hybridq daemon starts one here"


def check_service(home: Home, store: Store | None, environ: Mapping[str, str]) -> Finding:
    """The daemon and its service."""
    state = Manager(environ).state(name_of(home))
    daemon = daemon_of(store) if store is not None else None
    if daemon is None:
        return _without(state)
    runs = f"a daemon runs (pid {daemon[0]})"
    if state.linger is False and state.running:
        return warning("service", f"{runs} until you log out", "loginctl enable-linger keeps it")
    return well("service", f"{runs}{_by(state)}")


def _by(state: ServiceState) -> str:
    if state.installed:
        return f", and the service {state.name} is installed"
    return "; no service starts it again (hybridq service install)"


def _without(state: ServiceState) -> Finding:
    if state.installed and state.reachable:
        see = f"journalctl --user -u {state.name} says why"
        return problem("service", f"the service {state.name} is installed, but no daemon runs", see)
    return warning("service", "no daemon runs: jobs that are held wait for one, or for hybridq drain", INSTALL)
