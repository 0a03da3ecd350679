"""What waits for other jobs, or for its time: gates, which open once.

Rule: a job that waits is in neither lane, so that no claim and no plan ever looks at it. Whoever ends jobs, or queues
them again, says so here, within its own `tx`: what waited for them is released, cancelled or revived in that very
transaction, at a cost of those that waited. A gate counts what it waits for; nothing is counted anew but by `repair`.
"""

import sqlite3
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence

import msgspec

from ..job import Happening, Lane, Mode, Range, State, Waits
from ..reason import Reason
from ..seam import reached
from .cohorts import no_such
from .counters import shift
from .history import note
from .lanes import gather_in, turn
from .store import Store, insert

BAD = frozenset({"failed", "cancelled"})  # ends that break a gate
LARGE = 32  # jobs that are waited for, beyond which those who wait for the same share a gate
_AMONG = "IN (SELECT value FROM json_each(?))"
_HERE = "JOIN cohort ON cohort.id = job.cohort AND lane = 'none' AND accepted IS NOT NULL"
_THERE = "SELECT id FROM cohort WHERE lane = 'none' AND accepted IS NOT NULL"
_LET_IN = f"SELECT job.cohort, job.id FROM gate CROSS JOIN job ON job.gate = gate.id {_HERE} WHERE job.state = 'queued'"
_CANCEL = (
    "UPDATE job SET state = 'cancelled', finished = ?, cause = ? WHERE state = 'queued'"
    f" AND gate {_AMONG} AND cohort IN ({_THERE}) RETURNING cohort, id"
)
_REVIVE = (
    "UPDATE job SET state = 'queued', ready = 0, tries = 0, unbegun = 0, cause = NULL"
    f" WHERE gate {_AMONG} AND state = 'cancelled' AND cause IS NOT NULL"
    f" AND cohort IN ({_THERE}) RETURNING cohort, id"
)
UNBROKEN = "NOT EXISTS (SELECT 1 FROM gate WHERE gate.id = job.gate AND open > 0 AND broken > 0)"
Jobs = Iterable[tuple[int, int]]
"""(cohort, job) each."""


def close_gates(
    connection: sqlite3.Connection, waits: Sequence[Waits], at: float | None = None, writer: int | None = None
) -> list[int]:
    """A gate for each of these, which waits for the instant `at` as well (epoch seconds; None: for none). `writer` is
    the mark of whoever submits what is waited for at the same time. Raises NoSuchJob."""
    (last,) = connection.execute("SELECT coalesce(max(id), 0) FROM gate").fetchone()
    if at is None and (jobs := _single(waits)) is not None:  # nearly always, where there are many
        return _close_each(connection, last, jobs, _states(connection, set(jobs), writer))
    both = [_jobs(connection, each, writer) for each in waits]
    states = _states(connection, {job for done, ended in both for job in (*done, *ended)}, writer)
    found: list[int] = []
    for each, (done, ended) in zip(waits, both, strict=True):
        number = _close(connection, last + 1, each.name, done, ended, states, at)
        last = max(last, number)
        found.append(number)
    return found


def _single(waits: Sequence[Waits]) -> list[int] | None:
    """The one job that each of these waits for to be done; None where one waits for anything else."""
    jobs = [each.done[0][0] for each in waits if len(each.done) == 1 and each.done[0][0] == each.done[0][1]]
    plain = len(jobs) == len(waits) and not any(each.ended or each.keys or each.name for each in waits)
    return jobs if plain else None


def _close_each(connection: sqlite3.Connection, last: int, jobs: Sequence[int], states: Mapping[int, str]) -> list[int]:
    """A gate after the `last` one before each of these jobs."""
    rows = [
        (number, states[job] != "done", states[job] in BAD, f"[[{job},{job}]]")
        for number, job in enumerate(jobs, last + 1)
    ]
    edges = [(job, number) for number, job in enumerate(jobs, last + 1) if states[job] != "done"]
    insert(connection, "INSERT INTO gate (id, open, broken, done)", rows)
    insert(connection, "INSERT INTO dependency (awaited, gate)", edges)
    return [row[0] for row in rows]


