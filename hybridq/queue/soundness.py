"""What a look at the whole queue finds: whether the file is sound, the counters are true, and what nobody needs.

Rule: nothing is changed by looking. What is put right is what can be known: counters from the rows, and files that
belong to no job. Money is never counted anew: what was cleaned away is in the sums alone.
"""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from msgspec import Struct

from ..errors import StorageError, TryAgain
from ..home import Home
from . import backup
from .cleaning import abandoned, sweep
from .outputs import PER_FOLDER
from .restore import STAGING
from .restored import recount_jobs
from .runner import dead, stray_locks, sweep_locks
from .store import Store

_COUNTS = "queued, running, done, failed, cancelled"
_SOME = f"{_COUNTS.replace(', ', ' + ')} > 0"
_SUMS = ", ".join(f"sum({name})" for name in _COUNTS.split(", "))
_OF_JOBS = ", ".join(f"coalesce({name}_there, 0)" for name in _COUNTS.split(", "))
_THERE = ", ".join(f"sum(state = '{name}') AS {name}_there" for name in _COUNTS.split(", "))
_WRONG: dict[str, str | tuple[str, str]] = {
    "cohort": (
        f"SELECT count(*) FROM cohort LEFT JOIN (SELECT cohort, count(*) AS jobs_there, {_THERE} FROM job"
        " GROUP BY cohort) AS there ON there.cohort = cohort.id WHERE accepted IS NOT NULL"
        f" AND (jobs, {_COUNTS}) IS NOT (coalesce(jobs_there, 0), {_OF_JOBS})"
    ),
    "tally": (
        f"SELECT handler, lane, mode, {_COUNTS} FROM tally WHERE {_SOME}",
        f"SELECT handler, lane, mode, {_SUMS} FROM cohort WHERE accepted IS NOT NULL AND {_SOME} GROUP BY 1, 2, 3",
    ),
    "groups": (
        f"SELECT name, {_COUNTS} FROM groups",
        f"SELECT name, {_SUMS} FROM cohort WHERE accepted IS NOT NULL AND name IS NOT NULL GROUP BY 1",
    ),
    "class": (
        "SELECT id, cohorts, jobs FROM class",
        "SELECT class, count(*), sum(queued) FROM cohort WHERE class IS NOT NULL AND lane = 'batch' AND queued > 0"
        " GROUP BY 1",
    ),
}


class Leftovers(Struct, frozen=True, kw_only=True):
    """What is there and belongs to nothing: output files of no job, locks of no runner, jobs that were never accepted
    and whose writer is gone, files of a backup or restore that was ended half-way."""

    outputs: tuple[str, ...] = ()
    locks: int = 0
    submissions: int = 0
    files: tuple[str, ...] = ()

    @property
    def number(self) -> int:
        """How many in all."""
        return len(self.outputs) + self.locks + self.submissions + len(self.files)


def damage(store: Store) -> str:
    """What SQLite finds wrong with the file; "": nothing. Costs a look at every page."""
    found = [said for (said,) in store.rows("PRAGMA quick_check(3)")]
    return "" if found == ["ok"] else "; ".join(found)


def wrong_counters(store: Store) -> dict[str, int]:
    """How many rows of each kept sum are not what their rows give. Costs a look at every job."""
    with store.still():
        found = {table: _wrong(store, told) for table, told in _WRONG.items()}
    return {table: number for table, number in found.items() if number}


def _wrong(store: Store, told: str | tuple[str, str]) -> int:
    if isinstance(told, str):
        return int(store.rows(told)[0][0])
    kept, counted = told
    sides = (f"SELECT * FROM ({one}) EXCEPT SELECT * FROM ({other})" for one, other in ((kept, counted), told[::-1]))
    return max(int(store.rows(f"SELECT count(*) FROM ({side})")[0][0]) for side in sides)


def mend_counters(store: Store) -> None:
    """Set every counter of jobs to what there is, in one transaction. Others who write wait meanwhile."""
    with store.tx() as connection:
        recount_jobs(connection)


def writable(store: Store) -> str:
    """What keeps this queue from being written to; "": nothing."""
    try:
        with store.tx(durable=False):
            return ""
    except (TryAgain, StorageError) as problem:
        return str(problem)


def submitted_ahead(store: Store, now: float) -> float:
    """How many seconds after now the last submission was accepted; 0: the clock has not gone back since."""
    row = store.row("SELECT max(accepted) FROM cohort")
    return max(0.0, (row[0] or 0.0) - now) if row else 0.0


def dead_runners(store: Store) -> int:
    """How many runners are signed on and do not live."""
    return len(dead(store))


def leftovers(store: Store) -> Leftovers:
    """What belongs to nothing."""
    return Leftovers(
        outputs=tuple(str(path) for path in _stray_outputs(store)),
        locks=len(stray_locks(store)),
        submissions=len(abandoned(store)),
        files=tuple(str(path) for path in _half_made(store.home)),
    )


def tidy(store: Store) -> None:
    """Take away what belongs to nothing."""
    import shutil

    for path in _stray_outputs(store):
        path.unlink(missing_ok=True)
    sweep_locks(store)
    for _ in sweep(store):
        pass
    for path in _half_made(store.home):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def _stray_outputs(store: Store) -> Iterator[Path]:
    """Output files of jobs that are not there. The files are listed before the rows are read: a job may come."""
    for folder in sorted(name for name in os.listdir(store.home.outputs) if name.isdecimal()):
        names = os.listdir(store.home.outputs / folder)
        span = int(folder) * PER_FOLDER, int(folder) * PER_FOLDER + PER_FOLDER - 1
        known = {number for (number,) in store.rows("SELECT id FROM job WHERE id BETWEEN ? AND ?", span)}
        for name in sorted(names):
            number = name.partition(".")[0]
            if number.isdecimal() and int(number) not in known:
                yield store.home.outputs / folder / name


def _half_made(home: Home) -> Iterator[Path]:
    """What a backup or a restore left that was ended half-way; not of one that goes on."""
    with suppress(TryAgain), backup.one_at_a_time(home):
        for pattern in (f"{backup.COPY}*", STAGING):
            yield from sorted(home.folder.glob(pattern))
