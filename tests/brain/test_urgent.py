"""What overtakes a flush that runs: what would be late behind it, or has a higher priority, in its order."""

import math

import pytest
from msgspec.structs import replace

from hybridq.brain.conditions import Conditions
from hybridq.brain.forecast import flushing_etas, held_etas
from hybridq.brain.gather import FlushAtWork, gather
from hybridq.brain.policy import classify, promote
from hybridq.brain.urgent import urgent_flushes
from hybridq.config.values import HandlerConfig
from hybridq.job import Audience, Held, Lane, Mode, Request, State
from tests.brain.test_gather import NOW, facts
from tests.support.deciding import told

RUNS = {(Lane.BATCH, State.RUNNING): 2}
LONG = Held(key=1, jobs=1000, size=1.0, deadline=math.inf, since=NOW - 60.0, delay_cost=0.0, begun=True)  # 2 s each


def new(key: int = 2, **changes: object) -> Held:
    """One job that came since the long flush began."""
    fields = {"jobs": 1, "size": 1.0, "deadline": math.inf, "since": NOW - 1.0, "delay_cost": 0.001} | changes
    return Held(key=key, **fields)  # type: ignore[arg-type]


def world(*held: Held, **others: object) -> Conditions:
    """A worker with one instance, a minute after a flush of 1,000 jobs of 2 s began."""
    return gather(facts(jobs=RUNS, flushes=[FlushAtWork(NOW - 30.0, 1000)], held=(LONG, *held), **others))


def test_a_near_deadline_overtakes_and_a_far_one_waits() -> None:
    """The rest takes 2,004 s: what is due in ten minutes goes first, what is due in two hours after it."""
    near, far = new(2, deadline=NOW + 600), new(3, deadline=NOW + 7200)
    assert {key for flush in world(near, far).urgent for key in flush.keys} == {2}
    assert [each.key for each in world(near, far).held] == [3]


def test_a_higher_priority_overtakes_and_the_same_does_not() -> None:
    """Without a deadline the priority counts, and then the age."""
    high, same, low = new(2, rank=-5), new(3), new(4, rank=1)
    assert {key for flush in world(high, same, low).urgent for key in flush.keys} == {2}
    assert "by its priority" in told(world(high).urgent[0].reason)


def test_what_is_due_after_all_of_the_flush_waits() -> None:
    """A flush of an earlier deadline is not overtaken, though what waits for it will be late."""
    due = replace(LONG, deadline=NOW + 300)
    behind = gather(facts(jobs=RUNS, flushes=[FlushAtWork(NOW - 30.0, 1000)], held=(due, new(deadline=NOW + 600))))
    assert behind.urgent == ()


def test_without_a_flush_nothing_is_overtaken() -> None:
    """Nor is one whose batch is at a provider, for that is no instance of ours."""
    near = new(deadline=NOW + 600)
    assert gather(facts(held=(near,))).urgent == ()
    remote = facts(HandlerConfig(kind="openai"), jobs=RUNS, flushes=[FlushAtWork(NOW - 30.0, 1000)], held=(LONG, near))
    assert gather(remote).urgent == ()


def test_it_begins_after_the_calls_that_run() -> None:
    """On the one instance half of a call is left, and a whole one waits: 3 s, and 2 s of its own."""
    near = new(deadline=NOW + 600)
    etas = flushing_etas(world(near))
    assert world(near).urgent_ahead == pytest.approx(3.0, rel=0.1)
    assert (etas[2].finish or 0) - NOW == pytest.approx(5.0, rel=0.1)
    assert (etas[1].finish or 0) - NOW == pytest.approx(2006.0, rel=0.01)


def test_several_instances_are_free_sooner() -> None:
    """Of four, the second that is free takes it; of a command, which waits for none, the first."""
    slots = {"slots": {Lane.STREAM: 4, Lane.BATCH: 4}, "jobs": {(Lane.BATCH, State.RUNNING): 5}}
    held = {"flushes": [FlushAtWork(NOW - 30.0, 1000)], "held": (LONG,)}
    assert gather(facts(**slots, **held)).urgent_ahead == pytest.approx(0.8, rel=0.1)
    assert gather(facts(HandlerConfig(kind="shell"), **slots, **held)).urgent_ahead == pytest.approx(0.4, rel=0.1)


def test_it_waits_for_its_latest_start_where_that_is_cheaper() -> None:
    """What is due to overtake later is told then, and what is held behind the flush ends as much later."""
    near, far = new(2, deadline=NOW + 600), new(3)
    alone, both = world(far), replace(world(near, far), urgent=())
    later = replace(urgent_flushes([near], both)[0], at=NOW + 100.0)
    etas = held_etas([near, far], replace(both, batch_ahead=alone.batch_ahead, urgent=(later,)))
    assert etas[2].start == pytest.approx(NOW + 103.0, abs=0.5)
    assert (etas[3].start or 0) - (held_etas([far], alone)[3].start or 0) == pytest.approx(2.0, abs=0.1)


def test_what_is_promised_at_submission_is_what_is_told_a_moment_later() -> None:
    """By the same rule: the forecast of a batch that is due soon is the place that its row shows."""
    asked = Request(handler="slow", audience=Audience.BACKGROUND, deadline=NOW + 600, mode=Mode.BATCH)
    promised = classify(asked, 1, 1.0, world()).forecast
    row = flushing_etas(world(new(deadline=NOW + 600)))[2]
    assert promised.makes_deadline
    assert promised.finish == pytest.approx(row.finish, abs=0.5)
    assert promote(asked, 1, 1.0, world()) is None


def test_a_second_urgent_one_goes_behind_the_first_by_its_deadline() -> None:
    """Both overtake the long flush; the earlier deadline is told first."""
    etas = flushing_etas(world(new(2, deadline=NOW + 900), new(3, deadline=NOW + 600)))
    assert (etas[3].finish or 0) < (etas[2].finish or 0) < NOW + 60


def test_a_cohort_that_has_begun_is_of_the_flush_before_one_that_was_held() -> None:
    """What is due later, held before the flush began, is not taken for a part of it."""
    held = new(deadline=NOW + 7200, since=NOW - 100.0)
    assert [each.key for each in world(held).flushing] == [1]


def test_nothing_overtakes_a_drain() -> None:
    """What a drain runs ends first: it looks at nothing that comes meanwhile."""
    near = new(deadline=NOW + 60)
    drained = facts(jobs=RUNS, flushes=[FlushAtWork(NOW - 30.0, 1000, drained=True)], held=(LONG, near))
    assert gather(drained).urgent == ()
    flushed = replace(drained, flushes=[FlushAtWork(NOW - 30.0, 1000)])
    assert gather(flushed).urgent
