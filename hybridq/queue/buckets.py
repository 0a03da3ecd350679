"""The held work of a handler, for its plan: cohort by cohort, or very many of them as buckets of like ones.

Rule: reading costs what the classes are, not the cohorts: sums are kept, and a class is told the earliest deadline
of any of its jobs. What is due first, and what came first, is always told one by one, so that the next flush is
exact. Which cohorts a class holds is asked when they are run, a page at a time.
"""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from operator import attrgetter
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from ..job import Held
from .cohorts import held, held_row
from .store import Store

EXACT = 1000  # cohorts of a handler up to which each is planned by itself
NEAR = 64  # of more: so many that are due first, and so many of those without a deadline that came first
CLASSES = 1000  # classes that are told at most, beside those
PAGE = 1024  # cohorts of a class that are named at once
GRAIN = 24  # steps that the time left is told in, for each doubling of it, where there are too many classes
CAME = 900.0  # seconds within which those without a deadline came that are put together there, at first
_QUEUED = "lane = 'batch' AND queued > 0"
_NEXT = (
    "SELECT id, queued, size, jobs, due, accepted, delay_cost, pinned, rank, class FROM cohort"
    f" INDEXED BY cohort_queued WHERE {_QUEUED} AND handler = ?1 AND due"
)
_LIMITED = (  # in no class: each has a limit on money of its own
    "SELECT id, queued, size, jobs, due, accepted, delay_cost, pinned, rank, class FROM cohort INDEXED BY cohort_class"
    f" WHERE class IS NULL AND {_QUEUED} AND handler = ?1 AND id"
)
_HELD_BACK = "IN (SELECT cohort FROM withheld)"
_SINGLE = (  # those due first, those that came first, and of those in no class some (see `claims`, why by chance)
    f"SELECT * FROM ({_NEXT} < 9e999 ORDER BY due, rank, id LIMIT ?2)"
    f" UNION SELECT * FROM ({_NEXT} = 9e999 ORDER BY due, rank, id LIMIT ?2)"
    f" UNION SELECT * FROM ({_LIMITED} NOT {_HELD_BACK} ORDER BY due, rank, id LIMIT 4 * ?2)"
    f" UNION SELECT * FROM ({_LIMITED} {_HELD_BACK} ORDER BY due, rank, id LIMIT ?2)"
    f" UNION SELECT * FROM ({_LIMITED} {_HELD_BACK} ORDER BY random() LIMIT ?2)"
)
_DUE = f"SELECT due FROM cohort INDEXED BY cohort_class WHERE class = {{}} AND {_QUEUED} ORDER BY due, rank, id LIMIT 1"
_CLASSES = (
    f"SELECT id, cohorts, jobs, size, came + since / jobs, delay_cost, pinned, ({_DUE.format('class.id')}) FROM class"
    " WHERE handler = ?"
)


class Buckets(Struct, frozen=True):
    """Held work. A key is a cohort's, or a class's if it is negative; `parts` are the classes that one stands for."""

    held: list[Held]
    parts: dict[int, list[int]] = {}

    def keys(self, of: Iterable[int]) -> list[int]:
        """The cohorts and classes that these keys stand for."""
        return [key for each in of for key in self.parts.get(each, (each,))]

    def under(self) -> dict[int, int]:
        """The key under which each of these cohorts and classes is told."""
        return {part: each.key for each in self.held for part in self.keys((each.key,))}


def buckets(store: Store, handler: str, now: float, exact: int = EXACT, most: int = CLASSES) -> Buckets:
    """The batch lane's queued work of a handler, the earliest deadline first; of more than `exact` cohorts at most
    about `most` classes."""
    found = store.row(
        f"SELECT count(*) FROM (SELECT 1 FROM cohort INDEXED BY cohort_queued WHERE {_QUEUED} AND handler = ? LIMIT ?)",
        (handler, exact + 1),
    )
    if found is None or found[0] <= exact:
        return Buckets(held(store, handler))
    rows = store.rows(_SINGLE, (handler, NEAR))
    single = [held_row(*row[:-1]) for row in rows]
    apart: dict[int, list[Held]] = {}  # by class
    for each, row in zip(single, rows, strict=True):
        apart.setdefault(row[-1], []).append(each)
    rest = (_rest(store, row, apart.get(row[0], [])) for row in store.rows(_CLASSES, (handler,)))
    told, parts = _fewer([each for each in rest if each is not None], now, most)
    return Buckets(sorted([*single, *told], key=attrgetter("deadline")), parts)


