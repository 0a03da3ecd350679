"""Taking jobs away for good: what a user cleans away, and what was never accepted.

Rule: what goes becomes invisible first, whole and together with the counters; then it is removed in chunks,
the files before the rows. A process that dies in between leaves that to `sweep`. Only what has ended goes, by
the submission: of a group all or nothing.
"""

from collections import Counter

import msgspec

from ..job import State
from ..outputs import remove
from ..seam import reached
from ..store import Store
from .account import Cleaned
from .reading import Cohort, cohorts, lineage
from .runner import Runner

CHUNK = 20_000  # jobs a transaction
TOGETHER = 500  # submissions that become invisible at once
CLEANED = "cleaned"  # in `meta`: how many jobs were cleaned away; `cleaned_cost`: what they had cost
ENDED = (State.DONE, State.FAILED, State.CANCELLED)


def foretell(store: Store, before: float, groups: list[str] | None = None) -> Cleaned:
    """What `clean` would take away; nothing is changed."""
    numbers = _ended(store, before, groups)
    parts = [numbers[at : at + TOGETHER] for at in range(0, len(numbers), TOGETHER)]
    found = [
        store.rows(
            "SELECT total(done + failed + cancelled), total(cost) FROM cohort"
            " WHERE id IN (SELECT value FROM json_each(?))",
            (_json(part),),
        )[0]
        for part in parts
    ]
    return Cleaned(int(sum(jobs for jobs, _ in found)), sum(cost for _, cost in found))


def clean(store: Store, before: float, groups: list[str] | None = None) -> Cleaned:
    """Take away the jobs that ended before an instant (epoch seconds), or those of these groups alone.

    Their inputs, results, output files and keys go with them; ids are never used again.
    """
    numbers, jobs, cost = _ended(store, before, groups), 0, 0.0
    runner = Runner(store, "clean")
    try:
        for at in range(0, len(numbers), TOGETHER):
            with store.tx():
                going = _still_ended(store, numbers[at : at + TOGETHER])
                _hide(store, going, runner.id)
            jobs += sum(sum(of.counts.values()) for of in going)
            cost += sum(of.cost for of in going)
            for of in going:
                _remove(store, of.id)
    finally:
        runner.close(store)
        store.checkpoint()
    return Cleaned(jobs, cost)


def cleaned(store: Store) -> Cleaned:
    """What has been cleaned away so far."""
    found = dict(store.rows("SELECT name, value FROM meta WHERE name IN (?, ?)", (CLEANED, f"{CLEANED}_cost")))
    return Cleaned(int(found.get(CLEANED, 0)), float(found.get(f"{CLEANED}_cost", 0.0)))


def sweep(store: Store) -> int:
    """Remove what nobody can see and whose writer is gone: submissions that were never accepted, and what was being
    cleaned away. Returns how many submissions."""
    abandoned = store.rows("SELECT id FROM cohort WHERE accepted IS NULL AND writer NOT IN (SELECT id FROM runner)")
    for (number,) in abandoned:
        _remove(store, number)
    return len(abandoned)


def take_back(store: Store, cohort: int) -> None:
    """Remove a submission that was not accepted."""
    _remove(store, cohort)


def _ended(store: Store, before: float, groups: list[str] | None) -> list[int]:
    """The cohorts that may go, the oldest first: single jobs, and groups as a whole."""
    names = None if groups is None else _json(groups)
    return [number for (number,) in store.rows(
        "SELECT id FROM cohort WHERE ?2 IS NULL AND name IS NULL AND queued = 0 AND running = 0 AND finished < ?1"
        " AND accepted IS NOT NULL UNION"
        " SELECT cohort.id FROM groups JOIN cohort USING (name) WHERE groups.queued = 0 AND groups.running = 0"
        " AND groups.finished < ?1 AND cohort.accepted IS NOT NULL"
        " AND (?2 IS NULL OR name IN (SELECT value FROM json_each(?2))) ORDER BY 1", (before, names))]  # fmt: skip


