"""What waits for other jobs or for its time: released, cancelled and revived in the transaction that decides it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from hybridq.errors import NoSuchJob
from hybridq.home import Home
from hybridq.job import Lane, Mode, State, Waits
from hybridq.queue.bulk import Bulk
from hybridq.queue.cancel_retry import cancel, retry
from hybridq.queue.claims import Claim, claim_stream
from hybridq.queue.cleaning import clean
from hybridq.queue.cohorts import state_of, tally
from hybridq.queue.counters import shift
from hybridq.queue.dependencies import come, next_coming, repair
from hybridq.queue.intake import accept
from hybridq.queue.results import record
from hybridq.queue.runner import Runner
from hybridq.queue.store import Store
from tests.support.verbs import BACKGROUND, check_counters, deciding, ended

STREAM = deciding(Mode.STREAM)


class Line:
    """A queue, and the runner that runs it."""

    def __init__(self, folder: Path) -> None:
        self.store = Store.open(Home.find({"HYBRIDQ_HOME": str(folder)}))
        self.runner = Runner(self.store, "daemon")

    def job(self, *after: int, ended: tuple[int, ...] = (), at: float | None = None) -> int:
        """One more job, after these."""
        asked = replace(BACKGROUND, not_before=at)
        waits = Waits(done=tuple((n, n) for n in after), ended=tuple((n, n) for n in ended))
        return accept(self.store, asked, b"1", STREAM, now=1.0, waits=waits if after or ended else None).first

    def claim(self, now: float = 2.0) -> list[Claim]:
        """Whatever may run."""
        return claim_stream(self.store, self.runner.id, "h", 10_000, now)

    def run(self, *, ok: bool = True) -> list[int]:
        """Run whatever may run, to its end; its ids."""
        claims = self.claim()
        record(self.store, [ended(claim, ok=ok) for claim in claims])
        check_counters(self.store)
        return [claim.id for claim in claims]

    def states(self, *jobs: int) -> list[State]:
        """Where these stand."""
        return [state_of(self.store, job)[0] for job in jobs]


@pytest.fixture
def line(tmp_path: Path) -> Iterator[Line]:
    """An empty queue."""
    made = Line(tmp_path / "home")
    yield made
    made.store.close()


def test_a_job_runs_after_what_it_waits_for(line: Line) -> None:
    """A chain of three runs one by one, and no claim sees what waits."""
    a = line.job()
    b = line.job(a)
    c = line.job(b)
    assert tally(line.store) == {("h", Lane.STREAM, State.QUEUED): 1, ("h", Lane.NONE, State.QUEUED): 2}
    assert [line.run(), line.run(), line.run(), line.run()] == [[a], [b], [c], []]


def test_it_waits_for_all_of_them(line: Line) -> None:
    """A job after two begins when the second is done, too."""
    a, b = line.job(), line.job()
    c = line.job(a, b)
    first, second = line.claim()
    record(line.store, [ended(second)])
    assert line.claim() == []
    record(line.store, [ended(first)])
    assert line.run() == [c]


def test_what_is_done_is_not_waited_for(line: Line) -> None:
    """After a job that is done already it runs at once."""
    a = line.job()
    line.run()
    b = line.job(a)
    assert line.run() == [b]


@pytest.mark.parametrize("how", ["fails", "is cancelled"])
def test_a_bad_end_cancels_what_waits(line: Line, how: str) -> None:
    """What it waits for fails or is cancelled: so is the job, and what waits for that in turn; each names its cause."""
    a = line.job()
    b = line.job(a)
    c = line.job(b)
    if how == "fails":
        line.run(ok=False)
    else:
        cancel(line.store, [a], 3.0)
    check_counters(line.store)
    assert line.states(b, c) == [State.CANCELLED, State.CANCELLED]
    assert line.store.rows("SELECT cause FROM job WHERE id > 1 ORDER BY id") == [(a,), (b,)]


def test_a_job_after_what_failed_already_is_cancelled(line: Line) -> None:
    """It makes no difference whether the failure came before or after the submission."""
    a = line.job()
    line.run(ok=False)
    b = line.job(a)
    check_counters(line.store)
    assert line.states(b) == [State.CANCELLED]
    assert retry(line.store, [a], 3.0) == 2
    assert [line.run(), line.run()] == [[a], [b]]


def test_retry_revives_the_whole_chain(line: Line) -> None:
    """Retrying what failed queues again what was cancelled for it, in turn, and it still runs in order."""
    a = line.job()
    b = line.job(a)
    c = line.job(b)
    line.run(ok=False)
    assert retry(line.store, [a], 3.0) == 3
    check_counters(line.store)
    assert [line.run(), line.run(), line.run()] == [[a], [b], [c]]


def test_retry_of_what_waits_for_a_failure_does_nothing(line: Line) -> None:
    """It would never begin: what failed is to be retried."""
    a = line.job()
    b = line.job(a)
    line.run(ok=False)
    assert retry(line.store, [b], 3.0) == 0
    assert line.states(b) == [State.CANCELLED]


def test_what_a_user_cancelled_is_not_revived(line: Line) -> None:
    """Only what was cancelled for a failure follows its retry; the other can be retried by itself, and then waits."""
    a = line.job()
    b = line.job(a)
    cancel(line.store, [b], 3.0)
    line.run(ok=False)
    assert retry(line.store, [a], 3.0) == 1
    assert retry(line.store, [b], 3.0) == 1
    check_counters(line.store)
    assert [line.run(), line.run()] == [[a], [b]]


def test_what_was_cancelled_while_it_waited_can_run_at_once_later(line: Line) -> None:
    """Retried after what it waited for is done, it has nothing to wait for."""
    a = line.job()
    b = line.job(a)
    cancel(line.store, [b], 3.0)
    line.run()
    retry(line.store, [b], 4.0)
    assert line.run() == [b]


def test_a_job_of_two_failures_is_revived_with_the_second(line: Line) -> None:
    """Both are to be retried before it is queued again."""
    a, b = line.job(), line.job()
    c = line.job(a, b)
    line.run(ok=False)
    assert retry(line.store, [a], 3.0) == 1
    assert retry(line.store, [b], 3.0) == 2
    check_counters(line.store)
    assert [line.run(), line.run()] == [[a, b], [c]]


def test_after_ended_runs_whatever_came_of_it(line: Line) -> None:
    """A failure is an end, too."""
    a = line.job()
    b = line.job(ended=(a,))
    line.run(ok=False)
    assert line.run() == [b]


def test_what_is_retried_has_not_ended(line: Line) -> None:
    """While something else is waited for, a retry is waited for, too."""
    a, b = line.job(), line.job()
    c = line.job(ended=(a, b))
    first, second = line.claim()
    record(line.store, [ended(first, ok=False)])
    retry(line.store, [a], 3.0)
    record(line.store, [ended(second)])
    check_counters(line.store)
    assert [line.run(), line.run()] == [[a], [c]]


def test_a_time_that_has_not_come_is_waited_for(line: Line) -> None:
    """A job begins at its time and not before, also when what else it waits for is done."""
    a = line.job()
    b = line.job(a, at=100.0)
    c = line.job(at=100.0)
    assert line.run() == [a]
    assert (come(line.store, 99.0), next_coming(line.store)) == (0, 100.0)
    assert come(line.store, 100.0) == 2
    check_counters(line.store)
    assert line.run() == [b, c]


def submit(line: Line, jobs: int, *waits: Waits | None) -> list[int]:
    """The ids of a submission of many, which wait for these in turn."""
    with Bulk(line.store) as bulk:
        for number in range(jobs):
            bulk.add(BACKGROUND, b"1", None, waits[number % len(waits)])
        accepted = bulk.accept(STREAM, now=1.0)
    assert accepted is not None
    check_counters(line.store)
    return list(range(accepted.first, accepted.last + 1))


def test_a_group_after_a_group_waits_for_all_of_it(line: Line) -> None:
    """It begins with the last one's end, as one cohort; a shared gate has a row a job, not a pair."""
    first = submit(line, 50, None)
    second = submit(line, 60, Waits(done=((first[0], first[-1]),)))
    third = submit(line, 5, Waits(done=((first[0], first[-1]),)))
    assert line.store.rows("SELECT count(*), (SELECT count(*) FROM gate) FROM dependency") == [(50, 1)]
    *most, last = line.claim()
    record(line.store, [ended(claim) for claim in most])
    assert line.claim() == []
    record(line.store, [ended(last)])
    assert line.run() == [*second, *third]


