"""Jobs with all that became of them, one after the other in the order in which they were submitted: for `export`.

Rule: whatever the queue holds, a page of jobs is in memory and no transaction stays open while somebody writes it
down. What is selected is fixed when that begins, each job once; where jobs move meanwhile they are found. Reads only,
but that whoever waits queues again what a dead runner left.
"""

import json
import time
from collections.abc import Iterable, Iterator
from heapq import merge
from itertools import groupby, islice

from msgspec import Struct

from ..job import ENDED, Mode, State
from ..selection import ANY, All, Criteria, Group, Ids, Last, Selector
from ..when import NO_MONEY
from .cohorts import named
from .criteria import of_jobs
from .group_sums import marks
from .later import known
from .progress import looks
from .select import meant, ranges
from .store import Store
from .submissions import last as last_submission

PAGE = 500  # jobs
PAGE_BYTES = 4 * 1024 * 1024  # of inputs and results; a job that has more is a page of its own
REST = 4  # times as long as a look takes nobody looks again: a million jobs are looked through in 0.2 s
LONGEST_REST = 1.0  # seconds
_OF = " FROM job CROSS JOIN cohort ON cohort.id = job.cohort WHERE accepted IS NOT NULL"
_TOLD = f"(result.streamed > {NO_MONEY} OR (result.busy > 0 AND result.cost <= {NO_MONEY}))"  # as of a `Result`
_AMONG = "job.id IN (SELECT value FROM json_each(?))"


class ExportedJob(Struct, frozen=True, kw_only=True):
    """One job and what its last attempt left; instants are epoch seconds, `cost` and `streamed` money,
    None where it is not known.

    `value` is JSON, None where the output is in files; `draft_value` is that of its draft.
    """

    id: int
    group: str | None
    key: str | None
    handler: str
    mode: Mode
    state: State
    attempt: int
    input: bytes
    submitted: float
    started: float | None
    finished: float | None
    deadline: float | None
    cost: float | None
    result_attempt: int | None  # None: no attempt has left anything yet
    value: bytes | None
    error: str | None
    exit_code: int | None
    dropped: int  # bytes of output beyond the limit
    out: int | None  # bytes in the job's file; None: nobody counted
    err: int | None
    first: float | None
    streamed: float | None
    usage: bytes | None
    draft_attempt: int | None
    draft_value: bytes | None


_COLUMNS = f"""SELECT job.id, cohort.name, (SELECT name FROM key WHERE key.job = job.id), handler, mode, state,
    job.attempt, input, accepted, CASE WHEN state <> 'queued' THEN job.started END,
    CASE WHEN {{ended}} THEN job.finished END, CASE WHEN due < 9e999 THEN due END,
    CASE WHEN {{ended}} THEN CASE cohort.jobs WHEN 1 THEN cohort.cost ELSE result.cost END END,
    result.attempt, result.value, result.error, result.exit_code, coalesce(result.dropped, 0), result.out, result.err,
    result.first, CASE WHEN state = 'done' AND {{told}} THEN result.streamed END, result.usage,
    draft.attempt, draft.value
    FROM job CROSS JOIN cohort ON cohort.id = job.cohort
    LEFT JOIN result ON result.id = job.id LEFT JOIN draft ON draft.id = job.id
    WHERE accepted IS NOT NULL AND {_AMONG} ORDER BY job.id""".format(
    ended="state IN ('done', 'failed', 'cancelled')", told=_TOLD
)


class Selected:
    """The jobs that some selectors name now and that meet the criteria, each once; what is submitted later is not among
    them. `ends`: the states in which they are given once they have ended. Raises NoSuchJob."""

    def __init__(
        self,
        store: Store,
        selectors: Iterable[Selector],
        criteria: Criteria = ANY,
        ends: tuple[State, ...] = ENDED,
    ) -> None:
        self._store, self._criteria, self.ends = store, criteria, ends
        newest = store.row("SELECT max(id) FROM job")
        self.top = newest[0] if newest and newest[0] else 0
        self._spans = [span for selector in selectors for span in _spans(store, selector, self.top)]

    def ids(self, *states: State, after: int = 0) -> Iterator[int]:
        """Those in one of these states (none named: in any) behind an id, ascending."""
        streams = [_ids(self._store, span, states, self._criteria, after) for span in self._spans]
        yield from (number for number, _ in groupby(merge(*streams)))


