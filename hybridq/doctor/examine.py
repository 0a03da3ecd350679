"""The whole examination, in the order in which it is read; and the repair.

Rule: what cannot be looked at is itself a finding: no check ends the others. Looking changes nothing.
"""

from collections.abc import Mapping

from msgspec.structs import replace

from ..config.read import load_config
from ..errors import ConfigError, HybridqError
from ..home import Home
from ..queue.read_only import open_to_read
from ..queue.store import Store
from .database import check_database
from .database import repair as put_right
from .finding import Finding, Level, problem, well
from .handlers import check_handlers
from .hooks import check_hooks
from .machine import check_machine
from .service import check_service


def examine(home: Home, environ: Mapping[str, str], now: float) -> list[Finding]:
    """All that is to be said of a queue and its machine at `now` (epoch seconds)."""
    try:
        store = open_to_read(home)
    except HybridqError as refused:
        found = [problem("database", str(refused), "")]
        if home.folder.exists():
            found += check_machine(home)
        return [*found, *_configured(home, None, environ), check_service(home, None, environ)]
    with store:
        found = [*check_database(store, now), *check_machine(home), *_configured(home, store, environ)]
        return [*found, check_service(home, store, environ)]


def repair(home: Home, environ: Mapping[str, str], now: float) -> list[Finding]:
    """Put right what can be, then say how it is now; what was put right is marked."""
    before = examine(home, environ, now)
    if not any(found.repairable for found in before):
        return before
    with Store.open(home) as store:
        put_right(store, before, now)
    ill = {found.check for found in before if found.repairable}
    return [
        replace(found, repaired=found.check in ill and found.level is Level.OK) for found in examine(home, environ, now)
    ]


def _configured(home: Home, store: Store | None, environ: Mapping[str, str]) -> list[Finding]:
    try:
        config = load_config(home, environ)
    except (ConfigError, OSError) as mistake:
        return [problem("config.toml", str(mistake), "mend it; what runs goes on with what it read before")]
    told = f"{home.config_file} is understood" if home.config_file.exists() else "there is none: the defaults hold"
    return [well("config.toml", told), *check_handlers(config, store, environ), *check_hooks(config, store, environ)]