def _close(
    connection: sqlite3.Connection,
    number: int,
    name: str,
    done: list[int],
    ended: list[int],
    states: Mapping[int, str],
    at: float | None,
) -> int:
    """Close a gate before these jobs; its number, or that of one that others wait at for the very same."""
    jobs, told = len(done) + len(ended), _json(ranges(done))
    if jobs > LARGE and at is None and not ended and (shared := _shared(connection, told)) is not None:
        return shared
    found = dict.fromkeys(ended, 1) | dict.fromkeys(done, 0)  # a job in both is to be done
    edges = [(job, number, whatever) for job, whatever in found.items() if states[job] != "done"]
    broken = sum(states[job] in BAD for job, _, whatever in edges if not whatever)
    left = sum(not (whatever and states[job] in BAD) for job, _, whatever in edges) + (at is not None)
    connection.execute(
        "INSERT INTO gate (id, open, broken, timed, at, jobs, done, ended, name) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (number, left, broken, at is not None, at, len(found), told, _json(ranges(ended)), name),
    )
    insert(connection, "INSERT INTO dependency (awaited, gate, whatever)", edges)
    return number


def _jobs(connection: sqlite3.Connection, waits: Waits, writer: int | None) -> tuple[list[int], list[int]]:
    """What is to be done, and what to have ended. Raises NoSuchJob."""
    done = [job for first, last in waits.done for job in range(first, last + 1)]
    ended = [job for first, last in waits.ended for job in range(first, last + 1)] if waits.ended else []
    if waits.keys:
        done = list(dict.fromkeys([*done, *_keyed(connection, waits.keys, writer)]))
    return done, ended


def _shared(connection: sqlite3.Connection, done: str) -> int | None:
    """The gate of others that waits for the very same, and for no time."""
    row = connection.execute(
        "SELECT id FROM gate WHERE jobs > 32 AND done = ? AND ended = '[]' AND timed = 0 LIMIT 1", (done,)
    ).fetchone()
    return None if row is None else int(row[0])


def _keyed(connection: sqlite3.Connection, keys: tuple[str, ...], writer: int | None) -> list[int]:
    """The jobs of these keys. Raises NoSuchJob."""
    jobs = []
    for key in keys:
        row = connection.execute(
            "SELECT job FROM key JOIN job ON job.id = key.job JOIN cohort ON cohort.id = job.cohort"
            " WHERE key.name = ? AND (accepted IS NOT NULL OR writer = ?)",
            (key, writer),
        ).fetchone()
        if row is None:
            raise no_such(f"job with the key {key!r} before this one")
        jobs.append(int(row[0]))
    return jobs


def _states(connection: sqlite3.Connection, jobs: Collection[int], writer: int | None) -> dict[int, str]:
    """Where these jobs stand. Raises NoSuchJob for one that is not there."""
    if not jobs:
        return {}
    found = dict(
        connection.execute(
            "SELECT job.id, state FROM json_each(?) CROSS JOIN job ON job.id = value CROSS JOIN cohort"
            " ON cohort.id = job.cohort WHERE accepted IS NOT NULL OR writer = ?",
            (_json(list(jobs)), writer),
        ).fetchall()
    )
    if len(found) < len(jobs):
        raise no_such(f"job {min(set(jobs) - found.keys())}")
    return found


