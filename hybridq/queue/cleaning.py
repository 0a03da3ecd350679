"""Taking jobs away for good: what a user cleans away, and what was never accepted.

Rule: what goes becomes invisible first, whole and together with the counters; then it is removed in chunks,
the files before the rows. A process that dies in between leaves that to `sweep`. Only what has ended goes, by
the submission: of a group all or nothing.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from itertools import groupby

import msgspec

from ..seam import reached
from .acceptance import PROMISED, show_for_dead
from .account import Cleaned
from .dependencies import forget, lone
from .outputs import remove, remove_after
from .runner import Runner
from .store import Store

CHUNK = 1000  # jobs a transaction: writers wait for about 10 ms
TOGETHER = 500  # submissions that become invisible at once, but for a group that has more
CLEANED = "cleaned"  # in `meta`: how many jobs were cleaned away; `cleaned_cost`: what they had cost
_OF_JOBS = (("result", "id"), ("draft", "id"), ("key", "job"), ("occurrence", "job"), ("job", "id"))  # table, column
_OF_COHORTS = (("history", "cohort"), ("promise", "cohort"), ("withheld", "cohort"), ("cohort", "id"))
_AMONG = "id IN (SELECT value FROM json_each(?))"
_ENDED_SINGLE = "name IS NULL AND queued = 0 AND running = 0 AND finished < ? AND accepted IS NOT NULL"
_ENDED_GROUP = "groups.queued = 0 AND groups.running = 0 AND groups.finished < ? AND cohort.accepted IS NOT NULL"


def foretell(store: Store, before: float, groups: list[str] | None = None) -> Cleaned:
    """What `clean` would take away; nothing is changed."""
    found = [
        store.rows(f"SELECT total(done + failed + cancelled), total(cost) FROM cohort WHERE {_AMONG}", (_json(part),))
        for part in _ended(store, before, groups)
    ]
    return Cleaned(int(sum(jobs for ((jobs, _),) in found)), sum(cost for ((_, cost),) in found))


def clean(store: Store, before: float, groups: list[str] | None = None) -> Cleaned:
    """Take away the jobs that ended before an instant (epoch seconds), or those of these groups alone.

    Their inputs, results, output files and keys go with them; ids are never used again.
    """
    runner = Runner(store, "clean")
    try:
        jobs, cost = 0, 0.0
        for part in _ended(store, before, groups):
            with store.tx():
                going = _still_ended(store, part, before)
                hidden = _hide(store, going, runner.id)
            jobs, cost = jobs + hidden.jobs, cost + hidden.cost
            take_back(store, runner.id)
        return Cleaned(jobs, cost)
    finally:
        runner.close(store)
        store.checkpoint()


def cleaned(store: Store) -> Cleaned:
    """What has been cleaned away so far."""
    found = dict(store.rows("SELECT name, value FROM meta WHERE name IN (?, ?)", (CLEANED, f"{CLEANED}_cost")))
    return Cleaned(int(found.get(CLEANED, 0)), float(found.get(f"{CLEANED}_cost", 0.0)))


def sweep(store: Store) -> Iterator[None]:
    """Remove what nobody can see and whose writer is gone: submissions that were never accepted, and what was being
    cleaned away. Yields after each chunk, for whoever has others to serve meanwhile."""
    show_for_dead(store)
    yield from _removing(store, abandoned(store))


def abandoned(store: Store) -> list[int]:
    """The cohorts that nobody can see and whose writer is gone, for which nothing was promised."""
    gone = f"writer NOT IN (SELECT id FROM runner) AND '{PROMISED}' || writer NOT IN (SELECT name FROM meta)"
    return _unseen(store, gone)


def take_back(store: Store, writer: int) -> None:
    """Remove what nobody can see and carries this writer's mark, to the last job."""
    for _ in _removing(store, _unseen(store, "writer = ?", writer)):
        pass


def _unseen(store: Store, condition: str, *parameters: int) -> list[int]:
    """The cohorts that nobody can see, of which a condition on their writer holds."""
    where = f"accepted IS NULL AND {condition}"
    return [number for (number,) in store.rows(f"SELECT id FROM cohort WHERE {where} ORDER BY id", parameters)]


