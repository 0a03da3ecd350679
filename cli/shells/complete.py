"""What a shell may complete from the queue: ids, groups, schedules and handlers, one a line on standard output.

The completion scripts ask `hybridq __complete KIND PREFIX` at every press of TAB, so this imports little,
never makes a queue, and answers nothing at all where something is wrong.
"""

import os
import sys
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

LIMIT = 100  # more than anybody reads
FEW = 10  # ids that are offered before anything of one is typed: a group alone may have a million


def ids(prefix: str) -> list[str]:
    """The latest jobs' ids that begin so, the newest first."""
    from hybridq.queue.select import recent_ids

    return _from_queue(recent_ids, prefix)[: LIMIT if prefix else FEW]


def groups(prefix: str) -> list[str]:
    """The groups' names that begin so."""
    from hybridq.queue.select import group_names

    return _from_queue(group_names, prefix)


def handlers(prefix: str) -> list[str]:
    """The configured handlers' names that begin so."""
    from hybridq.config.read import load_config
    from hybridq.home import Home

    return [name for name in load_config(Home.find(os.environ), os.environ).handlers if name.startswith(prefix)]


def selectors(prefix: str) -> list[str]:
    """Whatever selects jobs: `last`, `all`, groups, then ids, in the order in which the shells show it."""
    return [*(word for word in ("last", "all") if word.startswith(prefix)), *groups(prefix), *ids(prefix)]


def schedules(prefix: str) -> list[str]:
    """The schedules' names that begin so."""
    from hybridq.queue.schedules import names

    return _from_queue(names, prefix)


def _from_queue(read: Callable[[Any, str, int], list[str]], prefix: str) -> list[str]:
    """What the queue knows, or nothing where there is no queue yet."""
    from hybridq.home import Home
    from hybridq.queue.store import Store

    home = Home.find(os.environ)
    if not home.database.exists():
        return []
    with Store.open(home) as store:
        return read(store, prefix, LIMIT)


KINDS = {"ids": ids, "groups": groups, "handlers": handlers, "schedules": schedules, "selectors": selectors}


def complete(args: Sequence[str]) -> NoReturn:
    """Print what completes `KIND PREFIX` and exit 0, whatever happens: a shell is in the middle of a line."""
    try:
        kind, prefix = args
        print("\n".join(KINDS[kind](prefix)), flush=True)
    except Exception:
        sys.stdout = None  # a closed pipe must not be flushed again
    raise SystemExit(0)