def test_each_job_of_a_submission_may_wait_for_its_own(line: Line) -> None:
    """Those of which it is done run; the others stay."""
    first = submit(line, 10, None)
    second = submit(line, 10, *(Waits(done=((job, job),)) for job in first))
    claims = line.claim()
    record(line.store, [ended(claim, ok=claim.id % 3 != 0) for claim in claims])
    check_counters(line.store)
    assert line.run() == [job for job, before in zip(second, first, strict=True) if before % 3]
    assert retry(line.store, [job for job in first if job % 3 == 0], 3.0) == 6
    assert len(line.run()) == len(line.run()) == 3


def test_keys_of_the_same_submission_can_be_waited_for(line: Line) -> None:
    """A pipeline is one submission: each line names the key of one before it."""
    with Bulk(line.store) as bulk:
        for number in range(3):
            bulk.add(BACKGROUND, b"1", f"k{number}", Waits(keys=(f"k{number - 1}",)) if number else None)
        accepted = bulk.accept(STREAM, now=1.0)
    assert accepted is not None
    assert [line.run(), line.run(), line.run()] == [[1], [2], [3]]


def test_what_is_not_there_cannot_be_waited_for(line: Line) -> None:
    """The submission is refused, and leaves nothing."""
    with pytest.raises(NoSuchJob, match="no job 99"):
        line.job(99)
    with pytest.raises(NoSuchJob, match="key 'later'"):
        submit(line, 2, Waits(keys=("later",)))
    check_counters(line.store)
    assert line.store.rows("SELECT * FROM gate") == []