def _ended(store: Store, before: float, groups: list[str] | None) -> Iterator[list[int]]:
    """The cohorts that may go, some at a time: single jobs, and groups as a whole."""
    names = None if groups is None else _json(groups)
    rows = store.rows(
        f"SELECT id, NULL AS name FROM cohort WHERE ?2 IS NULL AND {_ENDED_SINGLE.replace('?', '?1')} UNION ALL"
        f" SELECT cohort.id, name FROM groups JOIN cohort USING (name) WHERE {_ENDED_GROUP.replace('?', '?1')}"
        " AND (?2 IS NULL OR name IN (SELECT value FROM json_each(?2))) ORDER BY name, id",
        (before, names),
    )
    part: list[int] = []
    for _, whole in groupby(rows, key=lambda row: row[1] or row[0]):
        part += [number for number, _ in whole]
        if len(part) >= TOGETHER:
            yield part
            part = []
    if part:
        yield part


def _still_ended(store: Store, numbers: list[int], before: float) -> list[int]:
    """What of these may still go: nothing of it was queued again meanwhile, nothing came to its group."""
    these = _json(numbers)
    return [
        number
        for (number,) in store.rows(
            f"SELECT id FROM cohort WHERE {_AMONG} AND {_ENDED_SINGLE} UNION ALL"
            f" SELECT cohort.id FROM groups JOIN cohort USING (name) WHERE {_ENDED_GROUP}"
            f" AND name IN (SELECT name FROM cohort WHERE {_AMONG})",
            (these, before, before, these),
        )
    ]


def _hide(store: Store, going: list[int], writer: int) -> Cleaned:
    """Nobody sees these cohorts from now on; the counters and sums are those of what is left."""
    connection, numbers = store.connection, _json(going)
    ((jobs, cost),) = connection.execute(
        f"SELECT coalesce(sum(done + failed + cancelled), 0), total(cost) FROM cohort WHERE {_AMONG}", (numbers,)
    )
    connection.execute(
        f"DELETE FROM groups WHERE name IN (SELECT name FROM cohort WHERE name IS NOT NULL AND {_AMONG})",
        (numbers,),
    )
    connection.execute(
        f"UPDATE cohort SET accepted = NULL, writer = ?, done = 0, failed = 0, cancelled = 0 WHERE {_AMONG}",
        (writer, numbers),
    )
    hidden = Cleaned(jobs, cost)
    connection.executemany(
        "INSERT INTO meta VALUES (?, ?) ON CONFLICT DO UPDATE SET value = value + excluded.value",
        [(CLEANED, hidden.jobs), (f"{CLEANED}_cost", hidden.cost)],
    )
    return hidden


def _removing(store: Store, cohorts: Iterable[int]) -> Iterator[None]:
    """Remove invisible cohorts and their jobs, yielding after each chunk.

    A power cut may bring back what was removed: it is invisible still, and swept.
    """
    left, after = deque(cohorts), 0
    while left:
        gone, over = _some_of(store, left, after)
        remove(store.home, gone)
        remove_after(store.home, lone(store, gone))
        reached("cleaning")
        _delete(store, gone, over)
        for _ in over:
            left.popleft()
        after = gone[-1] if len(gone) >= CHUNK else 0
        yield


def _delete(store: Store, jobs: list[int], cohorts: list[int]) -> None:
    with store.tx(durable=False) as connection:
        forget(connection, jobs)
        for where, numbers in ((_OF_JOBS, _json(jobs)), (_OF_COHORTS, _json(cohorts))):
            for table, column in where:
                connection.execute(
                    f"DELETE FROM {table} WHERE {column} IN (SELECT value FROM json_each(?))", (numbers,)
                )


def _some_of(store: Store, cohorts: Iterable[int], after: int) -> tuple[list[int], list[int]]:
    """A chunk of jobs of invisible cohorts, of the first one those `after` an id; and the cohorts that end with it."""
    jobs: list[int] = []
    over: list[int] = []
    for cohort in cohorts:
        jobs += _jobs_of(store, cohort, after, CHUNK - len(jobs))
        if len(jobs) >= CHUNK or len(over) >= CHUNK:
            break
        over.append(cohort)
        after = 0
    return jobs, over


def _jobs_of(store: Store, cohort: int, after: int, limit: int) -> list[int]:
    first, last = store.row("SELECT first_id, last_id FROM cohort WHERE id = ?", (cohort,)) or (0, 0)
    # One that was never accepted has no span yet; all of its jobs are in the index of queued ones.
    where, span = ("state = 'queued'", ()) if first is None else ("id BETWEEN ? AND ?", (first, last))
    return [
        number
        for (number,) in store.rows(
            f"SELECT id FROM job WHERE cohort = ? AND {where} AND id > ? ORDER BY id LIMIT ?",
            (cohort, *span, after, limit),
        )
    ]


def _json(values: Iterable[int] | Iterable[str]) -> str:
    return msgspec.json.encode(list(values)).decode()
