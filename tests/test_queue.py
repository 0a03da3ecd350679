"""The queue as a state machine against a dictionary, and the verbs one by one."""

import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, multiple, rule

from hybridq.brain.outcome import settle
from hybridq.errors import BadData, TryAgain
from hybridq.home import Home
from hybridq.job import Audience, Decision, Failure, Lane, Mode, Output, Request, State
from hybridq.queue.changes import cancel, retry
from hybridq.queue.claims import Claim, claim_batch, claim_stream, record
from hybridq.queue.intake import Bulk, accept, sweep
from hybridq.queue.moves import move
from hybridq.queue.reading import chosen, cohorts, held, job, result
from hybridq.queue.rescue import give_back, rescue, to_stop
from hybridq.queue.runner import Runner
from hybridq.selection import parse_selector
from hybridq.store import Store

BACKGROUND = Request(handler="h", audience=Audience.BACKGROUND)


def deciding(mode: Mode):  # type: ignore[no-untyped-def]
    """A decision that was made elsewhere: this mode."""
    return lambda _request, _jobs, _size: (Decision(mode=mode, reason="test"), 0.001)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """An empty queue."""
    return Store.open(Home.find({"HYBRIDQ_HOME": str(tmp_path / "home")}))


def many(store: Store, inputs: list[bytes], mode: Mode = Mode.BATCH, request: Request = BACKGROUND) -> list[int]:
    """The ids of one submission of these inputs."""
    with Bulk(store) as bulk:
        for data in inputs:
            bulk.add(request, data)
        accepted = bulk.accept(deciding(mode), now=1.0)
    assert accepted is not None
    return list(range(accepted.first, accepted.last + 1))


def ended(claim: Claim, *, ok: bool = True, retries: int = 0):  # type: ignore[no-untyped-def]
    """How a claim ended."""
    if ok:
        event: Output | Failure = Output(claim.id, claim.attempt, value=b"1")
    else:
        event = Failure(claim.id, claim.attempt, "no")
    return settle(event, claim, retries=retries, now=2.0)


def check_counters(store: Store) -> None:
    """Every counter is what counting the rows gives."""
    counted = store.rows(
        "SELECT c.id, sum(j.state = 'queued'), sum(j.state = 'running'), sum(j.state = 'done'),"
        " sum(j.state = 'failed'), sum(j.state = 'cancelled') FROM cohort c JOIN job j ON j.cohort = c.id"
        " WHERE c.accepted IS NOT NULL GROUP BY c.id ORDER BY c.id"
    )
    kept = store.rows(
        "SELECT id, queued, running, done, failed, cancelled FROM cohort WHERE accepted IS NOT NULL AND jobs > 0"
        " ORDER BY id"
    )
    assert kept == counted
    tally = store.rows("SELECT handler, lane, state, jobs FROM tally WHERE jobs <> 0 ORDER BY handler, lane, state")
    assert tally == store.rows(
        "SELECT handler, lane, state, count(*) FROM job JOIN cohort ON cohort.id = job.cohort"
        " WHERE accepted IS NOT NULL GROUP BY handler, lane, state ORDER BY handler, lane, state"
    )
    assert (
        store.rows(
            "SELECT id FROM cohort"
            " JOIN (SELECT cohort, min(id) AS low, max(id) AS high FROM job GROUP BY cohort) AS seen"
            " ON seen.cohort = cohort.id WHERE accepted IS NOT NULL AND (low < first_id OR high > last_id)"
        )
        == []
    )


