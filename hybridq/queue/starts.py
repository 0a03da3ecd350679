"""When jobs of handlers that have a rate began, as long as that counts.

Rule: written in the transaction that claims, so that neither two runners nor a restart double a rate.
"""

import sqlite3

from ..config.rate import Rate
from ..reason import Reason


def begun(connection: sqlite3.Connection, handler: str, rate: Rate, now: float) -> int:
    """How many jobs of a handler count for its rate at `now`."""
    row = connection.execute(
        "SELECT total(jobs) FROM start WHERE handler = ? AND at > ?", (handler, now - rate.seconds)
    )
    return int(row.fetchone()[0])


def begin(connection: sqlite3.Connection, handler: str, rate: Rate, jobs: int, now: float) -> None:
    """So many begin now; what no longer counts is forgotten, and what a clock that was ahead has told."""
    connection.execute(
        "DELETE FROM start WHERE handler = ? AND (at <= ? OR at > ?)", (handler, now - rate.seconds, now)
    )
    connection.execute("INSERT INTO start VALUES (?, ?, ?)", (handler, now, jobs))


def next_at(connection: sqlite3.Connection, handler: str, rate: Rate, now: float) -> float:
    """When (epoch seconds) the next job may begin."""
    left = begun(connection, handler, rate, now) - rate.jobs
    for at, jobs in connection.execute(
        "SELECT at, jobs FROM start WHERE handler = ? AND at > ? ORDER BY at", (handler, now - rate.seconds)
    ):
        if left < 0:
            break
        left -= jobs
        if left < 0:
            return float(at) + rate.seconds
    return now


def reached(rate: Rate, at: float) -> Reason:
    """Why no more of them begin."""
    return Reason("rate", rate.text, due=at)
