"""The queue as a state machine against a dictionary: whatever is done in whatever order, both agree."""

import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, multiple, rule
from msgspec.structs import replace

from hybridq.errors import BadData, TryAgain
from hybridq.home import Home
from hybridq.job import ENDED, LANES, Happening, Lane, Mode, State, Waits
from hybridq.queue import acceptance, bulk
from hybridq.queue.bulk import Bulk
from hybridq.queue.cancel_retry import cancel, retry
from hybridq.queue.claims import Claim, claim_batch, claim_stream
from hybridq.queue.cleaning import clean, sweep
from hybridq.queue.cohorts import held
from hybridq.queue.intake import accept
from hybridq.queue.lanes import move
from hybridq.queue.rescue import give_back
from hybridq.queue.results import record
from hybridq.queue.runner import Runner
from hybridq.queue.select import chosen
from hybridq.queue.store import Store
from hybridq.reason import said
from hybridq.selection import Last
from tests.support.verbs import BACKGROUND, check_counters, deciding, ended, many

OWN = [replace(BACKGROUND, priority=n, group="g" if n == 3 else None) for n in range(4)]
ACCEPTED = "SELECT job.id FROM job JOIN cohort ON cohort.id = job.cohort WHERE accepted IS NOT NULL"


class Queue(RuleBasedStateMachine):
    """Two runners, two writers with a store each, every verb; the dictionary says what each job's state must be."""

    jobs = Bundle("jobs")
    claims = Bundle("claims")

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.store = Store.open(Home.find({"HYBRIDQ_HOME": str(self.folder / "home")}))
        self.runners = [Runner(self.store, "drain"), Runner(self.store, "drain")]
        self.model: dict[int, State] = {}
        self.last: dict[int, State] = {}  # where each job stands or, cleaned away, stood
        self.behind: dict[int, tuple[list[int], list[int]]] = {}  # what it waits for: done, and ended
        self.caused: set[int] = set()  # cancelled for what they wait for
        self.let_in: set[int] = set()  # of these, those that wait for nothing any more
        self.holder: dict[int, tuple[int, int]] = {}  # job -> (runner, attempt)
        self.now = 10.0
        self.sizes = bulk.CHUNK_MIXED, bulk.TOGETHER, acceptance.TOGETHER
        bulk.CHUNK_MIXED, bulk.TOGETHER, acceptance.TOGETHER = 3, 2, 2  # so that a few jobs are many
        self.others = [Store.open(self.store.home), Store.open(self.store.home)]
        self.writers: dict[int, Bulk] = {}

    def teardown(self) -> None:
        bulk.CHUNK_MIXED, bulk.TOGETHER, acceptance.TOGETHER = self.sizes
        for each in (self.store, *self.others):
            each.close()
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

    @rule(
        target=jobs,
        done=st.lists(jobs, max_size=2),
        over=st.lists(jobs, max_size=2),
        count=st.integers(1, 3),
        mode=st.sampled_from(Mode),
    )
    def submit_behind(self, done: list[int], over: list[int], count: int, mode: Mode):  # type: ignore[no-untyped-def]
        """Some jobs that wait for others; one that is to be done and to have ended is to be done."""
        done = [job for job in done if job in self.model]
        over = [job for job in over if job in self.model and job not in done]
        waits = Waits(done=tuple((job, job) for job in done), ended=tuple((job, job) for job in over))
        with Bulk(self.store) as writer:
            for _ in range(count):
                writer.add(BACKGROUND, b"w", None, waits if done or over else None)
            accepted = writer.accept(deciding(mode), now=self.now)
        assert accepted is not None
        new = range(accepted.first, accepted.last + 1)
        self.model |= dict.fromkeys(new, State.QUEUED)
        self.behind |= dict.fromkeys(new, (done, over))
        self.settle()
        return multiple(*new)

    def settle(self) -> int:
        """Release, cancel and revive what waits, until nothing changes; how many were revived."""
        revived, before = 0, None
        while before != (before := (dict(self.model), set(self.let_in))):
            self.last |= self.model
            for job, (done, over) in self.behind.items():
                revived += self.settle_one(job, done, over) if job not in self.let_in else 0
        return revived

    def settle_one(self, job: int, done: list[int], over: list[int]) -> bool:
        """The same for one job that was not let in so far."""
        broken = any(self.last[each] in (State.FAILED, State.CANCELLED) for each in done)
        if all(self.last[each] is State.DONE for each in done) and all(self.last[each] in ENDED for each in over):
            self.let_in.add(job)
        elif broken and self.model.get(job) is State.QUEUED:
            self.model[job] = State.CANCELLED
            self.caused.add(job)
        elif not broken and job in self.caused and self.model.get(job) is State.CANCELLED:
            self.model[job] = State.QUEUED
            self.caused.discard(job)
            return True
        return False

    @rule(who=st.integers(0, 1), rows=st.lists(st.tuples(st.integers(0, 3), st.sampled_from("abc-")), max_size=5))
    def write(self, who: int, rows: list[tuple[int, str]]) -> None:
        """Some jobs of a submission that is not accepted yet; it ends where a key means something else, or is taken."""
        writer = self.writers.pop(who, None) or Bulk(self.others[who]).__enter__()
        try:
            for which, key in rows:
                writer.add(OWN[which], b"z%d" % which, None if key == "-" else key)
        except (BadData, TryAgain) as problem:
            writer.__exit__(type(problem), problem, None)
        else:
            self.writers[who] = writer

    @rule(target=jobs, who=st.integers(0, 1), mode=st.sampled_from(Mode))
    def accept(self, who: int, mode: Mode):  # type: ignore[no-untyped-def]
        """All that one writer has written, with an acknowledgement, or nothing of it."""
        before = {number for (number,) in self.store.rows(ACCEPTED)}
        assert before == self.model.keys()
        accepted = None
        with suppress(BadData, TryAgain), self.writers.pop(who, None) or Bulk(self.others[who]) as writer:
            accepted = writer.accept(deciding(mode), now=self.now)
        new = {number for (number,) in self.store.rows(ACCEPTED)} - before
        assert len(new) == (accepted.jobs if accepted else 0)
        self.model |= dict.fromkeys(new, State.QUEUED)
        if accepted:
            assert new == set(chosen(self.store, [Last()]))
        return multiple(*sorted(new))

    @rule(who=st.integers(0, 1), reopened=st.booleans())
    def leave(self, who: int, reopened: bool) -> None:
        """Control-C comes while something is written; perhaps the store is opened anew after it."""
        with suppress(KeyboardInterrupt), self.writers.pop(who, None) or Bulk(self.others[who]):
            raise KeyboardInterrupt
        if reopened:
            self.others[who].close()
            self.others[who] = Store.open(self.store.home)

    @rule()
    def clean(self) -> None:
        """What has ended goes; a group as a whole."""
        ended = {number for number, state in self.model.items() if state not in (State.QUEUED, State.RUNNING)}
        gone = clean(self.store, self.now + 1).jobs
        left = {number for (number,) in self.store.rows(ACCEPTED)}
        assert self.model.keys() - left <= ended
        assert len(self.model) - len(left) == gone
        self.model = {number: state for number, state in self.model.items() if number in left}
        assert list(sweep(self.store)) == []

    @rule(target=claims, who=st.integers(0, 1), lane=st.sampled_from(LANES), limit=st.integers(1, 3))
    def claim(self, who: int, lane: Lane, limit: int):  # type: ignore[no-untyped-def]
        runner = self.runners[who].id
        if lane is Lane.STREAM:
            taken = claim_stream(self.store, runner, "h", limit, self.now)
        else:
            keys = [each.key for each in held(self.store, "h")]
            taken = claim_batch(self.store, runner, 1, "h", keys, limit, self.now)
        for each in taken:
            assert self.model[each.id] is State.QUEUED
            assert each.id in self.let_in or each.id not in self.behind
            self.model[each.id] = State.RUNNING
            self.holder[each.id] = (runner, each.attempt)
        return multiple(*((each, lane) for each in taken))

    @rule(held=consumes(claims), ok=st.booleans(), retries=st.integers(0, 1), again=st.booleans())
    def finish(self, held: tuple[Claim, Lane], ok: bool, retries: int, again: bool) -> None:
        claim, _ = held
        outcome = ended(claim, ok=ok, retries=retries)
        mine = self.model.get(claim.id) is State.RUNNING and self.holder[claim.id][1] == claim.attempt
        for expected in (mine, False) if again else (mine,):
            stored = record(self.store, [outcome])
            assert bool(stored) is expected
        if mine:
            self.model[claim.id] = outcome.state
            self.settle()

    @rule(job=jobs)
    def cancel(self, job: int) -> None:
        open_ = self.model.get(job) in (State.QUEUED, State.RUNNING)
        assert cancel(self.store, [job], self.now) == open_
        if open_:
            self.model[job] = State.CANCELLED
            self.settle()

    @rule(job=jobs)
    def retry(self, job: int) -> None:
        ended_badly = self.model.get(job) in (State.FAILED, State.CANCELLED)
        done = self.behind.get(job, ([], []))[0] if job not in self.let_in else []
        ended_badly &= not any(self.last[each] in (State.FAILED, State.CANCELLED) for each in done)
        changed = retry(self.store, [job], self.now)
        if ended_badly:
            self.model[job] = State.QUEUED
            self.caused.discard(job)
        assert changed == ended_badly + self.settle()

    @rule(job=jobs, lane=st.sampled_from(LANES))
    def move(self, job: int, lane: Lane) -> None:
        if move(self.store, [job], lane, Happening.SAID, said("test"), self.now):
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
        found = self.store.rows(ACCEPTED.replace("job.id", "job.id, state"))
        assert {j: State(s) for j, s in found} == self.model
        check_counters(self.store)


TestQueue = Queue.TestCase
TestQueue.settings = settings(
    max_examples=25, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
)