class Queue(RuleBasedStateMachine):
    """Two runners, three ways in, every verb; the dictionary says what each job's state must be."""

    jobs = Bundle("jobs")
    claims = Bundle("claims")

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.store = Store.open(Home.find({"HYBRIDQ_HOME": str(self.folder / "home")}))
        self.runners = [Runner(self.store, "drain"), Runner(self.store, "drain")]
        self.model: dict[int, State] = {}
        self.holder: dict[int, tuple[int, int]] = {}  # job -> (runner, attempt)
        self.now = 10.0

    def teardown(self) -> None:
        self.store.close()
        shutil.rmtree(self.folder)

    @rule(target=jobs, count=st.integers(1, 4), mode=st.sampled_from(Mode))
    def submit_many(self, count: int, mode: Mode):  # type: ignore[no-untyped-def]
        new = many(self.store, [b"x"] * count, mode)
        self.model |= dict.fromkeys(new, State.QUEUED)
        return multiple(*new)

    @rule(target=jobs, mode=st.sampled_from(Mode))
    def submit_one(self, mode: Mode) -> int:
        new = accept(self.store, BACKGROUND, b"y", deciding(mode), now=self.now).first
        self.model[new] = State.QUEUED
        return new

    @rule(target=claims, who=st.integers(0, 1), lane=st.sampled_from(Lane), limit=st.integers(1, 3))
    def claim(self, who: int, lane: Lane, limit: int):  # type: ignore[no-untyped-def]
        runner = self.runners[who].id
        if lane is Lane.STREAM:
            taken = claim_stream(self.store, runner, "h", limit, self.now)
        else:
            keys = [each.key for each in held(self.store, "h")]
            taken = claim_batch(self.store, runner, 1, "h", keys, limit, self.now)
        for each in taken:
            assert self.model[each.id] is State.QUEUED
            self.model[each.id] = State.RUNNING
            self.holder[each.id] = (runner, each.attempt)
        return multiple(*((each, lane) for each in taken))

    @rule(held=consumes(claims), ok=st.booleans(), retries=st.integers(0, 1), again=st.booleans())
    def finish(self, held: tuple[Claim, Lane], ok: bool, retries: int, again: bool) -> None:
        claim, _ = held
        outcome = ended(claim, ok=ok, retries=retries)
        mine = self.model[claim.id] is State.RUNNING and self.holder[claim.id][1] == claim.attempt
        for expected in (mine, False) if again else (mine,):
            stored = record(self.store, [outcome])
            assert bool(stored) is expected
        if mine:
            self.model[claim.id] = outcome.state

    @rule(job=jobs)
    def cancel(self, job: int) -> None:
        open_ = self.model[job] in (State.QUEUED, State.RUNNING)
        assert cancel(self.store, [job], self.now) == open_
        if open_:
            self.model[job] = State.CANCELLED

    @rule(job=jobs)
    def retry(self, job: int) -> None:
        ended_badly = self.model[job] in (State.FAILED, State.CANCELLED)
        assert retry(self.store, [job], self.now) == ended_badly
        if ended_badly:
            self.model[job] = State.QUEUED

    @rule(job=jobs, lane=st.sampled_from(Lane))
    def move(self, job: int, lane: Lane) -> None:
        if move(self.store, [job], lane, "test", self.now):
            assert self.model[job] is State.QUEUED

    @rule(who=st.integers(0, 1))
    def give_back(self, who: int) -> None:
        runner = self.runners[who].id
        mine = [j for j, s in self.model.items() if s is State.RUNNING and self.holder[j][0] == runner]
        assert give_back(self.store, runner, self.now) == len(mine)
        self.model |= dict.fromkeys(mine, State.QUEUED)

    @rule()
    def later(self) -> None:
        self.now += 1000.0

    @invariant()
    def agrees(self) -> None:
        assert {j: State(s) for j, s in self.store.rows("SELECT id, state FROM job")} == self.model
        check_counters(self.store)


TestQueue = Queue.TestCase
TestQueue.settings = settings(
    max_examples=25, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
)


def test_a_result_counts_only_from_the_attempt_that_holds_the_job(store: Store) -> None:
    """The late result of an attempt that lost its job is told and not stored."""
    (number,) = many(store, [b"x"])
    runner = Runner(store, "drain")
    (first,) = claim_batch(store, runner.id, 1, "h", [1], 9, 5.0)
    give_back(store, runner.id, 6.0)
    (second,) = claim_batch(store, runner.id, 1, "h", [1], 9, 7.0)
    assert record(store, [ended(first)]) == []
    assert result(store, number) is None
    assert len(record(store, [ended(second)])) == 1
    kept = result(store, number)
    assert kept is not None
    assert kept.attempt == 2


def test_one_lost_attempt_does_not_lose_the_others_of_its_chunk(store: Store) -> None:
    """In a chunk with one job that was cancelled, all others are stored."""
    numbers = many(store, [b"x"] * 10)
    claims = claim_batch(store, Runner(store, "drain").id, 1, "h", [1], 10, 5.0)
    cancel(store, [numbers[4]], 6.0)
    stored = record(store, [ended(claim) for claim in claims])
    assert [each.id for each in stored] == [n for n in numbers if n != numbers[4]]
    check_counters(store)


def test_an_id_is_never_used_again(store: Store) -> None:
    """What was taken back before it was accepted leaves a gap, not a free id."""
    with Bulk(store) as bulk:
        bulk.add(BACKGROUND, b"x")
        bulk._write()
    assert store.rows("SELECT 1 FROM job") == []
    assert many(store, [b"x"]) == [2]


