"""The jobs that a pause holds: left out of what a plan sees, counted, and given back where they run.

Rule: costs what the cohorts of the paused groups are, and nothing where none is paused.
"""

import time
from collections import Counter
from collections.abc import Mapping, Sequence

import msgspec
from msgspec.structs import replace

from ..brain.conditions import part_of
from ..job import Happening, Lane, State
from ..reason import Reason
from .buckets import Buckets, told_under
from .counters import Move, shift
from .history import note
from .holds import withheld
from .pauses import Pause, pauses, why_paused
from .store import Store


def why_kept(store: Store, job: int) -> Reason | None:
    """Why a job does not begin, as a user or a runner has said; None: nothing keeps it."""
    row = store.row("SELECT cohort FROM job WHERE id = ?", (job,))
    if row is None:
        return None
    return why_paused(store, row, time.time()) or withheld(store, row).get(row[0])


def going(store: Store, handler: str, found: Buckets, now: float) -> Buckets:
    """Held work of a handler without what is paused."""
    in_force = pauses(store, now)
    if not in_force.all or not found.held:
        return found
    if in_force.of(handler, None):
        return replace(found, held=[])
    gone = _held_in(store, handler, in_force.groups, found)
    left = [(each, each.jobs - gone.get(each.key, 0)) for each in found.held]
    return replace(found, held=[part_of(each, jobs) for each, jobs in left if jobs > 0])


def _held_in(store: Store, handler: str, groups: Sequence[str], found: Buckets) -> Mapping[int, int]:
    """How many of the held jobs are in these groups, by the key under which they are told."""
    queued: dict[int, int] = dict(
        store.rows(
            "SELECT id, queued FROM cohort INDEXED BY cohort_name"
            " WHERE name IN (SELECT value FROM json_each(?)) AND lane = 'batch' AND handler = ? AND queued > 0",
            (msgspec.json.encode(groups).decode(), handler),
        )
    )
    return told_under(store, found, queued)


def queued_in(store: Store, handler: str, groups: Sequence[str]) -> dict[Lane, int]:
    """How many jobs of a handler wait in these groups, by lane."""
    if not groups:
        return {}
    return {
        Lane(lane): int(jobs)
        for lane, jobs in store.rows(
            "SELECT lane, sum(queued) FROM cohort INDEXED BY cohort_name"
            " WHERE name IN (SELECT value FROM json_each(?)) AND handler = ? AND queued > 0 GROUP BY lane",
            (msgspec.json.encode(groups).decode(), handler),
        )
    }


_RUNNING = (
    "SELECT job.id, job.attempt, job.runner, cohort.id FROM cohort CROSS JOIN job"
    " ON job.id BETWEEN first_id AND last_id AND job.cohort = cohort.id AND job.state = 'running'"
    " WHERE cohort.running > 0"
    " AND (?1 IS NULL OR handler = ?1) AND (?2 IS NULL OR name = ?2)"
)


def running_in(store: Store, handler: str | None, group: str | None) -> int:
    """How many jobs of a handler or a group run."""
    sql = (
        "SELECT total(running) FROM cohort INDEXED BY cohort_running WHERE running > 0"
        " AND (?1 IS NULL OR handler = ?1) AND (?2 IS NULL OR name = ?2)"
    )
    return int(store.rows(sql, (handler, group))[0][0])


def give_back_running(store: Store, paused: Pause, now: float) -> int:
    """Queue again what runs of what is paused, uncounted; its runners end it. Not what a provider runs. Returns how
    many; the caller rings the runners."""
    from .remote import all_away, held_away  # submitting needs none of it

    with store.tx() as connection:
        away = held_away(all_away(store))
        found = connection.execute(_RUNNING, (paused.handler, paused.group)).fetchall()
        rows = [row for row in found if (row[0], row[1]) not in away]
        connection.executemany("UPDATE job SET state = 'queued', runner = NULL WHERE id = ?", [row[:1] for row in rows])
        connection.executemany("INSERT OR REPLACE INTO stop VALUES (?, ?, ?)", [row[:3] for row in rows])
        moves: Counter[Move] = Counter()
        for cohort, jobs in Counter(row[3] for row in rows).items():
            moves[cohort, State.RUNNING, State.QUEUED] = jobs
            note(connection, cohort, Happening.STOPPED, paused.reason, now, jobs=jobs)
        shift(connection, moves, at=now)
    return len(rows)
