"""Pipes: what each has taken and what became of it, and whose journals were left behind.

Rule: a pipe lives as long as its runner. What a pipe hands in as jobs is counted in the transaction that accepts them,
so that each item of its journal is either there or here.
"""

import msgspec
from msgspec import Struct

from ..job import Request
from .account import Piped
from .counters import spend
from .intake import as_kept
from .runner import alive
from .store import Store


class Source(Struct, frozen=True, kw_only=True):
    """What a pipe reads, "-": standard input; and where it goes on: in which file (its inode), at which byte."""

    path: str
    inode: int = 0
    offset: int = 0


class Figures(Struct, kw_only=True):
    """What became of a pipe's items so far; rates (items a second) and lags (seconds) of the last minute.

    `late`: those of the answered whose time within which they were to be was over. `busy`: seconds of workers.
    """

    taken: int = 0
    answered: int = 0
    failed: int = 0
    shed: int = 0
    late: int = 0
    bytes: int = 0
    busy: float = 0.0
    rate_in: float | None = None
    rate_out: float | None = None
    lag50: float | None = None
    lag99: float | None = None


class Pipe(Struct, frozen=True, kw_only=True):
    """One pipe as it is stored. `ended` None: it lives, or was left behind; `handed`: of `shed`, how many are jobs."""

    id: int
    name: str
    key: str | None
    handler: str
    runner: int
    form: str
    since: float
    ended: float | None
    at: float
    handed: int
    cost: float
    figures: Figures
    sources: tuple[Source, ...] = ()


_FIGURES = tuple(Figures.__struct_fields__)
_COLUMNS = f"id, name, key, handler, runner, form, since, ended, at, handed, cost, sources, {', '.join(_FIGURES)}"
_SET = ", ".join(f"{name} = :{name}" for name in _FIGURES)


def open_pipe(
    store: Store,
    *,
    name: str,
    key: str | None,
    runner: int,
    form: str,
    request: Request,
    sources: list[Source],
    now: float,
) -> Pipe:
    """Begin a pipe; `name` "" is made of its handler and its number."""
    with store.tx() as connection:
        row = connection.execute(
            "INSERT INTO pipe (name, key, handler, runner, form, request, sources, since, at)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id",
            (name, key, request.handler, runner, form, as_kept(request), msgspec.json.encode(sources), now, now),
        ).fetchone()
        if not name:
            connection.execute("UPDATE pipe SET name = handler || '-pipe-' || id WHERE id = ?", row)
    return pipe(store, int(row[0]))


def pipe(store: Store, number: int) -> Pipe:
    """The pipe of this number, which is there."""
    (found,) = _pipes(store, "id = ?", number)
    return found


def request_of(store: Store, number: int) -> Request:
    """What the jobs of a pipe ask."""
    row = store.row("SELECT request, name FROM pipe WHERE id = ?", (number,))
    assert row is not None  # noqa: S101 - asked for a pipe that is there
    return msgspec.structs.replace(msgspec.json.decode(row[0], type=Request), group=row[1])


def write_figures(store: Store, number: int, figures: Figures, cost: float, now: float, sources: list[Source]) -> None:
    """Write how far it is; `cost`: money since the last time. A power cut may take it back."""
    values = {name: getattr(figures, name) for name in _FIGURES}
    with store.tx(durable=False) as connection:
        row = connection.execute(
            f"UPDATE pipe SET {_SET}, at = :now, cost = cost + :more, sources = :sources"
            " WHERE id = :id RETURNING handler",
            values | {"now": now, "more": cost, "id": number, "sources": msgspec.json.encode(sources)},
        ).fetchone()
        if cost and row is not None:
            spend(connection, row[0], cost, now)


def hand_over(store: Store, number: int, jobs: int) -> None:
    """So many more of what it has shed are jobs: within the transaction that accepts them."""
    store.connection.execute("UPDATE pipe SET handed = handed + ? WHERE id = ?", (jobs, number))


def end_pipe(store: Store, number: int, now: float, *, left: int = 0) -> bool:
    """It has ended, and nothing of its journal is to be kept; `left` more were shed as it was found. False: it had."""
    with store.tx() as connection:
        return bool(
            connection.execute(
                "UPDATE pipe SET ended = ?, shed = shed + ? WHERE id = ? AND ended IS NULL", (now, left, number)
            ).rowcount
        )


def left_behind(store: Store) -> list[Pipe]:
    """Pipes that died, of which a journal may be left."""
    return [each for each in _pipes(store, "ended IS NULL") if not alive(store, each.runner)]


def keyed(store: Store, key: str) -> Pipe | None:
    """The latest pipe of this key."""
    found = _pipes(store, "key = ? ORDER BY id DESC LIMIT 1", key)
    return found[0] if found else None


def pipes(store: Store, since: float) -> list[Pipe]:
    """Those that have not ended, and those that ended later than `since`."""
    return _pipes(store, "ended IS NULL OR ended > ? ORDER BY ended IS NOT NULL, id DESC", since)


def piped(store: Store, since: float) -> tuple[Piped, ...]:
    """What pipes have done that were at work since an instant, by handler."""
    sums = ", ".join(f"sum({name})" for name in ("taken", "answered", "failed", "shed", "late"))
    rows = store.rows(
        f"SELECT handler, count(*), {sums}, total(busy), total(cost) FROM pipe WHERE at >= ? AND taken > 0"
        " GROUP BY handler ORDER BY handler",
        (since,),
    )
    return tuple(Piped(**dict(zip(Piped.__struct_fields__, row, strict=True))) for row in rows)


def _pipes(store: Store, where: str, *parameters: object) -> list[Pipe]:
    found = []
    for row in store.rows(f"SELECT {_COLUMNS} FROM pipe WHERE {where}", parameters):
        *own, sources = row[:12]
        figures = Figures(**dict(zip(_FIGURES, row[12:], strict=True)))
        named = dict(zip(Pipe.__struct_fields__, own, strict=False))
        found.append(Pipe(**named, figures=figures, sources=msgspec.json.decode(sources, type=tuple[Source, ...])))
    return found
