# ruff: noqa: S608 - names of our own tables
"""What every sum must be, recomputed from the rows alone, and what may lie nowhere: rows that belong to nothing."""

import pytest

from hybridq.queue.store import Store

_SUMS = "total(queued), total(running), total(done), total(failed), total(cancelled)"
_SPAN = "min(first_id), max(last_id), min(accepted)"
_NO_JOB, _NO_COHORT = "NOT IN (SELECT id FROM job)", "NOT IN (SELECT id FROM cohort)"
_ORPHANS = {
    "job": f"cohort {_NO_COHORT}",
    "result": f"id {_NO_JOB}",
    "draft": f"id {_NO_JOB}",
    "key": f"job {_NO_JOB}",
    "stop": "runner NOT IN (SELECT id FROM runner)",  # it stays until the runner hears, though the job is cleaned away
    "history": f"cohort {_NO_COHORT}",
    "promise": f"cohort {_NO_COHORT}",
    "gate": "id NOT IN (SELECT gate FROM job WHERE gate IS NOT NULL)",
    "dependency": "gate NOT IN (SELECT id FROM gate)",
    "withheld": f"cohort {_NO_COHORT}",
    "cohort": "accepted IS NULL AND writer NOT IN (SELECT id FROM runner)",
}


def check_sums(store: Store) -> None:
    """`tally`, `groups`, `spent` and the sizes of cohorts are what their rows give, and no row is an orphan."""
    assert orphans(store) == []
    counts = "queued, running, done, failed, cancelled"
    by, some = "handler, lane, mode", f"WHERE {counts.replace(', ', ' + ')} > 0"
    assert store.rows(f"SELECT {by}, {counts} FROM tally {some} ORDER BY {by}") == store.rows(
        f"SELECT {by}, {_SUMS} FROM cohort {some} AND accepted IS NOT NULL GROUP BY {by} ORDER BY {by}"
    )
    kept = "name, queued, running, done, failed, cancelled, first_id, last_id, accepted"
    assert store.rows(f"SELECT {kept} FROM groups ORDER BY name") == store.rows(
        f"SELECT name, {_SUMS}, {_SPAN} FROM cohort WHERE name IS NOT NULL AND accepted IS NOT NULL GROUP BY name"
        " ORDER BY name"
    )
    counted = "(SELECT count(*) FROM job WHERE cohort = cohort.id)"
    assert store.rows(f"SELECT id FROM cohort WHERE accepted IS NOT NULL AND jobs <> {counted}") == []
    _check_money(store)


def orphans(store: Store) -> list[tuple[object, ...]]:
    """(table, its columns) of each row that belongs to nothing."""
    return [
        (table, *row) for table, lost in _ORPHANS.items() for row in store.rows(f"SELECT * FROM {table} WHERE {lost}")
    ]


def _check_money(store: Store) -> None:
    """Whatever was spent was spent by some cohort, or by one that was cleaned away."""
    ((cost,),) = store.rows("SELECT total(cost) FROM cohort WHERE accepted IS NOT NULL")
    ((gone,),) = store.rows("SELECT total(value) FROM meta WHERE name = 'cleaned_cost'")
    for table in ("spent", "tally"):
        assert store.rows(f"SELECT total(cost) FROM {table}") == [(pytest.approx(cost + gone),)], table
