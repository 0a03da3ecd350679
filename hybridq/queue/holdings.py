"""Who holds what of the counted resources: jobs while they run, warm instances while they are warm.

Rule: what is given is given in the transaction that claims, and is free again when the process is gone: its runner says
so, or has died and is buried. So there is never more given than there is, whatever dies.
"""

import sqlite3
from collections.abc import Collection, Iterable, Mapping

import msgspec
from msgspec import Struct

from ..config.resources import Given, Needs, Resource, Resources
from ..reason import Reason
from .store import Store, insert

INSTANCE = 0  # in place of a job: a warm instance
WANTED = 3.0  # seconds for which it counts that somebody wants a resource

Holder = tuple[int, int, str]
"""(job, attempt, handler), or (INSTANCE, which, handler)."""

_NONE = Resource(0)
_HELD = "FROM holding WHERE runner IN (SELECT id FROM runner)"
NAMELESS = "[]"


class Use(Struct):
    """What is given of each resource, by amount and by names."""

    amounts: dict[str, int]
    names: dict[str, set[str]]

    def lacks(self, needs: Needs, resources: Resources) -> Reason | None:
        """Why what needs this cannot have it now; None: it can."""
        for name, amount in needs.items():
            of, used = resources.get(name, _NONE), self.amounts.get(name, 0)
            if amount > of.total:  # the configuration has changed since it was asked for
                return Reason("too much", name, mode=of.told(of.total), price=of.told(amount))
            if used + amount > of.total:
                return Reason(
                    "in use", name, other=of.told(used), mode=of.told(of.total), price=of.told(amount), of=amount
                )
        return None

    def room(self, needs: Needs, resources: Resources) -> int:
        """How many more that need this there is enough for."""
        return min(
            max(0, resources.get(name, _NONE).total - self.amounts.get(name, 0)) // amount
            for name, amount in needs.items()
        )

    def give(self, needs: Needs, resources: Resources) -> Given:
        """Give this, of what is free."""
        given = {}
        for name, amount in needs.items():
            names: tuple[str, ...] = ()
            if resources[name].names:
                taken = self.names.setdefault(name, set())
                names = tuple(each for each in resources[name].names if each not in taken)[:amount]
                taken.update(names)
            self.amounts[name] = self.amounts.get(name, 0) + amount
            given[name] = amount, names
        return given


def use(connection: sqlite3.Connection) -> Use:
    """What is given now."""
    amounts = dict(connection.execute(f"SELECT resource, sum(amount) {_HELD} GROUP BY resource").fetchall())
    names: dict[str, set[str]] = {}
    for resource, which in connection.execute(f"SELECT resource, names {_HELD} AND names <> ?", (NAMELESS,)).fetchall():
        names.setdefault(resource, set()).update(_names(which))
    return Use(amounts, names)


def hold(connection: sqlite3.Connection, runner: int, held: Iterable[tuple[Holder, Given]]) -> None:
    """Keep what was given to whom. Within the transaction in which it was found free."""
    rows = [
        (runner, *holder, name, amount, msgspec.json.encode(names).decode() if names else NAMELESS)
        for holder, given in held
        for name, (amount, names) in given.items()
    ]
    insert(connection, "INSERT INTO holding", rows)


def instances(connection: sqlite3.Connection, runner: int, handler: str) -> dict[int, Given]:
    """What the warm instances of a handler hold in a runner, by which of them it is."""
    found: dict[int, Given] = {}
    for which, resource, amount, names in connection.execute(
        "SELECT attempt, resource, amount, names FROM holding WHERE runner = ? AND job = ? AND handler = ?",
        (runner, INSTANCE, handler),
    ).fetchall():
        found.setdefault(which, {})[resource] = amount, _names(names)
    return found


def let_go(store: Store, runner: int, holders: Iterable[Holder]) -> None:
    """The processes of these are gone: what they held is free."""
    with store.tx(durable=False) as connection:
        connection.executemany(
            "DELETE FROM holding WHERE runner = ? AND job = ? AND attempt = ? AND handler = ?",
            [(runner, *holder) for holder in holders],
        )


def let_go_of(connection: sqlite3.Connection, attempts: Iterable[tuple[int, int]]) -> bool:
    """These attempts at jobs have ended, and their processes with them: what they held is free. Whether any held any.
    Within the caller's transaction."""
    if connection.execute("SELECT 1 FROM holding WHERE job > 0 LIMIT 1").fetchone() is None:
        return False
    gone = 0
    jobs: dict[int, list[int]] = {}
    for job, attempt in attempts:
        jobs.setdefault(attempt, []).append(job)
    for attempt, these in jobs.items():
        gone += connection.execute(
            "DELETE FROM holding WHERE job IN (SELECT value FROM json_each(?)) AND attempt = ?",
            (msgspec.json.encode(these).decode(), attempt),
        ).rowcount
    return gone > 0


def yet_held(store: Store, holders: Iterable[Holder]) -> list[Holder]:
    """Those of these that hold something."""
    asked = set(holders)
    these = msgspec.json.encode([job for job, _, _ in asked]).decode()
    find = "SELECT DISTINCT job, attempt, handler FROM holding WHERE job IN (SELECT value FROM json_each(?))"
    return [holder for holder in store.rows(find, (these,)) if holder in asked]


def let_go_of_all(connection: sqlite3.Connection, runner: int) -> None:
    """A runner is gone with all that it started: what it held is free."""
    connection.execute("DELETE FROM holding WHERE runner = ?", (runner,))


def lacking(connection: sqlite3.Connection, resources: Resources) -> list[str]:
    """What queued jobs need that cannot be had now, each kind of need once, as it is kept."""
    kinds = connection.execute(
        "WITH RECURSIVE kind (needs) AS (SELECT min(needs) FROM cohort WHERE needs IS NOT NULL AND queued > 0"
        " UNION ALL SELECT"
        " (SELECT min(needs) FROM cohort WHERE needs > kind.needs AND needs IS NOT NULL AND queued > 0)"
        " FROM kind WHERE kind.needs IS NOT NULL) SELECT needs FROM kind WHERE needs IS NOT NULL"
    ).fetchall()
    if not kinds:
        return []
    now = use(connection)
    return [text for (text,) in kinds if now.lacks(read_needs(text), resources) is not None]


def read_needs(text: str | None) -> Needs:
    """What a job needs, as it was kept."""
    return msgspec.json.decode(text, type=Needs) if text else {}


def needs_too_much(store: Store, cohort: int, resources: Resources) -> Reason | None:
    """Why a cohort can never run: it needs more than there is in all. None: it may."""
    row = store.row("SELECT needs FROM cohort WHERE id = ? AND needs IS NOT NULL", (cohort,))
    return Use({}, {}).lacks(read_needs(row[0]), resources) if row else None


def want(store: Store, wanted: Mapping[str, Collection[str]], now: float) -> None:
    """Tell that these would begin if more of these resources were free: by handler."""
    with store.tx(durable=False) as connection:
        connection.execute("DELETE FROM wanted WHERE at < ?", (now - WANTED,))
        connection.executemany(
            "INSERT OR REPLACE INTO wanted VALUES (?, ?, ?)",
            [(resource, handler, now) for handler, resources in wanted.items() for resource in resources],
        )


def wanted(store: Store, handler: str, now: float) -> set[str]:
    """The resources that others than this handler want."""
    rows = store.rows("SELECT resource FROM wanted WHERE handler <> ? AND at > ?", (handler, now - WANTED))
    return {resource for (resource,) in rows}


def _names(text: str) -> tuple[str, ...]:
    return msgspec.json.decode(text, type=tuple[str, ...])