def test_what_was_cleaned_away_counts_as_done_if_it_was(line: Line) -> None:
    """What waits for another job as well goes on to wait for that alone."""
    a, b = line.job(), line.job()
    c = line.job(a, b)
    first, second = line.claim()
    record(line.store, [ended(first)])
    assert clean(line.store, 10.0).jobs == 1
    record(line.store, [ended(second)])
    assert line.run() == [c]


def test_cleaning_takes_the_gates_with_the_jobs(line: Line) -> None:
    """Nothing is left of what waited and has ended."""
    a = line.job()
    line.job(a)
    line.run(ok=False)
    clean(line.store, 10.0)
    assert line.store.rows("SELECT (SELECT count(*) FROM gate), (SELECT count(*) FROM dependency)") == [(0, 0)]


def test_a_runner_puts_right_what_another_release_did(line: Line) -> None:
    """Jobs that ended without anybody saying so to what waits for them: nobody waits for ever."""
    a, b = line.job(), line.job()
    c, d = line.job(a), line.job(b)
    for job, state in ((a, State.DONE), (b, State.FAILED)):
        line.store.connection.execute("UPDATE job SET state = ? WHERE id = ?", (state, job))
        shift(line.store.connection, {(job, State.QUEUED, state): 1}, at=4.0)  # a cohort each
    assert repair(line.store, 5.0) == 2
    assert line.states(c, d) == [State.QUEUED, State.CANCELLED]
    assert line.run() == [c]
    assert repair(line.store, 5.0) == 0