def begin(connection: sqlite3.Connection, cohorts: Sequence[int], now: float) -> None:
    """These cohorts, which wait, were just accepted: what waits for nothing any more is released or cancelled."""
    rows = connection.execute(
        "SELECT cohort.id, job.id, gate.id, open FROM cohort CROSS JOIN job ON job.id BETWEEN first_id AND last_id"
        f" AND cohort = cohort.id CROSS JOIN gate ON gate.id = job.gate WHERE cohort.id {_AMONG}"
        " AND job.state = 'queued' AND (open = 0 OR broken > 0)",
        (_json(list(cohorts)),),
    ).fetchall()
    _release(connection, [(cohort, job) for cohort, job, _, open_ in rows if not open_], now)
    broken = {gate for _, _, gate, open_ in rows if open_}
    if broken:
        causes = dict(
            connection.execute(
                "SELECT dependency.gate, min(awaited) FROM dependency JOIN job ON job.id = awaited"
                f" WHERE whatever = 0 AND job.state IN ('failed', 'cancelled') AND dependency.gate {_AMONG}"
                " GROUP BY dependency.gate",
                (_json(list(broken)),),
            )
        )
        follow(connection, {State.CANCELLED: _cancel(connection, causes, now)}, now)


def follow(connection: sqlite3.Connection, ended: Mapping[State, Sequence[int]], now: float) -> int:
    """These jobs have ended: what waited for them is released or cancelled, and what waited for that in turn. Returns
    how many were released. Within the caller's transaction."""
    if not any(ended.values()) or connection.execute("SELECT 1 FROM dependency LIMIT 1").fetchone() is None:
        return 0
    released = 0
    while any(ended.values()):
        opened, causes = _told(connection, ended, now)
        released += _release(connection, _behind(connection, opened), now) if opened else 0
        ended = {State.CANCELLED: _cancel(connection, causes, now) if causes else []}
    return released


def _told(
    connection: sqlite3.Connection, ended: Mapping[State, Sequence[int]], now: float
) -> tuple[list[int], dict[int, int]]:
    """Tell the gates what has ended; those that opened, and of those that broke for which job."""
    counted: Counter[int] = Counter()
    broke: dict[int, int] = {}
    if done := ended.get(State.DONE):
        gone = connection.execute(f"DELETE FROM dependency WHERE awaited {_AMONG} RETURNING gate", (_json(done),))
        counted.update(gate for (gate,) in gone.fetchall())
    unlike = [job for state, jobs in ended.items() if state is not State.DONE for job in jobs]
    failures: Counter[int] = Counter()
    if unlike:
        for job, gate, whatever in connection.execute(
            f"SELECT awaited, gate, whatever FROM dependency WHERE awaited {_AMONG}", (_json(unlike),)
        ):
            if whatever:
                counted[gate] += 1
            else:
                failures[gate] += 1
                broke.setdefault(gate, job)
    _add(connection, "broken", failures)
    opened = [gate for gate, open_ in _add(connection, "open", counted, sign="-") if open_ == 0]
    _opened(connection, opened, now)
    return opened, broke


def _opened(connection: sqlite3.Connection, gates: Sequence[int], now: float) -> None:
    """Keep when these opened: to those who waited there it is as if they had come then."""
    connection.execute(f"UPDATE gate SET opened = ? WHERE id {_AMONG}", (now, _json(gates)))


def _add(
    connection: sqlite3.Connection, column: str, numbers: Mapping[int, int], sign: str = "+"
) -> list[tuple[int, int]]:
    """Change a count of gates that are not open yet; each with what it is then."""
    alike: dict[int, list[int]] = defaultdict(list)
    for gate, number in numbers.items():
        alike[number].append(gate)
    return [
        row
        for number, gates in alike.items()
        for row in connection.execute(
            f"UPDATE gate SET {column} = {column} {sign} ? WHERE open > 0 AND id {_AMONG} RETURNING id, {column}",
            (number, _json(gates)),
        ).fetchall()
    ]


def _behind(connection: sqlite3.Connection, gates: Iterable[int]) -> list[tuple[int, int]]:
    """(cohort, job) of all that waits behind these gates."""
    return connection.execute(f"{_LET_IN} AND gate.id {_AMONG}", (_json(list(gates)),)).fetchall()


