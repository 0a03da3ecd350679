"""The queue as a state machine against a dictionary: whatever is done in whatever order, both agree."""

import shutil
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, multiple, rule

from hybridq.home import Home
from hybridq.job import Lane, Mode, State
from hybridq.queue.cancel_retry import cancel, retry
from hybridq.queue.claims import Claim, claim_batch, claim_stream, record
from hybridq.queue.cohorts import held
from hybridq.queue.intake import accept
from hybridq.queue.lanes import move
from hybridq.queue.rescue import give_back
from hybridq.queue.runner import Runner
from hybridq.queue.store import Store
from tests.support.verbs import BACKGROUND, check_counters, deciding, ended, many


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
