"""Schedules: what is handed in again and again, and what became of each of its instants.

Rule: an occurrence is made in one transaction with the instant that its schedule has reached, and only by whoever finds
that as it was read: one job an occurrence, however many runners there are and wherever one dies. Only the next instants
are looked at. When they are is not known here.
"""

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Struct

from ..brain.occurrence import Missed, Overlap
from ..brain.recurrence import Recurrence
from ..errors import NoSuchJob, UsageError
from ..job import Environment, Request, State
from .intake import as_kept, kept_variables
from .later import decoded, known
from .store import Store

LOOKED = 1000  # last occurrences that are looked through for what has not ended
KEPT = 100  # rows that tell of what was left out, a schedule
MADE = ""  # the kind of an occurrence of which there is a job


class Schedule(Struct, frozen=True, kw_only=True):
    """One schedule. Instants are epoch seconds, spans seconds."""

    id: int = 0
    name: str
    timing: str
    zone: str
    since: float
    within: float | None
    missed: Missed
    overlap: Overlap
    request: Request  # but for its variables: see `variables`
    environment: int | None = None
    input: bytes
    reached: float
    due: float | None

    @property
    def recurrence(self) -> Recurrence:
        """When it comes back."""
        return Recurrence(self.timing, self.zone, self.since)


class Occurrence(Struct, frozen=True, kw_only=True):
    """What became of one instant: its job, or why there is none, and of how many instants that tells."""

    instant: float
    job: int | None
    kind: str
    instants: int
    at: float
    state: State | None = None  # of the job
    exit_code: int | None = None


_COLUMNS = "name, timing, zone, since, within, missed, overlap, request, environment, input, reached, due"
_SELECT = f"SELECT id, {_COLUMNS} FROM schedule"


def add(store: Store, schedule: Schedule) -> None:
    """Keep a schedule. Raises UsageError where there is one of that name."""
    with store.tx() as connection:
        if store.row("SELECT 1 FROM schedule WHERE name = ?", (schedule.name,)):
            change = f"To change it: hybridq schedule edit {schedule.name}"
            raise UsageError(f"there is a schedule '{schedule.name}' already. {change}")
        connection.execute(
            f"INSERT INTO schedule ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", _row(store, schedule)
        )


def change(store: Store, schedule: Schedule) -> None:
    """Keep a schedule as it is from now on; of what it hands in nothing that is there changes. Raises NoSuchJob."""
    with store.tx() as connection:
        row = _row(store, schedule)
        places = _COLUMNS.replace(", ", " = ?, ")
        changed = connection.execute(f"UPDATE schedule SET {places} = ? WHERE id = ?", (*row, schedule.id)).rowcount
        if not changed:
            raise no_such(schedule.name)


def _row(store: Store, of: Schedule) -> tuple[object, ...]:
    environment = kept_variables(store, of.request) if of.request.env or of.request.left_out else of.environment
    timing = (of.name, of.timing, of.zone, of.since, of.within, of.missed, of.overlap)
    return (*timing, as_kept(of.request), environment, of.input, of.reached, of.due)


def remove(store: Store, schedule: Schedule) -> None:
    """Forget a schedule; its jobs stay. Raises NoSuchJob."""
    with store.tx() as connection:
        connection.execute("DELETE FROM occurrence WHERE schedule = ?", (schedule.id,))
        if not connection.execute("DELETE FROM schedule WHERE id = ?", (schedule.id,)).rowcount:
            raise no_such(schedule.name)


def schedules(store: Store) -> list[Schedule]:
    """All of them, the next one first, those that are paused last."""
    return _found(store, "ORDER BY due IS NULL, due, name")


def named(store: Store, name: str) -> Schedule:
    """The schedule of that name. Raises NoSuchJob."""
    found = _found(store, "WHERE name = ?", name)
    if not found:
        raise no_such(name)
    return found[0]


def come(store: Store, now: float, limit: int) -> list[Schedule]:
    """The schedules of which an instant has come, the earliest first, at most so many."""
    return _found(store, "INDEXED BY schedule_due WHERE due <= ? ORDER BY due, id LIMIT ?", now, limit)


def ahead(store: Store, instant: float) -> list[Schedule]:
    """The schedules that have dealt with instants after this one: the clock was ahead then."""
    return _found(store, "WHERE reached > ?", instant)


def next_due(store: Store) -> float | None:
    """When the next instant of any comes; None: none does."""
    row = store.row("SELECT min(due) FROM schedule INDEXED BY schedule_due WHERE due IS NOT NULL")
    return None if row is None or row[0] is None else float(row[0])


def next_name(store: Store) -> tuple[str, float] | None:
    """The schedule that is due next, and when; None: none is."""
    found = store.row(
        "SELECT name, due FROM schedule INDEXED BY schedule_due WHERE due IS NOT NULL ORDER BY due, id LIMIT 1"
    )
    return None if found is None else (str(found[0]), float(found[1]))


def left_since(store: Store, since: float) -> dict[str, int]:
    """How many instants no job was made of since then, by why."""
    rows = store.rows(
        "SELECT kind, sum(instants) FROM occurrence INDEXED BY occurrence_left WHERE job IS NULL AND at >= ?"
        " GROUP BY kind",
        (since,),
    )
    return {str(kind): int(instants) for kind, instants in rows}


def names(store: Store, prefix: str, limit: int) -> list[str]:
    """The schedules whose names begin so: for completion."""
    where = "substr(name, 1, length(?1)) = ?1 ORDER BY name LIMIT ?2"
    return [name for (name,) in store.rows(f"SELECT name FROM schedule WHERE {where}", (prefix, limit))]