def _release(connection: sqlite3.Connection, jobs: Jobs, now: float) -> int:
    """Give these jobs to the loops of their modes; returns how many."""
    by_cohort = _by_cohort(jobs)
    for cohort, these in by_cohort.items():
        mode, whole = connection.execute("SELECT mode, jobs FROM cohort WHERE id = ?", (cohort,)).fetchone()
        lane = Lane.BATCH if mode == Mode.BATCH else Lane.STREAM
        there = cohort
        if len(these) == whole:
            turn(connection, cohort, lane, whole, now)
        else:
            there = gather_in(connection, cohort, these, lane, now)
        _note(connection, there, Happening.RELEASED, None, now, these)
        reached("releasing")
    return sum(map(len, by_cohort.values()))


def _by_cohort(jobs: Jobs) -> dict[int, list[int]]:
    found: dict[int, list[int]] = defaultdict(list)
    for cohort, job in jobs:
        found[cohort].append(job)
    return found


def _note(
    connection: sqlite3.Connection, cohort: int, kind: Happening, why: Reason | None, now: float, jobs: Sequence[int]
) -> None:
    """One line of the story for all of them; of a single one its own."""
    note(connection, cohort, kind, why, now, jobs=len(jobs), job=jobs[0] if len(jobs) == 1 else None)


def _cancel(connection: sqlite3.Connection, causes: Mapping[int, int], now: float) -> list[int]:
    """Cancel what waits behind these gates, each for its job; returns the jobs."""
    by_cause: dict[int, list[int]] = defaultdict(list)
    for gate, cause in causes.items():
        by_cause[cause].append(gate)
    found = []
    for cause, gates in by_cause.items():
        ((how,),) = connection.execute("SELECT state FROM job WHERE id = ?", (cause,)).fetchall()
        rows = connection.execute(_CANCEL, (now, cause, _json(gates))).fetchall()
        for cohort, jobs in _by_cohort(rows).items():
            shift(connection, {(cohort, State.QUEUED, State.CANCELLED): len(jobs)}, at=now)
            _note(connection, cohort, Happening.UNMET, Reason("unmet", str(cause), mode=how), now, jobs)
        found += [job for _, job in rows]
    return found


def revive(connection: sqlite3.Connection, again: Sequence[int], now: float) -> int:
    """These jobs are queued again: so is what was cancelled for them, and what was cancelled for that. Returns how
    many that were. Within the caller's transaction."""
    revived = 0
    while again:
        mended, reopened = Counter[int](), Counter[int]()
        for gate, whatever in connection.execute(
            f"SELECT gate, whatever FROM dependency WHERE awaited {_AMONG}", (_json(list(again)),)
        ):
            (reopened if whatever else mended)[gate] += 1
        _add(connection, "open", reopened)
        whole = [gate for gate, broken in _add(connection, "broken", mended, sign="-") if broken == 0]
        rows = connection.execute(_REVIVE, (_json(whole),)).fetchall() if whole else []
        for cohort, jobs in _by_cohort(rows).items():
            shift(connection, {(cohort, State.CANCELLED, State.QUEUED): len(jobs)}, at=now)
            _note(connection, cohort, Happening.REVIVED, None, now, jobs)
        again = [job for _, job in rows]
        revived += len(rows)
    return revived


def let_in(connection: sqlite3.Connection, jobs: Sequence[int], now: float) -> None:
    """Of these, which are queued again, release what waits for nothing any more."""
    rows = connection.execute(
        f"SELECT job.cohort, job.id FROM job {_HERE} JOIN gate ON gate.id = job.gate"
        f" WHERE job.id {_AMONG} AND job.state = 'queued' AND open = 0",
        (_json(list(jobs)),),
    ).fetchall()
    _release(connection, rows, now)


