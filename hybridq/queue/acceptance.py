"""Acceptance: the instant at which a submission is there, whole, even if its writer dies right then.

Rule: what is invisible carries its writer's mark, and only by that mark is it shown or taken back. A submission of few
cohorts is shown in one transaction. One of many is promised in one and shown in pieces, so that nobody waits for it
long; if its writer dies meanwhile, whoever looks next shows the rest.
"""

import msgspec
from msgspec import Struct

from ..job import Lane
from ..seam import reached
from .runner import alive
from .store import Store, let_others_write
from .submissions import came

TOGETHER = 500  # cohorts a transaction: writers wait for about 40 ms
PROMISED = "accepting:"  # in `meta`, then the writer: its submission is accepted, and some of it not shown yet


class Promise(Struct, frozen=True):
    """When a submission was accepted (epoch seconds), and its first cohort."""

    at: float
    submission: int


def promise(store: Store, writer: int, submission: int, now: float) -> None:
    """From the end of this transaction on all that `writer` wrote is accepted: `show` is to follow."""
    store.connection.execute(
        "INSERT INTO meta VALUES (?, ?)", (f"{PROMISED}{writer}", msgspec.json.encode(Promise(now, submission)))
    )


def show(store: Store, writer: int) -> None:
    """Show what is left of a promised submission. Several may do so at once."""
    while _show_some(store, writer):
        reached("showing")
        let_others_write()


def show_for_dead(store: Store) -> None:
    """Show what dead writers had promised. Costs a look at an index where nobody has."""
    for (name,) in store.rows("SELECT name FROM meta WHERE name BETWEEN ? AND ?", (PROMISED, f"{PROMISED}~")):
        writer = int(name.removeprefix(PROMISED))
        if not alive(store, writer):
            show(store, writer)


def _show_some(store: Store, writer: int) -> bool:
    """Show some of it; False: that was all, and the promise is kept."""
    with store.tx() as connection:
        row = connection.execute("SELECT value FROM meta WHERE name = ?", (f"{PROMISED}{writer}",)).fetchone()
        if row is None:
            return False  # somebody else was faster
        said = msgspec.json.decode(row[0], type=Promise)
        rows = connection.execute(
            "UPDATE cohort SET accepted = ?, queued = jobs, writer = NULL WHERE id IN"
            " (SELECT id FROM cohort WHERE accepted IS NULL AND writer = ? ORDER BY id LIMIT ?) RETURNING id, lane",
            (said.at, writer, TOGETHER),
        ).fetchall()
        shown = len(rows)
        if waiting := [cohort for cohort, lane in rows if lane == Lane.NONE]:
            from .dependencies import begin

            begin(connection, waiting, said.at)
        if shown < TOGETHER:
            came(connection, said.submission)
            connection.execute("DELETE FROM meta WHERE name = ?", (f"{PROMISED}{writer}",))
        return shown == TOGETHER
