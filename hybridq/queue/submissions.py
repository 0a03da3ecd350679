"""Submissions: the cohorts that one consists of, wherever its jobs have moved; and `last`, the newest.

Rule: a submission is named by its first cohort, for ever; every other cohort of it names that one. Reads only, but for
`came`, which whoever accepts says.
"""

import sqlite3
from typing import NamedTuple

import msgspec

from ..audience import Before
from ..errors import NoSuchJob
from ..job import Caller, Lane, Request
from .cohorts import Cohort, cohorts
from .store import Store

NEAR = 2048  # half of the cohorts before one among which those that came before it are looked for
_LAST = "last"  # in `meta`: the submission that was accepted last
_RECENT = 64  # cohorts that are looked at for what a caller submitted last
_OF = "(id = ?1 OR submission = ?1) AND accepted IS NOT NULL"


class Near(NamedTuple):
    """One cohort: when it was accepted and when its last job has ended (epoch seconds; infinity: none has), its jobs,
    their mean bytes of input, and their lane."""

    cohort: int
    at: float
    jobs: int
    size: float
    lane: str
    ended: float


def came(connection: sqlite3.Connection, submission: int) -> None:
    """This submission is the last one that was accepted."""
    connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (_LAST, submission))


def last(store: Store) -> int:
    """The submission that was accepted last, of those that are there. Raises NoSuchJob where there is none."""
    for (number,) in store.rows("SELECT value FROM meta WHERE name = ?", (_LAST,)):
        if store.row(f"SELECT 1 FROM cohort WHERE {_OF} LIMIT 1", (number,)):
            return int(number)
    # It was cleaned away, or the queue is of a time when nobody kept this.
    newest = store.row(
        "SELECT coalesce(submission, id) FROM cohort WHERE origin IS NULL AND accepted IS NOT NULL"
        " ORDER BY id DESC LIMIT 1"
    )
    if newest is None:
        raise NoSuchJob("the queue is empty. Submit a job: hybridq submit -- echo hello")
    return int(newest[0])


def before(store: Store, caller: Caller) -> Before | None:
    """What a caller submitted last, of the last few submissions."""
    found = store.row(
        "SELECT request, accepted, finished, lane FROM (SELECT * FROM cohort ORDER BY id DESC LIMIT ?1) WHERE"
        " accepted IS NOT NULL AND json_extract(CAST(request AS TEXT), '$.caller.pid') = ?2"
        " AND json_extract(CAST(request AS TEXT), '$.caller.since') = ?3 LIMIT 1",
        (_RECENT, caller.pid, caller.since),
    )
    if found is None:
        return None
    request, accepted, finished, lane = found
    last = msgspec.json.decode(request, type=Request).caller
    streamed = finished if lane == Lane.STREAM and finished is not None else accepted
    return None if last is None else Before(last, max(accepted, streamed))


def of(store: Store, cohort: int) -> int:
    """The submission that a cohort is a part of."""
    found = store.row("SELECT coalesce(submission, id) FROM cohort WHERE id = ?", (cohort,))
    return cohort if found is None else int(found[0])


def parts(store: Store, submission: int) -> list[tuple[int, int, int]]:
    """(first job, last job, cohort) of all that a submission's jobs are in by now, in the order of their ids."""
    return store.rows(f"SELECT first_id, last_id, id FROM cohort WHERE {_OF} ORDER BY first_id, id", (submission,))


def runs(store: Store, first: int, last: int) -> tuple[tuple[int, int], ...]:
    """The jobs of the submission of job `first`, up to `last`, as ranges of ids with both ends: others', which were
    submitted meanwhile, lie between them."""
    of_it = f"SELECT id FROM cohort WHERE {_OF.replace('?1', '(SELECT submission FROM it)')}"
    return tuple(
        store.rows(
            "WITH it AS (SELECT coalesce(submission, id) AS submission FROM cohort"
            " WHERE id = (SELECT cohort FROM job WHERE id = ?1))"
            " SELECT min(id), max(id) FROM (SELECT id, id - row_number() OVER (ORDER BY id) AS run FROM job"
            f" WHERE id BETWEEN ?1 AND ?2 AND cohort IN ({of_it})) GROUP BY run ORDER BY 1",
            (first, last),
        )
    )


def newest(store: Store) -> Cohort:
    """The cohort that stands for the last submission: one that runs, else one that waits. Raises NoSuchJob."""
    where = f"{_OF} ORDER BY running > 0 DESC, queued > 0 DESC, jobs > 0 DESC, id LIMIT 1"
    return cohorts(store, where, (last(store),))[0]


def around(store: Store, handler: str, first: int, last: int, before: int) -> list[Near]:
    """The cohorts of a handler from one number to another, and up to so many of the last before them, in the order in
    which they came."""
    these, columns = "handler = ?1 AND accepted IS NOT NULL", ", ".join(Near._fields)
    of = (
        "SELECT id AS cohort, accepted AS at, jobs, size / max(jobs, 1) AS size, lane,"
        " coalesce(finished, 9e999) AS ended FROM cohort WHERE"
    )
    rows = store.rows(
        f"SELECT {columns} FROM (SELECT * FROM ({of} id BETWEEN ?2 - ?4 AND ?2 - 1 AND {these}"
        f" ORDER BY id DESC LIMIT ?5) UNION ALL {of} id BETWEEN ?2 AND ?3 AND {these})"
        " ORDER BY at, cohort",
        (handler, first, last, 2 * NEAR, before),
    )
    return [Near(*row) for row in rows]
