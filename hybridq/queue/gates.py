"""Gates as views and runners read them: what jobs wait for, and which work that is.

Rule: costs a few rows, however many jobs are waited for. Reads only; `dependencies` changes them.
"""

from collections.abc import Iterator, Sequence

import msgspec
from msgspec import Struct

from ..job import Lane, Range
from ..reason import Reason
from .store import Store

NAMED = 40  # characters of what is waited for
DEEP = 100_000  # jobs that were cancelled for each other in turn
FEW = 64  # ranges, and jobs of one range, that are looked at one by one
_GATE = "SELECT id, open, at, jobs, done, ended, name FROM gate"
_LEFT = "state IN ('queued', 'running')"


class Gate(Struct, frozen=True, kw_only=True):
    """What some jobs wait for. `left` is how many of those `jobs` have not come to what is waited for; `at` the epoch
    second before which they may not begin; `name` what they are called, "": by their ids."""

    id: int
    left: int
    at: float | None
    jobs: int
    done: tuple[Range, ...]
    ended: tuple[Range, ...]
    name: str

    @property
    def ranges(self) -> tuple[Range, ...]:
        """All that is waited for."""
        return (*self.done, *self.ended)


def gate(store: Store, number: int | None) -> Gate | None:
    """One gate; None: there is none of that number."""
    if number is None or (row := store.row(f"{_GATE} WHERE id = ?", (number,))) is None:
        return None
    return _gate(row)


def gate_of(store: Store, job: int) -> Gate | None:
    """What a job waits for, or waited for; None: nothing."""
    row = store.row(f"{_GATE} WHERE id = (SELECT gate FROM job WHERE id = ?)", (job,))
    return None if row is None else _gate(row)


def gates_before(store: Store, cohort: int, limit: int = FEW) -> list[Gate]:
    """Some of the gates that a cohort's queued jobs wait at, those of its first jobs first."""
    found = store.rows(  # only a cohort of no lane waits; of others, however large, no job is looked at
        "SELECT gate FROM cohort JOIN job ON job.cohort = cohort.id WHERE cohort.id = ? AND cohort.lane = ?"
        " AND state = 'queued' AND gate IS NOT NULL ORDER BY ready, job.id LIMIT ?",
        (cohort, Lane.NONE, limit),
    )
    return [each for (number,) in dict.fromkeys(found) if (each := gate(store, number)) is not None]


def awaited(store: Store, ranges: Sequence[Range]) -> list[tuple[int, int | None]]:
    """The cohorts that hold what of these jobs has not ended; of a single job, the job as well."""
    found: dict[tuple[int, int | None], None] = {}
    for first, last in ranges[:FEW]:
        if first == last:
            rows = store.rows(f"SELECT cohort, id FROM job WHERE id = ? AND {_LEFT}", (first,))
        elif last - first < FEW:
            rows = store.rows(
                f"SELECT DISTINCT cohort, NULL FROM job WHERE id BETWEEN ? AND ? AND {_LEFT}", (first, last)
            )
        else:
            rows = _parts(store, first, last)
        found |= dict.fromkeys(rows)
    return list(found)


def attempts(store: Store, gate: Gate) -> Iterator[tuple[int, int]]:
    """(job, last attempt) of all that is waited for and there."""
    for first, last in gate.ranges:
        yield from store.rows("SELECT id, attempt FROM job WHERE id BETWEEN ? AND ? AND attempt > 0", (first, last))


def _parts(store: Store, first: int, last: int) -> list[tuple[int, None]]:
    """What is left of the submissions at both ends of many jobs."""
    return store.rows(
        "WITH root (id) AS (SELECT DISTINCT coalesce(submission, cohort.id) FROM job JOIN cohort"
        " ON cohort.id = job.cohort WHERE job.id IN (?, ?))"
        " SELECT cohort.id, NULL FROM root JOIN cohort ON cohort.id = root.id WHERE queued + running > 0"
        " UNION SELECT cohort.id, NULL FROM root JOIN cohort ON cohort.submission = root.id WHERE queued + running > 0",
        (first, last),
    )


def _gate(row: tuple[int, int, float | None, int, str, str, str]) -> Gate:
    number, open_, at, jobs, done, ended, name = row
    return Gate(
        id=number,
        left=open_ - (at is not None),
        at=at,
        jobs=jobs,
        done=_ranges(done),
        ended=_ranges(ended),
        name=name,
    )


def _ranges(text: str) -> tuple[Range, ...]:
    return msgspec.json.decode(text, type=tuple[Range, ...])


def told(ranges: tuple[Range, ...]) -> str:
    """Ids as they are typed: `7`, `3,5-8`."""
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in ranges)


def waits_for(gate: Gate, *, more: bool = False) -> Reason:
    """What jobs wait for, in a word; `more`: others of them for others."""
    if not gate.left:
        return Reason("starts", due=gate.at)
    text = gate.name or told(gate.ranges)
    text = text if len(text) <= NAMED else ""
    return Reason("waits", text, jobs=gate.left, of=gate.jobs, due=gate.at, most=more)


def unmet(store: Store, name: str) -> Reason | None:
    """How many jobs of a group were cancelled for others, and the first of these; None: none was."""
    row = store.row(
        "SELECT count(*), min(job.cause) FROM (SELECT id FROM cohort WHERE name = ? AND cancelled > 0 LIMIT ?) AS part"
        " CROSS JOIN job INDEXED BY job_cause ON job.cohort = part.id AND job.cause IS NOT NULL",
        (name, FEW),
    )
    return _unmet(store, row[1], row[0]) if row is not None and row[0] else None


def cause_of(store: Store, job: int) -> Reason | None:
    """For which job this one was cancelled; None: for none."""
    row = store.row("SELECT cause FROM job WHERE id = ? AND state = 'cancelled' AND cause IS NOT NULL", (job,))
    return None if row is None else _unmet(store, row[0])


def broken(store: Store, jobs: Sequence[int]) -> tuple[int, Reason] | None:
    """The first of these jobs that waits for one which was not done, and for which; None: none does."""
    row = store.row(
        "SELECT job.id, awaited FROM json_each(?) CROSS JOIN job ON job.id = value CROSS JOIN gate"
        " ON gate.id = job.gate CROSS JOIN dependency ON dependency.gate = gate.id"
        " LEFT JOIN job AS other ON other.id = awaited"
        " WHERE gate.broken > 0 AND gate.open > 0 AND whatever = 0"
        " AND (other.id IS NULL OR other.state IN ('failed', 'cancelled')) LIMIT 1",
        (msgspec.json.encode(list(jobs)).decode(),),
    )
    return None if row is None else (row[0], _unmet(store, row[1]))


def _unmet(store: Store, cause: int, jobs: int | None = None) -> Reason:
    """That so many jobs were cancelled for this one; `other` is the first of those that were cancelled in turn."""
    chain = store.rows(
        "WITH RECURSIVE line (id, state, cause, step) AS (SELECT id, state, cause, 0 FROM job WHERE id = ?"
        " UNION ALL SELECT job.id, job.state, job.cause, step + 1 FROM line JOIN job ON job.id = line.cause"
        f" WHERE line.state = 'cancelled' AND step < {DEEP}) SELECT id, state FROM line ORDER BY step",
        (cause,),
    )
    if not chain:
        return Reason("unmet", str(cause), mode="gone", jobs=jobs)
    return Reason("unmet", str(cause), mode=chain[0][1], other=str(chain[-1][0]), jobs=jobs)
