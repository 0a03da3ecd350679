"""Work that a provider runs for hours: what is kept of it, and which runner looks after it.

Rule: the reference is stored before anything else happens, and goes when each of its jobs has ended. One
living runner looks after it at a time; when that has gone, the next one adopts it with its jobs, which
stay running all the while.
"""

from collections.abc import Iterable, Sequence

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from ..job import Detached, Happening, State
from ..reason import Reason, said, stored
from ..seam import reached
from .claims import Claim
from .counters import spend
from .history import note
from .store import Store

Booked = list[tuple[int, float]]  # (cohort, money)
CHARGED = "cancelled too late for the provider: it had run, and is charged"


class Away(Struct, frozen=True):
    """One piece of detached work. `since` is the epoch second at which it was first stored."""

    id: int
    handler: str
    since: float
    work: Detached


def keep(store: Store, runner: int, handler: str, event: Detached, now: float) -> int:
    """Store this reference, in place of an earlier one with the same `key`; returns its id."""
    with store.tx() as connection:
        row = connection.execute(
            "INSERT INTO detached (handler, key, runner, reference, since, jobs) VALUES (?, ?, ?, ?, ?, ?)"
            " ON CONFLICT DO UPDATE SET reference = excluded.reference, runner = excluded.runner RETURNING id",
            (
                handler,
                str(event.reference["key"]),
                runner,
                msgspec.json.encode(event.reference),
                now,
                msgspec.json.encode(event.ids),
            ),
        ).fetchone()
    reached("detached")
    return int(row[0])


def forget(store: Store, away: int) -> None:
    """Each of its jobs has ended."""
    with store.tx() as connection:
        connection.execute("DELETE FROM detached WHERE id = ?", (away,))


def all_away(store: Store) -> list[Away]:
    """All work that runs elsewhere."""
    return [_away(row) for row in store.rows("SELECT id, handler, since, reference, jobs FROM detached ORDER BY id")]


class Silent(Struct, frozen=True):
    """A provider that cannot be asked, since this epoch second, and why."""

    since: float
    why: str


class Elsewhere(Struct, frozen=True):
    """How far all of a handler's work is that runs elsewhere; `finished` is None where nobody tells."""

    since: float  # epoch seconds
    jobs: int
    finished: int | None
    silent: Silent | None = None  # one of them that the provider cannot be asked about now
    seen: float | None = None  # when that was told last (epoch seconds)

    def reason(self, half: float | None = None, most: float | None = None) -> Reason:
        """That it is there; `half` and nine of ten (`most`) of its batches are back within so many seconds."""
        since, why = (self.silent.since, self.silent.why) if self.silent else (None, "")
        return Reason(
            "provider", why, done=self.since, due=since, jobs=self.finished, of=self.jobs, span=half, other_span=most
        )


def elsewhere(store: Store) -> dict[str, Elsewhere]:
    """How far the work is that runs elsewhere, by handler."""
    found: dict[str, Elsewhere] = {}
    for handler, since, reference in store.rows("SELECT handler, since, reference FROM detached"):
        told = msgspec.json.decode(reference, type=_Told)
        so_far = found.get(handler, Elsewhere(since, 0, None))
        known = [number for number in (so_far.finished, told.finished) if number is not None]
        done = sum(known) if known else None
        since, jobs, silent = min(since, so_far.since), so_far.jobs + told.jobs, so_far.silent or told.silent
        seen = max((at for at in (so_far.seen, told.seen) if at is not None), default=None)
        found[handler] = Elsewhere(since, jobs, done, silent, seen)
    return found


def adopt(store: Store, runner: int, handlers: Iterable[str]) -> list[Away]:
    """Take over what no living runner looks after and one of these handlers can go on with, with its jobs."""
    if not store.row("SELECT 1 FROM detached WHERE runner NOT IN (SELECT id FROM runner) LIMIT 1"):
        return []
    with store.tx() as connection:
        rows = connection.execute(
            "UPDATE detached SET runner = ? WHERE runner NOT IN (SELECT id FROM runner)"
            " AND handler IN (SELECT value FROM json_each(?)) RETURNING id, handler, since, reference, jobs",
            (runner, msgspec.json.encode(list(handlers)).decode()),
        ).fetchall()
        # Cancelled while nobody looked after it: whoever adopts it asks for that.
        connection.execute("DELETE FROM stop WHERE runner NOT IN (SELECT id FROM runner)")
        adopted = [_away(row) for row in sorted(rows)]
        for each in adopted:
            connection.executemany(
                "UPDATE job SET runner = ? WHERE id = ? AND attempt = ? AND state = 'running'",
                [(runner, *where) for where in each.work.ids],
            )
    return adopted