def variables(store: Store, schedule: Schedule) -> Environment:
    """The variables that its commands run with."""
    row = store.row("SELECT variables FROM environment WHERE id = ?", (schedule.environment,))
    return msgspec.json.decode(row[0], type=Environment) if row else Environment()


def go_on(store: Store, schedule: Schedule, reached: float, due: float | None) -> bool:
    """All up to this instant is dealt with, within the `tx` that does so. False: it was changed meanwhile, by another
    runner most often, and nothing is to be done."""
    changed = store.connection.execute(
        "UPDATE schedule SET reached = ?, due = ? WHERE id = ? AND reached = ? AND due IS ?",
        (reached, due, schedule.id, schedule.reached, schedule.due),
    )
    return changed.rowcount == 1


def made(store: Store, schedule: Schedule, instant: float, job: int, now: float) -> None:
    """This job is the occurrence of that instant; within the `tx` that accepts it."""
    row = (schedule.id, instant, job, MADE, 1, now)
    store.connection.execute("INSERT OR REPLACE INTO occurrence VALUES (?, ?, ?, ?, ?, ?)", row)


def left_out(store: Store, schedule: Schedule, instant: float, kind: str, instants: int, now: float) -> None:
    """Of so many instants, the last of which is this one, no job was made; within a `tx`. One row tells of those in
    a row."""
    connection, row = (
        store.connection,
        store.row(
            "SELECT instant, job, kind, instants FROM occurrence WHERE schedule = ? ORDER BY instant DESC LIMIT 1",
            (schedule.id,),
        ),
    )
    if row is not None and row[1] is None and row[2] == kind:
        connection.execute("DELETE FROM occurrence WHERE schedule = ? AND instant = ?", (schedule.id, row[0]))
        instants += row[3]
    found = (schedule.id, instant, None, kind, instants, now)
    connection.execute("INSERT OR IGNORE INTO occurrence VALUES (?, ?, ?, ?, ?, ?)", found)
    connection.execute(
        "DELETE FROM occurrence WHERE schedule = ?1 AND job IS NULL AND instant < (SELECT instant FROM occurrence"
        " WHERE schedule = ?1 AND job IS NULL ORDER BY instant DESC LIMIT 1 OFFSET ?2)",
        (schedule.id, KEPT),
    )


def unended(store: Store, schedule: Schedule) -> list[int]:
    """Its jobs that wait or run, the earliest first."""
    return [
        job
        for (job,) in store.rows(
            "SELECT job.id FROM (SELECT job, instant FROM occurrence WHERE schedule = ? ORDER BY instant DESC LIMIT ?)"
            " AS last JOIN job ON job.id = last.job WHERE state IN ('queued', 'running') ORDER BY last.instant",
            (schedule.id, LOOKED),
        )
    ]


def occurrences(store: Store, schedule: Schedule, limit: int) -> list[Occurrence]:
    """What became of its last instants, the latest first."""
    return [
        Occurrence(
            instant=instant,
            job=job,
            kind=kind,
            instants=instants,
            at=at,
            state=None if state is None else known(State, state),
            exit_code=code,
        )
        for instant, job, kind, instants, at, state, code in store.rows(
            "SELECT instant, occurrence.job, kind, instants, at, state, exit_code FROM occurrence"
            " LEFT JOIN job ON job.id = occurrence.job LEFT JOIN result ON result.id = occurrence.job"
            " WHERE schedule = ? ORDER BY instant DESC LIMIT ?",
            (schedule.id, limit),
        )
    ]


def occurrence_of(store: Store, job: int) -> tuple[str, float] | None:
    """The schedule and the instant that a job was made for; None: for none."""
    found = store.row(
        "SELECT name, instant FROM occurrence JOIN schedule ON schedule.id = occurrence.schedule WHERE job = ?", (job,)
    )
    return None if found is None else (str(found[0]), float(found[1]))


class Sums(Struct, frozen=True, kw_only=True):
    """What the jobs of one schedule come to that are there: money, and instants of which none was made by why."""

    jobs: int = 0
    failed: int = 0
    cost: float = 0.0
    streamed: float = 0.0
    missed: int = 0
    overlapped: int = 0


def sums(store: Store, of: Sequence[Schedule]) -> dict[int, Sums]:
    """What each of these comes to, by its id."""
    rows = store.rows(
        "SELECT schedule, count(occurrence.job), sum(coalesce(state = 'failed', 0)), total(cost),"
        " total(CASE WHEN cost IS NULL THEN 0 ELSE streamed END),"
        " sum(iif(kind = 'missed', instants, 0)), sum(iif(kind = 'overlap', instants, 0))"
        " FROM occurrence LEFT JOIN job ON job.id = occurrence.job LEFT JOIN result ON result.id = occurrence.job"
        " WHERE schedule IN (SELECT value FROM json_each(?)) GROUP BY schedule",
        (msgspec.json.encode([each.id for each in of]).decode(),),
    )
    fields = Sums.__struct_fields__
    return {number: Sums(**dict(zip(fields, told, strict=True))) for number, *told in rows}


def no_such(name: str) -> NoSuchJob:
    """The error for a schedule that is not there."""
    return NoSuchJob(f"no schedule '{name}'. List them: hybridq schedule")


def _found(store: Store, where: str, *parameters: object) -> list[Schedule]:
    return [_schedule(*row) for row in store.rows(f"{_SELECT} {where}", parameters)]


def _schedule(number: int, name: str, timing: str, zone: str, *row: Any) -> Schedule:
    since, within, missed, overlap, request, environment, data, reached, due = row
    return Schedule(
        id=number,
        name=name,
        timing=timing,
        zone=zone,
        since=since,
        within=within,
        missed=known(Missed, missed),
        overlap=known(Overlap, overlap),
        request=decoded(Request, request),
        environment=environment,
        input=bytes(data),
        reached=reached,
        due=due,
    )