def come(store: Store, now: float) -> int:
    """Release what waited for an instant that has come; returns how many jobs."""
    if not store.row("SELECT 1 FROM gate WHERE at <= ? LIMIT 1", (now,)):
        return 0
    with store.tx() as connection:
        rows = connection.execute(
            "UPDATE gate SET at = NULL, open = open - 1 WHERE at <= ? RETURNING id, open", (now,)
        ).fetchall()
        opened = [gate for gate, open_ in rows if open_ == 0]
        _opened(connection, opened, now)
        return _release(connection, _behind(connection, opened), now)


def next_coming(store: Store) -> float | None:
    """The next instant (epoch seconds) that something waits for; None: nothing does."""
    row = store.row("SELECT min(at) FROM gate WHERE at IS NOT NULL")
    return None if row is None else row[0]


_TRUE = (
    "SELECT gate, total(CASE WHEN job.id IS NULL THEN NOT whatever WHEN whatever THEN state IN ('queued', 'running')"
    " ELSE state <> 'done' END) + (gate.at IS NOT NULL),"
    " total(whatever = 0 AND (job.id IS NULL OR state IN ('failed', 'cancelled')))"
    " FROM dependency JOIN gate ON gate.id = dependency.gate LEFT JOIN job ON job.id = awaited"
    " WHERE gate.open > 0 GROUP BY dependency.gate"
)


def repair(store: Store, now: float) -> int:
    """Count anew what is waited for, whatever another release did; returns how many gates were wrong."""
    if not store.row("SELECT 1 FROM gate LIMIT 1"):
        return 0
    with store.tx() as connection:
        kept = {gate: (o, b) for gate, o, b in connection.execute("SELECT id, open, broken FROM gate WHERE open > 0")}
        true = dict.fromkeys(kept, (0, 0)) | {
            gate: (int(o), int(b))
            for gate, o, b in connection.execute(_TRUE.replace("SELECT gate,", "SELECT gate.id,"))
        }
        timed = {gate for (gate,) in connection.execute("SELECT id FROM gate WHERE at IS NOT NULL")}
        true |= {gate: (1, 0) for gate in timed if true.get(gate) == (0, 0)}
        wrong = {gate: counts for gate, counts in true.items() if counts != kept[gate]}
        connection.executemany(
            "UPDATE gate SET open = ?, broken = ? WHERE id = ?", [(*counts, gate) for gate, counts in wrong.items()]
        )
        begin(connection, [number for (number,) in connection.execute(f"{_THERE} AND queued > 0").fetchall()], now)
    return len(wrong)


_LONE = (
    f"SELECT DISTINCT gate FROM job AS gone WHERE id {_AMONG} AND gate IS NOT NULL AND NOT EXISTS"
    f" (SELECT 1 FROM job WHERE job.gate = gone.gate AND job.id NOT {_AMONG})"
)


def lone(store: Store, jobs: Sequence[int]) -> list[int]:
    """The gates that nobody but these jobs waits at, or waited."""
    these = _json(jobs)
    return [gate for (gate,) in store.rows(_LONE, (these, these))]


def forget(connection: sqlite3.Connection, jobs: Sequence[int]) -> None:
    """These jobs are taken away: so are the gates that nobody else waits at. Within the caller's transaction."""
    these = _json(jobs)
    rows = connection.execute(
        f"DELETE FROM gate WHERE id IN ({_LONE}) RETURNING id, done, ended", (these, these)
    ).fetchall()
    connection.executemany(
        "DELETE FROM dependency WHERE awaited BETWEEN ? AND ? AND gate = ?",
        [
            (*part, gate)
            for gate, done, ended in rows
            for part in (*msgspec.json.decode(done), *msgspec.json.decode(ended))
        ],
    )


def ranges(jobs: Iterable[int]) -> list[Range]:
    """These ids as ranges."""
    found: list[list[int]] = []
    for job in sorted(set(jobs)):
        if found and job == found[-1][1] + 1:
            found[-1][1] = job
        else:
            found.append([job, job])
    return [(first, last) for first, last in found]


def _json(values: object) -> str:
    return msgspec.json.encode(values).decode()