def test_a_large_submission_is_seen_whole_or_not_at_all(store: Store) -> None:
    """Before it is accepted nothing of it can be claimed, selected or counted."""
    with Bulk(store) as bulk:
        for _ in range(50):
            bulk.add(BACKGROUND, b"x")
        bulk._write()
        assert store.rows("SELECT count(*) FROM job") == [(50,)]
        assert held(store, "h") == []
        assert cohorts(store, "accepted IS NOT NULL") == []
        assert list(chosen(store, [parse_selector("all")])) == []
        bulk.accept(deciding(Mode.BATCH), now=1.0)
        assert sum(each.jobs for each in held(store, "h")) == 50
    assert len(list(chosen(store, [parse_selector("all")]))) == 50


def test_what_a_dead_writer_left_is_taken_away(store: Store) -> None:
    """A submission whose writer died before accepting leaves nothing, and its keys are free again."""
    bulk = Bulk(store)
    bulk.add(BACKGROUND, b"x", "k")
    bulk._write()
    with pytest.raises(TryAgain):
        accept(store, BACKGROUND, b"x", deciding(Mode.BATCH), now=1.0, key="k")
    store.connection.execute("DELETE FROM runner")
    again = accept(store, BACKGROUND, b"x", deciding(Mode.BATCH), now=1.0, key="k")
    assert again.existed == 0
    assert sweep(store) == 1
    assert [number for (number,) in store.rows("SELECT id FROM job")] == [again.first]
    assert accept(store, BACKGROUND, b"x", deciding(Mode.BATCH), now=1.0, key="k").first == again.first


def test_the_same_key_gives_the_same_job_or_is_refused(store: Store) -> None:
    """A key repeats safely, and never stands for two different things."""
    first = accept(store, BACKGROUND, b"x", deciding(Mode.BATCH), now=1.0, key="k")
    assert accept(store, BACKGROUND, b"x", deciding(Mode.STREAM), now=2.0, key="k").first == first.first
    with pytest.raises(BadData, match="already"):
        accept(store, BACKGROUND, b"other", deciding(Mode.BATCH), now=3.0, key="k")
    assert store.rows("SELECT count(*) FROM job") == [(1,)]


def test_stream_jobs_go_by_deadline_then_priority_then_age(store: Store) -> None:
    """The order of the stream lane."""
    asked = [
        BACKGROUND,
        Request(handler="h", audience=Audience.USER, priority=5),
        Request(handler="h", audience=Audience.USER, deadline=500.0),
        Request(handler="h", audience=Audience.USER, deadline=100.0),
        BACKGROUND,
    ]
    for request in asked:
        accept(store, request, b"x", deciding(Mode.STREAM), now=1.0)
    runner = Runner(store, "drain").id
    order = [claim_stream(store, runner, "h", 1, 2.0)[0].id for _ in asked]
    assert order == [4, 3, 2, 1, 5]


def test_a_cancelled_running_job_is_told_to_its_runner_once(store: Store) -> None:
    """The runner hears of it, and only once."""
    (number,) = many(store, [b"x"])
    runner = Runner(store, "drain")
    claim_batch(store, runner.id, 1, "h", [1], 1, 5.0)
    cancel(store, [number], 6.0)
    assert to_stop(store, runner) == [(number, 1)]
    assert to_stop(store, runner) == []


def test_jobs_of_a_dead_runner_are_queued_again_and_only_those(store: Store) -> None:
    """A free lock is a dead runner; a living runner's jobs stay."""
    many(store, [b"x"] * 4)
    living, dying = Runner(store, "drain"), Runner(store, "drain")
    claim_batch(store, living.id, 1, "h", [1], 2, 5.0)
    claim_batch(store, dying.id, 1, "h", [1], 2, 5.0)
    import os

    os.close(dying._lock)  # what the kernel does when a process dies
    assert rescue(store, 6.0) == 2
    assert [job(store, number).state for number in (1, 2, 3, 4)] == ["running", "running", "queued", "queued"]
    assert rescue(store, 7.0) == 0
    check_counters(store)


def test_a_job_that_moves_keeps_its_story(store: Store) -> None:
    """A promoted job leaves its group's batch, keeps the group's name, and says why."""
    numbers = many(store, [b"x"] * 3)
    move(store, numbers[:1], Lane.STREAM, "its deadline is near", 5.0)
    moved = job(store, numbers[0])
    (there,) = cohorts(store, "id = ?", (moved.cohort,))
    assert (there.lane, there.jobs, there.name) == (Lane.STREAM, 1, "h-1")
    assert store.rows("SELECT text FROM history WHERE job = ?", (numbers[0],)) == [("its deadline is near",)]
    check_counters(store)
