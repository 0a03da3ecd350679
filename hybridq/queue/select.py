"""From what a user names to jobs: selectors to ids, and the ids and groups that begin so, for completion.

Rule: short statements, no transaction left open; what names nothing is said to, with what to do. Reads only.
"""

from collections.abc import Iterator

from ..job import State
from ..selection import All, Group, Ids, Last, Selector
from .cohorts import no_such
from .store import Store
from .submissions import last as last_submission
from .submissions import parts


def chosen(store: Store, selectors: list[Selector], states: tuple[State, ...] = tuple(State)) -> Iterator[int]:
    """The ids that these selectors name and that are in one of these states, ascending within each.

    Raises NoSuchJob for a selector that names nothing at all.
    """
    marks = ", ".join("?" * len(states))
    for selector in selectors:
        for first, last, cohort_id in ranges(store, selector):
            found = store.rows(
                "SELECT id FROM job WHERE id BETWEEN ? AND ? AND (?3 IS NULL OR cohort = ?3)"
                f" AND state IN ({marks}) AND EXISTS"
                " (SELECT 1 FROM cohort WHERE cohort.id = job.cohort AND accepted IS NOT NULL)",
                (first, last, cohort_id, *states),
            )
            yield from (number for (number,) in found)


def meant(store: Store, selector: Selector) -> Selector:
    """What a selector means in this queue: a date in digits that no group is called is a job's number."""
    if isinstance(selector, Group) and selector.name.isdigit():
        number = int(selector.name)
        if not named_so(store, selector.name) and _any_job(store, number, number):
            return Ids(((number, number),))
    return selector


def named_so(store: Store, name: str) -> bool:
    """Whether a group has this name."""
    return store.row("SELECT 1 FROM cohort WHERE name = ? AND accepted IS NOT NULL", (name,)) is not None


def ranges(store: Store, selector: Selector) -> list[tuple[int, int, int | None]]:
    """(first id, last id, cohort) that together hold what a selector names. Raises NoSuchJob."""
    match meant(store, selector):
        case Ids(ranges=spans):
            for first, last in spans:
                if not _any_job(store, first, last):
                    raise no_such(f"job {first if first == last else f'{first}-{last}'}")
            return [(first, last, None) for first, last in spans]
        case Last():
            return list(parts(store, last_submission(store)))
        case Group(name=name):
            found = store.rows(
                "SELECT first_id, last_id, id FROM cohort WHERE name = ? AND accepted IS NOT NULL", (name,)
            )
            if not found:
                raise no_such(f"group '{name}'")
            return found
        case All():
            return [(1, 2**62, None)]
    raise AssertionError(selector)


def _any_job(store: Store, first: int, last: int) -> bool:
    found = store.row(
        "SELECT 1 FROM job JOIN cohort ON cohort.id = job.cohort"
        " WHERE job.id BETWEEN ? AND ? AND accepted IS NOT NULL LIMIT 1",
        (first, last),
    )
    return found is not None


def recent_ids(store: Store, prefix: str, limit: int) -> list[str]:
    """The newest jobs' ids that begin so, as text: for completion."""
    return [
        str(number)
        for (number,) in store.rows(
            "SELECT id FROM (SELECT id FROM job ORDER BY id DESC LIMIT 10000) WHERE id LIKE ? || '%' LIMIT ?",
            (prefix, limit),
        )
    ]


def group_names(store: Store, prefix: str, limit: int) -> list[str]:
    """The groups whose names begin so: for completion."""
    return [
        name
        for (name,) in store.rows(
            "SELECT DISTINCT name FROM cohort WHERE substr(name, 1, length(?1)) = ?1 AND accepted IS NOT NULL LIMIT ?2",
            (prefix, limit),
        )
    ]
