"""A queue that was put back from a copy: by VACUUM INTO, `.recover`, or a dump of what could be read.

Rule: such a file is known by its journal mode, which is ours in every file that we made. It is taken in once: what is
counted is counted anew from the jobs that are there, for of a damaged file some are not.
"""

import sqlite3

from .counters import QUARTER

_STATES = ("queued", "running", "done", "failed", "cancelled")


def copied(connection: sqlite3.Connection) -> bool:
    """Whether another program made this file."""
    return str(connection.execute("PRAGMA journal_mode").fetchone()[0]) != "wal"


def recount(connection: sqlite3.Connection) -> None:
    """Set every counter of jobs to what there is. A job whose cohort is lost goes: it could not be run or shown.

    The sums over cohorts follow by their triggers; money counts in the quarter in which its submission ended, or its
    pipe told last.
    """
    connection.execute(
        "CREATE TEMP TABLE money AS SELECT handler, lane, mode, sum(cost) AS cost, sum(streamed) AS streamed"
        " FROM main.cohort WHERE accepted IS NOT NULL GROUP BY handler, lane, mode"
    )
    _count(connection)
    for statement in (
        "DELETE FROM spent",
        f"INSERT INTO spent SELECT handler, CAST(finished / {QUARTER} AS INTEGER), sum(cost) FROM cohort"
        " WHERE cost > 0 AND accepted IS NOT NULL AND finished IS NOT NULL GROUP BY 1, 2",
        f"INSERT INTO spent SELECT handler, CAST(at / {QUARTER} AS INTEGER), sum(cost) FROM pipe WHERE cost > 0"
        " GROUP BY 1, 2 ON CONFLICT DO UPDATE SET cost = cost + excluded.cost",
    ):
        connection.execute(statement)


def recount_jobs(connection: sqlite3.Connection) -> None:
    """The same of jobs alone: what has been spent is known by its sums only, and stays."""
    connection.execute("CREATE TEMP TABLE money AS SELECT handler, lane, mode, cost, streamed FROM main.tally")
    _count(connection)


def _count(connection: sqlite3.Connection) -> None:
    """Count the jobs anew; the sums of all begin with the `money` that is told beside them."""
    sums = ", ".join(f"sum(state = '{state}') AS {state}" for state in _STATES)
    for statement in (
        "DELETE FROM job WHERE cohort NOT IN (SELECT id FROM cohort)",
        f"CREATE TEMP TABLE there AS SELECT cohort, count(*) AS jobs, sum(length(input)) AS size, {sums}"
        " FROM main.job GROUP BY cohort",
        f"UPDATE cohort SET jobs = 0, size = 0, {', '.join(f'{state} = 0' for state in _STATES)}, class = NULL",
        *(f"DELETE FROM {table}" for table in ("class", "groups", "tally")),
        "INSERT INTO tally (handler, lane, mode, cost, streamed) SELECT * FROM temp.money",
        f"UPDATE cohort SET jobs = there.jobs, size = there.size, "
        f"{', '.join(f'{s} = there.{s} * (accepted IS NOT NULL)' for s in _STATES)}"
        " FROM temp.there WHERE there.cohort = cohort.id",
        "UPDATE groups SET (cost, streamed) = (SELECT coalesce(sum(cost), 0), coalesce(sum(streamed), 0) FROM cohort"
        " WHERE name = groups.name AND accepted IS NOT NULL)",
        "DROP TABLE temp.there",
        "DROP TABLE temp.money",
    ):
        connection.execute(statement)