class _Span(Struct, frozen=True):
    """Ids with both ends included, of which a condition holds that is looked up anew each time: jobs move."""

    first: int
    last: int
    where: str = ""
    parameters: tuple[str | int, ...] = ()


def exported(store: Store, selected: Selected) -> Iterator[list[ExportedJob]]:
    """All of them, as they stand, in pages. One that was cleaned away meanwhile is left out."""
    for page in _pages(selected.ids(*(() if selected.ends == ENDED else selected.ends))):
        yield from _read(store, page)


def exported_as_they_end(store: Store, selected: Selected) -> Iterator[list[ExportedJob]]:
    """Each of them as it ends, in pages, until all have; first those that had ended before.

    One that is queued again after its end is not waited for.
    """
    given, behind = bytearray(selected.top // 8 + 1), 0
    for _ in looks(store):
        began = time.monotonic()
        waiting = next(selected.ids(State.QUEUED, State.RUNNING, after=behind), None)
        for page in _pages(_new(selected.ids(*selected.ends, after=behind), given)):
            yield from _read(store, page)
        if waiting is None:
            return
        behind = waiting - 1  # whatever is before it had ended when it was found, and so was given
        time.sleep(min(LONGEST_REST, REST * (time.monotonic() - began)))


def _new(numbers: Iterator[int], given: bytearray) -> Iterator[int]:
    """Those that were not given yet; from now on they were. A bit each: a million numbers would take 60 MB."""
    for number in numbers:
        place, bit = number >> 3, 1 << (number & 7)
        if not given[place] & bit:
            given[place] |= bit
            yield number


def _pages(numbers: Iterator[int]) -> Iterator[list[int]]:
    while page := list(islice(numbers, PAGE)):
        yield page


def _spans(store: Store, selector: Selector, top: int) -> Iterator[_Span]:
    found = ranges(store, selector)
    first, last = min(first for first, _, _ in found), min(top, max(last for _, last, _ in found))
    match meant(store, selector):
        case Ids():
            yield from (_Span(low, min(top, high)) for low, high, _ in found)
        case All():
            yield _Span(1, top)
        case Group(name=name):
            yield _Span(first, last, "cohort.name = ?", (name,))
        case Last():
            yield _Span(first, last, "coalesce(submission, cohort.id) = ?", (last_submission(store),))


def _ids(store: Store, span: _Span, states: tuple[State, ...], criteria: Criteria, after: int) -> Iterator[int]:
    where = f" AND {span.where}" if span.where else ""
    also, bound = of_jobs(criteria)
    among = f" AND state IN ({marks(states)})" if states else ""
    first = max(span.first, after + 1)
    while first <= span.last:
        page = store.rows(
            f"SELECT job.id{_OF} AND job.id BETWEEN ? AND ?{where}{among}{also} ORDER BY job.id LIMIT {2 * PAGE}",
            (first, span.last, *span.parameters, *states, *bound),
        )
        yield from (number for (number,) in page)
        if len(page) < 2 * PAGE:
            return
        first = page[-1][0] + 1


def _read(store: Store, page: list[int]) -> Iterator[list[ExportedJob]]:
    for part in _by_bytes(store, page):
        yield [
            named(ExportedJob, (number, group, key, handler, known(Mode, mode), known(State, state), *more))
            for number, group, key, handler, mode, state, *more in store.rows(_COLUMNS, (json.dumps(part),))
        ]


def _by_bytes(store: Store, page: list[int]) -> Iterator[list[int]]:
    """A page in parts of so many bytes at most."""
    part: list[int] = []
    total = 0
    for number, size in store.rows(
        "SELECT job.id, length(input) + coalesce(length(value), 0) FROM job LEFT JOIN result ON result.id = job.id"
        f" WHERE {_AMONG} ORDER BY job.id",
        (json.dumps(page),),
    ):
        if part and total + size > PAGE_BYTES:
            yield part
            part, total = [], 0
        part.append(number)
        total += size
    yield part