def _still_ended(store: Store, numbers: list[int]) -> list[Cohort]:
    """Those of them of which nothing was queued again meanwhile, with those that their jobs were moved from."""
    found = cohorts(
        store,
        "id IN (SELECT value FROM json_each(?)) AND accepted IS NOT NULL AND queued + running = 0 AND (name IS NULL"
        " OR name IN (SELECT name FROM groups WHERE queued + running = 0))",
        (_json(numbers),),
    )
    going = [of.id for of in found]
    origins = {origin for number in going for origin in lineage(store, number)}.difference(going)
    emptied = (
        "id IN (SELECT value FROM json_each(?)) AND accepted IS NOT NULL AND queued + running + done + failed"
        " + cancelled = 0 AND NOT EXISTS (SELECT 1 FROM cohort AS part WHERE part.origin = cohort.id"
        " AND part.id NOT IN (SELECT value FROM json_each(?)))"
    )
    return found + cohorts(store, emptied, (_json(sorted(origins)), _json([*going, *sorted(origins)])))


def _hide(store: Store, going: list[Cohort], writer: int) -> None:
    """Nobody sees them from now on; the counters and sums are those of what is left."""
    connection = store.connection
    tally: Counter[tuple[str, str, State]] = Counter()
    for of in going:
        for state, jobs in of.counts.items():
            tally[of.handler, of.lane, state] += jobs
    connection.executemany(
        "UPDATE tally SET jobs = jobs - ? WHERE handler = ? AND lane = ? AND state = ?",
        [(jobs, *where) for where, jobs in tally.items()],
    )
    numbers = _json([of.id for of in going])
    connection.execute(
        "UPDATE cohort SET accepted = NULL, writer = ?, done = 0, failed = 0, cancelled = 0"
        " WHERE id IN (SELECT value FROM json_each(?))",
        (writer, numbers),
    )
    connection.execute(
        "DELETE FROM groups WHERE name IN (SELECT name FROM cohort WHERE id IN (SELECT value FROM json_each(?)))"
        " AND NOT EXISTS (SELECT 1 FROM cohort WHERE name = groups.name AND accepted IS NOT NULL)",
        (numbers,),
    )
    connection.executemany(
        "INSERT INTO meta VALUES (?, ?) ON CONFLICT DO UPDATE SET value = value + excluded.value",
        [(CLEANED, sum(tally.values())), (f"{CLEANED}_cost", sum(of.cost for of in going))],
    )


def _remove(store: Store, cohort: int) -> None:
    """Remove an invisible cohort and its jobs, a chunk a transaction."""
    while gone := _some_of(store, cohort):
        remove(store.home, gone)
        reached("cleaning")
        numbers = _json(gone)
        with store.tx() as connection:
            for table, column in (("result", "id"), ("draft", "id"), ("key", "job"), ("job", "id")):
                connection.execute(
                    f"DELETE FROM {table} WHERE {column} IN (SELECT value FROM json_each(?))", (numbers,)
                )
    with store.tx() as connection:
        for table, column in (("history", "cohort"), ("promise", "cohort"), ("withheld", "cohort"), ("cohort", "id")):
            connection.execute(f"DELETE FROM {table} WHERE {column} = ?", (cohort,))


def _some_of(store: Store, cohort: int) -> list[int]:
    """Some jobs of an invisible cohort."""
    first, last = store.row("SELECT first_id, last_id FROM cohort WHERE id = ?", (cohort,)) or (0, 0)
    # One that was never accepted has no span yet; all of its jobs are in the index of queued ones.
    where, span = ("state = 'queued'", ()) if first is None else ("id BETWEEN ? AND ?", (first, last))
    return [number for (number,) in store.rows(
        f"SELECT id FROM job WHERE cohort = ? AND {where} LIMIT ?", (cohort, *span, CHUNK))]  # fmt: skip


def _json(numbers: list[int] | list[str]) -> str:
    return msgspec.json.encode(numbers).decode()
