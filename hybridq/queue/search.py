"""Jobs that no index finds, by looking at one after the other: the newest first.

Rule: a page of jobs is looked at in one statement, and nobody waits for more than LOOKED of them unasked. What was not
looked at is told. Reads only.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing

from msgspec import Struct

from ..job import Lane, Mode, State
from ..selection import Criteria
from .cohorts import named
from .criteria import of_jobs
from .group_sums import marks
from .store import Store

LOOKED = 100_000  # jobs, unless all are asked for
PAGE = 5_000  # jobs
HEAD = 4096  # bytes of an input that are looked at
Span = tuple[int, int, int | None]
"""First and last id, and the cohort whose jobs are meant among them; None: all."""


class Candidate(Struct, frozen=True, kw_only=True):
    """A job that may be meant. `seconds`: for how long it runs by now, or kept an instance busy; None: it was never
    told. `text`: the beginning of its input; `cwd`: the folder of a command."""

    id: int
    name: str | None
    handler: str
    lane: Lane
    state: State
    seconds: float | None
    size: int  # bytes of input
    cwd: str | None
    text: bytes


_COLUMNS = """job.id, name, handler, lane, state,
    CASE WHEN ?2 THEN CASE state WHEN 'running' THEN ?1 - job.started
        ELSE (SELECT busy FROM result WHERE result.id = job.id) END END,
    length(input), CASE WHEN ?2 THEN json_extract(CAST(request AS TEXT), '$.cwd') END,
    CASE WHEN length(input) <= 4096 THEN input END"""
_LONG = (
    " AND state IN ('running', 'done', 'failed')"
    " AND coalesce(CASE WHEN state <> 'running' THEN job.finished END, ?) - job.started >= ?"
)
# A word that no JSON and no shell writes otherwise: a fifth of the time of reading each input.
_HOLDS = (
    " AND (length(input) > 4096 OR instr(lower(coalesce(name, '') || ' ' || handler || ' ' || CAST(input AS TEXT)), ?))"
)


def candidates(
    store: Store,
    span: Span,
    states: Sequence[State],
    modes: Sequence[Mode],
    criteria: Criteria,
    now: float,
    least: float = 0.0,
) -> Iterator[list[Candidate]]:
    """The jobs of a span in these states and modes that meet what an index or a sum can tell, in pages, the newest
    first; a page may be empty. With `criteria.slow` those that took at least so many seconds."""
    first, last, cohort = span
    also, parameters = of_jobs(criteria)
    long, bound = (_LONG, (now, least)) if criteria.slow else ("", ())
    plain = [word for word in criteria.words if word.isascii() and word.isalnum()]
    among = "" if cohort is None else " AND job.cohort = ?"
    sql = (
        f"SELECT {_COLUMNS} FROM job CROSS JOIN cohort ON cohort.id = job.cohort WHERE job.id BETWEEN ? AND ?{among}"
        f" AND accepted IS NOT NULL AND state IN ({marks(states)}) AND mode IN ({marks(modes)}){also}"
        f"{long}{_HOLDS * len(plain)}"
        " ORDER BY job.id DESC"
    )
    while last >= first:
        low = max(first, last - PAGE + 1)
        of = () if cohort is None else (cohort,)
        rows = store.rows(sql, (now, criteria.slow, low, last, *of, *states, *modes, *parameters, *bound, *plain))
        yield [_candidate(store, row) for row in rows]
        last = low - 1


def newest_first(store: Store, spans: Iterable[Span]) -> list[Span]:
    """These spans without ids that nobody has yet, the newest first."""
    row = store.row("SELECT max(id) FROM job")
    top = row[0] if row and row[0] else 0
    return sorted(((first, min(last, top), cohort) for first, last, cohort in spans), key=lambda s: s[1], reverse=True)


def groups_named(store: Store, words: Sequence[str], limit: int) -> list[str]:
    """The groups whose names hold all of these words (in small letters), the newest first, at most so many."""
    names: list[str] = []
    with closing(store.connection.execute("SELECT name FROM groups ORDER BY cohort DESC")) as cursor:
        for (name,) in cursor:
            if all(word in name.casefold() for word in words):
                names.append(name)
                if len(names) >= limit:
                    break
    return names


def _candidate(store: Store, row: tuple[object, ...]) -> Candidate:
    number, *rest, text = row
    return named(Candidate, (number, *rest, _beginning(store, number) if text is None else text))


def _beginning(store: Store, job: object) -> bytes:
    with store.connection.blobopen("job", "input", int(str(job)), readonly=True) as blob:
        return blob.read(HEAD)