def told_under(store: Store, found: Buckets, jobs: Mapping[int, int]) -> Counter[int]:
    """So many jobs of cohorts, by the keys under which held work tells of them."""
    under, classes = found.under(), counted_in(store, jobs)
    told: Counter[int] = Counter()
    for cohort, number in jobs.items():
        counted = classes.get(cohort, cohort)
        told[under.get(cohort, under.get(counted, counted))] += number
    return told


def pages(store: Store, keys: Iterable[int]) -> Iterator[list[int]]:
    """The cohorts that these keys stand for and that hold queued jobs, in their order, some at a time."""
    page: list[int] = []
    for key in keys:
        for some in _members(store, -key - 1) if key < 0 else ([key],):
            page += some
            if len(page) >= PAGE:
                yield page
                page = []
    if page:
        yield page


def counted_in(store: Store, cohorts: Iterable[int]) -> dict[int, int]:
    """The keys of the classes in which these cohorts are counted, of those that are."""
    return {
        cohort: _key(number)
        for cohort, number in store.rows(
            "SELECT id, class FROM cohort WHERE id IN (SELECT value FROM json_each(?)) AND class IS NOT NULL",
            (msgspec.json.encode(list(cohorts)).decode(),),
        )
    }


def _members(store: Store, number: int) -> Iterator[list[int]]:
    """The cohorts of a class, by deadline, then priority, then age."""
    after: tuple[float, float, int] = (-math.inf, 0, 0)
    while rows := store.rows(
        f"SELECT due, rank, id FROM cohort INDEXED BY cohort_class WHERE class = ? AND {_QUEUED}"
        " AND (due, rank, id) > (?, ?, ?) ORDER BY due, rank, id LIMIT ?",
        (number, *after, PAGE),
    ):
        yield [row[2] for row in rows]
        after = rows[-1]


def _key(number: int) -> int:
    """A class as the key of a Held: no cohort has it, and -1 is nobody's."""
    return -number - 1


def _rest(store: Store, row: tuple[Any, ...], apart: list[Held]) -> Held | None:
    """A class without its cohorts that are told one by one, which are its first ones; None: there are no others."""
    number, cohorts, jobs, size, since, delay_cost, pinned, due = row
    left = jobs - sum(each.jobs for each in apart)
    if left <= 0:
        return None
    if apart:
        size -= sum(each.jobs * each.size for each in apart)
        since = (since * jobs - sum(each.jobs * each.since for each in apart)) / left
        delay_cost -= sum(each.delay_cost for each in apart)
        due = (store.row(f"{_DUE.format('?')} OFFSET ?", (number, len(apart))) or (due,))[0]
    return Held(
        key=_key(number),
        jobs=left,
        size=max(0.0, size / left),
        deadline=due,
        since=since,
        delay_cost=max(0.0, delay_cost),
        pinned=bool(pinned),
        cohorts=cohorts - len(apart),
    )


def _fewer(classes: list[Held], now: float, most: int) -> tuple[list[Held], dict[int, list[int]]]:
    """At most about `most` of these, and which stand for several: those alike by ever less."""
    told, parts, grain = classes, {}, GRAIN
    while len(told) > most:
        alike: dict[tuple[float, ...], list[Held]] = {}
        for each in classes:
            alike.setdefault(_alike(each, now, grain), []).append(each)
        told = [_together(some) for some in alike.values()]
        parts = {some[0].key: [each.key for each in some] for some in alike.values() if len(some) > 1}
        if grain == 1:
            break
        grain //= 2
    return told, parts


def _alike(each: Held, now: float, grain: int) -> tuple[float, ...]:
    """By what classes are put together: how soon they are due or when they came; while that may be, their size."""
    if each.deadline == math.inf:
        step = math.floor(each.since / CAME * grain / GRAIN)
    else:
        step = math.floor(grain * math.log2(max(60.0, each.deadline - now)))
    size = math.floor(math.log1p(each.size) / 2) if grain > GRAIN / 4 else 0
    return each.deadline == math.inf, step, size, each.pinned


def _together(some: list[Held]) -> Held:
    """Several classes as one, under the key of the first: the earliest deadline, the sums and means of the others."""
    jobs = sum(each.jobs for each in some)
    return replace(
        some[0],
        cohorts=sum(each.cohorts for each in some),
        jobs=jobs,
        size=sum(each.jobs * each.size for each in some) / jobs,
        deadline=min(each.deadline for each in some),
        since=sum(each.jobs * each.since for each in some) / jobs,
        delay_cost=sum(each.delay_cost for each in some),
    )