def claims_of(store: Store, away: Away, state: State = State.RUNNING) -> list[Claim]:
    """Those of its jobs that still run, or that were cancelled, as claims; their inputs are not fetched again."""
    return _claims(store, away, "job.attempt = json_extract(pair.value, '$[1]') AND job.state = ?2", state)


def moved_on(store: Store, away: Away) -> list[Claim]:
    """Those of its jobs that were queued again meanwhile, as the claims that they were here."""
    return _claims(store, away, "job.attempt > json_extract(pair.value, '$[1]') OR job.state = ?2", State.QUEUED)


def _claims(store: Store, away: Away, which: str, state: State) -> list[Claim]:
    rows = store.rows(
        "SELECT job.id, json_extract(pair.value, '$[1]'), tries, cohort, unbegun FROM json_each(?1) AS pair"
        f" JOIN job ON job.id = json_extract(pair.value, '$[0]') WHERE {which}",
        (msgspec.json.encode(away.work.ids).decode(), state),
    )
    return [Claim(job, attempt, tries, cohort, b"", unbegun) for job, attempt, tries, cohort, unbegun in rows]


def charge(store: Store, away: Away, paid: Sequence[tuple[Claim, float]], now: float) -> tuple[Away, Booked]:
    """Book what jobs have cost whose answers nobody waits for any more; each once, which the reference keeps."""
    before = set(away.work.reference.get("charged", ()))
    fresh = [(claim, cost) for claim, cost in paid if claim.id not in before]
    charged = sorted(before.union(claim.id for claim, _ in fresh))
    after = replace(away, work=replace(away.work, reference={**away.work.reference, "charged": charged}))
    booked = [(claim.cohort, cost) for claim, cost in fresh]
    with store.tx() as connection:
        connection.executemany(
            "INSERT OR IGNORE INTO result (id, attempt, cost, streamed, busy, error)"
            " SELECT id, attempt, ?3, ?3, 0, ?4 FROM job WHERE id = ?1 AND attempt = ?2 AND state = 'cancelled'",
            [(claim.id, claim.attempt, cost, CHARGED) for claim, cost in fresh],
        )
        connection.executemany("UPDATE cohort SET cost = cost + ?2, streamed = streamed + ?2 WHERE id = ?1", booked)
        spend(connection, away.handler, sum(cost for _, cost in booked), now)
        connection.execute(
            "UPDATE detached SET reference = ? WHERE id = ?", (msgspec.json.encode(after.work.reference), away.id)
        )
    return after, booked


def sent_back(store: Store, cohorts: Iterable[int], why: str, now: float) -> None:
    """The story of these tells, once, why a provider did not take their jobs."""
    with store.tx() as connection:
        for cohort in cohorts:
            known = "SELECT 1 FROM history WHERE cohort = ? AND kind = ? AND text = ?"
            if not connection.execute(known, (cohort, Happening.SENT_BACK, stored(said(why)))).fetchone():
                note(connection, cohort, Happening.SENT_BACK, said(why), now)


def held_away(works: Iterable[Away]) -> set[tuple[int, int]]:
    """(job, attempt) of all these."""
    return {where for each in works for where in each.work.ids}


class _Told(Struct):
    """The part of a reference that views tell of."""

    jobs: int = 0
    finished: int | None = None
    seen: float | None = None
    silent: Silent | None = None


def _away(row: tuple[int, str, float, bytes, bytes]) -> Away:
    number, handler, since, reference, jobs = row
    ids = msgspec.json.decode(jobs, type=tuple[tuple[int, int], ...])
    return Away(number, handler, since, Detached(ids, msgspec.json.decode(reference)))
