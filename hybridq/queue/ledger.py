"""What really ran, read from the queue as plain data: for the report, and to be simulated again.

Rule: money, counts and deadlines are summed over everything, in SQL; single jobs, promises and flushes are read
up to a bound, spread evenly over all there are. Reads only; never a row for each job of a large queue.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from msgspec.structs import replace

from ..job import Audience, Happening, Lane, Mode
from ..reason import read as read_reason
from .account import SUBMISSION, Arrived, Cause, Drafts, FlushDone, Ledger, Moved, Promised, Ran, RuleSum, Sum
from .cleaning import cleaned
from .cohorts import named
from .later import known
from .pipes import piped
from .results import NOT_MINE
from .store import Store
from .troubles import late_since

SAMPLE = 50_000  # done jobs of an audience, and promises, that are looked at one by one
FLUSHES = 20_000  # the newest flushes that are looked at one by one
REASONS = 1_000  # different texts of failures that are read, the most frequent first
_SPREAD = 1 << 32
_NUMBER = re.compile(
    r"(?<!exit )(?<!exit code )(?<![\d.,:-])-?\d[\d.,:]*"
)  # an exit code is no measure: it tells reasons apart


def read(store: Store, since: float, now: float) -> Ledger:
    """What became of the jobs that were submitted since an instant, and the flushes that began since."""
    sums = _sums(store, since, now)
    failed = sum(each.failed for each in sums)
    done = Counter[Audience]()
    for each in sums:
        done[each.audience] += each.done
    promises = _one(store, "SELECT count(*) FROM promise WHERE said = ? AND made >= ?", SUBMISSION, since)[0]
    cut_jobs, cut_bytes = _one(store, _CUT, since)
    (not_mine,) = _one(store, "SELECT coalesce(max(value), 0) FROM meta WHERE name = ?", NOT_MINE)
    return Ledger(
        since=since,
        sums=sums,
        ran=_ran(store, since, done),
        flushes=_flushes(store, since),
        rules=tuple(named(RuleSum, row) for row in store.rows(_RULES, (now, since))),
        promises=promises,
        promised=tuple(named(Promised, row) for row in _promised(store, since, promises)),
        drafts=named(Drafts, _one(store, _DRAFTS, since)),
        moved=_moved(store, since),
        causes=tuple(alike(store.rows(_CAUSES, (since, REASONS)) if failed else ())),
        late=late_since(store, since, now) if any(each.bound > each.kept for each in sums) else (),
        cut_jobs=cut_jobs,
        cut_bytes=cut_bytes,
        not_mine=not_mine,
        cleaned=cleaned(store),
        piped=piped(store, since),
    )


def came(store: Store, since: float, limit: int) -> list[Arrived]:
    """The newest jobs that were submitted since an instant and are done, the latest first, at most so many."""
    return [
        Arrived(
            accepted=at,
            size=size,
            audience=known(Audience, audience),
            due=due,
            handler=handler,
            lane=known(Lane, lane),
            busy=busy or 0.0,
            group=group,
            lead=lead,
            flush=flush,
            started=started or 0.0,
            mode=known(Mode, mode) if pinned else None,
        )
        for at, size, audience, due, handler, lane, busy, group, lead, flush, started, pinned, mode in store.rows(
            _CAME, (since, limit)
        )
    ]


def alike(causes: Iterable[tuple[str, int, float]]) -> list[Cause]:
    """(text, jobs, cost) of failures, those together that differ only in their numbers; the most frequent first."""
    found: dict[str, Cause] = {}
    for text, jobs, cost in causes:
        key = _NUMBER.sub("…", text)
        before = found.get(key, Cause(reason=text, jobs=0, cost=0.0))
        reason = text if before.reason == text else key
        found[key] = Cause(reason=reason, jobs=before.jobs + jobs, cost=before.cost + cost)
    return sorted(found.values(), key=lambda cause: -cause.jobs)


_SUMS = (
    "SELECT handler, audience, lane, sum(jobs), sum(done), sum(failed), sum(cancelled), sum(queued + running),"
    " sum(cost), sum(streamed),"
    " sum(CASE WHEN due < 9e999 THEN done + failed + (due < ?2) * (queued + running) ELSE 0 END),"
    " sum(CASE WHEN due < 9e999 AND finished <= due THEN done ELSE 0 END), min(accepted),"
    " sum(jobs > 1 AND finished > due)"
    " FROM cohort WHERE accepted >= ?1 GROUP BY handler, audience, lane"
)
_PARTLY_LATE = (  # of cohorts that ended too late, the jobs that did not
    "SELECT cohort.handler, audience, lane, count(*) FROM cohort CROSS JOIN job ON job.cohort = cohort.id"
    " AND job.id BETWEEN first_id AND last_id WHERE accepted >= ? AND jobs > 1 AND cohort.finished > due"
    " AND job.state = 'done' AND job.finished <= due GROUP BY 1, 2, 3"
)
# What waited for other jobs, or for its time, came when that was there.
_CAME_AT = "coalesce((SELECT max(opened, accepted) FROM gate WHERE gate.id = job.gate), accepted)"
_RAN = (
    f"SELECT handler, audience, lane, mode, {_CAME_AT}, coalesce(draft.first, result.first, job.finished), job.started,"
    " job.finished, coalesce(result.cost, 0) + coalesce(draft.cost, 0), coalesce(result.streamed, 0)"
    " FROM job CROSS JOIN cohort ON cohort.id = job.cohort CROSS JOIN result ON result.id = job.id"
    " LEFT JOIN draft ON draft.id = job.id WHERE job.state = 'done' AND accepted >= ?1"
    # Multiplying scatters the ids: each n-th would always meet the same kind of an alternating workload.
    " AND (job.id * 2654435761 & 4294967295) < CASE audience WHEN 'user' THEN ?2 ELSE ?3 END"
)
_CAME = (
    f"SELECT {_CAME_AT}, length(job.input), cohort.audience, cohort.due, cohort.handler, cohort.lane,"
    # Counted back from the end: what a cold instance took to start lies before the first byte, and is in no `busy`.
    " result.busy, coalesce(cohort.name, ''), CASE WHEN lane = 'stream' AND result.busy > 0"
    " THEN min(1.0, max(0.0, 1 - (job.finished - result.first) / result.busy)) END, job.flush, job.started,"
    " cohort.pinned, cohort.mode FROM result"
    " JOIN job ON job.id = result.id JOIN cohort ON cohort.id = job.cohort"
    " WHERE job.state = 'done' AND cohort.accepted >= ? ORDER BY job.id DESC LIMIT ?"
)
_RULES = (
    # A job may be in several flushes until it comes to its end in one: it counts there.
    "SELECT rule, count(*), sum(CASE WHEN ended IS NULL THEN jobs ELSE done + failed END), sum(done), sum(failed),"
    " sum(coalesce(ended, ?1) - started), sum(cost)"
    " FROM flush WHERE started >= ?2 GROUP BY rule ORDER BY count(*) DESC"
)
_PROMISED = (
    "WITH RECURSIVE line (root, id) AS (SELECT origin, id FROM cohort WHERE origin IS NOT NULL"
    " UNION SELECT root, cohort.id FROM line JOIN cohort ON cohort.origin = line.id),"
    " moved AS (SELECT root, min(started) AS started, max(finished) AS finished,"
    " sum(queued + running + failed + cancelled) AS others FROM line JOIN cohort USING (id) GROUP BY root)"
    # Parts of a submission were promised as one: the last of them is its end.
    " SELECT said, sum(last_id - first_id + 1), made, min(start), max(finish), max(finish90),"
    " min(min(coalesce(cohort.started, moved.started), coalesce(moved.started, cohort.started))),"
    " max(max(coalesce(cohort.finished, 0), coalesce(moved.finished, 0))),"
    " total(queued + running + failed + cancelled + coalesce(others, 0)) AS undone"
    " FROM promise CROSS JOIN cohort ON cohort.id = promise.cohort LEFT JOIN moved ON moved.root = cohort.id"
    " WHERE made >= ?1 AND finish IS NOT NULL AND whole IS NULL"
    # What somebody drained before its planned start was not the tool's to keep.
    " AND NOT EXISTS (SELECT 1 FROM job CROSS JOIN flush ON flush.id = job.flush WHERE job.id IN (first_id, last_id)"
    " AND rule = 'drain' AND flush.started < promise.start)"
    " AND (coalesce(submission, cohort.id) * 2654435761 & 4294967295) < ?2"
    " GROUP BY coalesce(submission, cohort.id), said, made HAVING undone = 0 ORDER BY made"
)
_GROUPS_PROMISED = (  # of a group's cohorts those that it had then
    "SELECT said, sum(jobs), made, start, finish, finish90, min(started), max(finished),"
    " total(queued + running + failed + cancelled) AS undone FROM promise CROSS JOIN cohort ON name = whole"
    " AND accepted <= made WHERE made >= ?1 AND finish IS NOT NULL AND whole IS NOT NULL"
    " AND (promise.id * 2654435761 & 4294967295) < ?2 GROUP BY promise.id HAVING undone = 0 ORDER BY made"
)
_DRAFTS = (
    "SELECT coalesce(sum(draft.error IS NULL), 0), coalesce(sum(draft.error IS NOT NULL), 0),"
    " coalesce(sum(state = 'done'), 0), coalesce(sum(draft.cost), 0) FROM draft CROSS JOIN job ON job.id = draft.id"
    " CROSS JOIN cohort ON cohort.id = job.cohort WHERE accepted >= ?"
)
_CAUSES = (
    "SELECT coalesce(substr(error, 1, 400), 'exit ' || exit_code, 'no reason was given'), count(*),"
    " coalesce(sum(result.cost), 0) FROM cohort CROSS JOIN job ON job.cohort = cohort.id"
    " AND job.id BETWEEN first_id AND last_id LEFT JOIN result ON result.id = job.id"
    " WHERE accepted >= ? AND failed > 0 AND job.state = 'failed' GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT ?"
)
_CUT = (
    "SELECT count(*), coalesce(sum(dropped), 0) FROM result CROSS JOIN job ON job.id = result.id"
    " CROSS JOIN cohort ON cohort.id = job.cohort WHERE dropped > 0 AND accepted >= ?"
)
_STORIES = (
    "SELECT kind, sum(history.jobs) FROM history CROSS JOIN cohort ON cohort.id = history.cohort"
    " WHERE accepted >= ? GROUP BY kind"
)
_PROMOTED = (
    "SELECT coalesce(sum(cost), 0), coalesce(sum(streamed), 0) FROM cohort WHERE accepted >= ?"
    " AND id IN (SELECT cohort FROM history WHERE kind = ?)"
)


def _promised(store: Store, since: float, made: int) -> Iterator[tuple[Any, ...]]:
    """The promises that can be judged, of so many; those to whole groups at last."""
    for sql in (_PROMISED, _GROUPS_PROMISED):
        for *row, _ in store.rows(sql, (since, _chance(made))):
            yield tuple(row)


def _sums(store: Store, since: float, now: float) -> tuple[Sum, ...]:
    found = store.rows(_SUMS, (since, now))
    # Only where a group ended late: looking for such a group among a million cohorts takes a second.
    late = store.rows(_PARTLY_LATE, (since,)) if any(row[-1] for row in found) else []
    partly = {tuple(where): jobs for *where, jobs in late}
    return tuple(
        Sum(
            handler=handler,
            audience=known(Audience, audience),
            lane=known(Lane, lane),
            jobs=jobs,
            done=done,
            failed=failed,
            cancelled=cancelled,
            open=waiting,
            cost=cost,
            streamed=streamed,
            bound=bound,
            kept=kept + partly.get((handler, audience, lane), 0),
            begin=begin,
        )
        for handler, audience, lane, jobs, done, failed, cancelled, waiting, cost, streamed, bound, kept, begin, *_ in (
            found
        )
        if jobs
    )


def _ran(store: Store, since: float, done: Counter[Audience]) -> tuple[Ran, ...]:
    chances = (_chance(done[audience]) for audience in (Audience.USER, Audience.BACKGROUND))
    return tuple(
        Ran(
            handler=handler,
            audience=known(Audience, audience),
            lane=known(Lane, lane),
            mode=known(Mode, mode),
            accepted=accepted,
            first=first,
            started=started,
            finished=finished,
            cost=cost,
            streamed=streamed,
        )
        for handler, audience, lane, mode, accepted, first, started, finished, cost, streamed in store.rows(
            _RAN, (since, *chances)
        )
    )


def _flushes(store: Store, since: float) -> tuple[FlushDone, ...]:
    rows = store.rows(
        "SELECT handler, started, ended, rule, reason, factor, jobs, cost FROM flush WHERE started >= ?"
        " ORDER BY id DESC LIMIT ?",
        (since, FLUSHES),
    )
    return tuple(
        named(FlushDone, (*row[:4], replace(read_reason(row[4]), runs=None), *row[5:])) for row in reversed(rows)
    )


def _moved(store: Store, since: float) -> Moved:
    jobs: dict[str, int] = dict(store.rows(_STORIES, (since,)))
    cost, streamed = _one(store, _PROMOTED, since, Happening.PROMOTED)
    return Moved(
        rescued=jobs.get(Happening.RESCUED, 0),
        given_back=jobs.get(Happening.GIVEN_BACK, 0),
        promoted=jobs.get(Happening.PROMOTED, 0),
        reclassified=jobs.get(Happening.RECLASSIFIED, 0),
        promoted_cost=cost,
        promoted_streamed=streamed,
    )


def _chance(number: int) -> int:
    """Below which place one of so many is taken, so that about SAMPLE are."""
    return _SPREAD if number <= SAMPLE else _SPREAD * SAMPLE // number


def _one(store: Store, sql: str, *parameters: object) -> tuple[Any, ...]:
    found = store.row(sql, parameters)
    assert found is not None  # noqa: S101 - an aggregate has always one row
    return found
